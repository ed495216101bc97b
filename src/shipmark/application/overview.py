"""What an overview shows beside the metrics: deployments a day, a distribution, and health."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from shipmark.application.metric_facts import Asked, Facts, MetricRules
from shipmark.application.metric_queries import StatusCount
from shipmark.application.metrics import Measurement, measured
from shipmark.application.queries import (
    DeploymentFilter,
    DeploymentRow,
    Page,
    ReadTransaction,
)
from shipmark.domain import metrics
from shipmark.domain.metrics import Coverage
from shipmark.domain.model import Status
from shipmark.domain.periods import SECOND, Bucket, Cut, microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSeries:
    """How many deployments of a service there were in each bucket, and how many unsuccessful."""

    service: str
    deployments: tuple[int, ...]
    unsuccessful: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How many durations are at least ``since`` seconds and less than ``until`` (None: any)."""

    since: float
    until: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the deployments of a period stand: each counts once. Those without pull requests were
    successful and ship nothing; ``reasons`` says why, where that is known. ``failed`` did not
    succeed and ship nothing."""

    deployments: int
    attributed: int
    pending: int
    expired: int
    without_pull_requests: int
    failed: int
    reasons: dict[str, int]
    coverage: Coverage


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All that an overview shows. ``services`` have a number for each of the buckets. ``newest`` is
    the newest deployment anywhere, where nothing was found."""

    measurement: Measurement
    buckets: Sequence[Bucket]
    services: Sequence[ServiceSeries]
    lead_times: Sequence[Bar]
    health: Health
    newest: DeploymentRow | None


def overview(tx: ReadTransaction, asked: Asked, rules: MetricRules) -> Overview:
    """An overview from one state of the database; what several parts need is read once.

    Raises as `metrics.measure` does.
    """
    facts = Facts(tx, asked, rules)
    found = measured(facts)
    lead_times = found.lead_time_for_changes
    coverage = lead_times.coverage if lead_times else Coverage(n=0, shipped=0)
    health = _health(tx.metrics.standings(facts.selection, facts.period), coverage)
    ever = [] if health.deployments else tx.reports.deployments(DeploymentFilter(), Page(limit=1))
    return Overview(
        measurement=found,
        buckets=facts.buckets,
        services=by_service(facts),
        lead_times=bars(lead_times.leads.now.in_order if lead_times else ()),
        health=health,
        newest=ever[0] if ever else None,
    )


def by_service(facts: Facts) -> list[ServiceSeries]:
    """The deployments of each service in the buckets of the period, by name."""
    cut, since = Cut.of(facts.buckets), microseconds(facts.period.since)
    counts: dict[int, Counter[tuple[int, bool]]] = defaultdict(Counter)
    for one in facts.counted:
        if one.deployed_at >= since:
            counts[one.service_id][cut.place(one.deployed_at), one.success] += 1
    named = facts.tx.services.get(counts.keys())
    places = range(len(facts.buckets))
    found = [
        ServiceSeries(
            service=named[service].identifier,
            deployments=tuple(of[place, True] + of[place, False] for place in places),
            unsuccessful=tuple(of[place, False] for place in places),
        )
        for service, of in counts.items()
    ]
    return sorted(found, key=lambda one: one.service)


def bars(in_order: Sequence[int]) -> list[Bar]:
    """The bars of ascending durations in microseconds."""
    return [
        Bar(since=since / SECOND, until=None if until is None else until / SECOND, n=n)
        for since, until, n in metrics.histogram(in_order)
    ]


def _health(rows: Sequence[StatusCount], coverage: Coverage) -> Health:
    statuses: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    without = failed = 0
    for status, reason, success, n in rows:
        statuses[status] += n
        if status == Status.NONE and success:
            without += n
            reasons[reason or "redeploy_or_rollback"] += n
        elif status == Status.NONE:
            failed += n
    return Health(
        deployments=statuses.total(),
        attributed=statuses[Status.ATTRIBUTED],
        pending=statuses[Status.PENDING],
        expired=statuses[Status.EXPIRED],
        without_pull_requests=without,
        failed=failed,
        reasons=dict(reasons),
        coverage=coverage,
    )
