"""The writer: what waits together is written together, and each caller gets its own result."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from threading import Event

import pytest
from tests.databases import hurry_sqlite

from shipmark.application import writer as module
from shipmark.application.queries import ReadTransaction
from shipmark.application.writer import Work, Writer, one_by_one, transact
from shipmark.domain.errors import PullNotFound, ShipmarkError, TransactionConflict, Unavailable
from shipmark.storage.database import SQLITE_BUSY_SECONDS, Database

PATIENCE = 30


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    with closing(Database(sqlite_url)) as opened:
        hurry_sqlite(opened)
        yield opened


@pytest.fixture
def writer(database: Database) -> Iterator[Writer]:
    running = Writer(database)
    yield running
    running.close()


class Accounts:
    """Makes accounts. Those named 'no' are refused; 'never' spoils the whole transaction."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.work: Work[str, str] = Work(self.make)
        self.trial: Work[str, str] = Work(self.make, kept=False)

    def make(self, tx: ReadTransaction, names: Sequence[str]) -> list[str | ShipmarkError]:
        self.batches.append(list(names))
        return [self.make_one(tx, name) for name in names]

    def make_one(self, tx: ReadTransaction, name: str) -> str | ShipmarkError:
        if name == "never":
            raise PullNotFound("never")
        if name == "no":
            return PullNotFound("no")
        return tx.tokens.add_account(name, tx.now).name


def stored(database: Database) -> list[str]:
    with database.read() as tx:
        return [account.name for account in tx.tokens.accounts()]


class Gate:
    """Work that holds the writer up until the gate is opened."""

    def __init__(self, writer: Writer) -> None:
        self.entered, self.opened = Event(), Event()
        self.passed = writer.submit(one_by_one(self.wait), None)
        assert self.entered.wait(PATIENCE)

    def wait(self, _tx: ReadTransaction, _item: None) -> None:
        self.entered.set()
        assert self.opened.wait(PATIENCE)


def test_what_waits_together_is_one_transaction(writer: Writer, database: Database) -> None:
    accounts = Accounts()
    gate = Gate(writer)
    futures = [writer.submit(accounts.work, name) for name in "abc"]
    gate.opened.set()
    assert [future.result(PATIENCE) for future in futures] == ["a", "b", "c"]
    assert accounts.batches == [["a", "b", "c"]]
    assert stored(database) == ["a", "b", "c"]


def test_a_refused_command_is_refused_alone(writer: Writer, database: Database) -> None:
    accounts = Accounts()
    gate = Gate(writer)
    futures = [writer.submit(accounts.work, name) for name in ("a", "no", "b")]
    gate.opened.set()
    assert (futures[0].result(PATIENCE), futures[2].result(PATIENCE)) == ("a", "b")
    with pytest.raises(PullNotFound, match="no"):
        futures[1].result(PATIENCE)
    assert len(accounts.batches) == 1


def test_a_command_that_spoils_the_transaction_fails_alone(
    writer: Writer, database: Database
) -> None:
    accounts = Accounts()
    gate = Gate(writer)
    futures = [writer.submit(accounts.work, name) for name in ("a", "never", "b")]
    gate.opened.set()
    assert (futures[0].result(PATIENCE), futures[2].result(PATIENCE)) == ("a", "b")
    with pytest.raises(PullNotFound, match="never"):
        futures[1].result(PATIENCE)
    assert stored(database) == ["a", "b"]


def test_a_trial_keeps_nothing_and_is_made_alone(writer: Writer, database: Database) -> None:
    accounts = Accounts()
    gate = Gate(writer)
    futures = [writer.submit(accounts.trial, "a") for _ in range(2)]
    gate.opened.set()
    assert [future.result(PATIENCE) for future in futures] == ["a", "a"]
    assert accounts.batches == [["a"], ["a"]]
    assert stored(database) == []


def test_what_its_caller_gave_up_before_its_turn_is_not_done(
    writer: Writer, database: Database
) -> None:
    accounts = Accounts()
    gate = Gate(writer)
    given_up, wanted = (writer.submit(accounts.work, name) for name in "ab")
    assert given_up.cancel()
    gate.opened.set()
    assert wanted.result(PATIENCE) == "b"
    assert stored(database) == ["b"]


def test_giving_up_on_what_is_begun_does_not_stop_the_writer(
    writer: Writer, database: Database
) -> None:
    gate = Gate(writer)
    assert not gate.passed.cancel()
    gate.opened.set()
    assert writer.submit(Accounts().work, "a").result(PATIENCE) == "a"


def test_closing_does_all_that_was_accepted_and_takes_no_more(database: Database) -> None:
    accounts = Accounts()
    writer = Writer(database)
    futures = [writer.submit(accounts.work, str(number)) for number in range(300)]
    writer.close()
    assert [future.result(0) for future in futures] == [str(number) for number in range(300)]
    assert len(stored(database)) == 300
    with pytest.raises(Unavailable, match="stopping"):
        writer.submit(accounts.work, "late")
    writer.close()


def test_more_than_can_wait_is_refused_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    writer = Writer(database)
    gate = Gate(writer)
    futures = [writer.submit(Accounts().work, name) for name in "ab"]
    with pytest.raises(Unavailable, match="overloaded"):
        writer.submit(Accounts().work, "c")
    gate.opened.set()
    writer.close()
    assert [future.result(0) for future in futures] == ["a", "b"]


def test_a_transaction_that_loses_a_race_is_tried_again(database: Database) -> None:
    accounts = Accounts()

    def lose_twice(tx: ReadTransaction) -> str | ShipmarkError:
        result = accounts.make(tx, ["a"])[0]
        if len(accounts.batches) < 3:
            raise TransactionConflict
        return result

    assert transact(database, lose_twice) == "a"
    assert stored(database) == ["a"]


def test_a_lock_of_sqlite_is_waited_for_once() -> None:
    assert module.LONGEST_TRY <= SQLITE_BUSY_SECONDS


@pytest.mark.parametrize("limit", [("ATTEMPTS", 3), ("LONGEST_TRY", 0)])
def test_one_that_always_loses_is_given_up_and_nothing_stored(
    database: Database, monkeypatch: pytest.MonkeyPatch, limit: tuple[str, int]
) -> None:
    monkeypatch.setattr(module, *limit)

    def lose(tx: ReadTransaction) -> None:
        tx.tokens.add_account("a", tx.now)
        raise TransactionConflict

    with pytest.raises(Unavailable, match="Nothing was stored"):
        transact(database, lose)
    assert stored(database) == []
