"""Queries about files to import."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Row,
    Select,
    delete,
    exists,
    func,
    insert,
    select,
    tuple_,
    update,
)

from shipmark.application.file_imports import (
    Effect,
    EffectRow,
    Fault,
    FileImport,
    FileRow,
    Kind,
    RowFilter,
    RowState,
    State,
)
from shipmark.storage.columns import EPOCH, MICROSECOND, metadata
from shipmark.storage.file_import_tables import file_effects, file_imports, file_parts, file_rows
from shipmark.storage.file_uses import hand_on
from shipmark.storage.received_tables import received
from shipmark.storage.sent_rows import among, inserted, packed, updated
from shipmark.storage.statements import chunks, insert_unless_there, sent_row
from shipmark.storage.tables import lanes, repositories, services, windows

FAULT = ("code", "message", "column", "value")
ROW = ("import_id", "line", "state", "place", "reference_id", "content", *FAULT, "of_id")
CHANGING = ("state", *FAULT, "of_id")
ACCEPTED = (RowState.READY, RowState.PRESENT, RowState.APPLIED)
LIGHT = [column for column in file_imports.c if column.name != "preview"]
OF_RECEIPT = received.c.repository_id
PLACE = (file_rows.c.place, file_rows.c.reference_id)
OF_EFFECT = {
    Effect.LANE: lanes.c.id,
    Effect.SERVICE: services.c.id,
    Effect.REPOSITORY: repositories.c.id,
}

_ADD_ROWS = inserted(file_rows, ROW)
_SAVE_EFFECTS = updated(file_effects, ["import_id", "effect", "of_id"], ["before"])
_SAVE_ROWS = updated(file_rows, ["import_id", "line"], CHANGING)


class FileImports:
    """A row is the job: it is due, and whoever goes on with it compares and sets its version."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def add(self, new: FileImport) -> int:
        statement = insert(file_imports).values(**_values(new)).returning(file_imports.c.id)
        id_: int = self._connection.execute(statement).scalar_one()
        return id_

    def get(self, import_id: int) -> FileImport | None:
        query = select(file_imports).where(file_imports.c.id == import_id)
        row = self._connection.execute(query).first()
        return None if row is None else _import(row)

    def newest(self, *, before: int | None, limit: int) -> list[FileImport]:
        query = select(*LIGHT).where(file_imports.c.state != State.UPLOADING)
        if before is not None:
            query = query.where(file_imports.c.id < before)
        rows = self._connection.execute(query.order_by(file_imports.c.id.desc()).limit(limit))
        return [_import(row) for row in rows]

    def replace(self, before: FileImport, after: FileImport) -> bool:
        values = _values(after) | {"version": before.version + 1, "changed_at": self._now}
        if before.preview == after.preview:
            del values["preview"]
        changed = self._connection.execute(
            update(file_imports)
            .where(file_imports.c.id == before.id, file_imports.c.version == before.version)
            .values(**values)
        )
        return changed.rowcount == 1

    def claim_due(self, *, lease_until: datetime) -> FileImport | None:
        due = file_imports.c.due_at
        found = self._connection.execute(
            select(file_imports.c.id, file_imports.c.version)
            .where(due.is_not(None), due <= self._now)
            .order_by(due, file_imports.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if found is None:
            return None
        self._connection.execute(
            update(file_imports)
            .where(file_imports.c.id == found.id)
            .values(due_at=lease_until, version=found.version + 1)
        )
        return self.get(found.id)

    def delete(self, import_id: int) -> None:
        for table in (file_parts, file_rows, file_effects):
            self._connection.execute(delete(table).where(table.c.import_id == import_id))
        self._connection.execute(delete(file_imports).where(file_imports.c.id == import_id))

    def add_part(self, import_id: int, offset: int, packed: bytes) -> None:
        self._connection.execute(
            insert(file_parts).values(import_id=import_id, offset=offset, packed=packed)
        )

    def part_at(self, import_id: int, offset: int) -> tuple[int, bytes] | None:
        row = self._connection.execute(
            select(file_parts.c.offset, file_parts.c.packed)
            .where(file_parts.c.import_id == import_id, file_parts.c.offset <= offset)
            .order_by(file_parts.c.offset.desc())
            .limit(1)
        ).first()
        return None if row is None else (row.offset, row.packed)

    # Rows

    def add_rows(self, import_id: int, rows: Sequence[FileRow]) -> None:
        for chunk in chunks(rows):
            sent = packed(
                (
                    *(import_id, one.line, one.state, one.place, one.reference_id, one.values),
                    *_fault(one.fault),
                    one.of_id,
                )
                for one in chunk
            )
            self._connection.execute(_ADD_ROWS, {"rows": sent})

    def named(self, import_id: int, reference_ids: Collection[str]) -> dict[str, FileRow]:
        query = _rows_of(import_id).where(among(file_rows.c.reference_id, "reference_ids"))
        # Asked for states as well, SQLite would look for those, and read nearly all there are.
        return {
            row.reference_id: _row(row)
            for chunk in chunks(reference_ids)
            for row in self._connection.execute(query, {"reference_ids": chunk})
            if row.state in ACCEPTED
        }

    def ready(self, import_id: int, *, after: tuple[int, str], limit: int) -> list[FileRow]:
        query = (
            _rows_of(import_id)
            .where(
                tuple_(*PLACE) > sent_row(after, like=PLACE), file_rows.c.state == RowState.READY
            )
            .order_by(*PLACE)
            .limit(limit)
        )
        return [_row(row) for row in self._connection.execute(query)]

    def applied(
        self,
        import_id: int,
        *,
        before: tuple[int, str] | None,
        limit: int,
        also_kept: bool,
    ) -> list[FileRow]:
        # One state after the other: of both at once, either database would read and sort all.
        states = (RowState.APPLIED, RowState.KEPT) if also_kept else (RowState.APPLIED,)
        found = [row for one in states for row in self._last_of(import_id, one, before, limit)]
        return sorted(found, key=lambda row: (row.place, row.reference_id), reverse=True)[:limit]

    def _last_of(
        self, import_id: int, state: RowState, before: tuple[int, str] | None, limit: int
    ) -> list[FileRow]:
        query = _rows_of(import_id).where(file_rows.c.state == state)
        if before is not None:
            query = query.where(tuple_(*PLACE) < sent_row(before, like=PLACE))
        query = query.order_by(*(column.desc() for column in PLACE)).limit(limit)
        return [_row(row) for row in self._connection.execute(query)]

    def save_rows(self, import_id: int, rows: Sequence[FileRow]) -> None:
        for chunk in chunks(rows):
            sent = packed(
                (import_id, one.line, one.state, *_fault(one.fault), one.of_id) for one in chunk
            )
            self._connection.execute(_SAVE_ROWS, {"rows": sent})

    def rows(self, import_id: int, which: RowFilter, *, after: int, limit: int) -> list[FileRow]:
        query = _rows_of(import_id).where(file_rows.c.line > after)
        if which.state is not None:
            query = query.where(file_rows.c.state == which.state)
        return [
            _row(row)
            for row in self._connection.execute(query.order_by(file_rows.c.line).limit(limit))
        ]

    def span(self, import_id: int) -> tuple[datetime, datetime] | None:
        place = file_rows.c.place
        first, last = self._connection.execute(
            select(func.min(place), func.max(place)).where(
                file_rows.c.import_id == import_id, file_rows.c.state == RowState.READY
            )
        ).one()
        return None if first is None else (EPOCH + MICROSECOND * first, EPOCH + MICROSECOND * last)

    def faults(self, import_id: int) -> dict[str, int]:
        code = file_rows.c.code
        query = (
            select(code, func.count())
            .where(file_rows.c.import_id == import_id, file_rows.c.state == RowState.REFUSED)
            .group_by(code)
        )
        return {row[0]: row[1] for row in self._connection.execute(query)}

    # What was changed besides

    def add_effects(self, import_id: int, effects: Sequence[EffectRow]) -> None:
        for chunk in chunks(effects):
            rows = [{"import_id": import_id, **asdict(one)} for one in chunk]
            self._connection.execute(insert_unless_there(self._connection, file_effects), rows)

    def save_effects(self, import_id: int, effects: Sequence[EffectRow]) -> None:
        for chunk in chunks(effects):
            sent = packed((import_id, one.effect, one.of_id, one.before) for one in chunk)
            self._connection.execute(_SAVE_EFFECTS, {"rows": sent})

    def effects_on(
        self, import_id: int, effect: Effect, ids: Collection[int]
    ) -> dict[int, EffectRow]:
        query = _effects_of(import_id, effect).where(among(file_effects.c.of_id, "ids"))
        return {
            row.of_id: EffectRow(effect=effect, of_id=row.of_id, before=row.before)
            for chunk in chunks(ids)
            for row in self._connection.execute(query, {"ids": chunk})
        }

    def effects(self, import_id: int, effect: Effect, *, after: int, limit: int) -> list[EffectRow]:
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


def _rows_of(import_id: int) -> Select[Any]:
    return select(file_rows).where(file_rows.c.import_id == import_id)


def _values(one: FileImport) -> dict[str, Any]:
    values = asdict(one)
    del values["id"]
    for name in ("mapping", "counts", "warnings"):
        values[name] = json.dumps(values[name])
    return values


def _import(row: Row[Any]) -> FileImport:
    values = row._asdict()
    values |= {"kind": Kind(row.kind), "state": State(row.state)}
    for name in ("mapping", "counts"):
        values[name] = json.loads(values[name])
    values["warnings"] = tuple(json.loads(row.warnings))
    return FileImport(**values)


def _fault(fault: Fault | None) -> tuple[str | None, ...]:
    """The values of the columns FAULT."""
    if fault is None:
        return None, None, None, None
    return fault.code, fault.message, fault.column, fault.value


def _row(row: Row[Any]) -> FileRow:
    fault = None
    if row.code is not None:
        fault = Fault(code=row.code, message=row.message, column=row.column, value=row.value)
    return FileRow(
        line=row.line,
        state=RowState(row.state),
        place=row.place,
        reference_id=row.reference_id,
        values=row.content,
        fault=fault,
        of_id=row.of_id,
    )
