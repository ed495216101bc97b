"""Webhooks in any order, and twice, come to the same facts and the same attribution."""

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from tests.builders import a_deployment, at, sha
from tests.forge_histories import (
    BUMP,
    HISTORIES,
    INNER,
    NAME,
    NEW_NAME,
    ON_TRUNK,
    SIDE,
)

from shipmark.application.deliveries import Delivery
from shipmark.application.facts import BranchPush, Fact, PushedCommit, RepositoryFacts
from shipmark.application.inbox import Inbox, receive
from shipmark.application.policy import Policy
from shipmark.application.record_facts import record_facts
from shipmark.application.record_pulls import PullFacts
from shipmark.application.register import Registered, register
from shipmark.application.repositories import upsert_repository
from shipmark.application.writer import transact
from shipmark.connectors.deliveries import Deliveries
from shipmark.connectors.webhooks import WEBHOOKS
from shipmark.domain.errors import InvalidArgument
from shipmark.domain.events import SourceEvent
from shipmark.storage.database import Database
from shipmark.storage.forge_tables import deliveries, source_events
from shipmark.storage.tables import branch_commits, deployments, lanes, pulls, repositories, windows
from shipmark.storage.transaction import StorageTransaction

POLICY = Policy()
DEPLOYED = {
    "by time": {"hours": 22},
    "a merge": {"hours": 9.5, "commit_sha": sha(1)},
    "a merge that was retargeted": {"hours": 14, "commit_sha": sha(2)},
    "a bump, first pushed elsewhere": {"hours": 16, "commit_sha": BUMP[:9]},
    "a head": {"hours": 17, "commit_sha": sha(11), "environment": "test"},
    "an inner commit": {"hours": 17.5, "commit_sha": INNER, "environment": "test"},
    "a commit of no branch that matters": {"hours": 18, "commit_sha": SIDE},
    "a commit of what once was the default": {"hours": 19, "commit_sha": ON_TRUNK},
}


Step = Delivery | list[Fact] | str
"""A webhook, facts from the API, or a deployment by its name in `DEPLOYED`."""


def read(delivery: Delivery) -> list[Fact]:
    return WEBHOOKS[delivery.forge].facts(
        delivery.headers, delivery.body, received_at=delivery.received_at
    )


def tell(tx: StorageTransaction, delivery: Delivery, **options: Any) -> None:
    record_facts(tx, read(delivery), policy=POLICY, told_at=delivery.received_at, **options)


def deploy(tx: StorageTransaction, what: str) -> None:
    values: dict[str, Any] = dict(DEPLOYED[what])
    one = a_deployment(values.pop("hours"), reference_id=what, repository=NAME, **values)
    (result,) = register(tx, [one], policy=POLICY)
    assert isinstance(result, Registered)


ERRED = deliveries.c.error.is_not(None)
OURS = {"id", "repository_id", "imported_at", "recorded_at", "facts_told"}
"""Columns that say when something came here, or in what order."""


def known(tx: StorageTransaction) -> dict[str, Any]:
    """The facts, and what attribution made of them."""
    found: dict[str, Any] = {}
    for table in (repositories, pulls, branch_commits, source_events):
        columns = [column for column in table.c if column.name not in OURS]
        rows = tx.connection.execute(select(*columns)).mappings()
        # Keys of events hold the number of the repository, which is another in each trial.
        texts = (re.sub(r"('key': '\w+):\d+:", r"\1:", str(dict(row))) for row in rows)
        found[table.name] = sorted(texts)
    status = deployments.c
    found["statuses"] = {
        row.reference_id: (row.attribution_status, row.attribution_reason)
        for row in tx.connection.execute(
            select(status.reference_id, status.attribution_status, status.attribution_reason)
        )
    }
    query = select(windows, lanes.c.branch).join(lanes, lanes.c.id == windows.c.lane_id)
    found["windows"] = {
        row.reference_id: (row.branch, row.opened_at, row.reached_at, row.reached_number)
        for row in tx.connection.execute(query)
    }
    return found


def told(database: Database, forge: str, steps: Iterable[Step]) -> dict[str, Any]:
    """What is known after all steps, which are not kept."""
    with database.trial() as tx:
        own_id = {"source": forge, "source_id": "77"}
        upsert_repository(tx, NAME, own_id, policy=POLICY)
        for step in steps:
            if isinstance(step, str):
                deploy(tx, step)
            elif isinstance(step, Delivery):
                tell(tx, step)
            else:
                record_facts(tx, step, policy=POLICY)
        return known(tx)


