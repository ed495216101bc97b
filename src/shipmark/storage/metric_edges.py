"""What lies beyond a period and beside its deployments: neighbours, and incidents."""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Connection,
    FromClause,
    Row,
    Select,
    String,
    and_,
    bindparam,
    case,
    literal,
    or_,
    select,
    type_coerce,
    union_all,
)

from shipmark.domain.failures import Deployed, Edges
from shipmark.domain.histories import Position, Reaching
from shipmark.domain.incidents import Happened, Told
from shipmark.domain.periods import Period, microseconds
from shipmark.storage.columns import Instant
from shipmark.storage.incident_tables import incident_corrections, incident_services, incidents
from shipmark.storage.sent_rows import among, packed, sent_rows
from shipmark.storage.tables import deployments, lanes, windows

IN_ORDER = (deployments.c.deployed_at, deployments.c.reference_id)


def as_number(column: ColumnElement[Any]) -> ColumnElement[int]:
    """An instant as it is stored: whole microseconds."""
    return type_coerce(column, BigInteger)


FACTS = (
    deployments.c.id,
    deployments.c.service_id,
    deployments.c.environment,
    as_number(deployments.c.deployed_at).label("at"),
    deployments.c.success,
)
EDGE = bindparam("edge", type_=Instant)
WINDOW = (
    deployments.c.reference_id,
    windows.c.lane_id,
    lanes.c.repository_id,
    lanes.c.branch,
    as_number(windows.c.opened_at).label("opened_at"),
    windows.c.opened_number,
    as_number(windows.c.reached_at).label("reached_at"),
    windows.c.reached_number,
    windows.c.raises,
)


def with_windows(source: FromClause) -> FromClause:
    """Deployments with their windows, which is what WINDOW is of."""
    return source.outerjoin(windows, windows.c.deployment_id == deployments.c.id).outerjoin(
        lanes, lanes.c.id == windows.c.lane_id
    )


def deployed(rows: Iterable[Row[*tuple[Any, ...]]]) -> list[Deployed]:
    """The deployments in rows of FACTS, whether they count, and WINDOW; several rows of one follow
    one another."""
    found: list[Deployed] = []
    last = None
    for row in rows:
        id_, service, environment, at, success, is_counted, reference, lane = row[:8]
        in_lane: tuple[Reaching, ...] = ()
        if lane is not None:
            branch, opened, reached, raises = row[8:10], row[10:12], row[12:14], row[14]
            whose = id_, at, reference, lane, branch, service, environment
            in_lane = (Reaching(*whose, opened, reached, bool(raises)),)
        if id_ == last:
            found[-1] = found[-1]._replace(windows=found[-1].windows + in_lane)
        else:
            found.append(
                Deployed(id_, service, environment, at, success, bool(is_counted), in_lane)
            )
            last = id_
    return found


def _before() -> Select[*tuple[Any, ...]]:
    """The last deployment of each place before an instant."""
    places = sent_rows("places", service_id=BigInteger, environment=String)
    near = deployments.alias("near")
    last = (
        select(near.c.id)
        .where(*_in_place(near, places), near.c.deployed_at < EDGE)
        .order_by(near.c.deployed_at.desc(), near.c.reference_id.desc())
        .limit(1)
        .correlate(places)
        .scalar_subquery()
    )
    return select(*FACTS, literal(0), *WINDOW).select_from(
        with_windows(places.join(deployments, deployments.c.id == last))
    )


def _next() -> Select[*tuple[Any, ...]]:
    """When each place has its next deployment from an instant on, and its next successful one."""
    places = sent_rows("places", service_id=BigInteger, environment=String)
    near = deployments.alias("near")
    at = as_number(near.c.deployed_at)
    first = select(at).where(*_in_place(near, places), near.c.deployed_at >= EDGE)
    first = first.order_by(near.c.deployed_at).limit(1).correlate(places)
    both = (first, first.where(near.c.success))
    return select(
        places.c.service_id, places.c.environment, *(each.scalar_subquery() for each in both)
    )


def _in_place(near: FromClause, places: CTE) -> tuple[ColumnElement[bool], ...]:
    return (
        near.c.service_id == places.c.service_id,
        near.c.environment == places.c.environment,
    )


def _next_reached() -> Select[Any]:
    asked = sent_rows("lanes", lane_id=BigInteger)
    near = windows.alias("near")
    nearest = (
        select(near.c.deployment_id)
        .where(
            near.c.lane_id == asked.c.lane_id,
            near.c.deployed_at >= EDGE,
        )
        .order_by(near.c.deployed_at, near.c.reference_id)
        .limit(1)
        .correlate(asked)
        .scalar_subquery()
    )
    return select(asked.c.lane_id, *WINDOW[-3:-1]).join_from(
        asked,
        windows,
        and_(windows.c.lane_id == asked.c.lane_id, windows.c.deployment_id == nearest),
    )


