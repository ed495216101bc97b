"""Measure: the delivery metrics of a period, beside those of the period before, and their rows.

Everything is computed from facts when it is asked for. What several metrics need is read once.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Generic, TypeVar

from shipmark.application.metric_queries import FixRules, Selection
from shipmark.application.queries import ReadTransaction
from shipmark.application.report import id_of_repository, id_of_service
from shipmark.domain import metrics
from shipmark.domain.errors import InvalidArgument
from shipmark.domain.failures import Deployed, Edges, Judged, ReworkReason, judge
from shipmark.domain.incidents import Happened, is_production
from shipmark.domain.metrics import Coverage, Leads, Metric, Shipment, Start, Unit, Waiting
from shipmark.domain.periods import (
    Bucket,
    Cut,
    Granularity,
    Period,
    buckets,
    local_days,
    microseconds,
)

USUAL_LENGTH = timedelta(days=30)
MOST_BUCKETS = 1000
LONGEST_PERIOD = timedelta(days=3660)
LATEST = datetime(9998, 1, 1, tzinfo=UTC)
"""Periods end by then: the bucket after the last one has to have a date, too."""
MOST_WAITING = 10_000
"""Pull requests that wait in one lane and are looked at: where so many do, no median is missed."""

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRules:
    """What an operator may decide about metrics."""

    incident_within: timedelta = timedelta(days=1)
    fixes: FixRules = FixRules()

    @property
    def within(self) -> int:
        return self.incident_within // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a client asks about; what is None does not matter.

    Without ``until`` it is now, and without ``since`` the thirty days before. Environments that
    are not named are those of production. ``unit`` and ``start`` are of lead times.
    """

    since: datetime | None = None
    until: datetime | None = None
    granularity: Granularity = Granularity.DAY
    zone: tzinfo = UTC
    service: str | None = None
    repository: str | None = None
    environments: tuple[str, ...] = ()
    source: str | None = None
    author: str | None = None
    include_baseline: bool = False
    start: Start = Start.MERGED
    unit: Unit = Unit.CHANGE

    def period(self, now: datetime) -> Period:
        """Raises InvalidArgument for one that ends before it begins, is too long or too late."""
        until = self.until or now
        if until > LATEST:
            raise InvalidArgument(
                f"until is {until.isoformat()}; it must be before the year {LATEST.year}.",
                argument="until",
            )
        since = self.since or until - USUAL_LENGTH
        if since >= until:
            raise InvalidArgument(
                f"since is {since.isoformat()}; it must be before until, {until.isoformat()}.",
                argument="since",
            )
        if until - since > LONGEST_PERIOD:
            raise InvalidArgument(
                f"The period is {(until - since).days} days long; at most {LONGEST_PERIOD.days} "
                "are measured at once.",
                argument="since",
            )
        return Period(since=since, until=until)


