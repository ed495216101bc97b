"""How much a database had to do: statements, rows written and read, steps, and by which plan."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, event

from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction

WRITTEN = re.compile(r"(?:^|^WITH\b.*\))\s*(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)", re.DOTALL)


@dataclass
class Statement:
    sql: str
    parameters: Any
    is_many: bool
    rows: int

    @property
    def writes_to(self) -> str | None:
        found = WRITTEN.match(self.sql)
        return found.group(1) if found else None


@contextmanager
def recorded(database: Database) -> Iterator[list[Statement]]:
    """The statements that are executed in the block."""
    statements: list[Statement] = []

    def record(_c: Any, cursor: Any, sql: str, given: Any, _x: Any, is_many: bool) -> None:
        statements.append(Statement(sql, given, is_many, _rows(cursor, sql, given)))

    event.listen(database.engine, "after_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(database.engine, "after_cursor_execute", record)


def _rows(cursor: Any, sql: str, given: Any) -> int:
    """SQLite's driver does not count what a statement wrote that brings its rows along."""
    if cursor.rowcount < 0 and WRITTEN.match(sql):
        return len(json.loads(given[0]))
    return int(cursor.rowcount)


@dataclass
class Work:
    """``read`` counts rows by table, on PostgreSQL; ``steps`` those of SQLite's machine."""

    statements: int
    written: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)
    steps: int = 0


def work_of(
    database: Database, tx: StorageTransaction, do: Callable[[StorageTransaction], object]
) -> Work:
    """What one use case, or one query, costs."""
    count = _steps if database.is_sqlite else _rows_read
    with recorded(database) as statements:
        read, steps = count(tx.connection, lambda: do(tx))
    written: Counter[str] = Counter()
    for one in statements:
        if one.writes_to is not None:
            written[one.writes_to] += one.rows
    ours = [one for one in statements if "pg_stat" not in one.sql]
    return Work(statements=len(ours), written=written, read=read, steps=steps)


def _steps(connection: Connection, do: Callable[[], object]) -> tuple[Counter[str], int]:
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(step, 1)
    try:
        do()
    finally:
        driver.set_progress_handler(None, 0)
    return Counter(), steps


READ = """SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"""


def _rows_read(connection: Connection, do: Callable[[], object]) -> tuple[Counter[str], int]:
    before = Counter(dict(connection.exec_driver_sql(READ).all()))
    do()
    after = Counter(dict(connection.exec_driver_sql(READ).all()))
    return after - before, 0


def plan_of(connection: Connection, statement: Statement) -> list[str]:
    """The lines of the plan by which a database executes a statement with its parameters."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {statement.sql}", statement.parameters
        )
        return [row.detail for row in rows]
    rows = connection.exec_driver_sql(f"EXPLAIN {statement.sql}", statement.parameters)
    return [row[0] for row in rows]