_BEFORE = _before()
_NEXT = _next()
_NEXT_REACHED = _next_reached()


def edges(connection: Connection, inside: Sequence[Deployed], period: Period) -> Edges:
    """What decides about these deployments of a period, from beyond it."""
    if not inside:
        return Edges()
    places = packed(sorted({one.place for one in inside}))
    rows = connection.execute(_BEFORE, {"places": places, "edge": period.since})
    before = {one.place: one for one in deployed(rows)}
    following = connection.execute(_NEXT, {"places": places, "edge": period.until}).all()
    of_lanes = {window.lane_id for one in (*inside, *before.values()) for window in one.windows}
    lanes = {"lanes": packed((lane,) for lane in sorted(of_lanes)), "edge": period.until}
    reached: dict[int, Position] = {
        lane: (at, number) for lane, at, number in connection.execute(_NEXT_REACHED, lanes)
    }
    return Edges(
        before=before,
        next_at={(s, e): at for s, e, at, _ in following if at is not None},
        next_success_at={(s, e): at for s, e, _, at in following if at is not None},
        next_reached=reached,
    )


HAPPENED = (
    incidents.c.id,
    as_number(incidents.c.started_at).label("started_at"),
    as_number(incidents.c.resolved_at).label("resolved_at"),
    incidents.c.environment,
    incident_services.c.service_id,
    incidents.c.deployment_reference_id.is_not(None).label("names_one"),
)
_WITH_SERVICES = incidents.outerjoin(
    incident_services, incident_services.c.incident_id == incidents.c.id
)


def _happened() -> CompoundSelect[*tuple[Any, ...]]:
    """Incidents that started between two instants; and of a service those that started between two
    others, for several of those."""
    of_period = (
        select(*HAPPENED)
        .select_from(_WITH_SERVICES)
        .where(
            incidents.c.started_at >= bindparam("since", type_=Instant),
            incidents.c.started_at <= bindparam("until", type_=Instant),
        )
    )
    asked = sent_rows("asked", service_id=BigInteger, since=Instant, until=Instant)
    soon_after = (
        select(*HAPPENED)
        .select_from(asked)
        .join(
            incidents,
            and_(incidents.c.started_at >= asked.c.since, incidents.c.started_at <= asked.c.until),
        )
        .join(
            incident_services,
            and_(
                incident_services.c.incident_id == incidents.c.id,
                incident_services.c.service_id == asked.c.service_id,
            ),
        )
    )
    return of_period.union_all(soon_after)


_HAPPENED = _happened()


def happened(
    connection: Connection, period: Period, before: Collection[Deployed], *, within: int
) -> list[Happened]:
    """Incidents of a period and soon after it, and those soon after what was before it."""
    since = microseconds(period.since)
    asked = [
        (one.service_id, one.deployed_at, min(one.deployed_at + within, since - 1))
        for one in before
    ]
    sent = {
        "since": period.since,
        "until": period.until + timedelta(microseconds=within),
        "asked": packed(asked),
    }
    return [Happened(*row) for row in connection.execute(_HAPPENED, sent)]


def told(connection: Connection, period: Period, before: Collection[Deployed]) -> list[Told]:
    """What is named, and what was corrected by hand, of the deployments of a period."""
    of_these = or_(
        and_(deployments.c.deployed_at >= period.since, deployments.c.deployed_at < period.until),
        among(deployments.c.id, "before"),
    )
    query = union_all(*(part.where(of_these) for part in TOLD))
    sent = {"before": [one.id for one in before]}
    return [Told(*row) for row in connection.execute(query, sent)]


RESOLVED_AT = as_number(incidents.c.resolved_at).label("resolved_at")
TOLD: tuple[Select[Any], Select[Any]] = (
    select(incidents.c.id, deployments.c.id, RESOLVED_AT, literal("named", String)).join_from(
        incidents, deployments, deployments.c.reference_id == incidents.c.deployment_reference_id
    ),
    select(
        incidents.c.id,
        deployments.c.id,
        RESOLVED_AT,
        case((incident_corrections.c.is_linked, "linked"), else_="unlinked"),
    )
    .select_from(incident_corrections)
    .join(incidents, incidents.c.id == incident_corrections.c.incident_id)
    .join(
        deployments,
        deployments.c.reference_id == incident_corrections.c.deployment_reference_id,
    ),
)
