"""Group commit: writes that wait at the same time share one transaction.

One thread does all the writing of a process. While it commits, the next commands gather; it
then takes all of them, so that the cost of a commit is paid once for many. Each caller gets its
own result, and a command that fails, fails alone.
"""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from shipmark.application.queries import ReadTransaction
from shipmark.domain.errors import ShipmarkError, TransactionConflict, Unavailable

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_WAITING = 10_000
"""Commands that may wait; more are refused at once rather than kept until they time out."""

MOST_TOGETHER = 256
"""Commands that share a transaction; more would only make the first wait longer."""

ATTEMPTS = 30
LONGEST_PAUSE = 0.5
"""Seconds between two attempts, at most."""

LONGEST_TRY = 10
"""Seconds after which no other attempt is made: no longer than SQLite waits for a lock in each of
them, so that who cannot have it waits once."""


class Database(Protocol):
    """Where transactions come from; `storage.database.Database` is one."""

    def write(self) -> AbstractContextManager[ReadTransaction]: ...
    def trial(self) -> AbstractContextManager[ReadTransaction]: ...
    def read(self) -> AbstractContextManager[ReadTransaction]: ...


@dataclass(frozen=True, eq=False)
class Work(Generic[Item, Result]):
    """A use case in the shape of a batch: results in the order of the items.

    A result that is a ShipmarkError is raised to its caller. ``kept`` is whether the transaction
    is committed; a trial never is, and is run for each item alone.
    """

    run: Callable[[ReadTransaction, Sequence[Item]], Sequence[Result | ShipmarkError]]
    kept: bool = True


def one_by_one(
    run: Callable[[ReadTransaction, Item], Result], *, kept: bool = True
) -> Work[Item, Result]:
    """A use case for a single item as work of the writer. What it raises undoes the batch,
    which is then done again without the others."""

    def run_each(tx: ReadTransaction, items: Sequence[Item]) -> list[Result | ShipmarkError]:
        return [run(tx, item) for item in items]

    return Work(run_each, kept)


def transact(
    database: Database, run: Callable[[ReadTransaction], Result], *, kept: bool = True
) -> Result:
    """Write in one transaction, again if it loses a race. Raises Unavailable if it always does."""
    return tried(database.write if kept else database.trial, run)


def tried(
    begin: Callable[[], AbstractContextManager[ReadTransaction]],
    run: Callable[[ReadTransaction], Result],
) -> Result:
    """Run in a transaction, and in another if that loses a race. Raises Unavailable in the end."""
    deadline = time.monotonic() + LONGEST_TRY
    for attempt in range(ATTEMPTS):
        try:
            with begin() as tx:
                return run(tx)
        except TransactionConflict as conflict:
            log.debug("transaction conflict", extra={"attempt": attempt, "why": str(conflict)})
            if time.monotonic() > deadline:
                break
            pause = min(LONGEST_PAUSE, 0.005 * 2**attempt)
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads rivals, no secret
    raise Unavailable("The database was too busy to take this. Nothing was stored; send it again.")


@dataclass(frozen=True, slots=True)
class _Command:
    work: Work[Any, Any]
    item: Any
    future: Future[Any]


class Writer:
    """The thread that writes. `submit` from anywhere; `close` finishes what was accepted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: queue.Queue[_Command | None] = queue.Queue(MOST_WAITING)
        self._open = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="shipmark-writer")
        self._thread.start()

    def submit(self, work: Work[Item, Result], item: Item) -> Future[Result]:
        """Accept a command. Its future has the result once it is committed.

        Raises Unavailable when the writer is closing or too much waits already.
        """
        future: Future[Result] = Future()
        with self._open:
            if self._closed:
                raise Unavailable("The server is stopping. Nothing was stored; send it again.")
            try:
                self._waiting.put_nowait(_Command(work, item, future))
            except queue.Full:
                raise Unavailable("The server is overloaded. Nothing was stored.") from None
        return future

    def close(self) -> None:
        """Take no more, do all that was accepted, and stop."""
        with self._open:
            if self._closed:
                return
            self._closed = True
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            commands, stopping = self._take()
            groups: dict[int, list[_Command]] = {}
            for command in commands:
                alone = 0 if command.work.kept else id(command)
                groups.setdefault(alone or id(command.work), []).append(command)
            for group in groups.values():
                self._do(group)

    def _take(self) -> tuple[list[_Command], bool]:
        """Wait for a command, then take all that are there; whether it is time to stop."""
        commands: list[_Command] = []
        command = self._waiting.get()
        while command is not None:
            # A caller who has gone cannot be answered, nor any longer stop what is begun.
            if command.future.set_running_or_notify_cancel():
                commands.append(command)
            if len(commands) == MOST_TOGETHER:
                return commands, False
            try:
                command = self._waiting.get_nowait()
            except queue.Empty:
                return commands, False
        return commands, True

    def _do(self, commands: list[_Command]) -> None:
        work = commands[0].work
        items = [command.item for command in commands]
        try:
            results = transact(self._database, lambda tx: work.run(tx, items), kept=work.kept)
        except Exception as error:  # noqa: BLE001 - whatever it is, it goes to whoever asked
            self._fail(commands, error)
            return
        for command, result in zip(commands, results, strict=True):
            if isinstance(result, ShipmarkError):
                command.future.set_exception(result)
            else:
                command.future.set_result(result)

    def _fail(self, commands: list[_Command], error: Exception) -> None:
        """One of several spoiled the transaction: do each alone, so that only it fails."""
        if len(commands) == 1 or isinstance(error, Unavailable):
            for command in commands:
                command.future.set_exception(error)
        else:
            for command in commands:
                self._do([command])
