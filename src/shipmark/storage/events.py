"""Queries about what happened at forges."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Insert, Row, and_, bindparam, select

from shipmark.domain.events import EventSource, SourceEvent
from shipmark.storage.forge_tables import source_events
from shipmark.storage.sent_rows import among
from shipmark.storage.statements import chunks, insert_unless_there

_FIELDS = tuple(field.name for field in fields(SourceEvent) if field.name in source_events.c)
_WITHOUT_COMMIT = select(source_events).where(source_events.c.commit_sha.is_(None))
_OF_KEYS = _WITHOUT_COMMIT.where(among(source_events.c.key, "keys"))
# What keys begin with is looked for in their unique index, as the stretch between two keys.
_BEGINS_SO = and_(source_events.c.key > bindparam("first"), source_events.c.key < bindparam("last"))
_RELEASES = _WITHOUT_COMMIT.where(_BEGINS_SO, among(source_events.c.tag, "tags")).order_by(
    source_events.c.key
)
_COMMITS = select(source_events.c.commit_sha).where(_BEGINS_SO)


class Events:
    """Each stands once, by its key."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def add(self, events: Sequence[SourceEvent]) -> list[SourceEvent]:
        statement = insert_unless_there(self._connection, source_events)
        # In one order, so that two who store the same events do not wait for each other.
        told = sorted(_by_key(events).items())
        news = {key: one for key, one in told if self._is_new(one, statement)}
        repeated = {key: one for key, one in told if key not in news and one.commit_sha}
        return [*news.values(), *self._complete(repeated)]

    def _is_new(self, event: SourceEvent, statement: Insert) -> bool:
        told = {name: value for name, value in asdict(event).items() if name != "here"}
        values = told | {"source": event.source.value, "recorded_at": self._now}
        added = statement.values(**values).returning(source_events.c.id)
        return self._connection.scalar(added) is not None

    def _complete(self, told: Mapping[str, SourceEvent]) -> list[SourceEvent]:
        """Give those that stand without a commit the one that is told now."""
        standing = [
            row
            for chunk in chunks(told.keys())
            for row in self._connection.execute(_OF_KEYS, {"keys": chunk})
        ]
        for row in standing:
            changed = source_events.update().where(source_events.c.id == row.id)
            self._connection.execute(changed.values(commit_sha=told[row.key].commit_sha))
        return [
            replace(event_of(row), commit_sha=told[row.key].commit_sha, here=told[row.key].here)
            for row in standing
        ]

    def releases_without_commit(self, home: str, tags: Collection[str]) -> list[SourceEvent]:
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
    """The event that a row of ``source_events`` is."""
    values = {name: getattr(row, name) for name in _FIELDS}
    return SourceEvent(**values | {"source": EventSource(row.source)})


def _by_key(events: Sequence[SourceEvent]) -> dict[str, SourceEvent]:
    """Of each key the first that has a commit, or else the first."""
    told: dict[str, SourceEvent] = {}
    for one in events:
        if one.key not in told or (one.commit_sha and not told[one.key].commit_sha):
            told[one.key] = one
    return told


def _between(beginning: str) -> dict[str, Any]:
    """The keys that begin with this, whose last character is a colon."""
    return {"first": beginning, "last": f"{beginning[:-1]};"}
