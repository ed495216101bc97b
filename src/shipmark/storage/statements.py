"""Pieces that statements of several tables are made of.

Statements that many requests need are built once, as constants with parameters: building one
costs more than running it.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Insert,
    Table,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

Item = TypeVar("Item")

CHUNK = 500
"""How many values one statement carries: far below what either driver takes."""

LONGEST_ERROR = 2000
"""Characters of a message that is kept."""


def chunks(items: Collection[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    """The items in lists of at most ``size``; none for no items."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk


def sent_row(sent: Sequence[Any], like: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    """Values sent as one row, of the types of the columns they will be compared with."""
    return tuple_(*(literal(one, column_.type) for one, column_ in zip(sent, like, strict=True)))


def at_or_before(
    first: tuple[ColumnElement[Any] | Column[Any], ...],
    second: tuple[ColumnElement[Any] | Column[Any], ...],
) -> ColumnElement[bool]:
    """Compare two composite positions as rows, so that a composite index serves."""
    return tuple_(*first) <= tuple_(*second)


def before(
    first: tuple[ColumnElement[Any] | Column[Any], ...],
    second: tuple[ColumnElement[Any] | Column[Any], ...],
) -> ColumnElement[bool]:
    """Strictly before, compared as rows."""
    return tuple_(*first) < tuple_(*second)


def by_no_index(column: ColumnElement[Any], nothing: Any) -> ColumnElement[Any]:
    """The column as no index has it, where a planner would choose one of too many rows."""
    return func.coalesce(column, nothing)


def is_any(column: Column[Any]) -> ColumnElement[bool]:
    """Whether a table has any row; told by a column with an index. Where it has none, none is
    looked for in it."""
    return select(func.min(column)).correlate(None).scalar_subquery().is_not(None)


def storable(error: str) -> str:
    """A message that may quote what strangers wrote, as text that either database takes."""
    return error[:LONGEST_ERROR].encode("utf-8", "replace").decode().replace("\0", "")


def has_one_writer(connection: Connection) -> bool:
    """Whether a writing transaction is alone, as on SQLite: then rows need no locks."""
    return connection.dialect.name == "sqlite"


def knows_lateral(connection: Connection) -> bool:
    """Whether a table of a join may be a query that is asked for each row of another."""
    return connection.dialect.name == "postgresql"


def insert_unless_there(connection: Connection, table: Table) -> Insert:
    """INSERT that leaves a row alone that stands there already, whoever put it there."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()
