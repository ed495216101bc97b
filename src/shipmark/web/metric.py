"""A metric's page: over time, in figures, in words, and its rows; the rows as CSV."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from starlette.responses import Response

from shipmark.application.metric_facts import Asked, Facts
from shipmark.application.metric_rows import BESIDE, Key, MetricRow, metric_rows, rows_of
from shipmark.application.metrics import Measurement, measured
from shipmark.application.queries import Page
from shipmark.domain.errors import UnknownMethod
from shipmark.domain.metrics import Metric, Start, Unit, Which
from shipmark.domain.periods import Bucket, Granularity, Period
from shipmark.web import figures, words
from shipmark.web.asked import (
    PARAMETERS,
    RANGES,
    asked,
    chosen_range,
    unknown_service,
    unshipped,
)
from shipmark.web.charts.over_time import columns_over_time, lines_over_time
from shipmark.web.charts.specification import Chart, lying_bars
from shipmark.web.downloads import csv_file, csv_lines
from shipmark.web.visit import DrawnChart, Visit

SHOWN = 50
EXPORTED_TOGETHER = 10_000
GRANULARITIES = (("", "As fits"), *((one.value, one.value.capitalize()) for one in Granularity))
UNITS = (
    (Unit.CHANGE, "Change"),
    (Unit.PULL_REQUEST, "Pull request"),
    (Unit.DEPLOYMENT, "Deployment"),
    (Unit.COMMIT, "Commit"),
)
STARTS = ((Start.MERGED, "Merged"), (Start.OPENED, "Opened"), (Start.FIRST_COMMIT, "First commit"))
BASELINES = (("", "Left out"), ("yes", "Counted"))
WHICH_ROWS = {
    Metric.LEAD_TIME_FOR_CHANGES: (("", "Lead times"), (Which.UNSHIPPED, figures.NOT_SHIPPED)),
    Metric.CHANGE_FAILURE_RATE: (("", "Failed deployments"), (Which.INCIDENTS, figures.INCIDENTS)),
}
MOST_BARS = 12
QUANTILES = ("Median", "75 %", "90 %", "95 %")
COLUMNS = (
    "deployment_id",
    "reference_id",
    "service",
    "environment",
    "deployed_at",
    "success",
    "repository",
    "number",
    "title",
    "author",
    "merged_at",
    "commit_sha",
    "seconds",
    "reasons",
    "incidents",
)
Rows = list[MetricRow]
FIELDS = (*PARAMETERS, "which")


async def shown(visit: Visit) -> Response:
    """Everything about a metric in a period."""
    metric = _metric(visit)
    wanted, after = asked(visit.query, visit.now), visit.query.row_key()
    which = _which(visit)
    filters = visit.query.kept(*FIELDS)
    found: tuple[Measurement, Rows] | None = None
    if not visit.query.problems:
        with visit.query.refusing():
            page = Page(limit=SHOWN + 1, after=after)
            found = await visit.read(lambda tx: _read(visit, tx, wanted, metric, page, which))
    return visit.render(
        "metric.html",
        metric=metric,
        path=f"/metrics/{metric}",
        wording=figures.WORDINGS[metric],
        wordings=figures.WORDINGS,
        reasons=figures.REASONS,
        found=found and found[0],
        tile=figures.tile(found[0], metric) if found and metric in figures.TILES else None,
        facts=figures.facts(found[0], metric) if found and metric in figures.TILES else (),
        lists=_lists(visit, filters, found[0].period) if found else {},
        chart=await _chart(visit, found[0], metric) if found else None,
        rows=found[1][:SHOWN] if found else (),
        which=which,
        which_rows=WHICH_ROWS.get(metric, ()),
        rows_title=dict(WHICH_ROWS.get(metric, ())).get(which, "Rows"),
        unknown=None if found and found[1] else await unknown_service(visit),
        next=_key_text(found[1][SHOWN - 1].key) if found and len(found[1]) > SHOWN else None,
        ranges=RANGES,
        range=chosen_range(visit),
        filters=filters,
        granularities=GRANULARITIES,
        units=UNITS,
        starts=STARTS,
        baselines=BASELINES,
    )


def _which(visit: Visit) -> Which:
    return visit.query.choice("which", Which) or Which.COUNTED


def _lists(visit: Visit, filters: dict[str, str], period: Period) -> dict[str, str]:
    """Where the rows are that figures beside the value are counted from."""
    here = f"/metrics/{BESIDE[Which.INCIDENTS]}"
    incidents = visit.link(here, **filters | {"which": Which.INCIDENTS}) + "#rows"
    return {figures.NOT_SHIPPED: unshipped(visit, period), figures.INCIDENTS: incidents}


def _metric(visit: Visit) -> Metric:
    name = visit.path("metric")
    if name not in list(Metric):
        raise UnknownMethod(f"There is no metric '{name}'. There are {', '.join(Metric)}.")
    return Metric(name)


def _read(
    visit: Visit, tx: Any, wanted: Asked, metric: Metric, page: Page, which: Which
) -> tuple[Measurement, Rows]:
    facts = Facts(tx, wanted, visit.site.calls.metric_rules)
    return measured(facts, (metric,)), rows_of(facts, metric, page, which)


def _key_text(key: Key) -> str:
    return ",".join(str(part) for part in key)


async def _chart(visit: Visit, found: Measurement, metric: Metric) -> DrawnChart | None:
    if metric is Metric.TIME_WAITING:
        return await _chart_of_waiting(visit, found)
    series = figures.series_of(found, metric)
    if not any(value.n for _, value in series):
        return None
    return await visit.drawn(_CHARTS[metric](series, figures.WORDINGS[metric].name))


async def _chart_of_waiting(visit: Visit, found: Measurement) -> DrawnChart | None:
    places = sorted(found.time_waiting or (), key=lambda one: -one.n)
    waiting = places[:MOST_BARS]
    if not waiting:
        return None
    cut = f", the {MOST_BARS} places with most" if len(places) > MOST_BARS else ""
    chart = lying_bars(
        title=f"Pull requests that wait{cut}",
        text=f"Pull requests that wait: most for {waiting[0].service}.",
        values=[(f"{one.service} · {one.environment}", one.n) for one in waiting],
        category="Service and environment",
        amount="Pull requests",
    )
    return await visit.drawn(chart)


Series = Any


def _of_frequency(series: Series, name: str) -> Chart:
    n = sum(value.n for _, value in series)
    return columns_over_time(
        _buckets(series),
        {"Successful deployments": [value.n for _, value in series]},
        title=name,
        text=f"{name}: {words.count(n, 'successful deployment')}.",
        amount="Deployments",
        kind="What",
    )


def _of_durations(series: Series, name: str) -> Chart:
    longest = max(one.quantiles.p95 for _, one in series if one.quantiles)
    size, unit = (words.DAY, "days") if longest > 3 * words.DAY else (words.HOUR, "hours")
    values = {
        title: [
            None if one.quantiles is None else round(one.quantiles[place] / size, 2)
            for _, one in series
        ]
        for place, title in enumerate(QUANTILES)
    }
    n = sum(value.n for _, value in series)
    return lines_over_time(
        _buckets(series),
        values,
        title=name,
        text=f"{name} in {unit}: its median and higher quantiles, n {n}.",
        amount=unit.capitalize(),
        kind="Quantile",
        widened=True,
    )


def _of_rate(series: Series, name: str) -> Chart:
    values = [None if one.rate is None else round(one.rate * 100, 1) for _, one in series]
    n = sum(value.n for _, value in series)
    return lines_over_time(
        _buckets(series),
        {name: values},
        title=name,
        text=f"{name} in percent, of {words.count(n, 'deployment')}.",
        amount="Percent",
        kind="What",
    )


def _buckets(series: Series) -> list[Bucket]:
    return [bucket for bucket, _ in series]


_CHARTS = {
    Metric.DEPLOYMENT_FREQUENCY: _of_frequency,
    Metric.LEAD_TIME_FOR_CHANGES: _of_durations,
    Metric.CHANGE_FAILURE_RATE: _of_rate,
    Metric.FAILED_DEPLOYMENT_RECOVERY_TIME: _of_durations,
    Metric.DEPLOYMENT_REWORK_RATE: _of_rate,
}


async def export(visit: Visit) -> Response:
    """The rows behind a metric as CSV, all of them."""
    metric, wanted = _metric(visit), asked(visit.query, visit.now)
    rules = visit.site.calls.metric_rules
    read = partial(metric_rows, asked=wanted, rules=rules, metric=metric, which=_which(visit))
    if not visit.query.problems:
        with visit.query.refusing():
            first = await visit.read(partial(read, page=Page(limit=EXPORTED_TOGETHER)))
    if visit.query.problems:
        return visit.render("refusal.html", message=" ".join(visit.query.problems.values()))
    return csv_file(_lines(visit, read, first), f"{metric}.csv")


async def _lines(visit: Visit, read: Any, found: Rows) -> AsyncIterator[str]:
    yield csv_lines([COLUMNS])
    while found:
        yield csv_lines([_row(one) for one in found])
        if len(found) < EXPORTED_TOGETHER:
            return
        page = Page(limit=EXPORTED_TOGETHER, after=found[-1].key)
        found = await visit.read(partial(read, page=page))


def _row(one: MetricRow) -> tuple[object, ...]:
    deployment = one.deployment and one.deployment.deployment
    pull = one.pull and one.pull.pull
    repository = one.pull.repository if one.pull else None
    if repository is None and one.deployment and one.deployment.repository:
        repository = one.deployment.repository.name
    return (
        deployment and deployment.id,
        deployment and deployment.reference_id,
        one.service,
        one.environment,
        deployment and words.iso(deployment.deployed_at),
        deployment and ("yes" if deployment.success else "no"),
        repository,
        pull and pull.number,
        pull and pull.title,
        pull and pull.author,
        pull and pull.merged_at and words.iso(pull.merged_at),
        one.sha or (deployment and deployment.commit_sha),
        one.seconds,
        " ".join(one.reasons),
        " ".join(one.incidents),
    )
