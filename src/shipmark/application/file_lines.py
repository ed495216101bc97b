"""The lines of a file, read as its bytes come, and what CSV makes of them."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from shipmark.domain.errors import InvalidFile

LONGEST_RECORD = 1024 * 1024
"""Bytes of a line, or of the lines of a record that has line breaks in quotes."""

BOM = b"\xef\xbb\xbf"

csv.field_size_limit(LONGEST_RECORD)


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


def text_of(raw: bytes) -> str:
    """What bytes say. Raises InvalidFile where they are not UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidFile(
            f"This is not UTF-8: byte {error.start + 1} is 0x{raw[error.start]:02x}. "
            "Save the file in UTF-8."
        ) from None


class LinesToRead:
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


def cells_of(record: str, delimiter: str) -> list[str]:
    """The cells of a record of CSV. Raises InvalidFile."""
    try:
        return next(csv.reader([record], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise InvalidFile(f"This is not CSV: {error}.") from None


def ends_in_quotes(raw: bytes, delimiter: bytes, *, is_open: bool) -> bool:
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
