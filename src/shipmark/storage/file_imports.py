"""Queries about files to import."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from shipmark.application.file_imports import (
    Fault,
    FileImport,
    FileRow,
    Kind,
    RowFilter,
    RowState,
    State,
)
from shipmark.storage.columns import EPOCH, MICROSECOND
from shipmark.storage.file_import_tables import file_effects, file_imports, file_parts, file_rows
from shipmark.storage.sent_rows import among, inserted, packed, updated
from shipmark.storage.statements import chunks, sent_row

FAULT = ("code", "message", "column", "value")
ROW = ("import_id", "line", "state", "place", "reference_id", "content", *FAULT, "of_id")
CHANGING = ("state", *FAULT, "of_id")
ACCEPTED = (RowState.READY, RowState.PRESENT, RowState.APPLIED)
LIGHT = [column for column in file_imports.c if column.name != "preview"]
PLACE = (file_rows.c.place, file_rows.c.reference_id)

_ADD_ROWS = inserted(file_rows, ROW)
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
        # One state after the other: of both at once, either database would read and sort all.
        states = (RowState.READY, RowState.PRESENT)
        found = [row for one in states for row in self._next_of(import_id, one, after, limit)]
        return sorted(found, key=lambda row: (row.place, row.reference_id))[:limit]

    def _next_of(
        self, import_id: int, state: RowState, after: tuple[int, str], limit: int
    ) -> list[FileRow]:
        query = (
            _rows_of(import_id)
            .where(tuple_(*PLACE) > sent_row(after, like=PLACE), file_rows.c.state == state)
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
