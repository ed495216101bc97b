"""What was told and made no deployment is told by a look for what is missing; on both databases."""

import shlex
from typing import Any

import pytest
from tests.application.test_doctor import NOW, POLICY, SETUP, in_general, looked_at
from tests.builders import REPOSITORY, Clock, at, sha
from tests.domain.rule_builders import a_rule, an_event

from shipmark.application.artifacts import BuiltFrom, record_reports, set_artifact
from shipmark.application.doctor import Setup
from shipmark.application.record_facts import record_facts
from shipmark.application.repositories import upsert_repository
from shipmark.application.rules import RuleDraft, infer, upsert_rule
from shipmark.domain.artifacts import ServiceDeployed, without_version
from shipmark.storage.database import Database

SHOP, SIDECAR = "ghcr.io/acme/shop", "envoyproxy/envoy:v1.30.1"
NO_FORGES = Setup(patterns=SETUP.patterns)


def ran(hours: float, *artifacts: str, **values: Any) -> ServiceDeployed:
    defaults: dict[str, Any] = {"source": "argo_cd", "success": True, "service": "shop"}
    key = f"argo_cd:{hours}:{artifacts}"
    return ServiceDeployed(key=key, at=at(hours), artifacts=artifacts, **defaults | values)


def report(database: Database, *reports: ServiceDeployed) -> None:
    with database.write() as tx:
        record_reports(tx, reports, policy=POLICY)


def build(database: Database, artifact: str) -> None:
    with database.write() as tx:
        upsert_repository(tx, REPOSITORY, {}, policy=POLICY)
        built = BuiltFrom(artifact=artifact, repository=REPOSITORY, commit_sha=sha(1))
        set_artifact(tx, built, policy=POLICY)


def told(database: Database) -> str:
    return in_general(looked_at(database, NO_FORGES))


def test_deployments_that_wait_for_their_image_are_told_by_image(
    database: Database, clock: Clock
) -> None:
    report(database, ran(1, f"{SHOP}:1", SIDECAR), ran(2, f"{SHOP}:2", SIDECAR))
    report(database, ran(3, "ghcr.io/acme/till:7", source="flux"))
    assert told(database) == ""
    clock.advance(minutes=11)
    found = told(database)
    assert (
        f"2 deployments that Argo CD told of, since {at(1):%Y-%m-%d %H:%M:%S} UTC, wait for the "
        f"commit of envoyproxy/envoy or {SHOP}, which nobody told. The latest: {SHOP}:2" in found
    )
    assert "1 deployment that Flux told of" in found
    assert "waits for the commit of ghcr.io/acme/till" in found


def test_an_image_that_is_told_is_missed_no_longer_nor_are_its_sidecars(
    database: Database, clock: Clock
) -> None:
    report(database, ran(1, f"{SHOP}:1", SIDECAR))
    clock.advance(minutes=11)
    assert SHOP in told(database)
    build(database, f"{SHOP}:1")
    assert told(database) == ""


def test_the_command_that_tells_an_image_is_safe_to_paste(database: Database, clock: Clock) -> None:
    odd = "pkg:npm/$(touch x)'@1.2.0"
    report(database, ran(1, odd))
    clock.advance(minutes=11)
    (finding,) = looked_at(database, NO_FORGES).findings
    command = finding.mend.partition(": ")[2].partition(". If nobody")[0]
    assert shlex.split(command)[:3] == ["curl", "--fail", "$SHIPMARK_URL/api/artifacts.set"]
    assert f"artifact={odd}" in shlex.split(command)


def test_an_image_that_names_no_one_build_is_told_as_such(database: Database, clock: Clock) -> None:
    report(database, ran(1, f"{SHOP}:latest"))
    clock.advance(minutes=11)
    (finding,) = looked_at(database, NO_FORGES).findings
    assert f"'{SHOP}:latest' names no one build of it" in finding.what
    assert "digest" in finding.mend


def test_what_runs_without_any_image_or_ran_long_ago_is_not_missed(
    database: Database, clock: Clock
) -> None:
    report(database, ran(1), ran(2, f"{SHOP}:1"))
    clock.advance(days=31)
    assert told(database) == ""


def test_of_very_many_images_the_latest_are_told_and_the_others_counted(
    database: Database, clock: Clock
) -> None:
    report(database, *(ran(number / 60, f"acme/app-{number:02}:1") for number in range(25)))
    clock.advance(minutes=11)
    found = told(database)
    assert found.count("wait") == 21
    assert "5 images more are waited for" in found


@pytest.mark.parametrize(
    ("artifact", "name"),
    [
        (f"{SHOP}:1.2@sha256:{'a' * 64}", SHOP),
        (f"localhost:5000/shop@sha256:{'a' * 64}", "localhost:5000/shop"),
        ("shop", "shop"),
        (f"sha256:{'a' * 64}", ""),
        ("pkg:npm/%40acme/shop@1.2.0?x=y", "pkg:npm/%40acme/shop"),
    ],
)
def test_an_artifact_has_a_name_besides_its_version(artifact: str, name: str) -> None:
    assert without_version(artifact) == name


def test_an_event_of_which_a_rule_makes_too_long_a_name_is_kept_and_told(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    rule = a_rule(service="{repository_name}-{workflow}")
    long = an_event(workflow="w" * 300, at=NOW, url="https://github.example/runs/1")
    draft = RuleDraft(name="Deploys", source=rule.source, when=rule.when, make=rule.make)
    with database.write() as tx:
        upsert_rule(tx, draft, policy=POLICY)
        record_facts(tx, [long, an_event(key="github:x:run:2:1")], policy=POLICY, infer=infer)
    assert "the service would have 305 characters" in caplog.text
    found = told(database)
    assert "The deploy rule 'Deploys' made no deployment of 1 event that it is about" in found
    assert f"The latest is of {REPOSITORY}" in found
    assert "https://github.example/runs/1" in found
    shorter = a_rule(service="{repository_name}")
    with database.write() as tx:
        again = RuleDraft(
            name="Deploys", source=rule.source, when=rule.when, make=shorter.make, since=at(0)
        )
        made = upsert_rule(tx, again, policy=POLICY).tried
    assert [one.is_new for one in made if one.event.url == long.url] == [True]
    assert "characters" not in told(database)
