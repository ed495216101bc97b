"""Queries behind metrics: few rows of whole numbers, a set at a time.

Quantiles are taken in Python, so that both databases come to the same.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
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
from shipmark.storage import metric_coverage, metric_edges, metric_pulls, metric_shipments
from shipmark.storage.columns import Instant
from shipmark.storage.metric_edges import FACTS, IN_ORDER, WINDOW, deployed, with_windows
from shipmark.storage.metric_filters import (
    asked_about,
    counted,
    in_place,
    is_fix,
    ships,
)
from shipmark.storage.sent_rows import among
from shipmark.storage.tables import deployments, pulls

# Statements are kept: these take longer to put together than a database takes to answer them.


@lru_cache(maxsize=100)
def _deployments(selection: Selection) -> Select[*tuple[Any, ...]]:
    at = deployments.c.deployed_at
    counts = and_(true(), *counted(selection))
    return (
        select(*FACTS, counts.label("counted"), *WINDOW)
        .select_from(with_windows(deployments))
        .where(
            at >= bindparam("since", type_=Instant),
            at < bindparam("until", type_=Instant),
            *in_place(selection),
        )
        .order_by(*IN_ORDER)
    )


@lru_cache(maxsize=4)
def _fixes(rules: FixRules) -> Select[int]:
    return select(pulls.c.id).where(among(pulls.c.id, "ids"), is_fix(rules))


@lru_cache(maxsize=4)
def _only_fixes(rules: FixRules) -> Select[int]:
    return select(deployments.c.id).where(
        among(deployments.c.id, "ids"), ~or_(*ships(~is_fix(rules))), or_(*ships(true()))
    )


class Metrics:
    """Satisfies `application.metric_queries.MetricRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def deployments(self, selection: Selection, period: Period) -> list[Deployed]:
        sent = {"since": period.since, "until": period.until}
        return deployed(self._connection.execute(_deployments(selection), sent).all())

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
    ) -> list[Shipment]:
        if start is None:
            return metric_shipments.of_commits(
                self._connection, selection, period, with_baselines=with_baselines
            )
        return metric_shipments.of_pulls(
            self._connection,
            selection,
            period,
            deployments,
            start,
            with_baselines=with_baselines,
        )

    def fixes(self, pull_ids: Collection[int], rules: FixRules) -> set[int]:
        return set(self._connection.scalars(_fixes(rules), {"ids": sorted(pull_ids)}))

    def only_fixes(self, deployment_ids: Collection[int], rules: FixRules) -> set[int]:
        return set(self._connection.scalars(_only_fixes(rules), {"ids": sorted(deployment_ids)}))

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

    def merged(self, selection: Selection, period: Period, middle: datetime) -> tuple[int, int]:
        return metric_coverage.merged(self._connection, selection, period, middle)

    def unshipped(self, selection: Selection, period: Period, middle: datetime) -> tuple[int, int]:
        return metric_coverage.unshipped(self._connection, selection, period, middle)

    def unshipped_rows(
        self, selection: Selection, period: Period, *, after: tuple[int, int] | None, limit: int
    ) -> list[tuple[int, int]]:
        return metric_coverage.unshipped_rows(self._connection, selection, period, after, limit)

    def waiting(self, selection: Selection, *, most: int) -> list[WaitingLane]:
        return metric_pulls.waiting(self._connection, selection, most)

    def waiting_rows(
        self, selection: Selection, *, after: tuple[int, int, int, str] | None, limit: int
    ) -> list[WaitingRow]:
        return metric_pulls.waiting_rows(self._connection, selection, after, limit)

    def ahead(self, selection: Selection, *, ahead: str, behind: str, limit: int) -> list[int]:
        return metric_pulls.ahead(self._connection, selection, ahead, behind, limit)
