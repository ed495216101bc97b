"""What runs becomes deployments, whichever of image and sync is told first; on both databases."""

from dataclasses import replace
from itertools import groupby, permutations
from typing import Any

import pytest
from sqlalchemy import select
from tests.builders import REPOSITORY, Clock, a_pull_request, at, sha
from tests.domain.rule_builders import ENGINE, a_rule

from shipmark.application.artifacts import (
    BuiltFrom,
    record_reports,
    resolve_known,
    set_artifact,
)
from shipmark.application.policy import Policy
from shipmark.application.record_pulls import record_pulls
from shipmark.application.repositories import upsert_repository
from shipmark.application.rules import RuleDraft, upsert_rule
from shipmark.connectors.flux import read_webhook
from shipmark.domain.artifacts import ArtifactInvalid, Commit, ServiceDeployed
from shipmark.domain.errors import InvalidArgument, RepositoryNotFound
from shipmark.domain.events import EventSource
from shipmark.domain.model import Deployment, Status
from shipmark.storage.database import Database
from shipmark.storage.rule_tables import service_reports
from shipmark.storage.transaction import StorageTransaction

POLICY = Policy(patterns=ENGINE)
IMAGE = "ghcr.io/acme/shop:1.2"
SIDECAR = "envoyproxy/envoy:v1.30.1"
DIGEST = "sha256:" + "a" * 64


def a_report(**values: Any) -> ServiceDeployed:
    """A sync of Argo CD that runs an image."""
    defaults: dict[str, Any] = {
        "key": "argo_cd:4bc14d40:2024-06-01T17:00:00Z",
        "source": "argo_cd",
        "at": at(5),
        "success": True,
        "artifacts": (IMAGE, SIDECAR),
        "service": "shop",
        "environment": "eu",
        "application": "shop-app",
        "url": "https://argo.example/shop",
    }
    return ServiceDeployed(**defaults | values)


def with_shop(tx: StorageTransaction) -> None:
    upsert_repository(tx, REPOSITORY, {"default_branch": "main"}, policy=POLICY)
    record_pulls(tx, [a_pull_request(number) for number in (1, 2, 3)], policy=POLICY)


def build(tx: StorageTransaction, number: int, artifact: str = IMAGE) -> tuple[str, ...]:
    """Tell from which commit an image was built; the deployments that came of it."""
    built = BuiltFrom(artifact=artifact, repository=REPOSITORY, commit_sha=sha(number))
    return set_artifact(tx, built, policy=POLICY).deployments


def report(tx: StorageTransaction, *reports: ServiceDeployed) -> list[str]:
    return record_reports(tx, reports or [a_report()], policy=POLICY)


def deployments(tx: StorageTransaction) -> list[Deployment]:
    return list(tx.deployments.get(range(1, 100)).values())


@pytest.mark.parametrize("image_first", [True, False])
def test_a_sync_becomes_a_deployment_of_its_images_commit(
    database: Database, image_first: bool
) -> None:
    with database.write() as tx:
        with_shop(tx)
        steps = [lambda: build(tx, 2), lambda: report(tx)]
        first, second = steps if image_first else reversed(steps)
        assert not first()
        (name,) = second()
        (one,) = deployments(tx)
        (service,) = tx.services.get({one.service_id}).values()
    assert one.reference_id == name == f"{a_report().key}:{REPOSITORY}:{sha(2)}"
    assert (one.deployed_at, one.environment, one.success) == (at(5), "eu", True)
    assert (one.commit_sha, service.identifier) == (sha(2), "shop")
    assert (one.source_name, one.source_url) == ("argo_cd", "https://argo.example/shop")
    assert one.attribution.status is Status.ATTRIBUTED


def test_a_report_told_again_deploys_nothing_again(database: Database) -> None:
    with database.write() as tx:
        with_shop(tx)
        build(tx, 2)
        assert len(report(tx)) == 1
        assert report(tx, a_report(), a_report()) == []
        assert build(tx, 2) == ()


