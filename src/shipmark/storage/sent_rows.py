"""Lists and rows sent along with a statement, to look up, to join with, or to store.

They travel as one parameter, so that a statement is the same text however many come with it: it
is built once, and the database may keep its plan.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Self

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    Dialect,
    Insert,
    String,
    Table,
    Text,
    TypeDecorator,
    Update,
    bindparam,
    cast,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.type_api import TypeEngine

from shipmark.storage.columns import EPOCH, MICROSECOND


class _List(TypeDecorator[Collection[Any]]):
    """Values of one type: an array on PostgreSQL, JSON on SQLite, which has no arrays."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = self.impl_instance
        if dialect.name == "postgresql":
            kind = ARRAY(String() if isinstance(self.item, String) else BigInteger())
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> Any:
        values = list(value or ())
        return values if dialect.name == "postgresql" else json.dumps(values)


class _Among(FunctionElement[bool]):
    """Whether a column's value is in a list."""

    name = "among"
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Self:
        # SQLite would be asked whether it equals 1, and use no index.
        del against
        return self


@compiles(_Among, "sqlite")
def _among_on_sqlite(element: _Among, compiler: Any, **keywords: Any) -> str:
    column, sent = (compiler.process(part, **keywords) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({sent}))"  # noqa: S608 - both compiled


@compiles(_Among, "postgresql")
def _among_on_postgresql(element: _Among, compiler: Any, **keywords: Any) -> str:
    column, sent = (compiler.process(part, **keywords) for part in element.clauses)
    return f"{column} = ANY ({sent})"


def among(column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    """The column's value is in the list that is sent with the statement."""
    return _Among(column, bindparam(parameter, type_=_List(column.type)))


class _Items(FunctionElement[Any]):
    """The items of a JSON array, a row each, in a column called value."""

    name = "items"
    inherit_cache = True


class _Length(FunctionElement[Any]):
    """How many items a JSON array has."""

    name = "length"
    inherit_cache = True


class _Field(FunctionElement[Any]):
    """One field of an item that is itself an array."""

    name = "field"
    inherit_cache = True


@compiles(_Items, "sqlite")
def _items_on_sqlite(element: _Items, compiler: Any, **keywords: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **keywords)})"


@compiles(_Items, "postgresql")
def _items_on_postgresql(element: _Items, compiler: Any, **keywords: Any) -> str:
    sent = compiler.process(element.clauses, **keywords)
    return f"jsonb_array_elements(CAST({sent} AS JSONB))"


@compiles(_Length, "sqlite")
def _length_on_sqlite(element: _Length, compiler: Any, **keywords: Any) -> str:
    return f"json_array_length({compiler.process(element.clauses, **keywords)})"


@compiles(_Length, "postgresql")
def _length_on_postgresql(element: _Length, compiler: Any, **keywords: Any) -> str:
    sent = compiler.process(element.clauses, **keywords)
    return f"jsonb_array_length(CAST({sent} AS JSONB))"


@compiles(_Field, "sqlite")
def _field_on_sqlite(element: _Field, compiler: Any, **keywords: Any) -> str:
    item, index = (compiler.process(part, **keywords) for part in element.clauses)
    return f"json_extract({item}, '$[{index}]')"


@compiles(_Field, "postgresql")
def _field_on_postgresql(element: _Field, compiler: Any, **keywords: Any) -> str:
    item, index = (compiler.process(part, **keywords) for part in element.clauses)
    return f"({item} ->> {index})"


def sent_rows(parameter: str, **columns: type[TypeEngine[Any]] | TypeEngine[Any]) -> CTE:
    """A table of these columns whose rows come with the statement, as `packed` made them.

    The limit changes nothing but the plan: PostgreSQL takes an array for 100 rows, and for so
    many it would rather read a whole table than look each of them up.
    """
    items = _Items(bindparam(parameter)).table_valued("value")
    fields: list[ColumnElement[Any]] = [
        cast(_Field(items.c.value, literal_column(str(index))), type_).label(name)
        for index, (name, type_) in enumerate(columns.items())
    ]
    rows = select(*fields).select_from(items).limit(_Length(bindparam(parameter)))
    return rows.cte(parameter)


def inserted(table: Table, columns: Sequence[str]) -> Insert:
    """Store the rows that are sent as ``rows``, with these columns in this order."""
    rows = _rows_of(table, columns)
    return insert(table).from_select(list(columns), select(*rows.c))


def updated(table: Table, key: Sequence[str], columns: Sequence[str]) -> Update:
    """Change the rows that are sent as ``rows``: first the key's columns, then those to change."""
    rows = _rows_of(table, [*key, *columns])
    return (
        update(table)
        .values({name: rows.c[name] for name in columns})
        .where(*(table.c[name] == rows.c[name] for name in key))
    )


def _rows_of(table: Table, columns: Sequence[str]) -> CTE:
    # A type with a collation is none that PostgreSQL can cast to.
    types = {name: table.c[name].type for name in columns}
    return sent_rows("rows", **{n: String() if type(t) is String else t for n, t in types.items()})


def packed(rows: Iterable[Sequence[Any]]) -> str:
    """The value of the parameter for these rows."""
    return json.dumps(list(rows), default=_microseconds)


def _microseconds(value: datetime) -> int:
    """An instant as it is stored, and every other value as JSON has it."""
    return (value - EPOCH) // MICROSECOND
