"""Pages of facts: what a forge's API answers a part at a time."""

from collections.abc import Sized
from dataclasses import dataclass

from shipmark.application.facts import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Facts, and where to go on.

    ``cursor`` is text that means something to the forge's own functions alone. It can be stored
    and given back after a crash; None: there is no more.
    """

    facts: tuple[Fact, ...]
    cursor: str | None = None


def page_number(cursor: str | None) -> int:
    """The page that a cursor stands for, where pages are counted from 1."""
    return int(cursor) if cursor and cursor.isdecimal() else 1


def next_page(page: int, found: Sized, size: int) -> str | None:
    """The cursor of the page behind one that held ``found``; None: a page that is not full is
    the last one."""
    return str(page + 1) if len(found) >= size else None
