"""Writers of one database that get in each other's way, and try again as a server would."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from sqlalchemy import make_url, text
from tests.builders import Clock

from shipmark.domain.errors import ShipmarkError, TransactionConflict
from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction

Write = Callable[[StorageTransaction], object]

ATTEMPTS = 100
ISOLATIONS = ("read committed", "repeatable read", "serializable")


def with_isolation(url: str, isolation: str) -> str:
    """The URL of the same database, with another default isolation of its transactions."""
    level = isolation.replace(" ", "\\ ")
    options = {"options": f"-c default_transaction_isolation={level}"}
    return make_url(url).update_query_dict(options).render_as_string(hide_password=False)


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """A Database of its own, as another process would have it."""
    database = Database(url, clock=Clock(), pool_size=1)
    try:
        yield database
    finally:
        database.close()


def persist(database: Database, write: Write) -> None:
    """Write in a transaction; what lost a race is tried again, what is refused is left."""
    for attempt in range(ATTEMPTS):
        try:
            with database.write() as tx:
                write(tx)
        except TransactionConflict:
            # Longer each time, as the product does it: else a busy machine has them race forever.
            longest = min(0.5, 0.01 * 1.5**attempt)
            time.sleep(random.uniform(0, longest))  # noqa: S311 - it only spreads the attempts
        except ShipmarkError:
            return
        else:
            return
    raise AssertionError("It lost every race.")


def overlap(first: Write, second: Write, *, on: tuple[Database, Database, Database]) -> None:
    """Begin the first write; do the second before the first is committed, or as far as it gets.

    The third database only watches.
    """
    early, late, watching = on
    with early.write() as tx:
        first(tx)
        backend = _Backend()
        thread = Thread(target=persist, args=(late, backend.announced_by(second)))
        thread.start()
        while thread.is_alive() and not backend.waits_for_a_lock(watching):
            time.sleep(0.002)
    thread.join()


class _Backend:
    """The server's side of a transaction, found by its process id."""

    def __init__(self) -> None:
        self._known = Event()
        self._pid = 0

    def announced_by(self, write: Write) -> Write:
        def announce_and_write(tx: StorageTransaction) -> None:
            self._pid = tx.connection.scalar(text("SELECT pg_backend_pid()")) or 0
            self._known.set()
            write(tx)

        return announce_and_write

    def waits_for_a_lock(self, watching: Database) -> bool:
        if not self._known.is_set():
            return False
        query = text("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = :pid")
        with watching.read() as tx:
            return bool(tx.connection.scalar(query, {"pid": self._pid}))


def at_once(url: str, scripts: list[list[Write]]) -> None:
    """Let each script be written by a writer of its own, all at the same time."""
    threads = [Thread(target=_write_all, args=(url, script)) for script in scripts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _write_all(url: str, script: list[Write]) -> None:
    with opened(url) as database:
        for write in script:
            persist(database, write)
