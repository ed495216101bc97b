"""A copy of the facts in a temporary SQLite file, to find out what would be."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, event

from shipmark.storage.comparison import compare, remember
from shipmark.storage.database import Database
from shipmark.storage.migrations import migrate
from shipmark.storage.tables import metadata

NOT_COPIED = {
    *("file_imports", "file_parts", "file_rows", "file_effects"),
    *("deliveries", "source_events", "tokens", "sessions"),
    *("service_reports", "waiting_artifacts"),
}
"""What attribution does not depend on."""

ROWS_AT_ONCE = 2000


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
    with tempfile.TemporaryDirectory(prefix="shipmark-preview-") as folder:
        url = f"sqlite:///{Path(folder, 'facts.db')}"
        with closing(Database(url, clock=source.clock)) as copy:
            _hurry(copy)
            migrate(copy.engine)
            with source.translated(), copy.write() as tx, _moment(source) as from_:
                for table in metadata.sorted_tables:
                    if table.name not in NOT_COPIED:
                        _copy(table, from_, tx.connection, keep)
            yield Scratch(copy)


def _hurry(copy: Database) -> None:
    """It is of no use after a crash, so nothing is waited for."""

    @event.listens_for(copy.engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")


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