@pytest.mark.parametrize("forge", HISTORIES)
def test_a_history_in_its_order_is_known_as_it_was(database: Database, forge: str) -> None:
    found = told(database, forge, [*HISTORIES[forge], *DEPLOYED])
    (repository,) = found["repositories"]
    assert NEW_NAME in repository
    assert "'default_branch': 'main'" in repository
    assert len(found["pulls"]) == 3
    missing = ("pending", "commit_not_imported")
    assert found["statuses"] == {
        "by time": ("attributed", None),
        "a merge": ("attributed", None),
        "a merge that was retargeted": ("attributed", None),
        "a bump, first pushed elsewhere": ("pending", "no_pull_requests_yet"),
        "a head": ("attributed", None),
        # GitLab does not tell what a merge brought along.
        "an inner commit": missing if forge == "gitlab" else ("none", None),
        "a commit of no branch that matters": missing,
        "a commit of what once was the default": missing,
    }
    assert found["windows"]["a bump, first pushed elsewhere"][0] == "main"


def backfilled(forge: str) -> list[Fact]:
    """What the API tells of the pull requests in the end: the same, and what only it knows."""
    facts: dict[int, PullFacts] = {}
    for delivery in HISTORIES[forge]:
        for one in read(delivery):
            if isinstance(one, PullFacts) and not one.only_unknown:
                facts[one.number] = one
    only_api = {"first_commit_at": at(0), "files": ("a", "b")}
    return [
        replace(one, values={**one.values, **only_api, "commit_shas": frozenset({sha(500 + n)})})
        for n, one in facts.items()
    ]


