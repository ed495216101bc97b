"""Deliveries survive whatever becomes of the process that took them."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from tests.builders import Clock
from tests.deliveries import SETTINGS, a_pull_payload, as_body, github_headers, post
from tests.operation.conftest import Serve
from tests.server import PATIENCE, LiveServer

from shipmark.application.deliveries import REST_REFUSED, Delivery
from shipmark.application.facts import Fact
from shipmark.application.forges import FollowUp, ForgeRefusal
from shipmark.application.inbox import KEPT_FOR, LEASE, REFUSED_PAUSE, Inbox, receive
from shipmark.application.policy import Policy
from shipmark.application.writer import transact
from shipmark.domain.errors import Unavailable
from shipmark.storage.database import Database
from shipmark.storage.forge_tables import deliveries

NUMBER = 20


def deliver(server: LiveServer, number: int) -> None:
    body = as_body(a_pull_payload("acme/shop", number))
    headers = github_headers("pull_request", body, delivery_id=str(uuid4()))
    assert post(server, "github", body, headers).status_code == 202


def numbers_of(server: LiveServer) -> set[int]:
    found = server.send("pulls.list", json={"limit": 100}).json()
    return {one["number"] for one in found.get("pull_requests", ())}


def test_a_kill_between_the_answer_and_the_work_loses_nothing(serve: Serve) -> None:
    server = serve("--no-worker", **SETTINGS)
    for number in range(1, NUMBER + 1):
        deliver(server, number)
    assert not numbers_of(server)
    server.kill()
    again = serve(**SETTINGS)
    deadline = time.monotonic() + PATIENCE
    while len(numbers_of(again)) < NUMBER:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert numbers_of(again) == set(range(1, NUMBER + 1))


class Scripted:
    """A reader that goes through what it is told to."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.read_times = 0

    def read(self, delivery: Delivery) -> list[Fact]:
        del delivery
        self.read_times += 1
        return []

    def follow_up(self, delivery: Delivery, facts: Sequence[Fact]) -> FollowUp:
        del delivery, facts
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, ForgeRefusal):
            return FollowUp(refusal=outcome)
        if outcome is not None:
            raise outcome
        return FollowUp()


def a_delivery(number: int = 1) -> Delivery:
    return Delivery(
        forge="github", delivery_id=f"delivery-{number}", headers={}, body=b"%d" % number
    )


def row_of(database: Database) -> Any:
    with database.engine.connect() as connection:
        return connection.execute(select(deliveries)).one()


def test_what_fails_for_now_is_tried_again_ever_more_seldom(
    database: Database, clock: Clock
) -> None:
    reader = Scripted(Unavailable("The forge does not answer."), ValueError("odd"), None)
    inbox = Inbox(database=database, reader=reader, policy=Policy())
    transact(database, lambda tx: receive(tx, [a_delivery()]))
    pauses = []
    for _ in range(2):
        assert inbox.work() == 1
        row = row_of(database)
        pauses.append((row.due_at - clock.now).total_seconds())
        assert inbox.work() == 0
        clock.now = row.due_at
    assert pauses == [60, 120]
    assert inbox.work() == 1
    row = row_of(database)
    assert (row.due_at, row.body, row.error, row.attempts) == (None, None, None, 3)


def test_what_fails_for_days_is_given_up_and_kept(database: Database, clock: Clock) -> None:
    reader = Scripted(*[Unavailable("The forge does not answer.")] * 200)
    inbox = Inbox(database=database, reader=reader, policy=Policy())
    transact(database, lambda tx: receive(tx, [a_delivery()]))
    while (due_at := row_of(database).due_at) is not None:
        clock.now = due_at
        inbox.work()
    row = row_of(database)
    assert (row.body, row.error) == (b"1", "The forge does not answer.")
    assert 70 < row.attempts < 90


