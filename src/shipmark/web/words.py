"""Values as people read them: spans, counts, instants. All times are UTC."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from shipmark.application.ports import MOST_COUNTED

MINUTE, HOUR, DAY = 60, 3600, 86400
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that a spreadsheet would compute; some do with the wide forms, too."""
TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""The characters that embed, override or isolate a direction, of which one may be left open."""
STEPS = ((365 * DAY, "y"), (30 * DAY, "mo"), (DAY, "d"), (HOUR, "h"), (MINUTE, "min"))


def span(length: timedelta | float | None) -> str:
    """A duration in its two largest units, like 3 d 4 h."""
    if length is None:
        return "–"
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if seconds < 0:
        return f"−{span(-seconds)}"
    for place, (size, unit) in enumerate(STEPS):
        if seconds >= size:
            rest = int(seconds % size)
            smaller, smaller_unit = STEPS[place + 1] if place + 1 < len(STEPS) else (1, "s")
            more = f" {rest // smaller} {smaller_unit}" if rest >= smaller else ""
            return f"{int(seconds // size)} {unit}{more}"
    return f"{int(seconds)} s"


def ago(at: datetime, now: datetime | None = None) -> str:
    """How long ago an instant was, in its largest unit; or how far ahead it is."""
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    if abs(seconds) < MINUTE:
        return "just now"
    size, unit = next((size, unit) for size, unit in STEPS if abs(seconds) >= size)
    count = f"{int(abs(seconds) // size)} {unit}"
    return f"{count} ago" if seconds > 0 else f"in {count}"


def exact(at: datetime) -> str:
    """An instant with its zone."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def minute(at: datetime) -> str:
    """An instant with its zone, without seconds."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def iso(at: datetime) -> str:
    """An instant as machines read it."""
    return at.isoformat().replace("+00:00", "Z")


def count(number: int, noun: str) -> str:
    """A number of things, like 1 pull request or 1 204 pull requests."""
    several = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{amount(number)} {noun if number == 1 else several}"


def shipped(number: int) -> str:
    """How many pull requests a deployment ships, of which so many are counted at most."""
    return f"{amount(number)}{'+' if number >= MOST_COUNTED else ''}"


def amount(number: float) -> str:
    """A number with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\u202f")


def short_sha(sha: str) -> str:
    """The first characters of a SHA, as forges show it."""
    return sha[:10]


def web_address(url: str | None) -> str | None:
    """A URL that may be a link: http or https, with a host. Others are shown as text."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def metadata_of(text: str | None) -> list[tuple[str, str]]:
    """Keys and values of stored metadata; text as it is, anything else as JSON."""
    stored: dict[str, Any] = json.loads(text or "{}")
    return [
        (key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for key, value in stored.items()
    ]


def in_order(text: str) -> str:
    """A sentence in which no name that it holds turns the direction of the rest."""
    return text.translate(TURNS)


def cell(value: object) -> object:
    """A value of a CSV file; text that a spreadsheet would take for a formula is marked as text."""
    risky = isinstance(value, str) and value.startswith(FORMULAS)
    return f"'{value}" if risky else value


def without(said: dict[str, str], *names: str) -> dict[str, str]:
    """What is said but for some of it."""
    return {name: text for name, text in said.items() if name not in names}