@dataclass(frozen=True, slots=True)
class Measured(Generic[Value]):
    """A metric in the period, in the one before, and in each bucket of the period."""

    now: Value
    before: Value
    series: tuple[tuple[Bucket, Value], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadTimes:
    """Lead times, and how many of the pull requests merged in the period are shipped by now."""

    leads: Measured[metrics.LeadTimes]
    coverage: Coverage
    coverage_before: Coverage


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What was asked for; a metric that was not is None."""

    period: Period
    environments: tuple[str, ...]
    deployment_frequency: Measured[metrics.Frequency] | None = None
    lead_time_for_changes: LeadTimes | None = None
    change_failure_rate: Measured[metrics.FailureRate] | None = None
    failed_deployment_recovery_time: Measured[metrics.Recovery] | None = None
    deployment_rework_rate: Measured[metrics.ReworkRate] | None = None
    time_waiting: tuple[Waiting, ...] | None = None


def measure(
    tx: ReadTransaction,
    asked: Asked,
    rules: MetricRules,
    wanted: Collection[Metric] = tuple(Metric),
    *,
    with_series: bool = True,
) -> Measurement:
    """Some or all of the metrics. Raises RepositoryNotFound, and InvalidArgument for a period
    that cannot be measured."""
    return measured(Facts(tx, asked, rules, with_series=with_series), wanted)


def measured(facts: "Facts", wanted: Collection[Metric] = tuple(Metric)) -> Measurement:
    """The same of facts that are read for something else as well."""
    ways: dict[Metric, Callable[[Facts], object]] = {
        Metric.DEPLOYMENT_FREQUENCY: deployment_frequency,
        Metric.LEAD_TIME_FOR_CHANGES: lead_time_for_changes,
        Metric.CHANGE_FAILURE_RATE: change_failure_rate,
        Metric.FAILED_DEPLOYMENT_RECOVERY_TIME: failed_deployment_recovery_time,
        Metric.DEPLOYMENT_REWORK_RATE: deployment_rework_rate,
        Metric.TIME_WAITING: time_waiting,
    }
    found = {metric.value: ways[metric](facts) for metric in wanted}
    return Measurement(
        period=facts.period,
        environments=facts.environments if set(wanted) != {Metric.TIME_WAITING} else (),
        **found,  # type: ignore[arg-type]
    )


def headline(tx: ReadTransaction, asked: Asked, rules: MetricRules) -> Measurement:
    """All metrics of what this transaction sees, without series."""
    return measure(tx, asked, rules, with_series=False)


class Facts:
    """What was read of the period and of the one before, each thing when it is first needed."""

    def __init__(
        self,
        tx: ReadTransaction,
        asked: Asked,
        rules: MetricRules,
        *,
        with_series: bool = True,
        with_before: bool = True,
    ) -> None:
        self.tx = tx
        self.asked = asked
        self.rules = rules
        self.period = asked.period(tx.now)
        since = self.period.before.since if with_before else self.period.since
        self.both = Period(since=since, until=self.period.until)
        self.buckets = self._buckets() if with_series else []

    def _buckets(self) -> list[Bucket]:
        found = buckets(self.period, self.asked.granularity, self.asked.zone)
        if len(found) > MOST_BUCKETS:
            raise InvalidArgument(
                f"The period has {len(found)} buckets of a {self.asked.granularity}; at most "
                f"{MOST_BUCKETS} are told. Choose a coarser granularity.",
                argument="granularity",
            )
        return found

    @cached_property
    def selection(self) -> Selection:
        asked = self.asked
        return Selection(
            service_id=id_of_service(self.tx, asked.service) if asked.service else None,
            repository_id=id_of_repository(self.tx, asked.repository) if asked.repository else None,
            environments=asked.environments,
            source_name=asked.source,
            author=asked.author,
        )

    @cached_property
    def environments(self) -> tuple[str, ...]:
        """Those that were asked about; else those that there were deployments to."""
        found = self.asked.environments or {one.environment for one in self.deployments}
        return tuple(sorted(found))

    @cached_property
    def deployments(self) -> list[Deployed]:
        """All to where it is asked about, those that count and those beside them."""
        return self.tx.metrics.deployments(self.selection, self.both)

    @cached_property
    def counted(self) -> list[Deployed]:
        return [one for one in self.deployments if one.counted]

    @cached_property
    def edges(self) -> Edges:
        return self.tx.metrics.edges(self.deployments, self.both)

    @cached_property
    def happened(self) -> list[Happened]:
        before = self.edges.before.values()
        return self.tx.metrics.happened(self.both, before, within=self.rules.within)

    @cached_property
    def judged(self) -> list[Judged]:
        """The deployments that count, each with what became of it."""
        judged = judge(
            self.deployments,
            self.edges,
            happened=self.happened,
            told=self.tx.metrics.told(self.both, self.edges.before.values()),
            within=self.rules.within,
        )
        return [one for one in judged if one.deployed.counted]

    @cached_property
    def fixes(self) -> set[int]:
        return self.tx.metrics.only_fixes(self.selection, self.both, self.rules.fixes)

    @cached_property
    def leads(self) -> list[Leads]:
        """The lead times of the period and of the one before, a deployment or a change each."""
        return leads_of(self, self.shipments())

    def shipments(self, *, with_ids: bool = False) -> list[Shipment]:
        asked = self.asked
        return self.tx.metrics.shipments(
            self.selection,
            self.both,
            start=None if asked.unit is Unit.COMMIT else asked.start,
            with_baselines=asked.include_baseline,
            with_ids=with_ids or asked.unit is Unit.PULL_REQUEST,
        )

    def measured(
        self,
        items: Iterable[Item],
        at: Callable[[Item], int],
        value: Callable[[Sequence[Item], Period], Value],
    ) -> Measured[Value]:
        """A value in both periods and in each bucket, from what lies in each by its instant."""
        now: list[Item] = []
        before: list[Item] = []
        since = microseconds(self.period.since)
        for one in items:
            (now if at(one) >= since else before).append(one)
        return Measured(
            now=value(now, self.period),
            before=value(before, self.period.before),
            series=tuple(self._series(now, at, value)),
        )

    def _series(
        self,
        items: Sequence[Item],
        at: Callable[[Item], int],
        value: Callable[[Sequence[Item], Period], Value],
    ) -> Iterable[tuple[Bucket, Value]]:
        if not self.buckets:
            return
        cut = Cut.of(self.buckets)
        inside: dict[int, list[Item]] = defaultdict(list)
        for one in items:
            inside[cut.place(at(one))].append(one)
        for place, bucket in enumerate(self.buckets):
            yield bucket, value(inside[place], bucket.period)


def deployment_frequency(facts: Facts) -> Measured[metrics.Frequency]:
    """Successful deployments a day."""

    def value(instants: Sequence[int], period: Period) -> metrics.Frequency:
        days = local_days(instants, period, facts.asked.zone) if instants else 0
        return metrics.frequency(len(instants), period.days, days)

    successes = [one.deployed_at for one in facts.counted if one.success]
    return facts.measured(successes, lambda at: at, value)


def lead_time_for_changes(facts: Facts) -> LeadTimes:
    """From the start of each change to its deployment."""
    baselines = [] if facts.asked.include_baseline else [d for d in facts.counted if d.is_baseline]

    def value(found: Sequence[Leads], period: Period) -> metrics.LeadTimes:
        left_out = sum(period.holds(one.deployed_at) for one in baselines)
        return metrics.lead_times(found, left_out)

    return LeadTimes(
        leads=facts.measured(facts.leads, lambda one: one.at, value),
        coverage=_coverage(facts, facts.period),
        coverage_before=_coverage(facts, facts.period.before),
    )


def leads_of(facts: Facts, shipments: Sequence[Shipment]) -> list[Leads]:
    """The lead times of each period by itself: what a pull request's last deployment is depends
    on the period."""
    since = microseconds(facts.period.since)
    unit = facts.asked.unit
    before = [one for one in shipments if one.deployed_at < since]
    now = [one for one in shipments if one.deployed_at >= since]
    return [*metrics.leads(before, unit), *metrics.leads(now, unit)]


def _coverage(facts: Facts, period: Period) -> Coverage:
    n = facts.tx.metrics.merged(facts.selection, period)
    unshipped = facts.tx.metrics.unshipped(facts.selection, period) if n else 0
    return Coverage(n=n, shipped=n - unshipped)


def change_failure_rate(facts: Facts) -> Measured[metrics.FailureRate]:
    """The share of deployments that failed."""
    started = _incidents(facts)

    def value(judged: Sequence[Judged], period: Period) -> metrics.FailureRate:
        if facts.selection.counts_all:
            incidents = sum(period.holds(at) for at in started.values())
        else:
            incidents = len({link.incident_id for one in judged for link in one.links})
        return metrics.failure_rate(judged, incidents)

    return facts.measured(facts.judged, _deployed_at, value)


def _incidents(facts: Facts) -> dict[int, int]:
    """When each incident began that is of the service and the environments."""
    service, named = facts.selection.service_id, facts.selection.environments
    found = {}
    for one in facts.happened:
        if one.environment is None:
            is_here = not named or any(is_production(name) for name in named)
        else:
            is_here = one.environment in named if named else is_production(one.environment)
        if is_here and service in (None, one.service_id):
            found[one.incident_id] = one.started_at
    return found


def failed_deployment_recovery_time(facts: Facts) -> Measured[metrics.Recovery]:
    """From a failed deployment until it was recovered from."""
    return facts.measured(facts.judged, _deployed_at, lambda judged, _: metrics.recovery(judged))


def deployment_rework_rate(facts: Facts) -> Measured[metrics.ReworkRate]:
    """The share of deployments that are unplanned fixes."""

    def value(judged: Sequence[Judged], _: Period) -> metrics.ReworkRate:
        return metrics.rework_rate([rework_reasons(facts, one) for one in judged])

    return facts.measured(facts.judged, _deployed_at, value)


def rework_reasons(facts: Facts, one: Judged) -> tuple[ReworkReason, ...]:
    """Why a deployment is an unplanned fix; nothing if it is none."""
    reasons = {
        ReworkReason.AFTER_FAILURE: one.follows_failure,
        ReworkReason.ONLY_FIXES: one.deployed.id in facts.fixes,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def time_waiting(facts: Facts) -> tuple[Waiting, ...]:
    """What is merged and not shipped yet, whenever it merged, by service and environment."""
    now = microseconds(facts.tx.now)
    ages: dict[tuple[int, str], list[int]] = defaultdict(list)
    cut_off: set[tuple[int, str]] = set()
    for lane in facts.tx.metrics.waiting(facts.selection, most=MOST_WAITING):
        place = lane.service_id, lane.environment
        ages[place] += [now - at for at in lane.merged]
        cut_off |= {place} if len(lane.merged) == MOST_WAITING else set()
    named = facts.tx.services.get({service for service, _ in ages})
    found = [
        metrics.waiting(
            named[service].identifier,
            environment,
            each,
            is_complete=(service, environment) not in cut_off,
        )
        for (service, environment), each in ages.items()
    ]
    return tuple(sorted(found, key=lambda one: (one.service, one.environment)))


def _deployed_at(one: Judged) -> int:
    return one.deployed.deployed_at
