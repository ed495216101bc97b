"""Read a file into rows, and say of each bad one what is wrong with it."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import Any

from shipmark.application.file_imports import FileImport, FileRow, RowState
from shipmark.application.file_kinds import FileKind, RowReader, refused_row, storable
from shipmark.application.file_layout import Layout, read_layout
from shipmark.application.file_lines import lines
from shipmark.application.file_reader import Record, records
from shipmark.application.file_steps import add_rows, fail, lay_out
from shipmark.application.queries import ReadTransaction
from shipmark.application.uploads import unpack
from shipmark.application.writer import Database, tried
from shipmark.domain.errors import InvalidFile, ShipmarkError

READ_AT_ONCE = 500
"""How many records are read, looked up and stored together."""

MOST_WARNINGS = 20
LONGEST_NAME = 100

Write = Callable[[Callable[[ReadTransaction], Any]], Any]
"""Runs something in a transaction that is committed."""


def stepped(write: Write, step: Callable[[ReadTransaction], FileImport]) -> FileImport:
    """Where an import stands after a step."""
    after: FileImport = write(step)
    return after


class Validation:
    """The reading of one file. It begins where the import stands, and each step stores how far it
    came."""

    def __init__(
        self, database: Database, one: FileImport, reader: RowReader, kind: FileKind
    ) -> None:
        self._database = database
        self._reader = reader
        self._kind = kind
        self._layout = None if one.layout is None else _layout(one.layout)
        self._records: Iterator[Record] | None = None

    def step(self, one: FileImport, write: Write) -> FileImport:
        """Read the next records, or first how they are laid out; where the import then stands."""
        if self._layout is None:
            return self._lay_out(one, write)
        if self._records is None:
            found = lines(self._parts(one), one.offset)
            self._records = records(found, self._layout, one.line, self._reader.read_json)
        read = list(islice(self._records, READ_AT_ONCE))
        unknown = [name for record in read for name in record.unknown]
        rows = [self._row(record) for record in read]
        rows = tried(self._database.read, partial(self._check, one=one, rows=rows))
        is_last = len(read) < READ_AT_ONCE
        offset, line = (read[-1].offset, read[-1].next_line) if read else (one.offset, one.line)
        warnings = warned(one.warnings, unknown, "key", self._reader.columns)
        return stepped(
            write,
            lambda tx: add_rows(
                *(tx, one, rows), offset=offset, line=line, warnings=warnings, is_last=is_last
            ),
        )

    def _lay_out(self, one: FileImport, write: Write) -> FileImport:
        try:
            layout, offset, line, unknown = read_layout(
                lines(self._parts(one), 0), self._reader.columns, one.mapping
            )
        except InvalidFile as error:
            why = error.message
            return stepped(write, lambda tx: fail(tx, one, why))
        self._layout = layout
        return stepped(
            write,
            lambda tx: lay_out(
                tx,
                one,
                layout=json.dumps(asdict(layout)),
                offset=offset,
                line=line,
                warnings=warned((), unknown, "column", self._reader.columns),
            ),
        )

    def _parts(self, one: FileImport) -> Iterator[bytes]:
        """The file from where the import stands."""
        offset = one.offset
        while offset < one.size:
            found = tried(self._database.read, partial(_part_at, import_id=one.id, offset=offset))
            begins, part = found
            yield part[offset - begins :]
            offset = begins + len(part)

    def _row(self, record: Record) -> FileRow:
        content = record.content
        if isinstance(content, ShipmarkError):
            return refused_row(record.line, content, record.begins)
        try:
            return self._kind.row(record.line, self._reader.read(content))
        except ShipmarkError as error:
            return refused_row(record.line, error, content.get(error.argument or ""))

    def _check(self, tx: ReadTransaction, *, one: FileImport, rows: list[FileRow]) -> list[FileRow]:
        ready = [row for row in rows if row.state is RowState.READY]
        checked = {row.line: row for row in self._kind.check(tx, one, ready)}
        return [checked.get(row.line, row) for row in rows]


def warned(
    before: Sequence[str], unknown: Iterable[str], what: str, known: Sequence[str]
) -> tuple[str, ...]:
    """What is told of names that mean nothing here: the first few, each once, and which do."""
    told = dict.fromkeys(before)
    for name in unknown:
        if len(told) > MOST_WARNINGS:
            break
        if shown := storable(" ".join(name.split()), LONGEST_NAME):
            right = f"Known are {', '.join(known)}; map says which is meant by another name."
            told.setdefault(right)
            told.setdefault(f"Unknown {what} ignored: {shown}")
    return tuple(told)


def _part_at(tx: ReadTransaction, *, import_id: int, offset: int) -> tuple[int, bytes]:
    found = tx.file_imports.part_at(import_id, offset)
    if found is None:
        raise InvalidFile("A part of the file is missing.")
    return found[0], unpack(found[1])


def _layout(stored: str) -> Layout:
    values = json.loads(stored)
    return Layout(**values | {"columns": tuple(values["columns"])})
