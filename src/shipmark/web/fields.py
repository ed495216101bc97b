"""What the query string or a form says, read tolerantly.

A value that is wrong is kept as a problem beside its field and counts as absent: the page says
what would be right and shows the rest.
"""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo

from shipmark.application.queries import Cursor
from shipmark.domain.errors import InvalidArgument, NotFound
from shipmark.domain.model import LAST_NUMBER

Choice = TypeVar("Choice", bound=StrEnum)

LONGEST = 255
LONGEST_LIST = 8000
"""Characters of a list of names: about as many as an address may have."""

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
YES_OR_NO = {"yes": True, "no": False}

NO_FILTERS = ("after", "done", "next", "name", "origin")
"""Fields that narrow nothing: they say where one is."""

TRACKERS = ("utm_", "fbclid", "gclid", "msclkid")
"""What mail and chat add to links."""


class Fields:
    """The fields of a request: pairs of a name and a text. ``problems`` are messages by the name
    of the field at fault."""

    def __init__(self, pairs: Sequence[tuple[str, str]] = ()) -> None:
        self.sent = dict(pairs)
        self.problems: dict[str, str] = {}
        self._pairs = tuple(pairs)

    def expect(self, names: Collection[str]) -> None:
        """A field of another name is a problem: whoever sent it takes what is shown for filtered
        by it. Of a blank one that cannot be said, nor of what trackers add to links."""
        filters = [name for name in names if name not in NO_FILTERS]
        there_are = f"there are {', '.join(filters)}" if filters else "this page has none"
        for name, text in self.sent.items():
            if text.strip() and not (name in (*names, "done") or name.startswith(TRACKERS)):
                self.problems[name] = f"There is no filter '{name[:60]}' here; {there_are}."

    def text(self, name: str) -> str | None:
        """One line of text; a blank counts as absent."""
        return self._line(name, LONGEST)

    def _line(self, name: str, longest: int) -> str | None:
        text = self.sent.get(name, "").strip()
        if "\0" in text or len(text) > longest:
            self._wrong(name, f"at most {longest} characters, without NUL")
            return None
        said = self._all(name)
        if len(said) > 1:
            shown = " and ".join(f"'{one[:60]}'" for one in said[:3])
            self.problems[name] = f"{name} is {shown}; it must be one of them."
            return None
        return text or None

    def _all(self, name: str) -> list[str]:
        """All that is sent under a name and is not blank, each once."""
        said = (text.strip() for one, text in self._pairs if one == name)
        return list(dict.fromkeys(text for text in said if text))

    def names(self, name: str) -> tuple[str, ...]:
        """Names with commas between, each once; one that has a comma stands in quotes. A name may
        be sent several times, too."""
        said = self._all(name)
        if len(said) > 1:
            # From here on it is what one field would hold, for the page and the links on it.
            self._pairs = ((name, ",".join(said)), *(one for one in self._pairs if one[0] != name))
            self.sent[name] = ",".join(said)
        text = self._line(name, LONGEST_LIST)
        try:
            return names_of(text or "")
        except csv.Error:
            self._wrong(name, "names with commas between, on one line")
            return ()

    def number(self, name: str) -> int | None:
        """A whole number, not negative."""
        text = self.text(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit()) or int(text) > LAST_NUMBER:
            self._wrong(name, "a whole number")
            return None
        return int(text)

    def choice(self, name: str, kind: type[Choice]) -> Choice | None:
        text = self.one_of(name, [str(one) for one in kind])
        return None if text is None else kind(text)

    def one_of(self, name: str, words: Collection[str]) -> str | None:
        """One of these words."""
        text = self.text(name)
        if text is None or text in words:
            return text
        self._wrong(name, "one of " + ", ".join(words))
        return None

    def flag(self, name: str) -> bool | None:
        """yes or no; None if absent."""
        text = self.text(name)
        if text is None or text in YES_OR_NO:
            return None if text is None else YES_OR_NO[text]
        self._wrong(name, "yes or no")
        return None

    def is_preview(self) -> bool:
        """Whether a form with two buttons is to be tried, not saved. Raises InvalidArgument."""
        said = self.sent.get("do", "save")
        if said not in ("preview", "save"):
            raise InvalidArgument(f"do is '{said[:60]}'; it must be preview or save.")
        return said == "preview"

    def zone(self, name: str) -> tzinfo | None:
        """A time zone by its name."""
        text = self.text(name)
        if text is None or text.upper() == "UTC":
            return UTC if text else None
        try:
            return ZoneInfo(text)
        except (KeyError, ValueError, OSError):
            self._wrong(name, "the name of a time zone, like Europe/Berlin")
            return None

    def row_key(self) -> tuple[int, int, int, str] | None:
        """After which row of a metric a page begins, as a link to it has it."""
        text = self.text("after")
        if text is None:
            return None
        *numbers, rest = text.split(",", 3)
        try:
            at, first, second = (int(one) for one in numbers)
        except ValueError:
            self._wrong("after", "as a link to the next page has it")
            return None
        if not all(0 <= one <= LAST_NUMBER for one in (at, first, second)):
            self._wrong("after", "as a link to the next page has it")
            return None
        return at, first, second, rest

    def since(self, name: str = "since") -> datetime | None:
        """The beginning of a range: a day, from its first moment, or an instant."""
        return self._instant(name, timedelta())

    def until(self, name: str = "until") -> datetime | None:
        """The end of a range, exclusive: a day is meant to its end, an instant as it is."""
        return self._instant(name, timedelta(days=1))

    def times(self) -> tuple[datetime | None, datetime | None]:
        """The two ends of a range, which has to end after it begins."""
        since, until = self.since(), self.until()
        if since is not None and until is not None and since >= until:
            self._wrong("since", f"before until, '{self.sent['until'].strip()}'")
            return None, until
        return since, until

    def instant(self, name: str) -> datetime | None:
        """An instant as it is."""
        return self._instant(name, timedelta())

    def _instant(self, name: str, of_day: timedelta) -> datetime | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            at = datetime.fromisoformat(text)
            at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
            at += of_day if len(text) <= len("2026-03-12") else timedelta()
        except (ValueError, OverflowError):
            self._wrong(name, "a day like 2026-03-12, or an instant in ISO-8601")
            return None
        if at < EARLIEST:
            self._wrong(name, "in 1990 or later")
            return None
        return at

    def cursor(self, key: type[int] | type[str]) -> Cursor | None:
        """After which row a page begins, as `cursor_text` wrote it: an instant, and a key."""
        text = self.text("after")
        if text is None:
            return None
        at, _, rest = text.partition(",")
        try:
            cursor = datetime.fromisoformat(at).astimezone(UTC), key(rest)
        except (ValueError, OverflowError):
            cursor = None
        if cursor is None or (key is int and not 0 <= int(rest) <= LAST_NUMBER):
            self._wrong("after", "as a link to the next page has it")
            return None
        return cursor

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """What a look-up does not find, or refuses, is a problem of the field that named it."""
        try:
            yield
        except (InvalidArgument, NotFound) as error:
            self.problems[error.argument or "q"] = error.message

    def kept(self, *names: str) -> dict[str, str]:
        """Those of the fields that say something, to make links of."""
        return {name: text for name in names if (text := self.sent.get(name, "").strip())}

    def _wrong(self, name: str, right: str) -> None:
        shown = self.sent[name].strip()[:60]
        self.problems[name] = f"{name} is '{shown}'; it must be {right}."


def names_of(text: str) -> tuple[str, ...]:
    """The names of a list, as a line of CSV has them. Raises csv.Error for several lines."""
    cells = next(csv.reader([text], skipinitialspace=True), [])
    return tuple(dict.fromkeys(name for cell in cells if (name := cell.strip())))


def names_text(names: Iterable[str]) -> str:
    """Names as such a list."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()


def cursor_text(at: datetime, key: int | str) -> str:
    """Where the next page begins, for a link."""
    return f"{at.isoformat()},{key}"
