"""What a chart is, and the look that all charts share.

Colours are the stylesheet's custom properties, so that one drawing serves light and dark.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Specification = dict[str, Any]

ROW = 26
"""The height of a bar that lies, with its distance to the next."""

LOOK: Specification = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "titleFontWeight": "normal",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
    },
    "legend": {"labelColor": "currentColor", "titleColor": "currentColor", "orient": "top"},
    "bar": {"color": "var(--series-1)"},
    "line": {"color": "var(--series-1)", "strokeWidth": 2},
    "point": {"color": "var(--series-1)"},
    "rule": {"color": "var(--muted)"},
    "range": {"category": [f"var(--series-{number})" for number in range(1, 7)]},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart, and the same figures as a table for who does not see it.

    ``text`` says in a sentence what it shows. ``columns`` and ``rows`` are the table.
    """

    title: str
    text: str
    specification: Specification
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def bars(
    *,
    title: str,
    text: str,
    values: Sequence[tuple[str, float]],
    category: str,
    amount: str,
) -> Chart:
    """One bar for each category, in the order given."""
    return Chart(
        title=title,
        text=text,
        specification=specification(
            [{"category": name, "amount": value} for name, value in values],
            mark={"type": "bar", "cornerRadiusEnd": 2},
            encoding={
                "x": {"field": "category", "type": "nominal", "sort": None, "title": category}
                | {"axis": {"labelAngle": 0, "labelOverlap": True}},
                "y": {"field": "amount", "type": "quantitative", "title": amount}
                | {"axis": {"tickMinStep": 1, "tickCount": 4}},
                "tooltip": [
                    {"field": "category", "type": "nominal", "title": category},
                    {"field": "amount", "type": "quantitative", "title": amount},
                ],
            },
        ),
        columns=(category, amount),
        rows=values,
    )


def lying_bars(
    *,
    title: str,
    text: str,
    values: Sequence[tuple[str, float]],
    category: str,
    amount: str,
) -> Chart:
    """One bar under the other, for categories with long names."""
    chart = bars(title=title, text=text, values=values, category=category, amount=amount)
    encoding = chart.specification["encoding"]
    along, beside = encoding["y"], encoding["x"] | {"title": None, "axis": {"labelLimit": 200}}
    chart.specification["encoding"] = encoding | {"x": along, "y": beside}
    chart.specification["height"] = ROW * len(values)
    return chart


def specification(
    values: Sequence[Mapping[str, Any]], *, height: int = 160, **parts: Any
) -> Specification:
    """A Vega-Lite specification in our look, as wide as there is room."""
    return {
        "data": {"values": list(values)},
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": LOOK,
        **parts,
    }
