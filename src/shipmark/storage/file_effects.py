"""Queries about what importing files changed besides adding their rows."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Column, Connection, Select, delete, exists, select, update

from shipmark.application.file_imports import Effect, EffectRow
from shipmark.storage.columns import metadata
from shipmark.storage.file_import_tables import file_effects
from shipmark.storage.file_uses import hand_on
from shipmark.storage.received_tables import received
from shipmark.storage.sent_rows import among, packed, updated
from shipmark.storage.statements import chunks, insert_unless_there
from shipmark.storage.tables import lanes, repositories, services, windows

OF_RECEIPT = received.c.repository_id
OF_EFFECT = {
    Effect.LANE: lanes.c.id,
    Effect.SERVICE: services.c.id,
    Effect.REPOSITORY: repositories.c.id,
}

_SAVE = updated(file_effects, ["import_id", "effect", "of_id"], ["before"])


class FileEffects:
    """Of each thing that an import changed, the first note stays."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, import_id: int, effects: Sequence[EffectRow]) -> None:
        for chunk in chunks(effects):
            rows = [{"import_id": import_id, **asdict(one)} for one in chunk]
            self._connection.execute(insert_unless_there(self._connection, file_effects), rows)

    def save(self, import_id: int, effects: Sequence[EffectRow]) -> None:
        for chunk in chunks(effects):
            sent = packed((import_id, one.effect, one.of_id, one.before) for one in chunk)
            self._connection.execute(_SAVE, {"rows": sent})

    def on(self, import_id: int, effect: Effect, ids: Collection[int]) -> dict[int, EffectRow]:
        query = _effects_of(import_id, effect).where(among(file_effects.c.of_id, "ids"))
        return {
            row.of_id: EffectRow(effect=effect, of_id=row.of_id, before=row.before)
            for chunk in chunks(ids)
            for row in self._connection.execute(query, {"ids": chunk})
        }

    def page(self, import_id: int, effect: Effect, *, after: int, limit: int) -> list[EffectRow]:
        query = (
            _effects_of(import_id, effect)
            .where(file_effects.c.of_id > after)
            .order_by(file_effects.c.of_id)
            .limit(limit)
        )
        return [
            EffectRow(effect=effect, of_id=row.of_id, before=row.before)
            for row in self._connection.execute(query)
        ]

    def delete_unused(self, effect: Effect, ids: Collection[int]) -> None:
        key = OF_EFFECT[effect]
        for chunk in chunks(ids):
            self._delete_empty_lanes(key, chunk)
            unused = set(chunk) - self._used(key, chunk)
            if key.table is repositories:
                self._connection.execute(delete(received).where(OF_RECEIPT.in_(unused)))
            self._connection.execute(delete(key.table).where(key.in_(unused)))
            if left := set(chunk) - unused:
                hand_on(self._connection, effect, left)

    def _delete_empty_lanes(self, key: Column[Any], ids: Collection[int]) -> None:
        """Lanes in which nothing is deployed any more are no use of a service or repository."""
        empty = ~exists().where(windows.c.lane_id == lanes.c.id)
        for column in _referring_to(key):
            if column.table is lanes:
                self._connection.execute(delete(lanes).where(column.in_(ids), empty))

    def _used(self, key: Column[Any], ids: Collection[int]) -> set[int]:
        """Those that any row of any table refers to, but for when something was received."""
        used: set[int] = set()
        for column in _referring_to(key):
            if column is OF_RECEIPT:
                continue
            query = select(column).where(column.in_(ids)).distinct()
            used.update(self._connection.scalars(query))
        if key.table is services:
            used |= self._assigned(ids)
        return used

    def _assigned(self, ids: Collection[int]) -> set[int]:
        """Services of assignments, which name them in a list."""
        assignments = metadata.tables["service_assignments"]
        wanted, found = set(ids), set()
        for text in self._connection.scalars(select(assignments.c.services).distinct()):
            found |= wanted.intersection(json.loads(text))
        return found

    def give_back_names(self, names: Mapping[int, tuple[str, str]]) -> None:
        for service_id, (before, then) in names.items():
            self._connection.execute(
                update(services)
                .where(services.c.id == service_id, services.c.name == then)
                .values(name=before)
            )


def _referring_to(key: Column[Any]) -> Iterator[Column[Any]]:
    for table in metadata.sorted_tables:
        for reference in table.foreign_keys:
            if reference.column is key:
                yield reference.parent


def _effects_of(import_id: int, effect: Effect) -> Select[Any]:
    return select(file_effects.c.of_id, file_effects.c.before).where(
        file_effects.c.import_id == import_id, file_effects.c.effect == effect
    )
