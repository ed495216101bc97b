"""The engine of either database, and its transactions."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shipmark.domain.errors import TransactionConflict, Unavailable
from shipmark.storage.transaction import StorageTransaction

SERIALIZATION_FAILURE = "40001"
DEADLOCK_DETECTED = "40P01"
LOCK_NOT_AVAILABLE = "55P03"
RETRYABLE_STATES = {SERIALIZATION_FAILURE, DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE}

SQLITE_BUSY_SECONDS = 10
"""How long one process waits for another one's transaction on the same SQLite file."""

SQLITE_CACHE_KIB = 16 * 1024
"""Of pages that a connection keeps, at most. A chunk of an import changes more than SQLite's own 2
MiB: it would write them before the commit, and read and write them again."""

SQLITE_CHECKPOINT_PAGES = 4000
"""How long the log gets before it is written to the file. SQLite's own 1,000 pages are fewer than a
chunk of an import changes, and each would write what the next one changes again."""


def utc_now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


class Database:
    """One database: transactions to write in and to read in.

    Both kinds raise TransactionConflict for a race that was lost and Unavailable when the
    database cannot be reached; what was done is then undone.
    """

    def __init__(
        self, url: str | URL, *, clock: Callable[[], datetime] = utc_now, pool_size: int = 10
    ) -> None:
        self.url = make_url(url)
        self.clock = clock
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite(self.url) if self.is_sqlite else _postgresql(self.url, pool_size)

    @contextmanager
    def write(self) -> Iterator[StorageTransaction]:
        """A transaction that is committed at the end of the block."""
        with self._transaction("IMMEDIATE") as tx:
            yield tx
            self.check_file()
            _commit(tx.connection)

    @contextmanager
    def trial(self) -> Iterator[StorageTransaction]:
        """A transaction in which anything may be written and nothing is kept."""
        with self._transaction("IMMEDIATE") as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[StorageTransaction]:
        """A transaction that sees one state of the database and keeps nothing."""
        with self._transaction("DEFERRED") as tx:
            yield tx

    def close(self) -> None:
        self.engine.dispose()

    def check_file(self) -> None:
        """Raises Unavailable if SQLite's file was taken away: what is written then is lost."""
        file = self.url.database
        if self.is_sqlite and file not in (None, "", ":memory:") and not Path(file).exists():
            raise Unavailable(f"The database file {file} is gone.")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[StorageTransaction]:
        with (
            self.translated(),
            _lost_connections_are_conflicts(),
            self.engine.connect().execution_options(sqlite_begin=begin) as connection,
        ):
            yield StorageTransaction(connection, now=self.clock())

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Errors of the driver in this block become our own; what was done is not undone."""
        try:
            yield
        except IntegrityError as error:
            raise TransactionConflict(str(error.orig)) from error
        except PoolTimeout as error:
            raise Unavailable from error
        except DBAPIError as error:
            if is_retryable(error):
                raise TransactionConflict(str(error.orig)) from error
            if is_unreachable(error):
                raise Unavailable from error
            raise


@contextmanager
def _lost_connections_are_conflicts() -> Iterator[None]:
    """A connection that is lost before the commit took nothing with it: begin again on another.

    So no connection has to be asked whether it still lives each time it is taken from the pool.
    """
    try:
        yield
    except DBAPIError as error:
        if error.connection_invalidated:
            raise TransactionConflict(str(error.orig)) from error
        raise


def _commit(connection: Connection) -> None:
    try:
        connection.commit()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise Unavailable(
            "The database went away during the commit, so nobody can tell whether this was stored. "
            "Sending it again is safe with a reference_id."
        ) from error


def is_retryable(error: DBAPIError) -> bool:
    """Whether the same transaction may well succeed when it is tried again."""
    if isinstance(error.orig, sqlite3.OperationalError):
        return "locked" in str(error.orig) or "busy" in str(error.orig)
    return getattr(error.orig, "sqlstate", None) in RETRYABLE_STATES


def is_unreachable(error: DBAPIError) -> bool:
    """Whether the database is away: gone, refusing, starting up, full, or read-only."""
    if error.connection_invalidated:
        return True
    if isinstance(error.orig, sqlite3.DatabaseError):
        signs = ("unable to open", "disk", "readonly", "not a database")
        return any(sign in str(error.orig) for sign in signs)
    state = getattr(error.orig, "sqlstate", None)
    # Classes 08 connection, 53 resources, 57 operator; a connection never made has no state.
    return type(error).__name__ == "OperationalError" and (
        state is None or state[:2] in {"08", "53", "57"}
    )


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": SQLITE_BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # The driver would begin transactions by itself, and too late for a clean snapshot.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{SQLITE_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {SQLITE_CHECKPOINT_PAGES}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at once: upgrading a read half-way cannot be waited for.
        kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")

    return engine


def _postgresql(url: URL, pool_size: int) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=0,
        # The connection that was used last, which has the statements prepared that are asked often:
        # to plan those of a page takes as long as to answer them.
        pool_use_lifo=True,
        connect_args={"connect_timeout": 5, "application_name": "shipmark"},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # A row lock under REPEATABLE READ waits and then reads what was before the wait.
        # READ COMMITTED reads what is there, SERIALIZABLE notices: those two are safe.
        with connection.cursor() as cursor:
            # It takes longer to compile a statement than any of ours takes to run, and the planner
            # expects some to cost enough for that.
            cursor.execute("SET jit TO off")
            cursor.execute("SHOW default_transaction_isolation")
            if cursor.fetchone()[0] == "repeatable read":
                cursor.execute("SET default_transaction_isolation TO 'serializable'")
        connection.commit()

    return engine