def test_a_tag_that_moves_leaves_what_it_had_led_to(database: Database) -> None:
    with database.write() as tx:
        with_shop(tx)
        build(tx, 1)
        report(tx)
        assert build(tx, 2) == ()
        (later,) = report(tx, a_report(key="argo_cd:later", at=at(6)))
        commits = {one.reference_id: one.commit_sha for one in deployments(tx)}
    assert sorted(commits.values()) == [sha(1), sha(2)]
    assert commits[later] == sha(2)


def test_images_of_one_application_are_deployed_as_each_becomes_known(database: Database) -> None:
    worker = "ghcr.io/acme/worker:1.2"
    with database.write() as tx:
        with_shop(tx)
        build(tx, 2)
        assert len(report(tx, a_report(artifacts=(IMAGE, worker, SIDECAR)))) == 1
        assert len(build(tx, 3, worker)) == 1
        commits = sorted(str(one.commit_sha) for one in deployments(tx))
    assert commits == [sha(2), sha(3)]


def test_two_images_of_one_commit_are_one_deployment(database: Database) -> None:
    worker = "ghcr.io/acme/worker:1.2"
    with database.write() as tx:
        with_shop(tx)
        build(tx, 2)
        assert len(report(tx, a_report(artifacts=(IMAGE, worker)))) == 1
        assert build(tx, 2, worker) == ()
        assert len(deployments(tx)) == 1


# What is told again and again

SUBJECT = "flux:Kustomization:4bc14d40"
A, B = "ghcr.io/acme/shop:1", "ghcr.io/acme/shop:2"
BUILT_OF = {sha(1): "a", sha(2): "b"}


def told_of_subject(what: str, hours: float) -> ServiceDeployed:
    """What an object says after an interval: a or b runs, or in capitals, failed."""
    return a_report(
        key=f"{SUBJECT}:{hours:06.2f}",
        at=at(hours),
        subject=SUBJECT,
        artifacts=(A if what.lower() == "a" else B,),
        success=what.islower(),
    )


def with_both_built(tx: StorageTransaction) -> None:
    with_shop(tx)
    build(tx, 1, A)
    build(tx, 2, B)


def made(tx: StorageTransaction) -> list[Deployment]:
    return sorted(deployments(tx), key=lambda one: one.deployed_at)


def as_told(deployment: Deployment) -> str:
    what = BUILT_OF[str(deployment.commit_sha)]
    return what if deployment.success else what.upper()


@pytest.mark.parametrize("subject", [SUBJECT, None])
def test_a_subject_that_says_the_same_again_is_deployed_once(
    database: Database, subject: str | None
) -> None:
    with database.write() as tx:
        with_both_built(tx)
        for hours in (1, 1.2, 1.4):
            report(tx, replace(told_of_subject("a", hours), subject=subject))
        times = [one.deployed_at for one in made(tx)]
    assert times == [at(1)] if subject else [at(1), at(1.2), at(1.4)]


@pytest.mark.parametrize(
    "what",
    [
        {"artifacts": (A, B)},
        {"manifest_revision": "main@sha1:other"},
        {"environment": "us"},
        {"service": "till"},
        {"subject": "flux:Kustomization:other"},
    ],
)
def test_what_says_anything_else_is_a_deployment_of_its_own(
    database: Database, what: dict[str, Any]
) -> None:
    with database.write() as tx:
        with_both_built(tx)
        report(tx, told_of_subject("a", 1))
        assert report(tx, replace(told_of_subject("a", 2), **what))


def test_images_in_another_order_are_the_same(database: Database) -> None:
    with database.write() as tx:
        with_both_built(tx)
        first = replace(told_of_subject("a", 1), artifacts=(A, B))
        assert len(report(tx, first)) == 2
        again = told_of_subject("a", 2)
        assert report(tx, replace(again, artifacts=(B, A), url="https://argo.example/2")) == []


@pytest.mark.parametrize("story", ["aaba", "abba", "aAAa", "abAB", "aabb"])
def test_each_change_is_deployed_once_in_whatever_order_it_is_told(
    database: Database, story: str
) -> None:
    told = [told_of_subject(what, 1 + number) for number, what in enumerate(story)]
    changes = [what for what, _ in groupby(story)]
    for order in permutations(told):
        with database.trial() as tx:
            with_both_built(tx)
            for one in (*order, *order):
                report(tx, one)
            found = made(tx)
            assert [as_told(one) for one in found] == changes, order
            assert all(as_told(one) == story[int(hours(one)) - 1] for one in found)


