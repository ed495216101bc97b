"""What the product says of a period, in the words of the model."""

from collections.abc import Sequence
from typing import Any

from tests.metrics_model import Metrics

from shipmark.application.metric_facts import Measured
from shipmark.application.metrics import Measurement
from shipmark.storage.transaction import StorageTransaction


def figures(parts: Sequence[Any]) -> dict[str, Any]:
    """What the product says of one period or bucket, in the model's words."""
    frequency, leads, failures, recovery, rework = parts
    return {
        "frequency": (frequency.n, frequency.days_with_deployment),
        "leads": (
            leads.n,
            leads.quantiles and tuple(leads.quantiles),
            leads.unknown_starts,
            leads.baselines_left_out,
        ),
        "failures": (failures.n, failures.failed, failures.reasons, failures.incidents),
        "recovery": (
            recovery.n,
            recovery.quantiles and tuple(recovery.quantiles),
            recovery.unrecovered,
        ),
        "rework": (rework.n, rework.rework, rework.reasons),
    }


def agree(tx: StorageTransaction, found: Measurement, model: Metrics) -> None:
    """Compare the period, the one before, each bucket, coverage and what waits."""
    question = model.asked
    leads = found.lead_time_for_changes
    assert leads is not None
    measured = [
        found.deployment_frequency,
        leads.leads,
        found.change_failure_rate,
        found.failed_deployment_recovery_time,
        found.deployment_rework_rate,
    ]
    parts: list[Measured[Any]] = [one for one in measured if one is not None]
    before = question.since - (question.until - question.since), question.since
    now = question.since, question.until
    assert figures([one.now for one in parts]) == model.figures(*now)
    assert figures([one.before for one in parts]) == model.figures(*before)
    assert (leads.coverage.n, leads.coverage.shipped) == model.coverage(*now)
    assert (leads.coverage_before.n, leads.coverage_before.shipped) == model.coverage(*before)
    _buckets_agree(parts, model)
    _waiting_agrees(tx, found.time_waiting or (), model)


def _buckets_agree(parts: Sequence[Measured[Any]], model: Metrics) -> None:
    buckets = [(one.name, one.period.since, one.period.until) for one, _ in parts[0].series]
    assert buckets == model.buckets()
    for place, (_, since, until) in enumerate(buckets):
        of_bucket = [one.series[place][1] for one in parts]
        assert figures(of_bucket) == model.figures(since, until)


def _waiting_agrees(tx: StorageTransaction, found: Sequence[Any], model: Metrics) -> None:
    waiting = model.waiting()
    assert {(one.service, one.environment): one.n for one in found} == {
        place: len(pulls) for place, pulls in waiting.items()
    }
    for one in found:
        pulls = waiting[one.service, one.environment]
        ages = sorted((tx.now - pull.position[0]).total_seconds() for pull in pulls)
        middle = (ages[(len(ages) - 1) // 2] + ages[len(ages) // 2]) / 2
        assert (one.oldest, one.median, one.is_complete) == (ages[-1], middle, True)
