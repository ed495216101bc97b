"""The rows behind each number of the metrics, a page at a time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from shipmark.application.metric_facts import Asked, Facts, MetricRules
from shipmark.application.metrics import incidents, rework_reasons
from shipmark.application.queries import DeploymentRow, Page, PullRow, ReadTransaction
from shipmark.domain.errors import InvalidArgument
from shipmark.domain.failures import Judged
from shipmark.domain.incidents import Incident
from shipmark.domain.metrics import Lead, Metric, Unit, Which, each_lead
from shipmark.domain.periods import MICROSECOND, SECOND, Period, instant_of, microseconds

PART = 50
"""Of all lead times that may be on a page, the newest of so many parts is read first."""

Key = tuple[int, int, int, str]
"""The place of a row in its order: an instant, and ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One deployment, change, pull request or incident that a number counts.

    ``seconds`` is how long it took, or has been waiting; None where that is not known, or not yet
    over. ``reasons`` say why it counts, ``incidents`` which it is linked to, or which ``incident``
    it is.
    """

    key: Key
    deployment: DeploymentRow | None = None
    pull: PullRow | None = None
    sha: str | None = None
    service: str | None = None
    environment: str | None = None
    seconds: float | None = None
    reasons: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    incident: Incident | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """A row whose names are not looked up yet."""

    key: Key
    deployment_id: int | None = None
    pull_id: int | None = None
    sha: str | None = None
    duration: int | None = None
    reasons: tuple[str, ...] = ()
    incidents: tuple[int, ...] = ()


def metric_rows(
    tx: ReadTransaction,
    asked: Asked,
    rules: MetricRules,
    metric: Metric,
    page: Page,
    which: Which = Which.COUNTED,
) -> list[MetricRow]:
    """The rows behind a metric in the period: newest first, but what waits the oldest first.

    Raises as `metrics.measure` does, and InvalidArgument for rows that the metric has not.
    """
    facts = Facts(tx, asked, rules, with_series=False, with_before=False)
    return rows_of(facts, metric, page, which)


def rows_of(
    facts: Facts, metric: Metric, page: Page, which: Which = Which.COUNTED
) -> list[MetricRow]:
    """The same from facts that are read for something else as well."""
    if which is not Which.COUNTED:
        return _rows_beside(facts, metric, page, which)
    if metric is Metric.TIME_WAITING:
        return _waiting(facts, page)
    if metric is not Metric.LEAD_TIME_FOR_CHANGES:
        found = _on(page, facts.period, _FOUND[metric](facts))
        return _named(facts.tx, found[: page.limit])
    found = []
    for part in _newest_parts(facts, page.after):
        found = _on(page, facts.period, _leads(part))
        if len(found) >= page.limit:
            break
    return _named(facts.tx, found[: page.limit])


def _on(page: Page, period: Period, found: Iterable[_Found]) -> list[_Found]:
    """What is on the page and after it, in order."""
    since = microseconds(period.since)
    return sorted(
        (
            one
            for one in found
            if one.key[0] >= since and (page.after is None or one.key < page.after)
        ),
        key=lambda one: one.key,
        reverse=True,
    )


def _newest_parts(facts: Facts, after: Key | None) -> list[Facts]:
    """The end of what may be on the page, and then all of it.

    What deployments shipped in a part of a period they shipped in the period. Where there is one
    lead time for each pull request, only its last deployment counts: such parts end with the
    period.
    """
    since, until = facts.period.since, facts.period.until
    if after is not None and facts.asked.unit is not Unit.PULL_REQUEST:
        until = min(until, max(instant_of(after[0] + 1), since + MICROSECOND))
    parts = [
        replace(facts.asked, since=max(since, until - (until - since) / share), until=until)
        for share in (PART, 1)
        if share == 1 or until - since > PART * MICROSECOND
    ]
    return [
        Facts(facts.tx, part, facts.rules, with_series=False, with_before=False) for part in parts
    ]


def _successes(facts: Facts) -> Iterable[_Found]:
    for one in facts.counted:
        if one.success:
            yield _Found(_key(one.deployed_at, one.id), one.id)


def _leads(facts: Facts) -> Iterable[_Found]:
    return map(_found_lead, each_lead(facts.shipped, facts.asked.unit))


def _found_lead(one: Lead) -> _Found:
    return _Found(
        (one.at, one.deployment_id, 0, "" if one.id is None else str(one.id)),
        one.deployment_id,
        pull_id=one.id if isinstance(one.id, int) else None,
        sha=one.id if isinstance(one.id, str) else None,
        duration=one.duration,
    )


def _failures(facts: Facts) -> Iterable[_Found]:
    for one in facts.judged:
        if one.failed:
            yield _judged(one, one.failed)


def _recoveries(facts: Facts) -> Iterable[_Found]:
    for one in facts.judged:
        if one.failed:
            found = _judged(one, one.failed)
            if one.recovered_at is not None:
                found = replace(found, duration=one.recovered_at - one.deployed.deployed_at)
            yield found


def _rework(facts: Facts) -> Iterable[_Found]:
    for one in facts.judged:
        reasons = rework_reasons(facts, one)
        if reasons:
            yield replace(_judged(one, reasons), incidents=())


_FOUND: dict[Metric, Callable[[Facts], Iterable[_Found]]] = {
    Metric.DEPLOYMENT_FREQUENCY: _successes,
    Metric.CHANGE_FAILURE_RATE: _failures,
    Metric.FAILED_DEPLOYMENT_RECOVERY_TIME: _recoveries,
    Metric.DEPLOYMENT_REWORK_RATE: _rework,
}


def _judged(one: Judged, reasons: Sequence[str]) -> _Found:
    return _Found(
        _key(one.deployed.deployed_at, one.deployed.id),
        one.deployed.id,
        reasons=tuple(reasons),
        incidents=tuple(sorted(link.incident_id for link in one.links)),
    )


def _key(at: int, id_: int) -> Key:
    return at, id_, 0, ""


def _named(tx: ReadTransaction, found: Sequence[_Found]) -> list[MetricRow]:
    ids = {one.deployment_id for one in found if one.deployment_id is not None}
    deployments = {one.deployment.id: one for one in tx.reports.deployments_by_id(sorted(ids))}
    pull_ids = {one.pull_id for one in found if one.pull_id is not None}
    pulls = {one.pull.id: one for one in tx.reports.pulls_by_id(sorted(pull_ids))}
    incidents = tx.incidents.get({id_ for one in found for id_ in one.incidents})
    rows = []
    for one in found:
        deployment = deployments[one.deployment_id or 0]
        rows.append(
            MetricRow(
                key=one.key,
                deployment=deployment,
                pull=pulls.get(one.pull_id or 0),
                sha=one.sha,
                service=deployment.service.identifier,
                environment=deployment.deployment.environment,
                seconds=None if one.duration is None else one.duration / SECOND,
                reasons=one.reasons,
                incidents=tuple(incidents[id_].reference_id for id_ in one.incidents),
            )
        )
    return rows


BESIDE = {
    Which.UNSHIPPED: Metric.LEAD_TIME_FOR_CHANGES,
    Which.INCIDENTS: Metric.CHANGE_FAILURE_RATE,
}
"""The metrics that have other rows than those that their value is counted from."""


def _rows_beside(facts: Facts, metric: Metric, page: Page, which: Which) -> list[MetricRow]:
    if metric is not BESIDE[which]:
        raise InvalidArgument(
            f"which is {which}; rows of {metric} are '{Which.COUNTED}'. "
            f"Those of {BESIDE[which]} may be '{which}'.",
            argument="which",
        )
    return (_unshipped if which is Which.UNSHIPPED else _incidents)(facts, page)


def _unshipped(facts: Facts, page: Page) -> list[MetricRow]:
    """The pull requests that merged in the period and that coverage misses."""
    after = None if page.after is None else (page.after[0], page.after[1])
    found = facts.tx.metrics.unshipped_rows(
        facts.selection, facts.period, after=after, limit=page.limit
    )
    pulls = {one.pull.id: one for one in facts.tx.reports.pulls_by_id(sorted(i for _, i in found))}
    return [MetricRow(key=(at, id_, 0, ""), pull=pulls[id_]) for at, id_ in found]


def _incidents(facts: Facts, page: Page) -> list[MetricRow]:
    """The incidents of the period, and how long each of them took."""
    found = facts.tx.incidents.get(incidents(facts))
    rows = [
        MetricRow(
            key=(microseconds(one.started_at), id_, 0, ""),
            environment=one.environment,
            seconds=(one.resolved_at - one.started_at).total_seconds() if one.resolved_at else None,
            incidents=(one.reference_id,),
            incident=one,
        )
        for id_, one in found.items()
    ]
    rows.sort(key=lambda one: one.key, reverse=True)
    return [one for one in rows if page.after is None or one.key < page.after][: page.limit]


def _waiting(facts: Facts, page: Page) -> list[MetricRow]:
    after: Key | None = None
    if page.after is not None:
        at, pull_id, service_id, environment = page.after
        after = at, pull_id, service_id, environment
    tx, now = facts.tx, microseconds(facts.tx.now)
    found = tx.metrics.waiting_rows(facts.selection, after=after, limit=page.limit)
    pulls = {one.pull.id: one for one in tx.reports.pulls_by_id(sorted({p for p, *_ in found}))}
    named = tx.services.get({one.service_id for one in found})
    return [
        MetricRow(
            key=(one.merged_at, one.pull_id, one.service_id, one.environment),
            pull=pulls[one.pull_id],
            service=named[one.service_id].identifier,
            environment=one.environment,
            seconds=(now - one.merged_at) / SECOND,
        )
        for one in found
    ]
