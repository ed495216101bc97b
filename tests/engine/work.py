"""How much a database had to do for one use case, or one query, in a transaction that is open."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.work import recorded, rows_read, rows_written

from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction


@dataclass(frozen=True, slots=True)
class Work:
    """``read`` counts rows by table, on PostgreSQL; ``steps`` those of SQLite's machine."""

    statements: int
    written: Counter[str]
    read: Counter[str]
    steps: int


def work_of(
    database: Database, tx: StorageTransaction, do: Callable[[StorageTransaction], object]
) -> Work:
    """What it costs."""
    with recorded(database.engine) as statements:
        read, steps = rows_read(tx.connection, lambda: do(tx))
    ours = [one for one in statements if "pg_stat" not in one.sql]
    return Work(len(ours), rows_written(ours), read, steps)
