"""How much more a forge may be asked, as an answer tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from shipmark.connectors.exchange import Response

TOO_MANY = 429
MINUTE = timedelta(minutes=1)
LONGEST_DOUBLING = 6
"""Pauses grow up to an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``remaining`` of ``limit`` requests or points until ``resets_at``; None: not told.

    ``wait_until`` is when to ask next; None: now. Where it ``is_refused``, this was no answer: then
    is when to ask the same again.
    """

    wait_until: datetime | None = None
    is_refused: bool = False
    remaining: int | None = None
    limit: int | None = None
    resets_at: datetime | None = None


def retry_after(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """When the header Retry-After allows the next request; None: there is none to be read."""
    said = headers.get("retry-after", "").strip()
    try:
        if said.isascii() and said.isdigit():
            return now + timedelta(seconds=int(said))
        return parsedate_to_datetime(said).astimezone(UTC) if said else None
    except (ValueError, OverflowError):
        return None


def whole(headers: Mapping[str, str], name: str) -> int | None:
    """A header that is a whole number; None where it is missing or something else."""
    said = headers.get(name, "").strip()
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else None


def at_second(seconds: int | None) -> datetime | None:
    """The instant of a count of seconds since 1970, where it is one."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def pause(refused: int) -> timedelta:
    """How long to wait where a forge does not say: a minute, then twice as long each time."""
    return MINUTE * (1 << min(refused, LONGEST_DOUBLING))


def plain_limits(response: Response, *, now: datetime, refused: int = 0) -> Limits:
    """The limits of a forge that tells of them by refusing alone.

    ``refused`` counts how often the same was refused before.
    """
    if response.status != TOO_MANY:
        return Limits()
    wait_until = retry_after(response.headers, now) or now + pause(refused)
    return Limits(wait_until=wait_until, is_refused=True)