def hours(deployment: Deployment) -> float:
    return (deployment.deployed_at - at(0)).total_seconds() / 3600


def test_a_kustomization_that_is_reconciled_at_every_interval_is_one_deployment(
    database: Database,
) -> None:
    def event(hours: float, reason: str) -> list[ServiceDeployed]:
        metadata = {"revision": f"main@sha1:{'b' * 40}", "image": A}
        return read_webhook(
            {},
            {
                "involvedObject": {"kind": "Kustomization", "name": "shop", "uid": "4bc14d40"},
                "reason": reason,
                "timestamp": at(hours).isoformat(),
                "metadata": {f"kustomize.toolkit.fluxcd.io/{k}": v for k, v in metadata.items()},
            },
        )

    with database.write() as tx:
        with_both_built(tx)
        for reason in ("HealthCheckFailed", "ReconciliationSucceeded"):
            for minutes in (0, 12, 24):
                later = 1 if reason == "ReconciliationSucceeded" else 0
                report(tx, *event(1 + later + minutes / 60, reason))
        assert [(one.success, one.deployed_at) for one in made(tx)] == [
            (False, at(1)),
            (True, at(2)),
        ]


def test_an_image_that_was_told_late_is_deployed_once_all_the_same(database: Database) -> None:
    with database.write() as tx:
        with_shop(tx)
        report(tx, *(told_of_subject("a", one) for one in (1, 2, 3)))
        assert len(build(tx, 1, A)) == 1
        assert [one.deployed_at for one in made(tx)] == [at(1)]


def test_what_was_only_said_again_is_forgotten_after_a_day(
    database: Database, clock: Clock
) -> None:
    def stored() -> int:
        with database.read() as tx:
            return len(tx.connection.execute(select(service_reports)).all())

    def tell(number: int) -> None:
        with database.write() as tx:
            report(tx, told_of_subject("a", number))

    with database.write() as tx:
        with_shop(tx)
    for number in range(5):
        tell(number)
    assert stored() == 5
    clock.advance(hours=25)
    tell(5)
    assert stored() == 2
    # Its repeat is one still.
    tell(3)
    with database.write() as tx:
        assert len(build(tx, 1, A)) == 1
        assert [one.deployed_at for one in made(tx)] == [at(0)]


def test_an_image_is_found_by_its_digest_or_by_its_tag(database: Database) -> None:
    with database.write() as tx:
        with_shop(tx)
        build(tx, 2, f"{IMAGE}@{DIGEST}")
        mirrored = a_report(key="a", artifacts=(f"mirror.example/shop@{DIGEST}",))
        tagged = a_report(key="b", artifacts=(IMAGE,))
        assert len(report(tx, mirrored, tagged)) == 2


def test_a_rule_that_matches_goes_before_the_reports_own_service(database: Database) -> None:
    rule = a_rule(source=EventSource.ARGO_CD, service="{workflow}", workflow="shop-*")
    with database.write() as tx:
        with_shop(tx)
        draft = RuleDraft(name="apps", source=rule.source, when=rule.when, make=rule.make)
        saved = upsert_rule(tx, draft, policy=POLICY).named.rule
        build(tx, 2)
        names = report(tx, a_report(key="a"), a_report(key="b", application="other"))
        by_name = tx.deployments.by_reference_ids(names)
        services = {
            one.identifier: [by_name[n].rule_id for n in names if by_name[n].service_id == one.id]
            for one in tx.services.get({one.service_id for one in by_name.values()}).values()
        }
    assert services == {"shop-app": [saved.id], "shop": [None]}


