"""The method metrics.get: the delivery metrics, each with its n and a link to its rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from shipmark.api.answers import Answer
from shipmark.api.calls import Call
from shipmark.api.metric_arguments import FilterArguments, GetArguments
from shipmark.application.metric_facts import Measured
from shipmark.application.metrics import LeadTimes, Measurement, measure
from shipmark.domain import metrics
from shipmark.domain.metrics import Metric, Quantiles, Start, Unit
from shipmark.domain.periods import Granularity, Period


class PeriodAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """From ``since`` until ``until``, which is not in it."""

    since: datetime
    until: datetime


Figures = dict[str, Any]
"""The figures of one metric in one period; docs/metrics.md names them."""


class MetricAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """A metric: its figures in the period, in the one before, in each bucket, and their rows."""

    figures: Figures
    previous: Figures
    series: list[Figures]
    rows: str


class MetricsAnswer(Answer, kw_only=True, frozen=True):
    """The metrics by name. ``environments`` are those that were counted."""

    period: PeriodAnswer
    previous_period: PeriodAnswer
    environments: tuple[str, ...]
    granularity: Granularity
    tz: str
    start: Start
    unit: Unit
    metrics: dict[str, MetricAnswer]


async def get(call: Call, arguments: GetArguments) -> MetricsAnswer:
    """The delivery metrics of a period, compared with the period before."""
    asked = arguments.asked(granularity=arguments.granularity, zone=arguments.tz)
    rules = call.api.metric_rules
    found = await call.api.read(lambda tx: measure(tx, asked, rules, arguments.metric))
    return MetricsAnswer(
        period=_period(found.period),
        previous_period=_period(found.period.before),
        environments=found.environments,
        granularity=arguments.granularity,
        tz=str(arguments.tz),
        start=arguments.start,
        unit=arguments.unit,
        metrics={
            one.value: _metric(found, one, rows_of(call, arguments, found.period, one))
            for one in arguments.metric
        },
    )


def _period(period: Period) -> PeriodAnswer:
    return PeriodAnswer(since=period.since, until=period.until)


def rows_of(call: Call, arguments: FilterArguments, period: Period, metric: Metric) -> str:
    """The address of the rows behind a metric."""
    filters: dict[str, Any] = {
        "metric": metric.value,
        "since": _written(period.since),
        "until": _written(period.until),
        "service": arguments.service,
        "repository": arguments.repository,
        "environment": list(arguments.environment),
        "source": arguments.source,
        "author": arguments.author,
    }
    if metric is Metric.LEAD_TIME_FOR_CHANGES:
        filters |= {
            "include_baseline": "true" if arguments.include_baseline else None,
            "start": arguments.start.value,
            "unit": arguments.unit.value,
        }
    given = {name: one for name, one in filters.items() if one}
    return f"{call.base_url}/api/metrics.rows?{urlencode(given, doseq=True)}"


def _written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _metric(found: Measurement, metric: Metric, rows: str) -> MetricAnswer:
    measured = getattr(found, metric.value)
    if isinstance(measured, LeadTimes):
        figures = _measured(measured.leads, _lead_times, rows)
        return msgspec.structs.replace(
            figures,
            figures=figures.figures | _coverage(measured.coverage),
            previous=figures.previous | _coverage(measured.coverage_before),
        )
    if isinstance(measured, Measured):
        return _measured(measured, _FIGURES[metric], rows)
    services = [msgspec.to_builtins(_waiting(one)) for one in measured]
    return MetricAnswer(
        figures={"n": sum(one.n for one in measured), "services": services},
        previous={},
        series=[],
        rows=rows,
    )


def _measured(
    measured: Measured[Any], figures: Callable[[Any], Figures], rows: str
) -> MetricAnswer:
    return MetricAnswer(
        figures=figures(measured.now),
        previous=figures(measured.before),
        series=[
            {"bucket": bucket.name, "since": bucket.period.since, "until": bucket.period.until}
            | figures(value)
            for bucket, value in measured.series
        ],
        rows=rows,
    )


def _frequency(one: metrics.Frequency) -> Figures:
    return {
        "value": one.per_day,
        "n": one.n,
        "days": one.days,
        "days_with_deployment": one.days_with_deployment,
    }


def _quantiles(one: Quantiles | None) -> Figures:
    names = Quantiles._fields
    return dict.fromkeys(names) if one is None else dict(zip(names, one, strict=True))


def _lead_times(one: metrics.LeadTimes) -> Figures:
    quantiles = _quantiles(one.quantiles)
    return {
        "value": quantiles["median"],
        "n": one.n,
        **quantiles,
        "unknown_starts": one.unknown_starts,
        "baselines_left_out": one.baselines_left_out,
    }


def _coverage(one: metrics.Coverage) -> Figures:
    return {"coverage": one.share, "merged": one.n, "shipped": one.shipped}


def _failure_rate(one: metrics.FailureRate) -> Figures:
    return {
        "value": one.rate,
        "n": one.n,
        "failed": one.failed,
        "reasons": one.reasons,
        "incidents": one.incidents,
        "incidents_per_deployment": one.incidents_per_deployment,
    }


def _recovery(one: metrics.Recovery) -> Figures:
    quantiles = _quantiles(one.quantiles)
    return {
        "value": quantiles["median"],
        "n": one.n,
        **quantiles,
        "unrecovered": one.unrecovered,
    }


def _rework(one: metrics.ReworkRate) -> Figures:
    return {"value": one.rate, "n": one.n, "rework": one.rework, "reasons": one.reasons}


def _waiting(one: metrics.Waiting) -> Figures:
    return {
        "service": one.service,
        "environment": one.environment,
        "n": one.n,
        "oldest": one.oldest,
        "median": one.median,
        "is_complete": one.is_complete,
    }


_FIGURES: dict[Metric, Callable[[Any], Figures]] = {
    Metric.DEPLOYMENT_FREQUENCY: _frequency,
    Metric.CHANGE_FAILURE_RATE: _failure_rate,
    Metric.FAILED_DEPLOYMENT_RECOVERY_TIME: _recovery,
    Metric.DEPLOYMENT_REWORK_RATE: _rework,
}

COLUMNS = ("metric", "of", "bucket", "since", "until", "service", "environment", "figure", "value")


def table(answer: MetricsAnswer) -> tuple[Iterator[Mapping[str, Any]], Sequence[str]]:
    """A line for each figure of each period and bucket."""
    return _lines(answer), COLUMNS


def _lines(answer: MetricsAnswer) -> Iterator[Mapping[str, Any]]:
    periods = ("period", answer.period), ("previous", answer.previous_period)
    for name, metric in answer.metrics.items():
        for (of, period), figures in zip(periods, (metric.figures, metric.previous), strict=True):
            about = {"metric": name, "of": of, "since": period.since, "until": period.until}
            yield from _figures(about, figures)
        for each in metric.series:
            about = {"metric": name, "of": "bucket"} | {
                key: each[key] for key in ("bucket", "since", "until")
            }
            yield from _figures(about, {key: one for key, one in each.items() if key not in about})


def _figures(about: Mapping[str, Any], figures: Figures) -> Iterator[Mapping[str, Any]]:
    for name, value in figures.items():
        if name == "services":
            for one in value:
                place = {key: one[key] for key in ("service", "environment")}
                rest = {key: each for key, each in one.items() if key not in place}
                yield from _figures({**about, **place}, rest)
        elif isinstance(value, dict):
            yield from _figures(about, {f"{name}.{key}": one for key, one in value.items()})
        else:
            yield {**about, "figure": name, "value": value}
