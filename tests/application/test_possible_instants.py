"""Instants that cannot be true become no facts, and hold up none."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select
from tests.builders import at, sha
from tests.domain.rule_builders import ENGINE

from shipmark.application.artifacts import BuiltFrom, record_reports, set_artifact
from shipmark.application.facts import BranchPush, Fact, PushedCommit, RepositoryFacts
from shipmark.application.policy import Policy
from shipmark.application.record_facts import record_facts
from shipmark.application.record_pulls import PullFacts
from shipmark.domain.artifacts import ServiceDeployed
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.storage.database import Database
from shipmark.storage.forge_tables import source_events
from shipmark.storage.tables import branch_commits, deployments, pulls, repositories

POLICY = Policy(patterns=ENGINE)
NAME, NEW_NAME = "acme/shop", "acme/store"
ZERO, FAR = datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
IMPOSSIBLE = pytest.mark.parametrize("wrong", [ZERO, FAR], ids=["zero", "the year 2999"])


def a_pull(as_of: datetime, **values: Any) -> PullFacts:
    return PullFacts(repository=NAME, number=5, values={"base_ref": "main", **values}, as_of=as_of)


def itself(name: str, as_of: datetime) -> RepositoryFacts:
    return RepositoryFacts(name=name, source="github", source_id="1", as_of=as_of)


def an_event(of: datetime, source: EventSource = EventSource.GITHUB_ACTIONS) -> SourceEvent:
    return SourceEvent(source=source, key=f"github:{NAME}:it", repository=NAME, at=of, success=True)


def stored(database: Database, column: Any, *messages: Sequence[Fact], **options: Any) -> list[Any]:
    with database.trial() as tx:
        for one in messages:
            record_facts(tx, one, policy=POLICY, **options)
        return list(tx.connection.scalars(select(column)))


@IMPOSSIBLE
def test_a_pull_request_is_as_it_was_told_at_a_possible_instant_whichever_comes_first(
    database: Database, wrong: datetime
) -> None:
    told = [[a_pull(wrong, title="Wrong", merged_at=None)], [a_pull(at(2), merged_at=at(2))]]
    for order in permutations(told):
        assert stored(database, pulls.c.merged_at, *order) == [at(2)]


@IMPOSSIBLE
def test_no_instant_of_a_pull_request_is_an_impossible_one(
    database: Database, wrong: datetime
) -> None:
    told = [a_pull(at(2), merged_at=wrong, created_at=wrong, first_commit_at=wrong)]
    for column in (pulls.c.merged_at, pulls.c.created_at, pulls.c.first_commit_at):
        assert stored(database, column, told) == [None]


@IMPOSSIBLE
def test_a_repository_gets_its_new_name_though_its_old_one_was_told_as_of_never(
    database: Database, wrong: datetime
) -> None:
    for order in permutations([[itself(NAME, wrong)], [itself(NEW_NAME, at(1))]]):
        assert stored(database, repositories.c.name, *order) == [NEW_NAME]


@IMPOSSIBLE
def test_what_a_webhook_tells_of_an_impossible_instant_happened_when_it_came(
    database: Database, wrong: datetime
) -> None:
    found = stored(database, source_events.c.at, [an_event(wrong)], told_at=at(3))
    assert found == [at(3)]


@IMPOSSIBLE
def test_what_an_import_tells_of_an_impossible_instant_is_left_out(
    database: Database, wrong: datetime
) -> None:
    merge = an_event(wrong, EventSource.MERGED_PULL_REQUEST)
    assert stored(database, source_events.c.at, [an_event(wrong)]) == []
    assert stored(database, source_events.c.at, [merge], told_at=at(3)) == []


@pytest.mark.parametrize(
    ("wrong", "options", "year"), [(ZERO, {"told_at": at(3)}, 1990), (FAR, {}, 1990)]
)
def test_a_commit_of_an_impossible_date_counts_as_an_old_one(
    database: Database, wrong: datetime, options: dict[str, Any], year: int
) -> None:
    push = BranchPush(
        repository=NAME, branch="main", commits=(PushedCommit(sha=sha(1), committed_at=wrong),)
    )
    (found,) = stored(database, branch_commits.c.committed_at, [push], **options)
    assert found.year == year


def test_a_commit_from_ahead_counts_as_of_when_it_was_pushed(database: Database) -> None:
    push = BranchPush(
        repository=NAME, branch="main", commits=(PushedCommit(sha=sha(1), committed_at=FAR),)
    )
    assert stored(database, branch_commits.c.committed_at, [push], told_at=at(3)) == [at(3)]


@IMPOSSIBLE
def test_what_a_deploy_system_tells_of_an_impossible_instant_happened_when_it_came(
    database: Database, wrong: datetime
) -> None:
    image = f"ghcr.io/acme/shop@sha256:{'1' * 64}"
    report = ServiceDeployed(
        key="cdevents:x:1",
        source="cdevents",
        at=wrong,
        success=True,
        artifacts=(image,),
        service="x",
    )
    policy = Policy(patterns=ENGINE, register_unknown_repositories=True)
    with database.trial() as tx:
        built = BuiltFrom(artifact=image, repository=NAME, commit_sha=sha(1))
        set_artifact(tx, built, policy=policy)
        record_reports(tx, [report], policy=policy)
        assert list(tx.connection.scalars(select(deployments.c.deployed_at))) == [tx.now]
