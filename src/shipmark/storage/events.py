"""Queries about what happened at forges."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from operator import attrgetter

from sqlalchemy import Connection, Insert

from shipmark.domain.events import SourceEvent
from shipmark.storage.forge_tables import source_events
from shipmark.storage.statements import insert_unless_there


class Events:
    """Each stands once, by its key."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def add(self, events: Sequence[SourceEvent]) -> list[SourceEvent]:
        statement = insert_unless_there(self._connection, source_events)
        # In one order, so that two who store the same events do not wait for each other.
        return [
            one for one in sorted(events, key=attrgetter("key")) if self._is_new(one, statement)
        ]

    def _is_new(self, event: SourceEvent, statement: Insert) -> bool:
        told = {name: value for name, value in asdict(event).items() if name != "here"}
        values = told | {"source": event.source.value, "recorded_at": self._now}
        added = statement.values(**values).returning(source_events.c.id)
        return self._connection.scalar(added) is not None
