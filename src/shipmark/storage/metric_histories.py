"""The histories of branches as far as windows lie in them, whatever number of windows that is."""

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

from msgspec.json import Decoder
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    cast,
    func,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from shipmark.application.metric_queries import Selection
from shipmark.domain.histories import Columns, History, Listing, Position, Stretch, in_order
from shipmark.storage.metric_edges import as_number
from shipmark.storage.sent_rows import among, packed, sent_rows
from shipmark.storage.statements import is_any
from shipmark.storage.tables import deployment_pulls, deployments, pull_services, pulls

POSITION = (as_number(pulls.c.merged_at), pulls.c.number)
_NUMBERS = Decoder(list[int])


def histories_of(
    connection: Connection,
    selection: Selection,
    found: Sequence[Stretch],
    told: Sequence[ColumnElement[int]],
) -> Iterator[tuple[Stretch, History]]:
    """The history of each stretch, with these numbers ``told`` of each pull request."""
    if not found:
        return
    sent = packed((place, *one.branch, one.since, one.until) for place, one in enumerate(found))
    rows = connection.execute(_texts(selection, told), {"stretches": sent}).all()
    listed = [_by_position(text) for *_, text in rows]
    by_id = _listings(connection, {id_ for each in listed for ids in each.values() for id_ in ids})
    width = len(POSITION) + len(told)
    for (place, text, assigned, _), lists in zip(rows, listed, strict=True):
        columns = _columns(text, width)
        merged, beside = columns[: len(POSITION)], columns[len(POSITION) :]
        listings = {
            position: [by_id[id_] for id_ in ids if id_ in by_id] for position, ids in lists.items()
        }
        yield found[place], History(merged, beside, _by_position(assigned), listings)


def _columns(text: str | None, width: int) -> Columns:
    return in_order([_NUMBERS.decode(one) for one in text.split(";")] if text else [()] * width)


def _texts(selection: Selection, told: Sequence[ColumnElement[int]]) -> Select[Any]:
    """The numbers of what merged in each stretch, of whom it belongs to, and of what lists it.

    The first are an array for each column, with semicolons between them: to put the numbers of
    each pull request together takes a database twice as long.
    """
    sent = sent_rows(
        "stretches",
        place=Integer,
        repository_id=BigInteger,
        branch=String,
        since=BigInteger,
        until=BigInteger,
    )
    in_stretch = (
        pulls.c.repository_id == sent.c.repository_id,
        pulls.c.base_ref == sent.c.branch,
        POSITION[0] >= sent.c.since,
        POSITION[0] <= sent.c.until,
    )
    arrays = [_array(column, selection) for column in (*POSITION, *told)]
    merged = select(reduce(lambda one, other: one + ";" + other, arrays)).where(*in_stretch)
    others = [
        select(func.aggregate_strings(_numbers(*POSITION) + "," + _beside(column), ","))
        .select_from(pulls)
        .where(is_any(column.table.c.pull_id), *in_stretch)
        for column in (pull_services.c.service_id, deployment_pulls.c.deployment_id)
    ]
    return select(
        sent.c.place, *(each.correlate(sent).scalar_subquery() for each in (merged, *others))
    )


def _array(column: ColumnElement[int], selection: Selection) -> ColumnElement[str]:
    numbers = _JsonArray(column)
    if selection.author is None:
        return cast(numbers, String)
    # Not a condition of the whole: it has an index, by which all that the author ever merged is
    # looked at.
    return cast(numbers.filter(pulls.c.author == selection.author), String)


class _JsonArray(FunctionElement[Any]):
    """The values of a group as a JSON array."""

    name = "json_array_of"
    inherit_cache = True


@compiles(_JsonArray, "sqlite")
def _array_on_sqlite(element: _JsonArray, compiler: Any, **keywords: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **keywords)})"


@compiles(_JsonArray, "postgresql")
def _array_on_postgresql(element: _JsonArray, compiler: Any, **keywords: Any) -> str:
    return f"json_agg({compiler.process(element.clauses, **keywords)})"


def _beside(column: Column[int]) -> ColumnElement[str]:
    """The numbers that a table has of a pull request in the enclosing query; NULL without any,
    and so is what it is put together with."""
    return (
        select(func.aggregate_strings(cast(column, String), " "))
        .where(column.table.c.pull_id == pulls.c.id)
        .correlate(pulls)
        .scalar_subquery()
    )


def _numbers(*columns: ColumnElement[Any]) -> ColumnElement[str]:
    """Numbers with commas between them."""
    text: ColumnElement[str] = cast(columns[0], String)
    for column in columns[1:]:
        text = text + "," + cast(column, String)
    return text


def _listings(connection: Connection, ids: set[int]) -> dict[int, Listing]:
    if not ids:
        return {}
    query = select(
        deployments.c.id,
        deployments.c.service_id,
        deployments.c.environment,
        as_number(deployments.c.deployed_at),
        deployments.c.reference_id,
    ).where(among(deployments.c.id, "ids"), deployments.c.success.is_(true()))
    rows = connection.execute(query, {"ids": sorted(ids)})
    return {id_: Listing(*listing) for id_, *listing in rows}


def _by_position(text: str | None) -> dict[Position, set[int]]:
    if not text:
        return {}
    parts = iter(text.split(","))
    return {
        (int(at), int(number)): set(map(int, ids.split()))
        for at, number, ids in zip(*[parts] * 3, strict=True)
    }
