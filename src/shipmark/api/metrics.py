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
from shipmark.application.metric_rows import BESIDE
from shipmark.application.metrics import LeadTimes, Measurement, measure
from shipmark.domain import metrics
from shipmark.domain.metrics import Metric, Quantiles, Start, Unit, Which
from shipmark.domain.periods import Granularity, Period


class PeriodAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """From ``since`` until ``until``, which is not in it."""

    since: datetime
    until: datetime


Figures = dict[str, Any]
"""The figures of one metric in one period; docs/metrics.md names them. The addresses of rows are
beside them, but for the ``rows`` of the whole period, which the metric has."""

Addresses = Callable[[Period], dict[str, str]]
"""Where the ``rows`` behind a metric in a period are, and those behind the figures beside it."""

ADDRESSES = {Which.UNSHIPPED: "unshipped_rows", Which.INCIDENTS: "incident_rows"}
"""What the addresses of the rows are called that some metrics have beside those of their value."""


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
            one.value: _metric(found, one, addresses(call, arguments, one))
            for one in arguments.metric
        },
    )


def _period(period: Period) -> PeriodAnswer:
    return PeriodAnswer(since=period.since, until=period.until)


def addresses(call: Call, arguments: FilterArguments, metric: Metric) -> Addresses:
    """Where the rows behind a metric are, for each period."""
    filters: dict[str, Any] = {
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
    given = urlencode({name: one for name, one in filters.items() if one}, doseq=True)
    filtered = f"&{given}" if given else ""

    def of(period: Period) -> dict[str, str]:
        times = urlencode({"since": _written(period.since), "until": _written(period.until)})
        rows = f"{call.base_url}/api/metrics.rows?metric={metric.value}&{times}{filtered}"
        beside = [which for which, whose in BESIDE.items() if whose is metric]
        return {"rows": rows} | {ADDRESSES[one]: f"{rows}&which={one}" for one in beside}

    return of


def _written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _metric(found: Measurement, metric: Metric, rows: Addresses) -> MetricAnswer:
    measured = getattr(found, metric.value)
    if isinstance(measured, LeadTimes):
        answer = _measured(found.period, measured.leads, _lead_times, rows)
        for one in answer.series:
            del one["unshipped_rows"]  # Buckets have no coverage.
        return msgspec.structs.replace(
            answer,
            figures=answer.figures | _coverage(measured.coverage),
            previous=answer.previous | _coverage(measured.coverage_before),
        )
    if isinstance(measured, Measured):
        return _measured(found.period, measured, _FIGURES[metric], rows)
    services = [msgspec.to_builtins(_waiting(one)) for one in measured]
    return MetricAnswer(
        figures={"n": sum(one.n for one in measured), "services": services},
        previous={},
        series=[],
        **rows(found.period),
    )


def _measured(
    period: Period, measured: Measured[Any], figures: Callable[[Any], Figures], rows: Addresses
) -> MetricAnswer:
    whole = rows(period)
    address = whole.pop("rows")
    return MetricAnswer(
        figures=figures(measured.now) | whole,
        previous=figures(measured.before) | rows(period.before),
        series=[
            {"bucket": bucket.name, "since": bucket.period.since, "until": bucket.period.until}
            | figures(value)
            | rows(bucket.period)
            for bucket, value in measured.series
        ],
        rows=address,
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

COLUMNS = (
    *("metric", "of", "bucket", "since", "until", "service", "environment", "figure", "value"),
    "rows",
)


def table(answer: MetricsAnswer) -> tuple[Iterator[Mapping[str, Any]], Sequence[str]]:
    """A line for each figure of each period and bucket, with the address of its rows."""
    return _lines(answer), COLUMNS


def _lines(answer: MetricsAnswer) -> Iterator[Mapping[str, Any]]:
    for name, metric in answer.metrics.items():
        whole = msgspec.structs.asdict(answer.period) | {"rows": metric.rows}
        before = msgspec.structs.asdict(answer.previous_period)
        yield from _figures({"metric": name, "of": "period"} | whole, metric.figures)
        yield from _figures({"metric": name, "of": "previous"} | before, metric.previous)
        for each in metric.series:
            yield from _figures({"metric": name, "of": "bucket"}, each)


ABOUT = (
    *("bucket", "since", "until", "service", "environment"),
    *("rows", *ADDRESSES.values()),
)
"""What stands beside figures and is none."""

ROWS = {
    **dict.fromkeys(("coverage", "merged", "shipped"), "unshipped_rows"),
    **dict.fromkeys(("incidents", "incidents_per_deployment"), "incident_rows"),
}
"""Whose rows are not those of the metric's value."""


def _figures(about: Mapping[str, Any], figures: Figures) -> Iterator[Mapping[str, Any]]:
    about = {**about, **{name: figures[name] for name in ABOUT if name in figures}}
    for name, value in figures.items():
        if name in ABOUT:
            continue
        if name == "services":
            for one in value:
                yield from _figures(about, one)
        elif isinstance(value, dict):
            yield from _figures(about, {f"{name}.{key}": one for key, one in value.items()})
        else:
            rows = about[ROWS.get(name, "rows")]
            yield {**about, "figure": name, "value": value, "rows": rows}
