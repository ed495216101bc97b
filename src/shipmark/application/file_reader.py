"""Records of a file: CSV (RFC 4180) with a header, or NDJSON, read as the bytes come.

A record that cannot be read is an error of its line, and reading goes on at the next line. No more
than one record is held at a time, and none that is larger than `LONGEST_RECORD`.
"""

import csv
import json
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from shipmark.domain.errors import InvalidFile, ShipmarkError

LONGEST_RECORD = 1024 * 1024
"""Bytes of a line, or of the lines of a record that has line breaks in quotes."""

BOM = b"\xef\xbb\xbf"
NOT_UTF_8 = (b"\xff\xfe", b"\xfe\xff")
ZIP = b"PK\x03\x04"
GZIP = b"\x1f\x8b"
DELIMITERS = ",;\t"

LONGEST_EXCERPT = 1000
"""Bytes of a line that cannot be read that are told."""

ANY_DELIMITER = bytes.maketrans(b";\t", b",,")

ReadJSON = Callable[[bytes], Mapping[str, Any]]
"""Reads an object, as the API does. Raises InvalidJSON."""

MOST_COLUMNS = 1000

csv.field_size_limit(LONGEST_RECORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a file is laid out. ``columns`` are the names the cells of a line belong to, None where
    they belong to nothing; of NDJSON, the names by the keys that mean them."""

    delimiter: str | None
    columns: tuple[str | None, ...] = ()
    keys: Mapping[str, str] | None = None

    @property
    def is_csv(self) -> bool:
        return self.delimiter is not None


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


class Line(NamedTuple):
    """A line with its end; None in place of one that is too long. It ends at ``offset``."""

    raw: bytes | None
    offset: int


def lines(parts: Iterable[bytes], offset: int) -> Iterator[Line]:
    """The lines of a file whose parts begin at an offset, that end in LF, CRLF or CR. An empty one
    is a line, too."""
    rest, too_long = b"", False
    for part in parts:
        whole = (rest + part).splitlines(keepends=True)
        # The CR that a part ends in may be half of a CRLF.
        rest = whole.pop() if whole and not whole[-1].endswith(b"\n") else b""
        for raw in whole:
            offset += len(raw)
            yield Line(None if too_long or len(raw) > LONGEST_RECORD else raw, offset)
            too_long = False
        if len(rest) > LONGEST_RECORD:
            offset += len(rest)
            rest, too_long = b"\r" if rest.endswith(b"\r") else b"", True
            offset -= len(rest)
    if rest or too_long:
        yield Line(None if too_long or len(rest) > LONGEST_RECORD else rest, offset + len(rest))


def read_layout(
    begins: Iterator[Line], known: Collection[str], mapping: Mapping[str, str]
) -> tuple[Layout, int, int, list[str]]:
    """The layout of a file, the offset and the line that its records begin at, and the columns
    that mean nothing here. ``mapping`` says which of the file's names stands for one of ours.

    Raises InvalidFile.
    """
    coming = _Coming(begins, 1)
    while (line := coming.next()) is not None:
        raw = (line.raw or b"").removeprefix(BOM) if coming.line == 2 else (line.raw or b"")
        _refuse_other_files(raw, line)
        if not raw.strip():
            continue
        if raw.lstrip().startswith(b"{"):
            keys = {_plain(theirs): ours for ours, theirs in mapping.items()}
            return Layout(delimiter=None, keys=_names(known, keys)), 0, 1, []
        text = _text(_header(raw, coming))
        delimiter = _delimiter(text)
        header = _split(text.rstrip("\r\n"), delimiter)
        columns, unknown = _columns(header, known, mapping)
        return Layout(delimiter=delimiter, columns=columns), coming.offset, coming.line, unknown
    raise InvalidFile("The file is empty. Its first line must name the columns.")


def _header(first: bytes, coming: "_Coming") -> bytes:
    """The line that names the columns, with those that its quotes go on to. What delimits them is
    not known yet: whatever may does."""
    header = bytearray(first)
    is_open = _ends_in_quotes(first.translate(ANY_DELIMITER), b",", is_open=False)
    while is_open:
        line = coming.next()
        if line is None or line.raw is None or len(header) + len(line.raw) > LONGEST_RECORD:
            raise InvalidFile("A quote is opened on the first line, and never closed.")
        header += line.raw
        is_open = _ends_in_quotes(line.raw.translate(ANY_DELIMITER), b",", is_open=True)
    return bytes(header)


def _refuse_other_files(raw: bytes, line: Line) -> None:
    if line.raw is None:
        raise InvalidFile("The first line, which must name the columns, is too long to be read.")
    if raw.startswith(NOT_UTF_8) or b"\0" * 4 in (raw[0:8:2], raw[1:8:2]):
        raise InvalidFile("The file is UTF-16. Save it as CSV in UTF-8.")
    if raw.startswith(GZIP):
        raise InvalidFile("The file is packed twice. Pack it once, or not at all.")
    if raw.startswith(ZIP):
        raise InvalidFile("The file is a ZIP archive or a spreadsheet. Save it as CSV in UTF-8.")
    if raw.lstrip().startswith(b"["):
        raise InvalidFile("The file is a JSON array. Send NDJSON: one object a line.")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidFile(
            f"This is not UTF-8: byte {error.start + 1} is 0x{raw[error.start]:02x}. "
            "Save the file in UTF-8."
        ) from None


def _delimiter(header: str) -> str:
    """Whichever separates the most names; a comma if there is only one."""
    return max(DELIMITERS, key=re.sub('"[^"]*"', "", header).count)


def _plain(name: str) -> str:
    """A column's name in the form in which names compare equal."""
    return re.sub(r"[\s-]+", "_", name.strip()).lower()


def _names(known: Collection[str], mapped: Mapping[str, str]) -> dict[str, str]:
    """Our names by theirs; one that is mapped to another column is not meant by its own name."""
    return {name: name for name in known if name not in mapped.values()} | dict(mapped)


def _columns(
    header: list[str], known: Collection[str], mapping: Mapping[str, str]
) -> tuple[tuple[str | None, ...], list[str]]:
    if len(header) > MOST_COLUMNS:
        raise InvalidFile(f"The first line has more than {MOST_COLUMNS} columns.")
    theirs = {_plain(column): ours for ours, column in mapping.items()}
    named = [_plain(name) for name in header]
    names = _names(known, theirs)
    columns = tuple(names.get(name) for name in named)
    _check_columns(header, named, columns, mapping)
    return columns, [name for name, ours in zip(header, columns, strict=True) if ours is None]


def _check_columns(
    header: list[str],
    named: list[str],
    columns: tuple[str | None, ...],
    mapping: Mapping[str, str],
) -> None:
    absent = [column for column in mapping.values() if _plain(column) not in named]
    if absent:
        raise InvalidFile(
            f"There is no column '{absent[0][:100]}' as the mapping says. There are: "
            f"{_shown(header)}."
        )
    _refuse_two(zip(columns, header, strict=True), "columns")
    if not any(columns):
        raise InvalidFile(
            f"The first line must name the columns; none of these is known: {_shown(header)}."
        )


def _refuse_two(named: Iterable[tuple[str | None, str]], what: str) -> None:
    """Raises InvalidFile where two columns, or keys, mean the same of ours."""
    first: dict[str, str] = {}
    for ours, theirs in named:
        if ours in first:
            both = f"'{first[ours][:100]}' and '{theirs[:100]}'"
            raise InvalidFile(
                f"Two {what} are called '{ours}': {both}. Leave one of them out.", argument=ours
            )
        if ours is not None:
            first[ours] = theirs


def _shown(header: list[str]) -> str:
    return ", ".join(f"'{name[:40]}'" for name in header[:20])


def records(
    begins: Iterator[Line], layout: Layout, line: int, read_json: ReadJSON
) -> Iterator[Record]:
    """The records from a line on; blank lines are none."""
    coming = _Coming(begins, line)
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


class _Coming:
    """Lines to be read, some of them again."""

    def __init__(self, begins: Iterator[Line], line: int) -> None:
        self._begins = begins
        self._again: deque[Line] = deque()
        self.line = line
        self.offset = 0

    def next(self) -> Line | None:
        found = self._again.popleft() if self._again else next(self._begins, None)
        if found is not None:
            self.line += 1
            self.offset = found.offset
        return found

    def read_again(self, first: Line, seen: list[Line]) -> None:
        """Go back to behind the first line."""
        self._again.extendleft(reversed(seen))
        self.line -= len(seen)
        self.offset = first.offset


def _whole(line: Line) -> bytes:
    if line.raw is None:
        raise InvalidFile(f"The line is longer than {LONGEST_RECORD} bytes.")
    return line.raw


def _json_record(
    first: Line, _coming: _Coming, layout: Layout, *, read_json: ReadJSON
) -> Cells | None:
    raw = _whole(first).removeprefix(BOM).strip()
    if not raw:
        return None
    found, keys = read_json(raw), layout.keys or {}
    named = [(keys.get(_plain(key)), key) for key in _keys(raw)]
    _refuse_two(named, "keys")
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


def _csv_record(first: Line, coming: _Coming, layout: Layout) -> Cells | None:
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
    cells = _split(_text(record), delimiter)
    if not any(cell.strip() for cell in cells):
        return None
    if any(cell.strip() for cell in cells[len(layout.columns) :]):
        raise InvalidFile(
            f"The line has {len(cells)} cells, and the first line names {len(layout.columns)} "
            "columns. Text that has the delimiter in it must stand in quotes."
        )
    named = zip(layout.columns, cells, strict=False)
    return Cells({name: cell for name, cell in named if name and cell.strip()})


def _split(record: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([record], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise InvalidFile(f"This is not CSV: {error}.") from None


def _add_quoted(record: bytearray, seen: list[Line], coming: _Coming, delimiter: str) -> None:
    """Add the lines to a record that its quotes go on to, to ``seen``, too."""
    separator = delimiter.encode()
    is_open = b'"' in record and _ends_in_quotes(bytes(record), separator, is_open=False)
    while is_open:
        line = coming.next()
        if line is not None:
            seen.append(line)
        if line is None or line.raw is None or len(record) + len(line.raw) > LONGEST_RECORD:
            raise InvalidFile("A quote is opened on this line and never closed.")
        record += line.raw
        is_open = _ends_in_quotes(line.raw, separator, is_open=True)


def _ends_in_quotes(raw: bytes, delimiter: bytes, *, is_open: bool) -> bool:
    """Whether a line leaves a quoted cell open; ``is_open`` is whether it begins in one."""
    at = 0
    while True:
        if is_open:
            at = raw.find(b'"', at)
            if at < 0:
                return True
            at += 1
            is_open = raw[at : at + 1] == b'"'
            at += is_open
        elif raw[at : at + 1] == b'"':
            # Only at its beginning is a cell put in quotes.
            is_open, at = True, at + 1
        else:
            at = raw.find(delimiter, at) + 1
            if at == 0:
                return False
