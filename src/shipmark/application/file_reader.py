"""Records of a file: CSV (RFC 4180) with a header, or NDJSON, read as the bytes come.

A record that cannot be read is an error of its line, and reading goes on at the next line. No more
than one record is held at a time, and none that is larger than `LONGEST_RECORD`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from shipmark.application.file_layout import Layout, plain, refuse_two
from shipmark.application.file_lines import (
    BOM,
    LONGEST_RECORD,
    Line,
    LinesToRead,
    cells_of,
    ends_in_quotes,
    text_of,
)
from shipmark.domain.errors import InvalidFile, ShipmarkError

LONGEST_EXCERPT = 1000
"""Bytes of a line that cannot be read that are told."""

ReadJSON = Callable[[bytes], Mapping[str, Any]]
"""Reads an object, as the API does. Raises InvalidJSON."""


class Record(NamedTuple):
    """A record, by the line it begins on, or what is wrong with it; reading goes on at ``offset``
    (bytes), in ``next_line``. ``unknown`` are keys of an object that mean nothing here; ``begins``
    is how a line begins that cannot be read."""

    line: int
    offset: int
    next_line: int
    content: dict[str, Any] | ShipmarkError
    unknown: tuple[str, ...] = ()
    begins: str | None = None


class Cells(NamedTuple):
    """What a record says under our names, and the names in it that are none."""

    named: dict[str, Any]
    unknown: tuple[str, ...] = ()


def records(
    begins: Iterator[Line], layout: Layout, line: int, read_json: ReadJSON
) -> Iterator[Record]:
    """The records from a line on; blank lines are none."""
    coming = LinesToRead(begins, line)
    read = _csv_record if layout.is_csv else partial(_json_record, read_json=read_json)
    while (first := coming.next()) is not None:
        number = coming.line - 1
        try:
            cells = read(first, coming, layout)
        except ShipmarkError as error:
            begins_with = _excerpt(first)
            yield Record(number, coming.offset, coming.line, error, begins=begins_with)
            continue
        if cells is not None:
            yield Record(number, coming.offset, coming.line, cells.named, cells.unknown)


def _excerpt(line: Line) -> str | None:
    raw = line.raw or b""
    return raw[:LONGEST_EXCERPT].decode(errors="replace").strip() or None


def _whole(line: Line) -> bytes:
    if line.raw is None:
        raise InvalidFile(f"The line is longer than {LONGEST_RECORD} bytes.")
    return line.raw


def _json_record(
    first: Line, _coming: LinesToRead, layout: Layout, *, read_json: ReadJSON
) -> Cells | None:
    raw = _whole(first).removeprefix(BOM).strip()
    if not raw:
        return None
    found, keys = read_json(raw), layout.keys or {}
    named = [(keys.get(plain(key)), key) for key in _keys(raw)]
    refuse_two(named, "keys")
    return Cells(
        {ours: found[key] for ours, key in named if ours},
        tuple(key for ours, key in named if ours is None),
    )


def _keys(text: bytes) -> list[str]:
    """The keys of an object, also those it has twice; that it is one was seen before."""
    try:
        pairs = json.loads(text, object_pairs_hook=tuple, parse_int=len, parse_float=len)
    except RecursionError:
        raise InvalidFile("The JSON of the line is nested too deeply.") from None
    return [key for key, _ in pairs]


def _csv_record(first: Line, coming: LinesToRead, layout: Layout) -> Cells | None:
    """The record that begins with a line. Where its quotes go on to other lines and that comes to
    nothing, they did not begin as such: the fault is this line's, and the others are read anew."""
    delimiter = layout.delimiter or ","
    record, seen = bytearray(_whole(first)), list[Line]()
    try:
        _add_quoted(record, seen, coming, delimiter)
        return _cells(bytes(record), delimiter, layout)
    except InvalidFile:
        coming.read_again(first, seen)
        raise


def _cells(record: bytes, delimiter: str, layout: Layout) -> Cells | None:
    cells = cells_of(text_of(record), delimiter)
    if not any(cell.strip() for cell in cells):
        return None
    if any(cell.strip() for cell in cells[len(layout.columns) :]):
        raise InvalidFile(
            f"The line has {len(cells)} cells, and the first line names {len(layout.columns)} "
            "columns. Text that has the delimiter in it must stand in quotes."
        )
    named = zip(layout.columns, cells, strict=False)
    return Cells({name: cell for name, cell in named if name and cell.strip()})


def _add_quoted(record: bytearray, seen: list[Line], coming: LinesToRead, delimiter: str) -> None:
    """Add the lines to a record that its quotes go on to, to ``seen``, too."""
    separator = delimiter.encode()
    is_open = b'"' in record and ends_in_quotes(bytes(record), separator, is_open=False)
    while is_open:
        line = coming.next()
        if line is not None:
            seen.append(line)
        if line is None or line.raw is None or len(record) + len(line.raw) > LONGEST_RECORD:
            raise InvalidFile("A quote is opened on this line and never closed.")
        record += line.raw
        is_open = ends_in_quotes(line.raw, separator, is_open=True)
