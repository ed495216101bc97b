"""Queries behind metrics: few rows of whole numbers, a set at a time.

Quantiles are taken in Python, so that both databases come to the same.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import (
    Connection,
    and_,
    func,
    or_,
    select,
    true,
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
from shipmark.domain.periods import Period
from shipmark.storage import metric_edges, metric_pulls, metric_shipments
from shipmark.storage.metric_edges import FACTS, IN_ORDER, WINDOW, deployed, with_windows
from shipmark.storage.metric_filters import (
    asked_about,
    counted,
    in_period,
    in_place,
    is_fix,
    ships,
)
from shipmark.storage.tables import deployments


class Metrics:
    """Satisfies `application.metric_queries.MetricRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def deployments(self, selection: Selection, period: Period) -> list[Deployed]:
        counts = and_(true(), *counted(selection))
        query = (
            select(*FACTS, counts.label("counted"), *WINDOW)
            .select_from(with_windows(deployments))
            .where(*in_period(period), *in_place(selection))
            .order_by(*IN_ORDER)
        )
        return deployed(self._connection.execute(query).all())

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
        deployments: Sequence[Deployed],
        *,
        start: Start | None,
        with_baselines: bool,
        with_ids: bool,
    ) -> list[Shipment]:
        if start is None:
            return metric_shipments.of_commits(
                self._connection,
                selection,
                period,
                with_baselines=with_baselines,
                with_ids=with_ids,
            )
        return metric_shipments.of_pulls(
            self._connection,
            selection,
            period,
            deployments,
            start,
            with_baselines=with_baselines,
            with_ids=with_ids,
        )

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
