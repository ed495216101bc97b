"""Periods of time, and the days, weeks and months of a time zone that they are cut into.

Instants are whole microseconds since 1970, as they are stored: a hundred thousand of them are
compared for one number.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000
DAY = 86_400 * SECOND


def microseconds(at: datetime) -> int:
    """An instant as whole microseconds since 1970."""
    return (at - EPOCH) // MICROSECOND


def instant_of(at: int) -> datetime:
    """Whole microseconds since 1970 as an instant."""
    return EPOCH + timedelta(microseconds=at)


class Granularity(StrEnum):
    """What the series of a metric are cut into. A week begins on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From an instant, inclusive, until another, exclusive."""

    since: datetime
    until: datetime

    @property
    def days(self) -> float:
        """How long it is, in days of 24 hours."""
        return (self.until - self.since) / timedelta(days=1)

    @property
    def before(self) -> "Period":
        """The period of the same length that ends where this one begins."""
        return Period(since=self.since - (self.until - self.since), until=self.since)

    def holds(self, at: int) -> bool:
        return microseconds(self.since) <= at < microseconds(self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A day, week or month by its first date, and what of it lies in the period."""

    name: date
    period: Period


def buckets(period: Period, granularity: Granularity, zone: tzinfo) -> list[Bucket]:
    """The period cut at the local midnights on which a day, a week or a month begins."""
    name = _first_date(period.since.astimezone(zone).date(), granularity)
    names = [name]
    while _midnight(name := _next(name, granularity), zone) < period.until:
        names.append(name)
    edges = [period.since, *(_midnight(one, zone) for one in names[1:]), period.until]
    return [
        Bucket(name=one, period=Period(since=since, until=until))
        for one, (since, until) in zip(names, pairwise(edges), strict=True)
        if since < until
    ]


@dataclass(frozen=True, slots=True)
class Cut:
    """Tells quickly in which of some buckets, which follow one another, an instant lies."""

    buckets: Sequence[Bucket]
    _beginnings: tuple[int, ...]

    @classmethod
    def of(cls, buckets_: Sequence[Bucket]) -> "Cut":
        return cls(buckets_, tuple(microseconds(one.period.since) for one in buckets_))

    def place(self, at: int) -> int:
        """The place of the bucket that an instant of the period lies in."""
        return bisect_right(self._beginnings, at) - 1


def local_days(instants: Sequence[int], period: Period, zone: tzinfo) -> int:
    """On how many local days at least one of these instants of the period lies."""
    cut = Cut.of(buckets(period, Granularity.DAY, zone))
    return len({cut.place(at) for at in instants})


def _first_date(day: date, granularity: Granularity) -> date:
    if granularity is Granularity.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if granularity is Granularity.MONTH else day


def _next(day: date, granularity: Granularity) -> date:
    if granularity is Granularity.MONTH:
        return _first_date(day + timedelta(days=31), granularity)
    return day + timedelta(days=7 if granularity is Granularity.WEEK else 1)


def _midnight(day: date, zone: tzinfo) -> datetime:
    """When a local date begins; where its midnight is skipped, the first instant after the gap."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
