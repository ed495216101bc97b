"""Measure: the delivery metrics of a period, beside those of the period before.

Everything is computed from facts when it is asked for. What several metrics need is read once.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from shipmark.application.metric_facts import Asked, Facts, Measured, MetricRules, lying_in
from shipmark.application.queries import ReadTransaction
from shipmark.domain import metrics
from shipmark.domain.failures import Judged, ReworkReason
from shipmark.domain.incidents import is_production
from shipmark.domain.metrics import Coverage, Metric, Shipment, Waiting
from shipmark.domain.periods import Period, local_days, microseconds

MOST_WAITING = 10_000
"""Pull requests that wait in one lane and are looked at: where so many do, no median is missed."""

Reasons = tuple[ReworkReason, ...]


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
) -> Measurement:
    """Some or all of the metrics. Raises RepositoryNotFound, and InvalidArgument for a period
    that cannot be measured."""
    return measured(Facts(tx, asked, rules), wanted)


def measured(facts: Facts, wanted: Collection[Metric] = tuple(Metric)) -> Measurement:
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
    """All metrics of what this transaction sees, without series and without the time before."""
    return measured(Facts(tx, asked, rules, with_series=False, with_before=False))


def deployment_frequency(facts: Facts) -> Measured[metrics.Frequency]:
    """Successful deployments a day."""

    def value(instants: Sequence[int], period: Period) -> metrics.Frequency:
        days = local_days(instants, period, facts.asked.zone) if instants else 0
        return metrics.frequency(len(instants), period.days, days)

    successes = [one.deployed_at for one in facts.counted if one.success]
    return facts.measured(successes, successes, value)


def lead_time_for_changes(facts: Facts) -> LeadTimes:
    """From the start of each change to its deployment."""
    baselines = [] if facts.asked.include_baseline else [d for d in facts.counted if d.is_baseline]

    def value(shipped: Sequence[Shipment], period: Period) -> metrics.LeadTimes:
        left_out = sum(period.holds(one.deployed_at) for one in baselines)
        return metrics.lead_times(shipped, facts.asked.unit, left_out)

    instants = [one.deployed_at for one in facts.shipped]
    before, now = _coverage(facts)
    return LeadTimes(
        leads=facts.measured(facts.shipped, instants, value),
        coverage=now,
        coverage_before=before,
    )


def _coverage(facts: Facts) -> tuple[Coverage, Coverage]:
    """That of the period before, and that of the period."""
    asked = facts.selection, facts.both, facts.period.since
    merged = facts.tx.metrics.merged(*asked)
    missed = facts.tx.metrics.unshipped(*asked) if any(merged) else merged
    before, now = zip(merged, missed, strict=True)
    return Coverage.of(*before), Coverage.of(*now)


def change_failure_rate(facts: Facts) -> Measured[metrics.FailureRate]:
    """The share of deployments that failed."""
    started = _started(facts)

    def value(judged: Sequence[Judged], period: Period) -> metrics.FailureRate:
        return metrics.failure_rate(judged, len(_incidents(facts, judged, started, period)))

    return facts.measured(facts.judged, facts.judged_at, value)


def incidents(facts: Facts) -> set[int]:
    """The incidents of the period, by id."""
    judged = lying_in(facts.period, facts.judged, facts.judged_at)
    return _incidents(facts, judged, _started(facts), facts.period)


def _incidents(
    facts: Facts, judged: Sequence[Judged], started: Mapping[int, int], period: Period
) -> set[int]:
    """Those that began in a period; where not all deployments count, those linked to one that
    does."""
    if facts.selection.counts_all:
        return {id_ for id_, at in started.items() if period.holds(at)}
    return {link.incident_id for one in judged for link in one.links}


def _started(facts: Facts) -> dict[int, int]:
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
    return facts.measured(facts.judged, facts.judged_at, lambda judged, _: metrics.recovery(judged))


def deployment_rework_rate(facts: Facts) -> Measured[metrics.ReworkRate]:
    """The share of deployments that are unplanned fixes."""

    reasons = [rework_reasons(facts, one) for one in facts.judged]
    return facts.measured(reasons, facts.judged_at, lambda inside, _: metrics.rework_rate(inside))


def rework_reasons(facts: Facts, one: Judged) -> Reasons:
    """Why a deployment is an unplanned fix; nothing if it is none."""
    after_failure = (ReworkReason.AFTER_FAILURE,) if one.follows_failure else ()
    only_fixes = (ReworkReason.ONLY_FIXES,) if one.deployed.id in facts.only_fixes else ()
    return after_failure + only_fixes


def time_waiting(facts: Facts) -> tuple[Waiting, ...]:
    """What is merged and not shipped yet, whenever it merged, by service and environment."""
    now = microseconds(facts.tx.now)
    ages: dict[tuple[int, str], list[int]] = defaultdict(list)
    cut_off: set[tuple[int, str]] = set()
    for lane in facts.tx.metrics.waiting(facts.selection, most=MOST_WAITING + 1):
        place = lane.service_id, lane.environment
        ages[place] += [now - at for at in lane.merged[:MOST_WAITING]]
        cut_off |= {place} if len(lane.merged) > MOST_WAITING else set()
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
