"""The headline figures of a time: each metric as one number, with its n."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from shipmark.application.metric_facts import Asked, MetricRules
from shipmark.application.metrics import Measurement, headline
from shipmark.application.queries import ReadTransaction
from shipmark.domain.metrics import Metric, Quantiles


@dataclass(frozen=True, slots=True)
class Headline:
    """A metric of production: deployments a day, a share, or the median of so many seconds.

    None: there is nothing to count.
    """

    value: float | None
    n: int


Headlines = Mapping[str, Mapping[str, float | int | None]]
"""By the names of the metrics, the fields of their headlines."""


def headlines(
    tx: ReadTransaction, since: datetime, until: datetime, *, rules: MetricRules
) -> Headlines:
    """What the facts of this transaction come to from ``since`` to before ``until``."""
    found = headline(tx, Asked(since=since, until=until), rules)
    return {name: asdict(one) for name, one in _told(found).items()}


def _told(found: Measurement) -> dict[str, Headline]:
    told: dict[str, Headline] = {}
    if (frequency := found.deployment_frequency) is not None:
        told[Metric.DEPLOYMENT_FREQUENCY] = Headline(frequency.now.per_day, frequency.now.n)
    if (lead := found.lead_time_for_changes) is not None:
        leads = lead.leads.now
        told[Metric.LEAD_TIME_FOR_CHANGES] = Headline(_median(leads.quantiles), leads.n)
    if (failure := found.change_failure_rate) is not None:
        told[Metric.CHANGE_FAILURE_RATE] = Headline(failure.now.rate, failure.now.n)
    if (recovery := found.failed_deployment_recovery_time) is not None:
        recovered = recovery.now
        told[Metric.FAILED_DEPLOYMENT_RECOVERY_TIME] = Headline(
            _median(recovered.quantiles), recovered.n
        )
    if (rework := found.deployment_rework_rate) is not None:
        told[Metric.DEPLOYMENT_REWORK_RATE] = Headline(rework.now.rate, rework.now.n)
    return told


def _median(quantiles: Quantiles | None) -> float | None:
    return None if quantiles is None else quantiles.median
