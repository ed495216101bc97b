"""The pull requests behind metrics that wait, and those that one environment has before another."""

from dataclasses import replace
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    cast,
    exists,
    func,
    literal,
    select,
    true,
    tuple_,
    union,
)

from shipmark.application.metric_queries import Selection, WaitingLane, WaitingRow
from shipmark.domain.model import BEGINNING
from shipmark.storage.columns import Instant
from shipmark.storage.metric_edges import as_number
from shipmark.storage.metric_filters import (
    in_place,
    is_listed,
    of_lanes,
    of_pulls,
)
from shipmark.storage.shipped import POSITION, is_listed_by, of_service
from shipmark.storage.statements import at_or_before, before
from shipmark.storage.tables import deployment_pulls, deployments, pulls
from shipmark.storage.undeployed import marks_of


def _waits_in(lane: Any, selection: Selection) -> list[ColumnElement[bool]]:
    """The pull request lies beyond what its lane has reached, and may be shipped there."""
    listed = is_listed_by(
        deployments.c.service_id == lane.c.service_id,
        deployments.c.environment == lane.c.environment,
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
    """The pull requests of a service that are shipped to one environment and not to another: the
    oldest first. What was never deployed to the other is all of it missing there."""
    there = replace(selection, environments=(ahead_,))
    here = replace(selection, environments=(behind,))
    marks = marks_of(of_lanes(replace(selection, environments=(ahead_, behind))))
    columns = (pulls.c.id, *POSITION)
    missing = [*of_pulls(selection), ~is_listed(here)]
    reached = _reached_between(marks, ahead_, behind).with_only_columns(*columns).where(*missing)
    listed = select(*columns).where(
        pulls.c.merged_at.is_not(None),
        pulls.c.id.in_(_listed_in(there)),
        ~_is_reached(marks, behind),
        *missing,
    )
    found = union(reached, listed).subquery()
    order = (found.c.merged_at, found.c.number, found.c.id)
    return list(connection.scalars(select(found.c.id).order_by(*order).limit(limit)))


def _reached_between(marks: CTE, ahead_: str, behind: str) -> Select[Any]:
    """What the lanes of one environment have reached beyond the same lanes of another."""
    lane, other = marks.alias("lane"), marks.alias("other")
    at = func.coalesce(other.c.at, literal(BEGINNING.at, Instant))
    number = func.coalesce(other.c.number, BEGINNING.number)
    same = (lane.c.repository_id, lane.c.branch, lane.c.service_id)
    of_other = (other.c.repository_id, other.c.branch, other.c.service_id)
    begun = and_(
        other.c.environment == behind,
        *(one == each for one, each in zip(same, of_other, strict=True)),
    )
    return (
        select(pulls.c.id)
        .select_from(lane)
        .outerjoin(other, begun)
        .join(
            pulls,
            and_(
                pulls.c.repository_id == lane.c.repository_id,
                pulls.c.base_ref == lane.c.branch,
                # Implied by the next two lines; an index can be asked for them alone.
                pulls.c.merged_at >= at,
                pulls.c.merged_at <= lane.c.at,
                before((at, number), POSITION),
                at_or_before(POSITION, (lane.c.at, lane.c.number)),
                of_service(lane),
            ),
        )
        .where(lane.c.environment == ahead_)
    )


def _listed_in(selection: Selection) -> Select[Any]:
    """The pull requests that successful deployments to a place list."""
    return (
        select(deployment_pulls.c.pull_id)
        .join(deployments, deployments.c.id == deployment_pulls.c.deployment_id)
        .where(deployments.c.success.is_(true()), *in_place(selection))
    )


def _is_reached(marks: CTE, environment: str) -> ColumnElement[bool]:
    """A lane of the environment has reached the pull request."""
    lane = marks.alias("reached")
    return (
        exists()
        .where(
            lane.c.environment == environment,
            lane.c.repository_id == pulls.c.repository_id,
            lane.c.branch == pulls.c.base_ref,
            at_or_before(POSITION, (lane.c.at, lane.c.number)),
            of_service(lane),
        )
        .correlate(pulls)
    )
