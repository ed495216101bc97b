"""Rows sent along with a statement, to join its tables with.

They travel as one JSON parameter, so that a statement is the same text however many rows come
with it: it is built once, and the database may keep its plan.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, bindparam, cast, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.type_api import TypeEngine

from shipmark.storage.tables import EPOCH, MICROSECOND


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


def sent_rows(parameter: str, **columns: type[TypeEngine[Any]]) -> CTE:
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


def packed(rows: Iterable[Sequence[Any]]) -> str:
    """The value of the parameter for these rows."""
    return json.dumps([[_plain(value) for value in row] for row in rows])


def _plain(value: Any) -> Any:
    return (value - EPOCH) // MICROSECOND if isinstance(value, datetime) else value
