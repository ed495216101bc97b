"""The pull requests behind metrics: merged, shipped by now, waiting."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Select,
    String,
    Subquery,
    and_,
    bindparam,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    union,
    union_all,
)

from shipmark.application.metric_queries import Selection, WaitingLane, WaitingRow
from shipmark.domain.model import BEGINNING
from shipmark.domain.periods import MICROSECOND, Period
from shipmark.storage.columns import Instant
from shipmark.storage.metric_edges import as_number
from shipmark.storage.metric_filters import (
    belongs_to_none,
    deployed_from,
    in_place,
    is_from_branch,
    is_listed,
    may_go_anyway,
    may_go_to,
    of_lanes,
    of_pulls,
)
from shipmark.storage.shipped import POSITION, is_listed_by, of_service
from shipmark.storage.statements import at_or_before, before, is_any, knows_lateral
from shipmark.storage.tables import deployment_pulls, deployments, lanes, pull_services, pulls
from shipmark.storage.undeployed import marks_of, not_reached


def merged(connection: Connection, selection: Selection, period: Period) -> int:
    """How many pull requests merged in a period."""
    if selection.service_id is None:
        return int(connection.execute(_merged_in(selection, period)).scalar_one())
    # All but those of some service: the first is counted in the index alone.
    of_branches = _merged_to_branches(selection, period)
    of_some = of_branches.where(~belongs_to_none())
    beside = _merged_beside(selection, period)
    plus, minus, also = (one.scalar_subquery() for one in (of_branches, of_some, beside))
    return int(connection.execute(select(plus - minus + also)).scalar_one())


def _merged_in(selection: Selection, period: Period) -> Select[Any]:
    return (
        select(func.count())
        .select_from(pulls)
        .where(
            # What has not merged is listed at the beginning: the index is all that this takes.
            pulls.c.listed_at >= max(period.since, BEGINNING.at + MICROSECOND),
            pulls.c.listed_at < period.until,
            *of_pulls(selection),
        )
    )


def _merged_to_branches(selection: Selection, period: Period) -> Select[Any]:
    """Those on the branches from which the service is deployed: parts of the histories of few
    branches, whatever merged elsewhere."""
    branches = (
        select(lanes.c.repository_id, lanes.c.branch)
        .where(*deployed_from(selection))
        .distinct()
        .subquery()
    )
    return (
        select(func.count())
        .select_from(branches)
        .join(
            pulls,
            and_(
                pulls.c.repository_id == branches.c.repository_id,
                pulls.c.base_ref == branches.c.branch,
            ),
        )
        .where(
            pulls.c.merged_at >= period.since,
            pulls.c.merged_at < period.until,
            *of_pulls(selection),
        )
    )


def _merged_beside(selection: Selection, period: Period) -> Select[Any]:
    """Those beside them that may go to the service. Where nothing belongs to any service and
    nothing is listed, none is looked at."""
    there_may_be = or_(is_any(pull_services.c.pull_id), is_any(deployment_pulls.c.pull_id))
    return _merged_in(selection, period).where(
        there_may_be,
        or_(*may_go_anyway(selection)),
        ~and_(belongs_to_none(), is_from_branch(selection)),
    )


def unshipped(connection: Connection, selection: Selection, period: Period) -> int:
    """How many of them are shipped nowhere that is asked about."""
    query = _unshipped(selection, laterally=knows_lateral(connection))
    sent = {"since": period.since, "until": period.until}
    return connection.execute(query, sent).scalar_one()


def unshipped_rows(
    connection: Connection,
    selection: Selection,
    period: Period,
    after: tuple[int, int] | None,
    limit: int,
) -> list[tuple[int, int]]:
    """The same pull requests: when each merged and its id, the last first, after one of them."""
    found = _found_unshipped(selection, laterally=knows_lateral(connection))
    at = as_number(found.c.listed_at)
    query = select(at.label("at"), found.c.id).order_by(at.desc(), found.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(tuple_(at, found.c.id) < tuple_(*map(literal, after)))
    sent = {"since": period.since, "until": period.until}
    return [(merged_at, id_) for merged_at, id_ in connection.execute(query, sent)]


@lru_cache(maxsize=100)
def _unshipped(selection: Selection, *, laterally: bool) -> Select[int]:
    # Kept, since it takes longer to put together than most databases take to answer it.
    found = _found_unshipped(selection, laterally=laterally)
    return select(func.count()).select_from(found)


def _found_unshipped(selection: Selection, *, laterally: bool) -> Subquery:
    since, until = bindparam("since", type_=Instant), bindparam("until", type_=Instant)
    conditions = [
        # By the history of each branch, where those that merge alike are few.
        pulls.c.merged_at >= since,
        pulls.c.merged_at < until,
        *of_pulls(selection),
        *may_go_to(selection),
        ~is_listed(selection),
    ]
    parts = not_reached(
        of_lanes(selection),
        conditions,
        repository_id=selection.repository_id,
        since=since,
        laterally=laterally,
    )
    return union_all(*parts).subquery()


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
