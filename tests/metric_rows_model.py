"""The rows behind each number, as the definitions of docs/metrics.md would have them.

In no order: what a row says is here, what comes first is the test's to compare.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from tests.metrics_model import Lead, Metrics
from tests.reference_model import Deployment, PullKey


class Row(NamedTuple):
    """What a row tells; ``pulls`` are those of which it may name any one, where there are some."""

    at: datetime
    deployment: str | None
    service: str
    environment: str
    pulls: frozenset[PullKey] = frozenset()
    sha: str | None = None
    seconds: float | None = None
    reasons: frozenset[str] = frozenset()
    incidents: frozenset[str] = frozenset()


def rows(model: Metrics, metric: str, now: datetime) -> Iterator[Row]:
    """The rows of the period that the model was asked about."""
    asked = model.asked
    if metric == "lead_time_for_changes":
        yield from (_of_lead(one) for one in model.leads(asked.since, asked.until))
    elif metric == "time_waiting":
        yield from _waiting(model, now)
    else:
        for one in model.counted(asked.since, asked.until):
            yield from _of_deployment(model, metric, one)


def unshipped(model: Metrics) -> Iterator[Row]:
    """What merged in the period and coverage misses."""
    for pull in model.merged(model.asked.since, model.asked.until):
        if not model.shipped_somewhere(pull):
            assert pull.merged_at is not None
            yield Row(pull.merged_at, None, "", "", frozenset({pull.key}))


def incidents(model: Metrics) -> Iterator[Row]:
    """The incidents of the period, with how long each took."""
    since, until = model.asked.since, model.asked.until
    for one in model.incidents(since, until, model.counted(since, until)):
        took = None if one.resolved_at is None else one.resolved_at - one.started_at
        incidents_ = frozenset({one.reference_id})
        environment = one.environment or ""
        yield Row(
            one.started_at, None, "", environment, seconds=_seconds(took), incidents=incidents_
        )


def _of_lead(one: Lead) -> Row:
    return _row(one.deployment)._replace(pulls=one.pulls, sha=one.sha, seconds=_seconds(one.took))


def _waiting(model: Metrics, now: datetime) -> Iterator[Row]:
    for (service, environment), pulls in model.waiting().items():
        for pull in pulls:
            assert pull.merged_at is not None
            seconds = _seconds(now - pull.merged_at)
            of = frozenset({pull.key})
            yield Row(pull.merged_at, None, service, environment, of, seconds=seconds)


def _of_deployment(model: Metrics, metric: str, one: Deployment) -> Iterator[Row]:
    failed = frozenset(model.failures[one.reference_id])
    row = _row(one)
    of_failed = row._replace(reasons=failed, incidents=frozenset(model.links(one)))
    if metric == "deployment_frequency" and one.success:
        yield row
    if metric == "change_failure_rate" and failed:
        yield of_failed
    if metric == "failed_deployment_recovery_time" and failed:
        yield of_failed._replace(seconds=_seconds(model.recovery(one)))
    rework = frozenset(model.rework(one))
    if metric == "deployment_rework_rate" and rework:
        yield row._replace(reasons=rework)


def _row(one: Deployment) -> Row:
    return Row(one.deployed_at, one.reference_id, one.service, one.environment)


def _seconds(took: timedelta | None) -> float | None:
    return None if took is None else took.total_seconds()
