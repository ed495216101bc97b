"""The rows behind each number of the metrics, a page at a time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from shipmark.application.metrics import Asked, Facts, MetricRules, rework_reasons
from shipmark.application.queries import DeploymentRow, Page, PullRow, ReadTransaction
from shipmark.domain.failures import Judged
from shipmark.domain.metrics import Lead, Metric, Unit, each_lead
from shipmark.domain.periods import SECOND, microseconds

Key = tuple[int, int, int, str]
"""The place of a row in its order: an instant, and ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One deployment, or one change, that a number counts.

    ``seconds`` is how long it took, or has been waiting; None where that is not known, or not yet
    over. ``reasons`` say why it counts, ``incidents`` which it is linked to.
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
    tx: ReadTransaction, asked: Asked, rules: MetricRules, metric: Metric, page: Page
) -> list[MetricRow]:
    """The rows behind a metric in the period: newest first, but what waits the oldest first.

    Raises as `metrics.measure` does.
    """
    facts = Facts(tx, asked, rules, with_series=False, with_before=False)
    if metric is Metric.TIME_WAITING:
        return _waiting(facts, page)
    found = sorted(_FOUND[metric](facts), key=lambda one: one.key, reverse=True)
    if page.after is not None:
        found = [one for one in found if one.key < page.after]
    return _named(tx, found[: page.limit])


def _successes(facts: Facts) -> Iterable[_Found]:
    for one in facts.counted:
        if one.success:
            yield _Found(_key(one.deployed_at, one.id), one.id)


def _leads(facts: Facts) -> Iterable[_Found]:
    of_commits = facts.asked.unit is Unit.COMMIT
    for one in each_lead(facts.shipments(with_ids=True), facts.asked.unit):
        yield _found_lead(one, of_commits=of_commits)


def _found_lead(one: Lead, *, of_commits: bool) -> _Found:
    return _Found(
        (one.at, one.deployment_id, 0, one.id or ""),
        one.deployment_id,
        pull_id=None if of_commits or one.id is None else int(one.id),
        sha=one.id if of_commits else None,
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
    Metric.LEAD_TIME_FOR_CHANGES: _leads,
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
