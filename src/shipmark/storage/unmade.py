"""Queries about what was told of late and may have made no deployment."""

import json
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, func, or_, select

from shipmark.application.checkup import WaitingReport
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.storage.events import event_of
from shipmark.storage.forge_tables import source_events
from shipmark.storage.rule_tables import service_reports, waiting_artifacts
from shipmark.storage.sent_rows import among
from shipmark.storage.statements import chunks

MOST_REPORTS = 5000
MOST_EVENTS = 1000

_WAITING = select(waiting_artifacts.c.report_id, waiting_artifacts.c.place).where(
    among(waiting_artifacts.c.report_id, "ids")
)
_NAMES = [
    func.length(source_events.c[name])
    for name in ("repository", "workflow", "stage", "job", "branch", "tag", "environment")
]


def reports_of_late(
    connection: Connection, *, since: datetime, before: datetime
) -> list[WaitingReport]:
    """What deploy systems told, but for what was only said again, the newest first."""
    recorded_at = service_reports.c.recorded_at
    # The index on recorded_at serves.
    query = (
        select(service_reports)
        .where(recorded_at >= since, recorded_at < before, service_reports.c.repeats.is_(False))
        .order_by(recorded_at.desc(), service_reports.c.id.desc())
        .limit(MOST_REPORTS)
    )
    rows = connection.execute(query).all()
    waiting: dict[int, set[int]] = defaultdict(set)
    for chunk in chunks([row.id for row in rows]):
        for one in connection.execute(_WAITING, {"ids": chunk}):
            waiting[one.report_id].add(one.place)
    return [
        WaitingReport(
            source=row.source,
            at=row.at,
            artifacts=tuple(json.loads(row.artifacts)),
            waiting=frozenset(waiting[row.id]),
        )
        for row in rows
    ]


def long_named_events(
    connection: Connection,
    sources: Collection[EventSource],
    *,
    since: datetime,
    longest_name: int,
) -> list[SourceEvent]:
    """Events of which some name has so many characters or more, the newest first."""
    # ix_source_events_source serves, a source at a time.
    query = (
        select(source_events)
        .where(
            source_events.c.source.in_(sorted(sources)),
            source_events.c.at >= since,
            source_events.c.commit_sha.is_not(None),
            or_(*(length >= longest_name for length in _NAMES)),
        )
        .order_by(source_events.c.at.desc(), source_events.c.id.desc())
        .limit(MOST_EVENTS)
    )
    return [event_of(row) for row in connection.execute(query)]