def test_another_body_under_an_id_that_came_before_is_no_repeat(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    first = a_delivery()
    other = replace(first, body=b"another")
    told = [transact(database, lambda tx: receive(tx, [first, other])) for _ in range(2)]
    assert told == [[True, True], [False, False]]
    inbox = Inbox(database=database, reader=Scripted(None, None), policy=Policy())
    assert inbox.work() == 2
    with database.engine.connect() as connection:
        ids = sorted(connection.scalars(select(deliveries.c.delivery_id)))
    assert ids == ["delivery-1", other.told_apart.delivery_id]
    assert "another body" in caplog.text


def test_another_body_does_not_bring_back_what_was_given_up_under_its_id(
    database: Database,
) -> None:
    first = a_delivery()
    with database.write() as tx:
        receive(tx, [first])
        (claimed,) = tx.deliveries.claim_due(limit=9, lease_until=tx.now + LEASE)
        tx.deliveries.finish(claimed.id, error="It makes no sense.")
        assert receive(tx, [replace(first, body=b"better")]) == [True]
        (claimed,) = tx.deliveries.claim_due(limit=9, lease_until=tx.now + LEASE)
    assert claimed.body == b"better"


def test_a_forge_that_refuses_is_asked_again_a_few_times_and_then_no_more(
    database: Database, clock: Clock
) -> None:
    reader = Scripted(*[ForgeRefusal("No pull request 7 for you.", said="no.")] * 200)
    inbox = Inbox(database=database, reader=reader, policy=Policy())
    transact(database, lambda tx: receive(tx, [a_delivery()]))
    pauses = []
    while (due_at := row_of(database).due_at) is not None:
        pauses.append(due_at - clock.now)
        clock.now = due_at
        inbox.work()
    row = row_of(database)
    assert (row.body, row.error) == (b"1", f"{REST_REFUSED}no.")
    assert row.attempts < 25
    assert max(pauses) == REFUSED_PAUSE


def test_a_forge_that_refuses_the_token_is_asked_once_a_turn(
    database: Database, clock: Clock
) -> None:
    refusal = ForgeRefusal("Bad credentials", said="Bad credentials", of_all=True)
    reader = Scripted(refusal, None, None)
    inbox = Inbox(database=database, reader=reader, policy=Policy())
    transact(database, lambda tx: receive(tx, [a_delivery(1), a_delivery(2)]))
    assert inbox.work() == 2
    assert len(reader.outcomes) == 2
    clock.advance(minutes=2)
    assert inbox.work() == 2
    assert reader.outcomes == []


def test_what_a_dead_worker_had_claimed_is_done_by_another(
    database: Database, clock: Clock
) -> None:
    inbox = Inbox(database=database, reader=Scripted(None), policy=Policy())
    transact(database, lambda tx: receive(tx, [a_delivery()]))
    claimed = transact(
        database, lambda tx: tx.deliveries.claim_due(limit=9, lease_until=tx.now + LEASE)
    )
    assert len(claimed) == 1
    assert inbox.work() == 0
    clock.now += LEASE
    assert inbox.work() == 1
    assert row_of(database).due_at is None


def test_deliveries_are_forgotten_in_the_end_unless_they_wait(
    database: Database, clock: Clock
) -> None:
    inbox = Inbox(database=database, reader=Scripted(None), policy=Policy())
    transact(database, lambda tx: receive(tx, [a_delivery(1)]))
    inbox.work()
    transact(database, lambda tx: receive(tx, [a_delivery(2)]))
    clock.now += KEPT_FOR
    assert inbox.tidy() == 0
    clock.advance(seconds=1)
    assert inbox.tidy() == 1
    assert row_of(database).delivery_id == "delivery-2"


@pytest.mark.parametrize("again", [a_delivery(1), a_delivery(2)])
def test_of_many_at_once_each_is_stored_once(database: Database, again: Delivery) -> None:
    batch = [a_delivery(1), again, a_delivery(1)]
    news = transact(database, lambda tx: receive(tx, batch))
    assert news == [True, again.delivery_id == "delivery-2", False]
