"""A copy of the facts in a temporary SQLite file, to find out what would be."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, event

from shipmark.storage.columns import metadata
from shipmark.storage.comparison import compare, remember
from shipmark.storage.database import Database
from shipmark.storage.migrations import migrate

NOT_COPIED = {
    *("file_imports", "file_parts", "file_rows", "file_effects"),
    *("deliveries", "source_events", "service_reports", "report_subjects"),
    "waiting_artifacts",
    *("received", "forge_budgets", "webhook_refusals", "tokens", "sessions"),
}
"""What neither attribution nor metrics depend on."""

ROWS_AT_ONCE = 2000

PREFIX = "shipmark-preview-"


class Scratch:
    """Satisfies `application.preview_file.Scratch`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def remember(self) -> None:
        with self.database.write() as tx:
            remember(tx.connection)

    def compare(self, *, examples: int) -> Mapping[str, Any]:
        with self.database.trial() as tx:
            return compare(tx.connection, examples=examples)


@contextmanager
def copy_facts(source: Database, keep: Callable[[], None]) -> Iterator[Scratch]:
    """The facts as of one moment, until the end of the block. ``keep`` is called meanwhile."""
    with _folder() as folder:
        url = f"sqlite:///{folder / 'facts.db'}"
        with closing(Database(url, clock=source.clock)) as copy:
            _hurry(copy)
            migrate(copy.engine)
            with source.translated(), copy.write() as tx, _moment(source) as from_:
                for table in metadata.sorted_tables:
                    if table.name not in NOT_COPIED:
                        _copy(table, from_, tx.connection, keep)
            yield Scratch(copy)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for a copy, until the end of the block. Those of processes that were killed, which
    nobody holds any more, are removed first."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError), _held(left):
            shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix="shipmark-unheld-") as unheld:
        # Under the name by which others find it, it is never without its lock.
        folder = Path(unheld, "facts").resolve()
        folder.mkdir()
        with _held(folder):
            held = folder.rename(Path(unheld).with_name(PREFIX + Path(unheld).name[-8:]))
            try:
                yield held
            finally:
                shutil.rmtree(held, ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder as long as this process lives. Raises OSError if another one does."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(opened)


def _hurry(copy: Database) -> None:
    """It is of no use after a crash, so nothing is waited for. Imports are noted to change what
    they do, and are not copied themselves."""

    @event.listens_for(copy.engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA foreign_keys = OFF")


@contextmanager
def _moment(source: Database) -> Iterator[Connection]:
    """A connection that sees one state of the database, also from statement to statement."""
    with source.engine.connect() as connection:
        if source.is_sqlite:
            yield connection
        else:
            yield connection.execution_options(isolation_level="REPEATABLE READ")


def _copy(table: Table, source: Connection, target: Connection, keep: Callable[[], None]) -> None:
    # Both databases store the same values, so no type has to be looked at.
    names = [
        target.dialect.identifier_preparer.quote(column.name)
        for column in table.c
        if column.computed is None
    ]
    listed, marks = ", ".join(names), ", ".join("?" * len(names))
    into = f"INSERT INTO {table.name} ({listed}) VALUES ({marks})"  # noqa: S608 - our own names
    found = source.execution_options(stream_results=True, max_row_buffer=ROWS_AT_ONCE)
    rows = found.exec_driver_sql(f"SELECT {listed} FROM {table.name}")  # noqa: S608 - likewise
    for part in rows.partitions(ROWS_AT_ONCE):
        keep()
        target.exec_driver_sql(into, [tuple(row) for row in part])
