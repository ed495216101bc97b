"""Metrics over time: a mark for each bucket, by one or several series."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from shipmark.domain.periods import Bucket
from shipmark.web.charts.specification import Chart, specification

MOST_SERIES = 6
"""So many colours there are; further series are one."""

OTHERS = "others"
DAYS = {
    "labelAngle": 0,
    "labelOverlap": True,
    "labelSeparation": 10,
    "labelExpr": "slice(datum.label, 5)",
}
Values = Mapping[str, Sequence[float | None]]
"""The values of each series, one a bucket."""


def columns_over_time(
    buckets: Sequence[Bucket], series: Values, *, title: str, text: str, amount: str, kind: str
) -> Chart:
    """Columns, those of several series on top of each other; ``kind`` is what a series is."""
    return _chart(
        buckets, _fewer(series), title=title, text=text, amount=amount, kind=kind, mark="bar"
    )


def lines_over_time(
    buckets: Sequence[Bucket],
    series: Values,
    *,
    title: str,
    text: str,
    amount: str,
    kind: str,
    widened: bool = False,
) -> Chart:
    """Lines that have gaps where nothing is known. ``widened``: small values are told apart beside
    large ones."""
    chart = _chart(buckets, series, title=title, text=text, amount=amount, kind=kind, mark="line")
    if widened:
        chart.specification["encoding"]["y"] |= {
            "scale": {"type": "sqrt"},
            "title": f"{amount}, square-root scale",
        }
    return chart


def _fewer(series: Values) -> Values:
    """The largest series, and all others as one."""
    if len(series) <= MOST_SERIES:
        return series
    by_size = sorted(series, key=lambda name: -sum(one or 0 for one in series[name]))
    kept = by_size[: MOST_SERIES - 1]
    others = [
        sum(one or 0 for one in each)
        for each in zip(*(series[name] for name in by_size[MOST_SERIES - 1 :]), strict=True)
    ]
    return {name: series[name] for name in sorted(kept)} | {
        f"{len(series) - len(kept)} {OTHERS}": others
    }


def _chart(
    buckets: Sequence[Bucket],
    series: Values,
    *,
    title: str,
    text: str,
    amount: str,
    kind: str,
    mark: str,
) -> Chart:
    names = [_name(one.name) for one in buckets]
    values = [
        {"bucket": name, "series": each, "value": value}
        for each, of in series.items()
        for name, value in zip(names, of, strict=True)
    ]
    one_alone = len(series) == 1
    encoding: dict[str, Any] = {
        "x": {"field": "bucket", "type": "ordinal", "title": None} | {"axis": DAYS},
        "y": {"field": "value", "type": "quantitative", "title": amount}
        | {"axis": {"tickCount": 4}},
        "tooltip": [
            {"field": "bucket", "type": "nominal", "title": "From"},
            {"field": "series", "type": "nominal", "title": kind},
            {"field": "value", "type": "quantitative", "title": amount, "format": ".4~g"},
        ],
    }
    if not one_alone:
        encoding["color"] = {"field": "series", "type": "nominal", "title": None}
        encoding["color"] |= {"sort": None, "legend": {"columns": 3, "symbolType": "square"}}
    marks: dict[str, Any] = {"type": mark}
    if mark == "line":
        marks |= {"point": {"size": 16, "filled": True}}
    return Chart(
        title=title,
        text=text,
        specification=specification(values, mark=marks, encoding=encoding),
        columns=("From", *series),
        rows=[
            (name, *("–" if of[place] is None else of[place] for of in series.values()))
            for place, name in enumerate(names)
        ],
    )


def _name(day: date) -> str:
    return day.isoformat()
