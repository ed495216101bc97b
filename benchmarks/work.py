"""How much a database had to do: statements, their time, rows written and read, and the plans."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, event

from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction

WRITES = re.compile(
    r"(?:^|^WITH\b.*\))\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)", re.IGNORECASE | re.DOTALL
)
"""A statement that writes, also one that brings its rows along."""

READ = """SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) AS read
FROM pg_stat_xact_user_tables"""
GROWING = ("pulls", "windows", "deployments")
"""The tables that are read through an index, or reading takes longer with every year."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its parameters, the rows it wrote or answered, and its seconds."""

    sql: str
    parameters: Any
    is_many: bool
    rows: int
    seconds: float

    @property
    def table_written(self) -> str | None:
        found = WRITES.match(self.sql)
        return found[1] if found else None


@contextmanager
def recorded(engine: Engine | type[Engine]) -> Iterator[list[Statement]]:
    """The statements that are executed in the block, on one engine or on all."""
    statements: list[Statement] = []
    began = [0.0]

    def before(*_: Any) -> None:
        began[0] = time.perf_counter()

    def after(_c: Any, cursor: Any, sql: str, given: Any, _x: Any, is_many: bool) -> None:  # noqa: FBT001 - SQLAlchemy calls it so
        took = time.perf_counter() - began[0]
        statements.append(Statement(sql, given, is_many, _rows(cursor, sql, given), took))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)


def _rows(cursor: Any, sql: str, given: Any) -> int:
    """SQLite's driver does not count what a statement wrote that brings its rows along."""
    if cursor.rowcount < 0 and WRITES.match(sql):
        return len(json.loads(given[0]))
    return max(int(cursor.rowcount), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What something cost. ``read`` counts rows that PostgreSQL read, by table; ``steps`` those of
    SQLite's virtual machine. ``in_statements`` are seconds."""

    statements: int
    in_statements: float
    written: dict[str, int]
    read: dict[str, int] = field(default_factory=dict)
    steps: int = 0


def work_of(database: Database, do: Callable[[StorageTransaction], object]) -> Work:
    """What a use case costs, in a transaction that is not kept."""
    with database.trial() as tx:
        # The first statement of a connection also reads the schema.
        tx.connection.exec_driver_sql("SELECT count(*) FROM lanes")
        with recorded(database.engine) as statements:
            do(tx)
    with database.trial() as tx:
        driver: Any = tx.connection.connection.driver_connection
        before = driver.total_changes if database.is_sqlite else 0
        read, steps = rows_read(tx.connection, lambda: do(tx))
        # SQLite tells how many rows were written, better than its driver of each statement.
        changed = {"all": driver.total_changes - before} if database.is_sqlite else None
    return Work(
        statements=len(statements),
        in_statements=sum(one.seconds for one in statements),
        written=changed or dict(rows_written(statements)),
        read=dict(read),
        steps=steps,
    )


def rows_written(statements: Sequence[Statement]) -> Counter[str]:
    """By table."""
    written = Counter[str]()
    for one in statements:
        if one.table_written is not None:
            written[one.table_written] += one.rows
    return written


def rows_read(connection: Connection, do: Callable[[], object]) -> tuple[Counter[str], int]:
    """What reading cost: on PostgreSQL the rows by table, on SQLite the steps of its machine."""
    if connection.dialect.name == "sqlite":
        return Counter[str](), _steps(connection, do)
    before = _read_so_far(connection)
    do()
    return _read_so_far(connection) - before, 0


def _read_so_far(connection: Connection) -> Counter[str]:
    return Counter({row.relname: row.read for row in connection.exec_driver_sql(READ)})


def _steps(connection: Connection, do: Callable[[], object]) -> int:
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
    return steps


def plan_of(connection: Connection, statement: Statement) -> list[str]:
    """The lines of the plan by which a database executes a statement with its parameters."""
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    rows = connection.exec_driver_sql(f"{explain} {statement.sql}", statement.parameters)
    return [str(row[-1]) for row in rows]


def whole_tables_in(plan: list[str]) -> set[str]:
    """The tables that grow and of which a plan reads every row."""
    tables = "|".join(GROWING)
    whole = re.compile(rf"Seq Scan on ({tables})\b|^SCAN ({tables})\b(?!.* USING )")
    found = filter(None, map(whole.search, plan))
    return {one[1] or one[2] for one in found}
