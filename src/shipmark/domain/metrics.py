"""The five delivery metrics, and what they are made of. Definitions: docs/metrics.md.

Everything here is a pure function of rows that were read. Instants and durations are whole
microseconds; answers are in seconds.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from shipmark.domain.failures import Judged
from shipmark.domain.periods import DAY, SECOND


class Metric(StrEnum):
    """What can be measured."""

    DEPLOYMENT_FREQUENCY = "deployment_frequency"
    LEAD_TIME_FOR_CHANGES = "lead_time_for_changes"
    CHANGE_FAILURE_RATE = "change_failure_rate"
    FAILED_DEPLOYMENT_RECOVERY_TIME = "failed_deployment_recovery_time"
    DEPLOYMENT_REWORK_RATE = "deployment_rework_rate"
    TIME_WAITING = "time_waiting"


class Which(StrEnum):
    """Which rows of a metric: what its value is computed of, or what stands beside it."""

    COUNTED = "counted"
    UNSHIPPED = "unshipped"
    INCIDENTS = "incidents"


class Start(StrEnum):
    """From when a lead time is counted."""

    FIRST_COMMIT = "first_commit"
    OPENED = "opened"
    MERGED = "merged"


class Unit(StrEnum):
    """What a lead time is one of."""

    CHANGE = "change"
    PULL_REQUEST = "pull_request"
    DEPLOYMENT = "deployment"
    COMMIT = "commit"


PERCENTS = (50, 75, 90, 95)


class Quantiles(NamedTuple):
    """Seconds, by linear interpolation between order statistics (type 7)."""

    median: float
    p75: float
    p90: float
    p95: float


def quantile(in_order: Sequence[int], percent: int) -> float:
    """The value below which so many percent lie, between the two nearest by linear interpolation.

    Whole numbers until the last step, so that every machine comes to the same.
    """
    place, rest = divmod((len(in_order) - 1) * percent, 100)
    value = in_order[place]
    if not rest:
        return float(value)
    return (value * 100 + (in_order[place + 1] - value) * rest) / 100


def quantiles(in_order: Sequence[int]) -> Quantiles | None:
    """The quantiles of ascending durations in microseconds, in seconds; None of none."""
    if not in_order:
        return None
    return Quantiles(*(quantile(in_order, percent) / SECOND for percent in PERCENTS))


class Shipment(NamedTuple):
    """What a deployment shipped at an instant: from when each thing is counted, None if unknown.

    ``ids`` are the pull requests', or the SHAs of commits, in the same order.
    """

    deployment_id: int
    deployed_at: int
    starts: Sequence[int | None]
    ids: Sequence[int | str]


class Lead(NamedTuple):
    """One lead time, None where the start is not known, and the instant by which it is counted.

    ``id`` is of what was shipped; None of a deployment of which no start is known.
    """

    at: int
    duration: int | None
    deployment_id: int
    id: int | str | None = None


def each_lead(shipments: Iterable[Shipment], unit: Unit) -> list[Lead]:
    """The lead times of shipments, which come in the order of their deployments, one by one, each
    with what was shipped and by what."""
    if unit is Unit.DEPLOYMENT:
        return [_of_deployment(one) for one in shipments if one.starts]
    each = (
        Lead(
            one.deployed_at,
            None if start is None else one.deployed_at - start,
            one.deployment_id,
            which,
        )
        for one in shipments
        for start, which in zip(one.starts, one.ids, strict=True)
    )
    if unit is Unit.PULL_REQUEST:
        # To the last deployment that shipped it.
        return list({one.id: one for one in each}.values())
    return list(each)


def _of_deployment(one: Shipment) -> Lead:
    """From the first thing that it shipped, of those whose start is known."""
    each = zip(one.starts, one.ids, strict=True)
    known = [(start, which) for start, which in each if start is not None]
    if not known:
        return Lead(one.deployed_at, None, one.deployment_id)
    start, which = min(known, key=lambda one: one[0])
    return Lead(one.deployed_at, one.deployed_at - start, one.deployment_id, which)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """Successful deployments: how many, on how many days, and how many a day of the period."""

    n: int
    per_day: float
    days: float
    days_with_deployment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadTimes:
    """Quantiles of n lead times in seconds; ``unknown_starts`` had none and are left out.

    ``in_order`` are the lead times themselves, ascending, in microseconds.
    """

    n: int
    quantiles: Quantiles | None
    unknown_starts: int
    baselines_left_out: int
    in_order: Sequence[int] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Of n pull requests merged in the period, how many are shipped by now."""

    n: int
    shipped: int

    @classmethod
    def of(cls, merged: int, unshipped: int) -> "Coverage":
        return cls(n=merged, shipped=merged - unshipped)

    @property
    def share(self) -> float | None:
        return self.shipped / self.n if self.n else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRate:
    """Failed deployments of n; how many by each reason, of which one may have several."""

    n: int
    failed: int
    reasons: dict[str, int]
    incidents: int

    @property
    def rate(self) -> float | None:
        return self.failed / self.n if self.n else None

    @property
    def incidents_per_deployment(self) -> float | None:
        return self.incidents / self.n if self.n else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Quantiles of n recoveries in seconds; ``unrecovered`` are left out."""

    n: int
    quantiles: Quantiles | None
    unrecovered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReworkRate:
    """Deployments of n that are unplanned fixes; how many by each reason."""

    n: int
    rework: int
    reasons: dict[str, int]

    @property
    def rate(self) -> float | None:
        return self.rework / self.n if self.n else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Pull requests of a service that wait to be deployed to an environment; ages in seconds.

    ``is_complete`` is false where so many wait that only the oldest of a lane were looked at.
    """

    service: str
    environment: str
    n: int
    oldest: float
    median: float
    is_complete: bool


