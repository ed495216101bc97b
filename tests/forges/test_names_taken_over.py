"""A repository gets another name, and a new one gets its old: whatever is told when, each keeps
what is its own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from tests.builders import at, sha

from shipmark.application.facts import BranchPush, Fact, PushedCommit, RepositoryFacts
from shipmark.application.forge_answers import record_answer
from shipmark.application.policy import Policy
from shipmark.application.record_facts import record_facts
from shipmark.application.record_pulls import PullFacts
from shipmark.application.rules import RuleDraft, infer, upsert_rule
from shipmark.connectors.pull_events import with_merges
from shipmark.connectors.re2_patterns import Re2Engine
from shipmark.domain.events import EventSource
from shipmark.domain.patterns import read_pattern
from shipmark.domain.rules import Conditions, Outcome
from shipmark.storage.database import Database
from shipmark.storage.tables import branch_commits, deployments, pulls, repositories
from shipmark.storage.transaction import StorageTransaction

POLICY = Policy(patterns=Re2Engine())
OLD, NEW = "acme/shop", "acme/store"
FIRST, SECOND = "511", "512"
EACH_MERGE = RuleDraft(
    name="each merge",
    source=EventSource.MERGED_PULL_REQUEST,
    when=Conditions(repository=read_pattern(OLD), branch=read_pattern("**")),
    make=Outcome(service="{repository_name}"),
)


def itself(source_id: str, name: str, hours: float, **more: Any) -> RepositoryFacts:
    return RepositoryFacts(
        name=name,
        source="github",
        source_id=source_id,
        as_of=at(hours),
        values={"default_branch": "main"},
        **more,
    )


def a_merge(source_id: str, name: str, number: int, hours: float) -> list[Fact]:
    """What a webhook of a merged pull request tells, beginning with the repository itself."""
    landed = sha(int(source_id) * 10 + number)
    values = {
        "base_ref": "main",
        "source_id": f"{source_id}-{number}",
        "merged_at": at(hours),
        "merge_commit_sha": landed,
    }
    pull = PullFacts(repository=name, number=number, values=values, as_of=at(hours))
    commits = (PushedCommit(sha=landed, committed_at=at(hours)),)
    push = BranchPush(repository=name, branch="main", commits=commits)
    return [itself(source_id, name, hours), *with_merges([pull], "github"), push]


HISTORY: Sequence[list[Fact]] = (
    a_merge(FIRST, OLD, 1, 1),
    a_merge(FIRST, OLD, 2, 2),
    [itself(FIRST, NEW, 3, former_name=OLD)],
    a_merge(SECOND, OLD, 1, 4),
    a_merge(FIRST, NEW, 3, 5),
    a_merge(SECOND, OLD, 2, 6),
)


def told(tx: StorageTransaction, messages: Sequence[Sequence[Fact]]) -> None:
    upsert_rule(tx, EACH_MERGE, policy=POLICY)
    for one in messages:
        record_facts(tx, one, policy=POLICY, infer=infer)


def known(tx: StorageTransaction) -> dict[str, Any]:
    """Of each repository its name, its pull requests, its commits, and what was deployed."""
    found: dict[str, Any] = {}
    for row in tx.connection.execute(select(repositories)):

        def its(table: Any, column: Any, of: int = row.id) -> list[Any]:
            return sorted(tx.connection.scalars(select(column).where(table.c.repository_id == of)))

        found[row.source_id] = {
            "name": row.name,
            "pulls": its(pulls, pulls.c.source_id),
            "commits": its(branch_commits, branch_commits.c.sha),
            "deployed": its(deployments, deployments.c.commit_sha),
            "statuses": set(its(deployments, deployments.c.attribution_status)),
        }
    return found


def as_it_is(source_id: str, name: str, numbers: Sequence[int], deployed: int) -> dict[str, Any]:
    commits = sorted(sha(int(source_id) * 10 + number) for number in numbers)
    return {
        "name": name,
        "pulls": [f"{source_id}-{number}" for number in numbers],
        "commits": commits,
        "deployed": commits[:deployed],
        "statuses": {"attributed"},
    }


TRUTH = {
    FIRST: as_it_is(FIRST, NEW, (1, 2, 3), deployed=2),
    SECOND: as_it_is(SECOND, OLD, (1, 2), deployed=2),
}


@settings(max_examples=60, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(messages=st.permutations([*HISTORY, *HISTORY]))
def test_two_repositories_stay_two_in_whatever_order_they_are_told_of(
    database: Database, messages: Sequence[list[Fact]]
) -> None:
    with database.trial() as tx:
        told(tx, messages)
        assert known(tx) == TRUTH


def test_until_its_new_name_is_told_a_repository_has_a_stand_in(database: Database) -> None:
    with database.trial() as tx:
        told(tx, [HISTORY[0], HISTORY[3]])
        names = {id_: one["name"] for id_, one in known(tx).items()}
        (current,) = tx.repositories.named({OLD})[OLD]
    assert names == {FIRST: f"{OLD} ({FIRST})", SECOND: OLD}
    assert current.source_id == SECOND


def test_an_answer_about_who_has_the_name_now_is_not_of_who_had_it(database: Database) -> None:
    with database.trial() as tx:
        told(tx, HISTORY[:2])
        asked_for = tx.repositories.by_source("github", FIRST)
        assert asked_for is not None
        record_answer(tx, asked_for, HISTORY[3], policy=POLICY, infer=infer)
        found = known(tx)
    assert found[FIRST]["pulls"] == TRUTH[FIRST]["pulls"][:2]
    assert found[SECOND]["pulls"] == TRUTH[SECOND]["pulls"][:1]


def test_a_rule_about_the_past_deploys_what_it_was_told_of(database: Database) -> None:
    with database.trial() as tx:
        for one in HISTORY:
            record_facts(tx, one, policy=POLICY)
        upsert_rule(tx, replace(EACH_MERGE, since=at(0)), policy=POLICY)
        assert known(tx) == TRUTH
