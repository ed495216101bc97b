"""Imports read the events that deploy rules are about, of the past too, and nothing for nothing."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from tests.application.test_backfill_forge import EVERY, Scene
from tests.builders import Clock, sha
from tests.connectors.fake_gitlab import LISTS, NAME, merged_at
from tests.connectors.http_forge import answers

from shipmark.application.facts import RepositoryFacts
from shipmark.application.forge_importer import ForgeImporter
from shipmark.application.import_scope import EVERYTHING, WHOLE_PULLS
from shipmark.application.policy import Policy
from shipmark.application.record_facts import record_facts
from shipmark.application.rules import RuleDraft, infer, upsert_rule
from shipmark.connectors.gitlab_webhooks import read_webhook
from shipmark.connectors.re2_patterns import Re2Engine
from shipmark.domain.events import EventSource
from shipmark.domain.model import Deployment
from shipmark.domain.patterns import read_pattern
from shipmark.domain.rules import Conditions, Outcome
from shipmark.storage.database import Database

POLICY = Policy(patterns=Re2Engine())


def a_gitlab_deployment(number: int, of: int) -> dict[str, Any]:
    return {
        "id": number,
        "status": "success",
        "sha": sha(of),
        "environment": {"name": "production"},
        "updated_at": merged_at(of + 1),
        "ref": "main",
    }


def a_tag(name: str, of: int) -> dict[str, Any]:
    return {"name": name, "commit": {"id": sha(of), "committed_date": merged_at(of)}}


@pytest.fixture
def scene(database: Database, clock: Clock) -> Iterator[Scene]:
    lists = {
        "deployments": [a_gitlab_deployment(1, 3), a_gitlab_deployment(2, 5)],
        "repository/tags": [a_tag("v1", 3)],
    }
    made = Scene(database, clock, 6, lists=lists)
    made.importer = ForgeImporter(
        database, made.forges, POLICY, every=EVERY, stopping=made.stopping, infer=infer
    )
    made.policy = POLICY
    with made.forge:
        yield made
        made.forges.close()


def rule(scene: Scene, source: EventSource, repository: str = "shop/**", **when: str) -> None:
    conditions = {name: read_pattern(text) for name, text in when.items()}
    draft = RuleDraft(
        name=f"{source} {repository}",
        source=source,
        when=Conditions(repository=read_pattern(repository), **conditions),
        make=Outcome(service=source),
    )
    scene.write(partial(upsert_rule, draft=draft, policy=POLICY))


def asked_lists(scene: Scene) -> list[str]:
    """Which lists of events were asked for, in their order."""
    paths = [path.partition("checkout/")[2] for path in scene.forge.paths()]
    return [path for path in paths if path in LISTS]


def made(scene: Scene) -> list[Deployment]:
    with scene.database.read() as tx:
        ids = tx.deployments.by_reference_ids(_references(scene))
        return sorted(ids.values(), key=lambda one: one.deployed_at)


def _references(scene: Scene) -> set[str]:
    with scene.database.engine.connect() as connection:
        query = "SELECT reference_id FROM deployments"
        return set(connection.exec_driver_sql(query).scalars())


def test_what_no_rule_is_about_is_not_asked_for(scene: Scene) -> None:
    rule(scene, EventSource.GITLAB_DEPLOYMENTS, "other/**")
    rule(scene, EventSource.GITHUB_ACTIONS)
    scene.pages(scene.begin())
    assert asked_lists(scene) == []


def test_a_rule_infers_deployments_of_the_past(scene: Scene) -> None:
    rule(scene, EventSource.GITLAB_DEPLOYMENTS)
    done = scene.pages(scene.begin())
    assert asked_lists(scene) == ["deployments"]
    assert [one.commit_sha for one in made(scene)] == [sha(3), sha(5)]
    assert done.has_read == {"gitlab_deployments"}
    assert all(one.attribution.status == "attributed" for one in made(scene))


def test_a_rule_about_jobs_asks_for_jobs_and_where_they_deployed(scene: Scene) -> None:
    rule(scene, EventSource.GITLAB_PIPELINES, job="deploy")
    scene.pages(scene.begin())
    assert asked_lists(scene) == ["jobs", "deployments"]


def test_a_later_rule_reads_its_events_from_the_beginning_and_once(scene: Scene) -> None:
    rule(scene, EventSource.GITLAB_DEPLOYMENTS)
    scene.pages(scene.begin())
    scene.clock.advance(days=1)
    rule(scene, EventSource.TAG)
    scene.forge.asked.clear()
    scene.pages(scene.begin())
    assert asked_lists(scene) == ["deployments", "repository/tags"]
    assert len(made(scene)) == 3
    (listed,) = [one for one in scene.forge.asked if one.path.endswith("/deployments")]
    assert "updated_after" in listed.query
    scene.clock.advance(days=1)
    scene.forge.asked.clear()
    scene.pages(scene.begin())
    assert asked_lists(scene) == ["deployments", "repository/tags"]
    assert len(made(scene)) == 3


def test_a_rule_saved_during_a_run_is_left_to_the_next(scene: Scene) -> None:
    at = scene.pages(scene.begin(), 2)
    rule(scene, EventSource.TAG)
    done = scene.pages(scene.begin())
    assert (at.reads, asked_lists(scene), done.has_read) == (frozenset(), [], frozenset())
    scene.pages(scene.begin())
    assert len(made(scene)) == 1


def test_all_events_are_read_when_asked_for(scene: Scene) -> None:
    scene.pages(scene.begin())
    scene.pages(scene.begin(events=True))
    assert asked_lists(scene) == list(LISTS)
    scene.forge.asked.clear()
    scene.pages(scene.begin(), 1)
    scene.pages(scene.begin(events=True))
    assert asked_lists(scene) == list(LISTS)
    assert scene.state().has_read - {WHOLE_PULLS} == EVERYTHING
    with scene.database.read() as tx:
        assert len(tx.deploy_rules.past_events(EventSource.TAG, since=None, limit=9)) == 1


HOOK = {
    "object_kind": "deployment",
    "status": "success",
    "deployment_id": 2,
    "environment": "production",
    "project": {"id": 7, "path_with_namespace": NAME},
    "short_sha": sha(5)[:8],
    "commit_url": f"https://gitlab.example/{NAME}/-/commit/{sha(5)}",
    "status_changed_at": "2024-01-01 00:06:00 UTC",
    "ref": "main",
}


@pytest.mark.parametrize("first", ["webhook", "import"])
@pytest.mark.parametrize("name", [NAME, "shop/web/till"])
def test_webhook_and_import_make_one_deployment_whichever_comes_first_under_whatever_name(
    scene: Scene, first: str, name: str
) -> None:
    rule(scene, EventSource.GITLAB_DEPLOYMENTS)

    def deliver() -> None:
        repository = RepositoryFacts(name=name, source="gitlab", source_id="7")
        hook = {**HOOK, "project": {"id": 7, "path_with_namespace": name}}
        facts = [repository, *read_webhook({}, hook)]
        scene.write(partial(record_facts, facts=facts, policy=POLICY, infer=infer))

    def bring() -> None:
        with scene.database.read() as tx:
            scene.repository = tx.repositories.get({scene.repository.id})[scene.repository.id]
        scene.gitlab.name = scene.repository.name
        scene.pages(scene.begin())

    scene.write(
        partial(
            record_facts,
            facts=[RepositoryFacts(name=NAME, source="gitlab", source_id="7")],
            policy=POLICY,
        )
    )
    steps = [deliver, bring] if first == "webhook" else [bring, deliver]
    for step in steps:
        step()
    assert [one.commit_sha for one in made(scene)] == [sha(3), sha(5)]


def test_a_list_that_the_token_may_not_read_keeps_nothing_else_away(scene: Scene) -> None:
    rule(scene, EventSource.GITLAB_DEPLOYMENTS)
    rule(scene, EventSource.TAG)
    at = scene.pages(scene.begin(), 4)
    assert at.cursor == "deployments"
    scene.forge.faults.append(answers(403))
    scene.pages(at)
    assert [one.commit_sha for one in made(scene)] == [sha(3)]


# Commits of pull requests


def known_commits(scene: Scene) -> set[str]:
    wanted = {(scene.repository.id, sha(500_000 + number)) for number in range(1, 7)}
    with scene.database.engine.connect() as connection:
        found = set(connection.exec_driver_sql("SELECT sha FROM pull_commits").scalars())
    return found & {one for _, one in wanted}


def test_commits_of_what_changed_are_read_and_of_a_first_import_when_asked_for(
    scene: Scene,
) -> None:
    scene.pages(scene.begin())
    assert known_commits(scene) == set()
    scene.clock.advance(days=1)
    scene.gitlab.changed_at = scene.clock.now
    scene.pages(scene.begin(commits=False))
    assert known_commits(scene) == set()
    scene.clock.advance(days=1)
    scene.gitlab.changed_at = scene.clock.now
    scene.gitlab.count = 2
    scene.pages(scene.begin())
    assert len(known_commits(scene)) == 2
    scene.gitlab.count = 6
    scene.pages(scene.begin(again=True, commits=True))
    assert len(known_commits(scene)) == 6


def test_a_run_reads_what_it_began_with(scene: Scene) -> None:
    at = scene.begin(again=True, commits=True)
    assert WHOLE_PULLS in at.reads
    assert scene.begin().reads == at.reads
    assert scene.begin(commits=False).reads == frozenset()
    assert replace(at, due_at=scene.clock.now).reads == {WHOLE_PULLS}
