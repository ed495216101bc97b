"""Queries behind metrics: few rows of whole numbers, a set at a time.

What many pull requests come to goes out as one text of numbers for each deployment: a row for each
of them costs more than all that is computed of them. Quantiles are taken in Python, so that both
databases come to the same.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    cast,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)

from shipmark.application.metric_queries import (
    FixRules,
    Selection,
    StatusCount,
    WaitingLane,
    WaitingRow,
)
from shipmark.domain.failures import Deployed, Edges
from shipmark.domain.incidents import Happened, Told
from shipmark.domain.metrics import Shipment, Start
from shipmark.domain.model import LAST_NUMBER
from shipmark.domain.periods import Period
from shipmark.storage import metric_edges, metric_pulls
from shipmark.storage.metric_edges import FACTS, IN_ORDER, WINDOW, as_number, deployed
from shipmark.storage.metric_filters import (
    asked_about,
    counted,
    in_period,
    in_place,
    is_fix,
    of_pulls,
    ships,
)
from shipmark.storage.shipped import shipped_by_list, shipped_in_window
from shipmark.storage.tables import branch_commits, deployments, lanes, pulls, windows

STARTS: dict[Start, ColumnElement[Any]] = {
    Start.FIRST_COMMIT: pulls.c.first_commit_at,
    Start.OPENED: pulls.c.created_at,
    Start.MERGED: pulls.c.merged_at,
}
IS_BASELINE = and_(windows.c.raises.is_(true()), windows.c.opened_at == literal(0, BigInteger))


class Metrics:
    """Satisfies `application.metric_queries.MetricRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def deployments(self, selection: Selection, period: Period) -> list[Deployed]:
        counts = and_(true(), *counted(selection))
        query = (
            select(*FACTS, counts.label("counted"), *WINDOW)
            .select_from(
                deployments.outerjoin(windows, windows.c.deployment_id == deployments.c.id)
            )
            .where(*in_period(period), *in_place(selection))
            .order_by(*IN_ORDER)
        )
        return deployed(self._connection.execute(query))

    def edges(self, deployments: Sequence[Deployed], period: Period) -> Edges:
        return metric_edges.edges(self._connection, deployments, period)

    def happened(
        self, period: Period, before: Collection[Deployed], *, within: int
    ) -> list[Happened]:
        return metric_edges.happened(self._connection, period, before, within=within)

    def told(self, period: Period, before: Collection[Deployed]) -> list[Told]:
        return metric_edges.told(self._connection, period, before)

    def shipments(
        self,
        selection: Selection,
        period: Period,
        *,
        start: Start | None,
        with_baselines: bool,
        with_ids: bool,
    ) -> list[Shipment]:
        asked = asked_about(selection, period)
        of_windows = asked if with_baselines else [*asked, ~IS_BASELINE]
        if start is None:
            parts = [_by_window(_commits_in_window(with_ids=with_ids)).where(*of_windows)]
        else:
            text = _text(pulls.c.id, STARTS[start], with_ids=with_ids)
            of_these = of_pulls(selection)
            parts = [
                _by_window(_pulls_in_window(text, of_these)).where(*of_windows),
                _by_list(text).where(*asked, *of_these),
            ]
        found = union_all(*parts).subquery()
        query = select(found.c.id, found.c.at, found.c.starts)
        rows = self._connection.execute(query.order_by(found.c.at, found.c.reference_id))
        # Not left out by a condition: PostgreSQL would compute each text twice.
        return [
            _shipment(id_, at, starts, with_ids=with_ids)
            for id_, at, starts in rows
            if starts is not None
        ]

    def only_fixes(self, selection: Selection, period: Period, rules: FixRules) -> set[int]:
        query = select(deployments.c.id).where(
            *asked_about(selection, period),
            deployments.c.success,
            ~or_(*ships(~is_fix(rules))),
            or_(*ships(true())),
        )
        return set(self._connection.scalars(query))

    def standings(self, selection: Selection, period: Period) -> list[StatusCount]:
        columns = (
            deployments.c.attribution_status,
            deployments.c.attribution_reason,
            deployments.c.success,
        )
        query = (
            select(*columns, func.count())
            .where(*asked_about(selection, period))
            .group_by(*columns)
            .order_by(*columns)
        )
        return [StatusCount(*row) for row in self._connection.execute(query)]

    def merged(self, selection: Selection, period: Period) -> int:
        return metric_pulls.merged(self._connection, selection, period)

    def unshipped(self, selection: Selection, period: Period) -> int:
        return metric_pulls.unshipped(self._connection, selection, period)

    def waiting(self, selection: Selection, *, most: int) -> list[WaitingLane]:
        return metric_pulls.waiting(self._connection, selection, most)

    def waiting_rows(
        self, selection: Selection, *, after: tuple[int, int, int, str] | None, limit: int
    ) -> list[WaitingRow]:
        return metric_pulls.waiting_rows(self._connection, selection, after, limit)

    def ahead(self, selection: Selection, *, ahead: str, behind: str, limit: int) -> list[int]:
        return metric_pulls.ahead(self._connection, selection, ahead, behind, limit)


def _text(
    id_: ColumnElement[Any], start: ColumnElement[Any], *, with_ids: bool
) -> ColumnElement[str]:
    """When each thing of a group began, nothing where that is not known; behind its id."""
    text: ColumnElement[str] = func.coalesce(cast(as_number(start), String), "")
    if with_ids:
        text = cast(id_, String) + ":" + text
    return func.aggregate_strings(text, ",")


def _by_window(starts: ColumnElement[str]) -> Select[Any]:
    return (
        select(
            deployments.c.id,
            as_number(deployments.c.deployed_at).label("at"),
            deployments.c.reference_id,
            starts.label("starts"),
        )
        .select_from(deployments)
        .join(windows, windows.c.deployment_id == deployments.c.id)
        .join(lanes, lanes.c.id == windows.c.lane_id)
        .where(windows.c.raises.is_(true()))
    )


def _pulls_in_window(
    text: ColumnElement[str], conditions: Sequence[ColumnElement[bool]]
) -> ColumnElement[str]:
    """A text for each window, not one join grouped by window, for the reason that
    `shipped.count_in_window` gives."""
    return (
        select(text)
        .select_from(pulls)
        .where(shipped_in_window(), *conditions)
        .correlate_except(pulls)
        .scalar_subquery()
    )


def _commits_in_window(*, with_ids: bool) -> ColumnElement[str]:
    """When each commit was made that stands on the window's branch and in its range.

    A commit's position is after all pull requests of its instant, as where it is matched.
    """
    at = branch_commits.c.committed_at
    last = literal(LAST_NUMBER, BigInteger)
    return (
        select(_text(branch_commits.c.sha, at, with_ids=with_ids))
        .select_from(branch_commits)
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


def _by_list(text: ColumnElement[str]) -> Select[Any]:
    columns = (deployments.c.id, deployments.c.deployed_at, deployments.c.reference_id)
    at = as_number(deployments.c.deployed_at).label("at")
    return shipped_by_list(deployments.c.id, at, deployments.c.reference_id, text).group_by(
        *columns
    )


def _shipment(id_: int, at: int, text: str, *, with_ids: bool) -> Shipment:
    each = text.split(",")
    if not with_ids:
        if "" in each:
            return Shipment(id_, at, [int(start) if start else None for start in each])
        return Shipment(id_, at, [*map(int, each)])
    pairs = [one.split(":") for one in each]
    starts = [int(start) if start else None for _, start in pairs]
    return Shipment(id_, at, starts, [which for which, _ in pairs])