def test_a_failure_that_a_matching_rule_passes_over_is_no_deployment_of_another_service(
    database: Database,
) -> None:
    rule = a_rule(source=EventSource.ARGO_CD, service="{workflow}", workflow="shop-*")
    with database.write() as tx:
        with_shop(tx)
        draft = RuleDraft(name="apps", source=rule.source, when=rule.when, make=rule.make)
        upsert_rule(tx, draft, policy=POLICY)
        build(tx, 2)
        assert report(tx, a_report(key="a", success=False)) == []
        (failed,) = report(tx, a_report(key="b", success=False, application="other"))
        (one,) = tx.deployments.by_reference_ids([failed]).values()
    assert (one.success, one.rule_id) == (False, None)


def test_what_ran_can_be_previewed_by_a_rule(database: Database) -> None:
    with database.write() as tx:
        with_shop(tx)
        build(tx, 2)
        report(tx)
        (event,) = tx.deploy_rules.past_events(EventSource.ARGO_CD, since=None, limit=10)
    assert (event.workflow, event.repository, event.commit_sha) == ("shop-app", REPOSITORY, sha(2))


def test_a_failed_sync_is_a_failed_deployment(database: Database) -> None:
    with database.write() as tx:
        with_shop(tx)
        build(tx, 2)
        report(tx, a_report(success=False))
        (one,) = deployments(tx)
    assert (one.success, one.attribution.status) == (False, Status.NONE)


def test_a_report_that_names_no_service_is_no_deployment_without_a_rule(database: Database) -> None:
    with database.write() as tx:
        with_shop(tx)
        build(tx, 2)
        assert report(tx, a_report(service=None)) == []


def test_a_purl_that_names_its_commit_needs_no_entry(database: Database) -> None:
    with database.write() as tx:
        with_shop(tx)
        (name,) = report(tx, a_report(artifacts=(f"pkg:github/{REPOSITORY}@{sha(3)}",)))
        assert tx.deployments.by_reference_ids({name})[name].commit_sha == sha(3)


def test_an_image_told_at_the_very_moment_of_its_report_is_found_by_the_worker(
    database: Database,
) -> None:
    with database.write() as tx:
        with_shop(tx)
        report(tx)
        # As another transaction would have stored it, which could not see the report yet.
        (repository,) = tx.repositories.named({REPOSITORY})[REPOSITORY]
        tx.artifacts.save([IMAGE], repository.id, sha(2))
        assert resolve_known(tx, limit=10, policy=POLICY) == 1
        assert resolve_known(tx, limit=10, policy=POLICY) == 0
        assert len(deployments(tx)) == 1


def test_artifacts_follow_a_repository_to_its_new_name(database: Database) -> None:
    with database.write() as tx:
        with_shop(tx)
        build(tx, 2)
        (repository,) = tx.repositories.named({REPOSITORY})[REPOSITORY]
        renamed = {"name": "acme/till", "name_key": "acme/till", "short_name_key": "till"}
        tx.repositories.update(repository.id, renamed)
        assert tx.artifacts.commits([IMAGE]) == {IMAGE: Commit("acme/till", sha(2))}


def test_very_long_ids_and_keys_are_kept_apart(database: Database) -> None:
    def package(last: str) -> str:
        return f"pkg:npm/{'ö' * 900}@1.{last}"

    with database.write() as tx:
        with_shop(tx)
        build(tx, 1, package("1"))
        build(tx, 2, package("2"))
        long = a_report(key="k" * 3000, artifacts=(package("2"),))
        (name,) = report(tx, long)
        assert report(tx, long) == []
        (other,) = report(tx, replace(long, key="k" * 3001))
        assert tx.deployments.by_reference_ids({name})[name].commit_sha == sha(2)
    assert name != other
    assert max(len(name), len(other)) <= 255


def test_what_cannot_be_right_is_refused(database: Database) -> None:
    with database.write() as tx:
        with_shop(tx)
        with pytest.raises(ArtifactInvalid):
            build(tx, 1, "ghcr.io/acme/shop:latest")
        built = BuiltFrom(artifact=IMAGE, repository="acme/unknown", commit_sha=sha(1))
        with pytest.raises(RepositoryNotFound):
            set_artifact(tx, built, policy=POLICY)
        with pytest.raises(InvalidArgument):
            report(tx, a_report(service="s" * 256))
        assert tx.artifacts.commits([IMAGE]) == {}