def frequency(n: int, days: float, days_with_deployment: int) -> Frequency:
    return Frequency(
        n=n,
        per_day=n / days,
        days=days,
        days_with_deployment=days_with_deployment,
    )


def lead_times(shipments: Sequence[Shipment], unit: Unit, baselines: int) -> LeadTimes:
    """Those of all that is shipped in a period, or in a bucket, by itself: what a pull request's
    last deployment is depends on it."""
    if unit in (Unit.CHANGE, Unit.COMMIT):
        # As `each_lead` has it, without an object for each.
        n = sum(len(one.starts) for one in shipments)
        known = [
            one.deployed_at - start
            for one in shipments
            for start in one.starts
            if start is not None
        ]
    else:
        each = each_lead(shipments, unit)
        n, known = len(each), [one.duration for one in each if one.duration is not None]
    known.sort()
    return LeadTimes(
        n=len(known),
        quantiles=quantiles(known),
        unknown_starts=n - len(known),
        baselines_left_out=baselines,
        in_order=known,
    )


def failure_rate(judged: Sequence[Judged], incidents: int) -> FailureRate:
    return FailureRate(
        n=len(judged),
        failed=sum(bool(one.failed) for one in judged),
        reasons=dict(Counter(reason.value for one in judged for reason in one.failed)),
        incidents=incidents,
    )


def recovery(judged: Sequence[Judged]) -> Recovery:
    failed = [one for one in judged if one.failed]
    took = sorted(
        one.recovered_at - one.deployed.deployed_at
        for one in failed
        if one.recovered_at is not None
    )
    return Recovery(n=len(took), quantiles=quantiles(took), unrecovered=len(failed) - len(took))


def rework_rate(reasons: Sequence[Sequence[str]]) -> ReworkRate:
    """From the reasons of each deployment; one without any is no rework."""
    return ReworkRate(
        n=len(reasons),
        rework=sum(bool(one) for one in reasons),
        reasons=dict(Counter(reason for one in reasons for reason in one)),
    )


def waiting(service: str, environment: str, ages: Sequence[int], *, is_complete: bool) -> Waiting:
    in_order = sorted(ages)
    return Waiting(
        service=service,
        environment=environment,
        n=len(ages),
        oldest=in_order[-1] / SECOND,
        median=quantile(in_order, 50) / SECOND,
        is_complete=is_complete,
    )


HOUR = DAY // 24
HISTOGRAM_EDGES = tuple(
    edge * HOUR for edge in (0, 1, 2, 4, 8, 24, 48, 96, 7 * 24, 14 * 24, 30 * 24, 90 * 24)
)
"""Where the bars of a distribution of durations begin; the last has no end."""


def histogram(in_order: Sequence[int]) -> list[tuple[int, int | None, int]]:
    """(from, until, how many) of each bar, in microseconds, of ascending durations; what is
    negative is in the first."""
    begins = [0, *(bisect_left(in_order, edge) for edge in HISTOGRAM_EDGES[1:]), len(in_order)]
    counts = (end - begin for begin, end in pairwise(begins))
    ends: tuple[int | None, ...] = (*HISTOGRAM_EDGES[1:], None)
    return list(zip(HISTOGRAM_EDGES, ends, counts, strict=True))
