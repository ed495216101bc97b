"""The pages of the documentation, and what they are made of: sections, tables, blocks, links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"`([^`]+)`")
FENCE = re.compile(r"^( *)```(.*)$")
HEADING = re.compile(r"^(#+) (.*)$")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: its language, what else stands beside that, and its text."""

    page: str
    line: int
    info: str
    text: str
    follows: "Block | None"

    @property
    def language(self) -> str:
        return self.info.partition(" ")[0]

    @property
    def note(self) -> str:
        return self.info.partition(" ")[2]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: its header, and its rows of as many cells."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading with all that stands between it and the next."""

    level: int
    title: str
    text: str

    @property
    def tables(self) -> list[Table]:
        return list(_tables(self.text))

    def rows(self, first_column: str) -> list[tuple[str, ...]]:
        """The rows of all its tables whose first column is called so."""
        return [
            row for table in self.tables if table.header[0] == first_column for row in table.rows
        ]

    @property
    def codes(self) -> list[str]:
        """Everything it shows as code."""
        return codes_in(self.text)


@dataclass(frozen=True)
class Page:
    """A page, by its path from the root of the repository."""

    name: str

    @property
    def path(self) -> Path:
        return ROOT / self.name

    @property
    def text(self) -> str:
        return _read(self.path)

    @property
    def prose(self) -> str:
        """The page without its fenced blocks."""
        return _split(self.text)[0]

    @property
    def blocks(self) -> list[Block]:
        found: list[Block] = []
        for line, info, text in _split(self.text)[1]:
            follows = found[-1] if found else None
            found.append(Block(page=self.name, line=line, info=info, text=text, follows=follows))
        return found

    @property
    def sections(self) -> list[Section]:
        found: list[Section] = []
        level, title, lines = 0, "", list[str]()
        for line in self.prose.splitlines():
            if heading := HEADING.match(line):
                found.append(Section(level=level, title=title, text="\n".join(lines)))
                level, title, lines = len(heading[1]), heading[2], []
            else:
                lines.append(line)
        found.append(Section(level=level, title=title, text="\n".join(lines)))
        return found[1:]

    def section(self, title: str) -> Section:
        """The section of this title with all that is below it."""
        first, *others = self.sections[[one.title for one in self.sections].index(title) :]
        below = []
        for one in others:
            if one.level <= first.level:
                break
            below.append(one.text)
        return Section(level=first.level, title=first.title, text="\n\n".join([first.text, *below]))

    @property
    def anchors(self) -> set[str]:
        """The names by which its headings can be linked to."""
        return {_anchor(one.title) for one in self.sections}

    @property
    def links(self) -> list[str]:
        return LINK.findall(self.prose)


def codes_in(text: str) -> list[str]:
    """Everything that is shown as code, in order."""
    return CODE.findall(text)


def code_in(cell: str) -> str:
    """The one thing that a cell shows as code."""
    (code,) = codes_in(cell)
    return code


def all_pages() -> list[Page]:
    """Every page, those in the root first."""
    paths = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
    return [Page(str(path.relative_to(ROOT))) for path in paths]


@cache
def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _split(text: str) -> tuple[str, list[tuple[int, str, str]]]:
    """The text outside of fenced blocks; and of each block its line, what it is, and its text."""
    outside: list[str] = []
    blocks: list[tuple[int, str, str]] = []
    inside: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if fence and inside is None:
            inside, at, info = [], number, fence[2]
        elif fence and inside is not None:
            blocks.append((at, info, "\n".join(inside) + "\n"))
            inside = None
        elif inside is not None:
            inside.append(line)
        else:
            outside.append(line)
    assert inside is None, f"The block of line {at} does not end."
    return "\n".join(outside), blocks


def _tables(text: str) -> Iterator[Table]:
    lines = iter([*text.splitlines(), ""])
    rows: list[tuple[str, ...]] = []
    for line in lines:
        if line.startswith("|"):
            rows.append(tuple(cell.strip() for cell in CELL.split(line)[1:-1]))
        elif rows:
            header, _, *body = rows
            assert all(len(row) == len(header) for row in body), header
            yield Table(header=header, rows=tuple(body))
            rows = []


def _anchor(title: str) -> str:
    """The name that forges give a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
