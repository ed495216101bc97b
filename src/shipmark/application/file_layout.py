"""How a file is laid out: CSV with a header, or NDJSON, and what its names mean here."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from shipmark.application.file_lines import (
    BOM,
    LONGEST_RECORD,
    Line,
    LinesToRead,
    cells_of,
    ends_in_quotes,
    text_of,
)
from shipmark.domain.errors import InvalidFile

NOT_UTF_8 = (b"\xff\xfe", b"\xfe\xff")
ZIP = b"PK\x03\x04"
GZIP = b"\x1f\x8b"
DELIMITERS = ",;\t"
ANY_DELIMITER = bytes.maketrans(b";\t", b",,")
MOST_COLUMNS = 1000


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


def plain(name: str) -> str:
    """A column's name in the form in which names compare equal."""
    return re.sub(r"[\s-]+", "_", name.strip()).lower()


def read_layout(
    begins: Iterator[Line], known: Collection[str], mapping: Mapping[str, str]
) -> tuple[Layout, int, int, list[str]]:
    """The layout of a file, the offset and the line that its records begin at, and the columns
    that mean nothing here. ``mapping`` says which of the file's names stands for one of ours.

    Raises InvalidFile.
    """
    _check_mapping(mapping)
    coming = LinesToRead(begins, 1)
    while (line := coming.next()) is not None:
        raw = (line.raw or b"").removeprefix(BOM) if coming.line == 2 else (line.raw or b"")
        _refuse_other_files(raw, line)
        if not raw.strip():
            continue
        if raw.lstrip().startswith(b"{"):
            keys = {plain(theirs): ours for ours, theirs in mapping.items()}
            return Layout(delimiter=None, keys=_names(known, keys)), 0, 1, []
        text = text_of(_header(raw, coming))
        delimiter = _delimiter(text)
        header = cells_of(text.rstrip("\r\n"), delimiter)
        columns, unknown = _columns(header, known, mapping)
        return Layout(delimiter=delimiter, columns=columns), coming.offset, coming.line, unknown
    raise InvalidFile("The file is empty. Its first line must name the columns.")


def _check_mapping(mapping: Mapping[str, str]) -> None:
    named: dict[str, str] = {}
    for ours, theirs in mapping.items():
        other = named.setdefault(plain(theirs), ours)
        if other != ours:
            raise InvalidFile(
                f"The mapping gives the column '{theirs[:100]}' two names, {other} and {ours}. A "
                "column has one."
            )


def _header(first: bytes, coming: LinesToRead) -> bytes:
    """The line that names the columns, with those that its quotes go on to. What delimits them is
    not known yet: whatever may does."""
    header = bytearray(first)
    is_open = ends_in_quotes(first.translate(ANY_DELIMITER), b",", is_open=False)
    while is_open:
        line = coming.next()
        if line is None or line.raw is None or len(header) + len(line.raw) > LONGEST_RECORD:
            raise InvalidFile("A quote is opened on the first line, and never closed.")
        header += line.raw
        is_open = ends_in_quotes(line.raw.translate(ANY_DELIMITER), b",", is_open=True)
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


def _delimiter(header: str) -> str:
    """Whichever separates the most names; a comma if there is only one."""
    return max(DELIMITERS, key=re.sub('"[^"]*"', "", header).count)


def _names(known: Collection[str], mapped: Mapping[str, str]) -> dict[str, str]:
    """Our names by theirs; one that is mapped to another column is not meant by its own name."""
    return {name: name for name in known if name not in mapped.values()} | dict(mapped)


def _columns(
    header: list[str], known: Collection[str], mapping: Mapping[str, str]
) -> tuple[tuple[str | None, ...], list[str]]:
    if len(header) > MOST_COLUMNS:
        raise InvalidFile(f"The first line has more than {MOST_COLUMNS} columns.")
    theirs = {plain(column): ours for ours, column in mapping.items()}
    named = [plain(name) for name in header]
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
    absent = [column for column in mapping.values() if plain(column) not in named]
    if absent:
        raise InvalidFile(
            f"There is no column '{absent[0][:100]}' as the mapping says. There are: "
            f"{_shown(header)}."
        )
    refuse_two(zip(columns, header, strict=True), "columns")
    if not any(columns):
        raise InvalidFile(
            f"The first line must name the columns; none of these is known: {_shown(header)}."
        )


def _shown(header: list[str]) -> str:
    return ", ".join(f"'{name[:40]}'" for name in header[:20])


def refuse_two(named: Iterable[tuple[str | None, str]], what: str) -> None:
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
