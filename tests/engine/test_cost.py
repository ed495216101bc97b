"""A change touches its neighbours, however long the lane is and however many lanes there are."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.builders import a_deployment, a_pull_request, at, sha
from tests.engine.both import POLICY
from tests.engine.crowd import LANES, LENGTHS, LONG, SHORT, WIDE, the_middle_of
from tests.engine.work import Work, work_of

from shipmark.application import change
from shipmark.application.change import Patch
from shipmark.application.record_pulls import record_pulls
from shipmark.application.register import Registered, register
from shipmark.storage.database import Database
from shipmark.storage.tables import windows
from shipmark.storage.transaction import StorageTransaction

FEW_ROWS = 100
"""Of a table that grows, no change of one deployment or pull request needs to read more.

It is two pages of neighbours, however many there are.
"""

GROWING = ("windows", "pulls", "deployments", "deployment_pulls", "deployment_commits")
PLACES: dict[str, Callable[[str], float]] = {
    "at the end": lambda repository: LENGTHS[repository] + 0.7,
    "in the middle": lambda repository: the_middle_of(repository) + 0.2,
    "at the start": lambda _: 1.2,
}


def create(repository: str, hours: float, **values: Any) -> Callable[[StorageTransaction], None]:
    def do(tx: StorageTransaction) -> None:
        one = a_deployment(hours, repository=repository, reference_id="new", **values)
        (result,) = register(tx, [one], policy=POLICY)
        assert isinstance(result, Registered)

    return do


def costs(database: Database, do: Callable[[StorageTransaction], object], gathered: bool) -> Work:
    """The work of one change that is not kept, with or without statistics for the planner."""
    with database.trial() as tx:
        # The first statement of a connection also reads the schema.
        tx.connection.exec_driver_sql("ANALYZE" if gathered else "SELECT count(*) FROM lanes")
        return work_of(database, tx, do)


def assert_alike(long: Work, short: Work) -> None:
    """The same work in a lane of 10,000 as in one of 200."""
    assert long.statements == short.statements
    assert long.written == short.written
    assert long.steps <= short.steps * 1.1
    assert all(long.read[table] <= FEW_ROWS for table in GROWING), long.read


@pytest.mark.parametrize("gathered", [False, True], ids=["no statistics", "statistics"])
@pytest.mark.parametrize("place", PLACES)
def test_a_create_costs_the_same_in_a_long_lane(
    crowded: Database, place: str, gathered: bool
) -> None:
    hours = PLACES[place]
    long = costs(crowded, create(LONG, hours(LONG)), gathered)
    short = costs(crowded, create(SHORT, hours(SHORT)), gathered)
    assert_alike(long, short)
    # Its own, the mark of waiting on it, and likewise the next one's.
    assert long.written["windows"] <= 4
    assert long.written["deployments"] <= 3


CHANGES: dict[str, Callable[[str], Callable[[StorageTransaction], object]]] = {
    "a rollback to the start": lambda name: create(name, LENGTHS[name] + 5, commit_sha=sha(1)),
    "a list": lambda name: create(
        name, the_middle_of(name) + 0.2, merge_commit_shas=(sha(the_middle_of(name)),)
    ),
    "a deletion": lambda name: (
        lambda tx: change.delete(tx, f"{name}#{the_middle_of(name)}", policy=POLICY)
    ),
    "a failure": lambda name: (
        lambda tx: change.update(
            tx,
            Patch(reference_id=f"{name}#{the_middle_of(name)}", values={"success": False}),
            policy=POLICY,
        )
    ),
    "a correction of the time": lambda name: (
        lambda tx: change.update(
            tx,
            Patch(
                reference_id=f"{name}#{the_middle_of(name)}",
                values={"deployed_at": at(LENGTHS[name] + 9)},
            ),
            policy=POLICY,
        )
    ),
    "a late pull request": lambda name: (
        lambda tx: record_pulls(
            tx,
            [a_pull_request(20_000, hours=the_middle_of(name) + 0.1, repository=name)],
            policy=POLICY,
        )
    ),
    "a pull request that moves": lambda name: (
        lambda tx: record_pulls(
            tx,
            [a_pull_request(the_middle_of(name), base_ref="develop", repository=name)],
            policy=POLICY,
        )
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_any_change_costs_the_same_in_a_long_lane(crowded: Database, what: str) -> None:
    do = CHANGES[what]
    gathered = not crowded.is_sqlite
    long, short = (costs(crowded, do(name), gathered) for name in (LONG, SHORT))
    assert_alike(long, short)


def test_many_deployments_at_once_take_no_more_statements_than_a_few(crowded: Database) -> None:
    def backfill(number: int) -> Callable[[StorageTransaction], None]:
        def do(tx: StorageTransaction) -> None:
            batch = [a_deployment(5000.2 + n, repository=LONG) for n in range(number)]
            register(tx, batch, policy=POLICY)

        return do

    many, few = (costs(crowded, backfill(number), False) for number in (400, 100))
    assert many.statements <= few.statements + 2
    assert many.written["windows"] == 4 * few.written["windows"]


def test_a_pull_request_takes_as_many_statements_with_200_lanes_as_with_one(
    crowded: Database,
) -> None:
    def late(repository: str) -> Callable[[StorageTransaction], object]:
        pull = a_pull_request(20_000, hours=2, repository=repository)
        return lambda tx: record_pulls(tx, [pull], policy=POLICY)

    wide, short = (costs(crowded, late(repository), False) for repository in (WIDE, SHORT))
    # Those whose windows were empty so far get their status in a few statements more.
    assert wide.statements <= short.statements + 4


def test_a_pull_request_that_moves_takes_as_many_statements_with_200_lanes(
    crowded: Database,
) -> None:
    def moved(repository: str) -> Callable[[StorageTransaction], object]:
        pull = a_pull_request(1, base_ref="develop", repository=repository)
        return lambda tx: record_pulls(tx, [pull], policy=POLICY)

    wide, short = (costs(crowded, moved(repository), False) for repository in (WIDE, SHORT))
    assert wide.statements <= short.statements + 2


def test_the_crowd_is_as_large_as_it_is_said_to_be(crowded: Database) -> None:
    with crowded.read() as tx:
        stored = tx.connection.scalar(select(func.count()).select_from(windows))
    assert stored == sum(LENGTHS.values()) + 2 * LANES
