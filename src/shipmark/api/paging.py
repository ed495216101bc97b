"""Pages of lists: opaque cursors and limits."""

import base64
import binascii
import types
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import msgspec

from shipmark.api import coercions
from shipmark.api.decoding import Form
from shipmark.application.queries import Cursor, Page
from shipmark.domain.errors import InvalidArgument
from shipmark.domain.model import LAST_NUMBER

LARGEST_PAGE = 1000

Row = TypeVar("Row")


def _limit(argument: str, value: Any) -> int:
    return coercions.whole_number(argument, value, LARGEST_PAGE)


LIMIT = Form(
    _limit,
    {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE},
    f"How many at most, up to {LARGEST_PAGE}.",
)


def cursor_of(name: str, *key: type) -> Form:
    """The cursor of a list of this name that is sorted by a key of these types."""
    shape = types.GenericAlias(tuple, (Literal[name], *key))

    def coerce(argument: str, value: Any) -> Cursor | None:
        if value == "":
            return None
        try:
            _, *sent = msgspec.json.decode(base64.urlsafe_b64decode(str(value)), type=shape)
            return tuple(_storable(part) for part in sent)
        except (binascii.Error, msgspec.MsgspecError, ValueError, OverflowError):
            raise InvalidArgument(
                f"{argument} is {coercions.shown(value)}; it must be the next_cursor of an answer.",
                argument=argument,
            ) from None

    return Form(coerce, {"type": "string"}, "The next_cursor of the page before.")


def _storable(part: Any) -> Any:
    """The part in the form in which it is compared. Raises ValueError if no row can have it."""
    if isinstance(part, str) and "\0" in part:
        raise ValueError("No stored text has a NUL character.")
    if isinstance(part, int) and not 0 <= part <= LAST_NUMBER:
        raise ValueError("No row has such a number.")
    if not isinstance(part, datetime):
        return part
    return part.replace(tzinfo=UTC) if part.tzinfo is None else part.astimezone(UTC)


def page(limit: int, cursor: Cursor | None) -> Page:
    """What to read for a page: one row more than is shown tells whether there is a next one."""
    return Page(limit=limit + 1, after=cursor)


def cut(
    name: str, rows: Sequence[Row], limit: int, key: Callable[[Row], Sequence[Any]]
) -> tuple[list[Row], str | None]:
    """The rows of a list to show, and the cursor of the page after them if there is one."""
    shown = list(rows[:limit])
    if len(rows) <= limit:
        return shown, None
    encoded = msgspec.json.encode([name, *key(shown[-1])])
    return shown, base64.urlsafe_b64encode(encoded).decode()