@pytest.mark.parametrize("forge", HISTORIES)
@settings(max_examples=15, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_a_history_in_any_order_and_twice_comes_to_the_same(
    database: Database, forge: str, data: st.DataObject
) -> None:
    history: Sequence[Delivery] = HISTORIES[forge]
    (repository,) = (one for one in read(history[-1]) if isinstance(one, RepositoryFacts))
    backfill: list[list[Fact]] = [[repository, one] for one in backfilled(forge)]
    shuffled = data.draw(st.permutations([*history, *history, *backfill, *DEPLOYED]))
    in_order = told(database, forge, [*history, *backfill, *DEPLOYED])
    assert told(database, forge, shuffled) == in_order


@pytest.mark.parametrize("forge", HISTORIES)
def test_each_event_is_handed_on_once(database: Database, forge: str) -> None:
    handed: list[SourceEvent] = []

    def infer(
        _tx: Any,
        events: Sequence[SourceEvent],
        *,
        policy: Policy,
        before: Mapping[str, SourceEvent],
    ) -> None:
        del policy, before
        handed.extend(events)

    with database.trial() as tx:
        for delivery in [*HISTORIES[forge], *HISTORIES[forge]]:
            tell(tx, delivery, infer=infer)
        stored = list(tx.connection.scalars(select(source_events.c.key)))
    assert sorted(one.key for one in handed) == sorted(stored)
    assert len(stored) == len(set(stored)) > 5


def test_a_repository_keeps_its_history_under_its_new_name(database: Database) -> None:
    with database.trial() as tx:
        for delivery in HISTORIES["github"]:
            tell(tx, delivery)
        (renamed,) = tx.repositories.named({NAME})[NAME]
        assert renamed.name == NEW_NAME
        assert (renamed.source, renamed.source_id) == ("github", "77")
        assert tx.pulls.by_number({(renamed.id, 1), (renamed.id, 4)}).keys() == {
            (renamed.id, 1),
            (renamed.id, 4),
        }


def test_a_pull_request_says_as_of_when_its_forge_told_it(database: Database) -> None:
    with database.trial() as tx:
        for delivery in HISTORIES["github"][:3]:
            tell(tx, delivery)
        assert tx.connection.scalar(select(pulls.c.facts_as_of)) == at(3)


def test_another_repository_under_a_former_name_is_another_one(database: Database) -> None:
    def facts(source_id: str, name: str, hours: float) -> RepositoryFacts:
        return RepositoryFacts(name=name, source="github", source_id=source_id, as_of=at(hours))

    with database.trial() as tx:
        record_facts(tx, [facts("1", NAME, 1), facts("1", NEW_NAME, 2)], policy=POLICY)
        record_facts(tx, [facts("2", NAME, 3)], policy=POLICY)
        names = {one: tx.repositories.by_source("github", one) for one in ("1", "2")}
        assert {one: found and found.name for one, found in names.items()} == {
            "1": NEW_NAME,
            "2": NAME,
        }
        (current,) = tx.repositories.named({NAME})[NAME]
        assert current.source_id == "2"


def test_a_default_branch_told_late_lets_what_was_pushed_to_it_count(database: Database) -> None:
    push = BranchPush(
        repository=NAME,
        branch="main",
        commits=(PushedCommit(sha=BUMP, committed_at=at(1)),),
    )
    repository = RepositoryFacts(
        name=NAME, source="github", source_id="1", values={"default_branch": "main"}
    )
    with database.trial() as tx:
        record_facts(tx, [push], policy=POLICY)
        deploy(tx, "a bump, first pushed elsewhere")
        before = known(tx)["statuses"]["a bump, first pushed elsewhere"]
        record_facts(tx, [repository], policy=POLICY)
        after = known(tx)["statuses"]["a bump, first pushed elsewhere"]
    assert before == ("pending", "commit_not_imported")
    assert after == ("pending", "no_pull_requests_yet")


@pytest.mark.parametrize("forge", HISTORIES)
def test_several_workers_empty_an_inbox_and_come_to_the_same(
    database: Database, forge: str
) -> None:
    history = HISTORIES[forge]
    with database.trial() as tx:
        for delivery in history:
            tell(tx, replace(delivery, received_at=tx.now))
        in_order = known(tx)
    transact(database, lambda tx: receive(tx, list(reversed(history))))
    inbox = Inbox(database=database, reader=Deliveries(), policy=POLICY)

    def work() -> None:
        while inbox.work():
            pass

    with ThreadPoolExecutor(2) as workers:
        for done in [workers.submit(work) for _ in range(2)]:
            done.result()
    with database.trial() as tx:
        assert not tx.deliveries.claim_due(limit=1, lease_until=tx.now)
        assert known(tx) == in_order
        assert not list(tx.connection.scalars(select(deliveries.c.error).where(ERRED)))


# What clients say of repositories beside forges


def branch_told(branch: str, hours: float) -> RepositoryFacts:
    values = {"default_branch": branch}
    return RepositoryFacts(
        name=NAME, source="github", source_id="1", as_of=at(hours), values=values
    )


def test_a_client_s_default_branch_stands_until_the_forge_s_changes(database: Database) -> None:
    with database.trial() as tx:
        ahead = (tx.now - at(0)) / timedelta(hours=1)

        def tell_branch(branch: str, hours: float) -> str | None:
            record_facts(tx, [branch_told(branch, ahead + hours)], policy=POLICY)
            return tx.repositories.named({NAME})[NAME][0].default_branch

        assert tell_branch("main", -2) == "main"
        upsert_repository(tx, NAME, {"default_branch": "production"}, policy=POLICY)
        assert tell_branch("older", -1) == "production"
        assert tell_branch("older", 1) == "production"
        assert tell_branch("trunk", 2) == "trunk"
        assert tell_branch("main", 0) == "trunk"


def test_a_repository_of_the_same_name_elsewhere_is_left_out(database: Database) -> None:
    push = BranchPush(
        repository=NAME, branch="main", commits=(PushedCommit(sha=BUMP, committed_at=at(1)),)
    )
    elsewhere = RepositoryFacts(name=NAME, source="gitea", source_id="9")
    with database.trial() as tx:
        record_facts(tx, [branch_told("main", 1)], policy=POLICY)
        record_facts(tx, [elsewhere, push], policy=POLICY)
        (stands,) = tx.repositories.named({NAME})[NAME]
        assert (stands.source, stands.source_id) == ("github", "1")
        assert tx.commits.known({(stands.id, BUMP)}) == set()
        assert tx.repositories.by_source("gitea", "9") is None


def test_a_forge_s_id_is_that_of_one_repository(database: Database) -> None:
    with database.trial() as tx:
        record_facts(tx, [branch_told("main", 1)], policy=POLICY)
        with pytest.raises(InvalidArgument, match=f"'1' is the id that github has for {NAME}"):
            upsert_repository(
                tx, "acme/other", {"source": "github", "source_id": "1"}, policy=POLICY
            )


def test_two_workers_that_hear_of_one_repository_first_make_one(database: Database) -> None:
    names = [f"acme/name-{number}" for number in range(8)]

    def hear_of(name: str) -> None:
        told = RepositoryFacts(name=name, source="github", source_id="1", as_of=at(1))
        transact(database, lambda tx: record_facts(tx, [told], policy=POLICY))

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(hear_of, names))
    with database.read() as tx:
        found = {one[0].id for one in tx.repositories.named(set(names)).values()}
    assert len(found) == 1
