"""Metrics as people read them: each value with its unit, its n, and what it was before."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shipmark.application.metric_facts import Measured
from shipmark.application.metrics import LeadTimes, Measurement
from shipmark.domain import metrics
from shipmark.domain.metrics import Metric, Quantiles
from shipmark.domain.periods import Bucket
from shipmark.web.trend import Trend, trend
from shipmark.web.words import amount, count, span


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How a metric is called, and what it is, in a sentence or two."""

    name: str
    definition: str


WORDINGS = {
    Metric.DEPLOYMENT_FREQUENCY: Wording(
        name="Deployment frequency",
        definition="Successful deployments, divided by the length of the period in days.",
    ),
    Metric.LEAD_TIME_FOR_CHANGES: Wording(
        name="Lead time for changes",
        definition="Over every pull request and every deployment that shipped it in the period, "
        "the time from its start to the deployment: the median. What the first deployment of a "
        "lane ships is left out unless asked for, and what has no start is left out and counted.",
    ),
    Metric.CHANGE_FAILURE_RATE: Wording(
        name="Change failure rate",
        definition="Failed deployments, divided by deployments. One failed if it was not "
        "successful, if an incident names it or follows it, or if the next deployment of its lane "
        "rolls it back.",
    ),
    Metric.FAILED_DEPLOYMENT_RECOVERY_TIME: Wording(
        name="Failed deployment recovery time",
        definition="From each failed deployment to the next successful one of its service and "
        "environment, or to the end of its incident where that comes first: the median. What is "
        "not recovered yet is left out and counted.",
    ),
    Metric.DEPLOYMENT_REWORK_RATE: Wording(
        name="Deployment rework rate",
        definition="The share of deployments that are unplanned fixes: the first successful one "
        "after a failed one, or one that ships nothing but hotfixes and reverts.",
    ),
    Metric.TIME_WAITING: Wording(
        name="Time waiting",
        definition="Pull requests that are merged and not shipped yet, for each service and "
        "environment, whenever they merged: how many, and since when.",
    ),
}
TILES = tuple(metric for metric in Metric if metric is not Metric.TIME_WAITING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A metric in the period and in the one before, with its n in both."""

    metric: Metric
    name: str
    value: str
    n: str
    before: str
    trend: Trend | None


def tiles(found: Measurement) -> list[Tile]:
    """The five delivery metrics."""
    return [tile(found, metric) for metric in TILES]


def tile(found: Measurement, metric: Metric) -> Tile:
    measured, number, shown = measured_of(found, metric), NUMBERS[metric], SHOWN[metric]
    return Tile(
        metric=metric,
        name=WORDINGS[metric].name,
        value=shown(number(measured.now)),
        n=count(measured.now.n, NOUNS[metric]),
        before=f"before: {_before(metric, measured)}",
        trend=trend([number(value) for _, value in measured.series]),
    )


def _before(metric: Metric, measured: Measured[Any]) -> str:
    """The value of the period before, with its n; a frequency in the unit of the one it stands
    beside."""
    if not measured.before.n:
        return "none"
    now, before = (NUMBERS[metric](one) for one in (measured.now, measured.before))
    if metric is Metric.DEPLOYMENT_FREQUENCY:
        said = per_day(before, as_is=now)
    else:
        said = SHOWN[metric](before)
    return f"{said}, n {amount(measured.before.n)}"


def measured_of(found: Measurement, metric: Metric) -> Measured[Any]:
    """The periods and the series of one of the metrics that have them."""
    one: Measured[Any] | LeadTimes = getattr(found, metric.value)
    return one.leads if isinstance(one, LeadTimes) else one


def series_of(found: Measurement, metric: Metric) -> Sequence[tuple[Bucket, Any]]:
    return measured_of(found, metric).series


def _median(one: metrics.LeadTimes | metrics.Recovery) -> float | None:
    return one.quantiles.median if one.quantiles else None


def _rate(one: metrics.FailureRate | metrics.ReworkRate) -> float | None:
    return one.rate


def _per_day(one: metrics.Frequency) -> float | None:
    return one.per_day


def per_day(value: float | None, as_is: float | None = None) -> str:
    """A frequency, like 1.8 a day, 3 a week or 2 a month, whichever is not below one; or in the
    unit in which another one is shown."""
    if not value:
        return "–" if value is None else "none"
    shown = as_is or value
    units = ((1, "day"), (7, "week"), (30, "month"))
    days, name = next((one for one in units if shown * one[0] >= 1), units[-1])
    number = decimal(value * days)
    return f"{'below 0.1' if number == '0' else number} a {name}"


def percent(value: float | None) -> str:
    """A share in percent, with a decimal below ten."""
    return "–" if value is None else f"{decimal(value * 100)} %"


def decimal(value: float) -> str:
    """A number with one decimal below ten, if it says anything."""
    return f"{value:.1f}".removesuffix(".0") if value < 10 else amount(round(value))


NUMBERS: dict[Metric, Callable[[Any], float | None]] = {
    Metric.DEPLOYMENT_FREQUENCY: _per_day,
    Metric.LEAD_TIME_FOR_CHANGES: _median,
    Metric.CHANGE_FAILURE_RATE: _rate,
    Metric.FAILED_DEPLOYMENT_RECOVERY_TIME: _median,
    Metric.DEPLOYMENT_REWORK_RATE: _rate,
}
SHOWN: dict[Metric, Callable[[float | None], str]] = {
    Metric.DEPLOYMENT_FREQUENCY: per_day,
    Metric.LEAD_TIME_FOR_CHANGES: span,
    Metric.CHANGE_FAILURE_RATE: percent,
    Metric.FAILED_DEPLOYMENT_RECOVERY_TIME: span,
    Metric.DEPLOYMENT_REWORK_RATE: percent,
}
NOUNS = {
    Metric.DEPLOYMENT_FREQUENCY: "deployment",
    Metric.LEAD_TIME_FOR_CHANGES: "change",
    Metric.CHANGE_FAILURE_RATE: "deployment",
    Metric.FAILED_DEPLOYMENT_RECOVERY_TIME: "recovered failure",
    Metric.DEPLOYMENT_REWORK_RATE: "deployment",
}


NOT_SHIPPED, INCIDENTS = "Not shipped yet", "Incidents"
"""The facts that are not counted from the rows of their metric."""


def facts(found: Measurement, metric: Metric) -> list[tuple[str, str]]:
    """What is told of a metric beside its value, each by its name."""
    now = measured_of(found, metric).now
    told = [("n", amount(now.n)), *_TOLD[metric](now)]
    if metric is Metric.LEAD_TIME_FOR_CHANGES and found.lead_time_for_changes:
        coverage = found.lead_time_for_changes.coverage
        told.append(("Coverage", f"{percent(coverage.share)} of {amount(coverage.n)} merged"))
        told.append((NOT_SHIPPED, amount(coverage.n - coverage.shipped)))
    return told


def _of_frequency(one: metrics.Frequency) -> list[tuple[str, str]]:
    days = f"{amount(one.days_with_deployment)} of {decimal(one.days)}"
    return [("Days with a deployment", days)]


def _of_quantiles(one: Quantiles | None) -> list[tuple[str, str]]:
    names = ("Median", "75th percentile", "90th percentile", "95th percentile")
    return list(zip(names, (span(value) for value in one), strict=True)) if one else []


def _of_lead_times(one: metrics.LeadTimes) -> list[tuple[str, str]]:
    return [
        *_of_quantiles(one.quantiles),
        ("Without a known start", amount(one.unknown_starts)),
        ("First deployments left out", amount(one.baselines_left_out)),
    ]


def _of_failures(one: metrics.FailureRate) -> list[tuple[str, str]]:
    return [
        ("Failed", amount(one.failed)),
        *_of_reasons(one.reasons),
        (INCIDENTS, amount(one.incidents)),
        ("Incidents per deployment", percent(one.incidents_per_deployment)),
    ]


def _of_recovery(one: metrics.Recovery) -> list[tuple[str, str]]:
    return [*_of_quantiles(one.quantiles), ("Not recovered", amount(one.unrecovered))]


def _of_rework(one: metrics.ReworkRate) -> list[tuple[str, str]]:
    return [("Unplanned fixes", amount(one.rework)), *_of_reasons(one.reasons)]


REASONS = {
    "unsuccessful": "not successful",
    "incident_by_hand": "linked to an incident by hand",
    "incident_named": "named by an incident",
    "incident_followed": "followed by an incident",
    "rolled_back": "rolled back",
    "after_failure": "first success after a failure",
    "only_fixes": "ships only fixes",
}


def _of_reasons(reasons: dict[str, int]) -> list[tuple[str, str]]:
    return [(f"– {REASONS[reason]}", amount(n)) for reason, n in sorted(reasons.items())]


_TOLD: dict[Metric, Callable[[Any], list[tuple[str, str]]]] = {
    Metric.DEPLOYMENT_FREQUENCY: _of_frequency,
    Metric.LEAD_TIME_FOR_CHANGES: _of_lead_times,
    Metric.CHANGE_FAILURE_RATE: _of_failures,
    Metric.FAILED_DEPLOYMENT_RECOVERY_TIME: _of_recovery,
    Metric.DEPLOYMENT_REWORK_RATE: _of_rework,
}


def compared(headlines: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The metrics of an import's preview: what each is called, how it is and how it would be."""
    before, after = headlines["before"], headlines["after"]
    return [
        (WORDINGS[metric].name, _headline(metric, before), _headline(metric, after))
        for metric in TILES
    ]


def _headline(metric: Metric, headlines: Mapping[str, Any]) -> str:
    one = headlines[metric]
    return f"{SHOWN[metric](one['value'])}, n {amount(one['n'])}"
