"""Queries about what happened at forges."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Insert, Row, and_, bindparam, or_, select, update

from shipmark.application.forge_ports import Recorded
from shipmark.domain.events import EventSource, SourceEvent, completed
from shipmark.storage.forge_tables import source_events
from shipmark.storage.sent_rows import among
from shipmark.storage.statements import chunks, insert_unless_there

_FIELDS = tuple(field.name for field in fields(SourceEvent) if field.name in source_events.c)
# What keys begin with is looked for in their unique index, as the stretch between two keys.
_BEGINS_SO = and_(source_events.c.key > bindparam("first"), source_events.c.key < bindparam("last"))
_RELEASES = (
    select(source_events)
    .where(
        or_(source_events.c.commit_sha.is_(None), source_events.c.is_guessed),
        _BEGINS_SO,
        among(source_events.c.tag, "tags"),
    )
    .order_by(source_events.c.key)
)
_COMMITS = select(source_events.c.commit_sha).where(_BEGINS_SO)


class Events:
    """Each stands once, by its key, as all that was told of it says."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def add(self, events: Sequence[SourceEvent]) -> Recorded:
        statement = insert_unless_there(self._connection, source_events)
        # In one order, so that two who store the same events do not wait for each other.
        told = dict(sorted(_each_once(events).items()))
        again = {key: one for key, one in told.items() if not self._is_new(one, statement)}
        before = self._completed(again)
        news = {key: one for key, one in told.items() if key not in again}
        news |= {key: completed(known, told[key]) for key, known in before.items()}
        return Recorded(news=list(news.values()), before=before)

    def _is_new(self, event: SourceEvent, statement: Insert) -> bool:
        values = {**_values(event), "recorded_at": self._now}
        added = statement.values(**values).returning(source_events.c.id)
        return self._connection.scalar(added) is not None

    def _completed(self, told: Mapping[str, SourceEvent]) -> dict[str, SourceEvent]:
        """Store what is new about events that are known; of those, how they were known."""
        before: dict[str, SourceEvent] = {}
        for chunk in chunks(sorted(told)):
            # The unique index on the key serves. Others who complete the same event wait.
            known = select(source_events).where(source_events.c.key.in_(chunk))
            rows = self._connection.execute(known.order_by(source_events.c.key).with_for_update())
            for one in [event_of(row) for row in rows]:
                values = _values(completed(one, told[one.key]))
                if values != _values(one):
                    before[one.key] = one
                    self._store(one.key, values)
        return before

    def restate(self, events: Sequence[SourceEvent]) -> None:
        for one in sorted(events, key=lambda one: one.key):
            self._store(one.key, _values(one))

    def _store(self, key: str, values: Mapping[str, Any]) -> None:
        # The unique index on the key serves.
        changing = update(source_events).where(source_events.c.key == key)
        self._connection.execute(changing.values(**values))

    def releases_to_guess(self, home: str, tags: Collection[str]) -> list[SourceEvent]:
        return [
            event_of(row)
            for chunk in chunks(sorted(tags))
            for row in self._connection.execute(
                _RELEASES, _between(f"{home}:release:") | {"tags": chunk}
            )
        ]

    def commits_of_tag(self, home: str, tag: str) -> set[str]:
        # No tag has a colon in it, so this is the beginning of no other tag's key.
        found = self._connection.scalars(_COMMITS, _between(f"{home}:tag:{tag}:"))
        return {commit for commit in found if commit}


def event_of(row: Row[Any]) -> SourceEvent:
    """An event as it is stored."""
    values = {name: getattr(row, name) for name in _FIELDS}
    return SourceEvent(**values | {"source": EventSource(row.source)})


def _values(event: SourceEvent) -> dict[str, Any]:
    return {name: value for name, value in asdict(event).items() if name in _FIELDS} | {
        "source": event.source.value
    }


def _each_once(events: Sequence[SourceEvent]) -> dict[str, SourceEvent]:
    """Events by their keys: what a webhook told, and what was asked about it, come together."""
    found: dict[str, SourceEvent] = {}
    for one in events:
        found[one.key] = completed(found[one.key], one) if one.key in found else one
    return found


def _between(beginning: str) -> dict[str, Any]:
    """The keys that begin with this, whose last character is a colon."""
    return {"first": beginning, "last": f"{beginning[:-1]};"}
