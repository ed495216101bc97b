"""What the deployments of a period shipped, as metrics need it: from when each thing is counted.

Windows that follow one another are one stretch of their branch's history. It is read once,
whatever number of windows and services it holds, as one text of numbers: a row for each pull
request costs more than all that is computed of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    true,
)

from shipmark.application.metric_queries import Selection
from shipmark.domain.failures import Deployed
from shipmark.domain.histories import Reaching, stretches
from shipmark.domain.metrics import Shipment, Start
from shipmark.domain.model import LAST_NUMBER
from shipmark.domain.periods import Period
from shipmark.storage import metric_filters
from shipmark.storage.metric_edges import IN_ORDER, as_number
from shipmark.storage.metric_filters import asked_about
from shipmark.storage.metric_histories import histories_of
from shipmark.storage.shipped import shipped_by_list
from shipmark.storage.statements import is_any
from shipmark.storage.tables import (
    branch_commits,
    deployment_pulls,
    deployments,
    lanes,
    pulls,
    windows,
)

STARTS: dict[Start, ColumnElement[Any]] = {
    Start.FIRST_COMMIT: pulls.c.first_commit_at,
    Start.OPENED: pulls.c.created_at,
    Start.MERGED: pulls.c.merged_at,
}
UNKNOWN = -(2**62)
"""Stands in a text for a start that is not known."""

AT = as_number(deployments.c.deployed_at)
IS_BASELINE = and_(windows.c.raises.is_(true()), windows.c.opened_at == literal(0, BigInteger))


def of_pulls(
    connection: Connection,
    selection: Selection,
    period: Period,
    found: Sequence[Deployed],
    start: Start,
    *,
    with_baselines: bool,
) -> list[Shipment]:
    """The pull requests that deployments shipped, by window or by list."""
    windows_ = _windows(selection, found, with_baselines=with_baselines)
    shipments = [
        *_by_window(connection, selection, windows_, start),
        *_by_list(connection, selection, period, start),
    ]
    places = {one.id: place for place, one in enumerate(found)}
    return sorted(shipments, key=lambda one: places[one.deployment_id])


def _windows(
    selection: Selection, found: Iterable[Deployed], *, with_baselines: bool
) -> list[Reaching]:
    """The windows that ship something that is asked about."""
    return [
        window
        for one in found
        if one.counted
        for window in one.windows
        if window.raises
        and (with_baselines or not window.is_baseline)
        and selection.repository_id in (None, window.branch[0])
    ]


def _by_window(
    connection: Connection, selection: Selection, windows_: Sequence[Reaching], start: Start
) -> Iterator[Shipment]:
    # When they merged is told anyway.
    told: list[ColumnElement[int]] = [pulls.c.id]
    if start is not Start.MERGED:
        told.append(func.coalesce(as_number(STARTS[start]), UNKNOWN))
    for stretch, history in histories_of(connection, selection, stretches(windows_), told):
        for window, (merged, ids, *began) in history.shipped(stretch.windows):
            if ids:
                starts = _known(*began) if began else merged
                yield Shipment(window.deployment_id, window.deployed_at, starts, ids)


def _known(starts: Sequence[int]) -> Sequence[int | None]:
    if UNKNOWN not in starts:
        return starts
    return [None if one == UNKNOWN else one for one in starts]


def _by_list(
    connection: Connection, selection: Selection, period: Period, start: Start
) -> Iterator[Shipment]:
    # Which pull requests count narrows the text, not the rows: by a condition, a planner begins
    # with all that a repository or an author ever merged.
    of_these = metric_filters.of_pulls(selection)
    query = (
        shipped_by_list(deployments.c.id, AT, _text(pulls.c.id, STARTS[start], of_these))
        # Where nothing is listed, as in most places, nothing is looked at.
        .where(is_any(deployment_pulls.c.pull_id), *asked_about(selection, period))
        .group_by(deployments.c.id, *IN_ORDER)
    )
    for id_, at, text in connection.execute(query):
        if text is not None:
            starts, ids = _read(text)
            yield Shipment(id_, at, starts, list(map(int, ids)))


def of_commits(
    connection: Connection,
    selection: Selection,
    period: Period,
    *,
    with_baselines: bool,
) -> list[Shipment]:
    """The commits on their branch in the windows of deployments, when each was made.

    A commit's position is after all pull requests of its instant, as where it is matched.
    """
    at = branch_commits.c.committed_at
    last = literal(LAST_NUMBER, BigInteger)
    commits = (
        select(_text(branch_commits.c.sha, at))
        .where(
            branch_commits.c.repository_id == lanes.c.repository_id,
            branch_commits.c.branch == lanes.c.branch,
            at >= windows.c.opened_at,
            at <= windows.c.reached_at,
            or_(at > windows.c.opened_at, windows.c.opened_number < last),
            or_(at < windows.c.reached_at, windows.c.reached_number == last),
        )
        .correlate_except(branch_commits)
        .scalar_subquery()
    )
    query = (
        select(deployments.c.id, AT, commits)
        .select_from(deployments)
        .join(windows, windows.c.deployment_id == deployments.c.id)
        .join(lanes, lanes.c.id == windows.c.lane_id)
        .where(windows.c.raises.is_(true()), *asked_about(selection, period))
        .order_by(*IN_ORDER)
    )
    if not with_baselines:
        query = query.where(~IS_BASELINE)
    # What has none is not left out by a condition: PostgreSQL would compute each text twice.
    rows = connection.execute(query)
    return [Shipment(id_, at, *_read(text)) for id_, at, text in rows if text is not None]


def _text(
    id_: ColumnElement[Any],
    start: ColumnElement[Any],
    conditions: Sequence[ColumnElement[bool]] = (),
) -> ColumnElement[str]:
    """When each thing of a group began that fulfils these conditions, nothing where that is not
    known; behind its id."""
    began = func.coalesce(cast(as_number(start), String), "")
    text: ColumnElement[str] = cast(id_, String) + ":" + began
    if conditions:
        text = case((and_(*conditions), text))
    return func.aggregate_strings(text, ",")


def _read(text: str) -> tuple[list[int | None], list[str]]:
    """When each thing of a text began, and its id."""
    # In an order of their own: databases put texts together in any.
    pairs = sorted(one.split(":") for one in text.split(","))
    return [int(start) if start else None for _, start in pairs], [which for which, _ in pairs]
