"""The pull requests behind metrics: merged, shipped by now, waiting."""

from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    cast,
    exists,
    func,
    literal,
    select,
    true,
    tuple_,
    union_all,
)

from shipmark.application.metric_queries import Selection, WaitingLane, WaitingRow
from shipmark.domain.periods import Period
from shipmark.storage.metric_edges import as_number
from shipmark.storage.metric_filters import is_listed, may_go_to, of_lanes, of_pulls
from shipmark.storage.shipped import POSITION, of_service
from shipmark.storage.statements import at_or_before, before
from shipmark.storage.tables import deployment_pulls, deployments, pulls
from shipmark.storage.undeployed import marks_of, not_reached


def _merged_in(selection: Selection, period: Period) -> list[ColumnElement[bool]]:
    return [
        pulls.c.merged_at.is_not(None),
        pulls.c.listed_at >= period.since,
        pulls.c.listed_at < period.until,
        *of_pulls(selection),
        *may_go_to(selection),
    ]


def merged(connection: Connection, selection: Selection, period: Period) -> int:
    """How many pull requests merged in a period."""
    query = select(func.count()).select_from(pulls).where(*_merged_in(selection, period))
    return connection.execute(query).scalar_one()


def unshipped(connection: Connection, selection: Selection, period: Period) -> int:
    """How many of them are shipped nowhere that is asked about."""
    conditions = [
        # By the history of each branch, where those that merge alike are few.
        pulls.c.merged_at >= period.since,
        pulls.c.merged_at < period.until,
        *of_pulls(selection),
        *may_go_to(selection),
        ~is_listed(selection),
    ]
    parts = not_reached(
        connection,
        of_lanes(selection),
        conditions,
        repository_id=selection.repository_id,
        since=period.since,
    )
    found = union_all(*parts).subquery()
    return connection.execute(select(func.count()).select_from(found)).scalar_one()


def _waits_in(lane: Any, selection: Selection) -> list[ColumnElement[bool]]:
    """The pull request lies beyond what its lane has reached, and may be shipped there."""
    # By primary key, not by a join, for the reason that `shipped.listing_earlier` gives.
    of_lane = (
        select(
            and_(
                deployments.c.success.is_(true()),
                deployments.c.service_id == lane.c.service_id,
                deployments.c.environment == lane.c.environment,
            )
        )
        .where(deployments.c.id == deployment_pulls.c.deployment_id)
        .correlate_except(deployments)
        .scalar_subquery()
    )
    listed = (
        exists()
        .where(deployment_pulls.c.pull_id == pulls.c.id, of_lane.is_(true()))
        .correlate_except(deployment_pulls)
    )
    return [
        pulls.c.repository_id == lane.c.repository_id,
        pulls.c.base_ref == lane.c.branch,
        # Implied by the next line; an index can be asked for it alone.
        pulls.c.merged_at >= lane.c.at,
        before((lane.c.at, lane.c.number), POSITION),
        of_service(lane),
        ~listed,
        *of_pulls(selection),
    ]


def waiting(connection: Connection, selection: Selection, most: int) -> list[WaitingLane]:
    """When the first ``most`` that wait in each lane merged."""
    lane = marks_of(of_lanes(selection))
    first = (
        select(as_number(pulls.c.merged_at).label("at"))
        .where(*_waits_in(lane, selection))
        .order_by(*POSITION)
        .limit(most)
        .correlate(lane)
        .subquery()
    )
    text = select(func.aggregate_strings(cast(first.c.at, String), ",")).scalar_subquery()
    rows = connection.execute(select(lane.c.service_id, lane.c.environment, text))
    return [
        WaitingLane(service, environment, sorted(int(one) for one in each.split(",")))
        for service, environment, each in rows
        if each
    ]


def waiting_rows(
    connection: Connection,
    selection: Selection,
    after: tuple[int, int, int, str] | None,
    limit: int,
) -> list[WaitingRow]:
    """The pull requests that wait in lanes, the oldest first."""
    lane = marks_of(of_lanes(selection))
    at = as_number(pulls.c.merged_at)
    order = (at, pulls.c.id, lane.c.service_id, lane.c.environment)
    query = select(pulls.c.id, lane.c.service_id, lane.c.environment, at.label("at")).join_from(
        lane, pulls, and_(*_waits_in(lane, selection))
    )
    if after is not None:
        sent = tuple_(*(literal(one, like.type) for one, like in zip(after, order, strict=True)))
        query = query.where(tuple_(*order) > sent)
    return [WaitingRow(*row) for row in connection.execute(query.order_by(*order).limit(limit))]


def ahead(
    connection: Connection, selection: Selection, ahead_: str, behind: str, limit: int
) -> list[int]:
    """The pull requests that wait in a lane of one environment, and that the same lane of another
    environment has reached: the oldest first."""
    both = marks_of(of_lanes(replace(selection, environments=(ahead_, behind))))
    lane, other = both.alias("lane"), both.alias("other")
    query = (
        select(pulls.c.id)
        .join_from(
            lane,
            other,
            and_(
                other.c.repository_id == lane.c.repository_id,
                other.c.branch == lane.c.branch,
                other.c.service_id == lane.c.service_id,
            ),
        )
        .join(pulls, and_(*_waits_in(lane, selection)))
        .where(
            lane.c.environment == behind,
            other.c.environment == ahead_,
            at_or_before(POSITION, (other.c.at, other.c.number)),
        )
        .order_by(*POSITION, pulls.c.id)
        .limit(limit)
    )
    return list(connection.scalars(query))
