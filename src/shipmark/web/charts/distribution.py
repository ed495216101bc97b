"""How durations are distributed."""

from collections.abc import Sequence

from shipmark.application.overview import Bar
from shipmark.web.charts.specification import Chart, bars
from shipmark.web.words import DAY, HOUR, count


def distribution(found: Sequence[Bar], *, title: str, noun: str) -> Chart:
    """How many took how long; bars at the ends that count nothing are left out."""
    n = sum(one.n for one in found)
    full = [place for place, one in enumerate(found) if one.n]
    shown = found[full[0] : full[-1] + 1] if full else found
    largest = max(found, key=lambda one: one.n)
    return bars(
        title=title,
        text=f"{title}: {count(n, noun)}, most often {_name(largest)}.",
        values=[(_name(one), one.n) for one in shown],
        category="Time",
        amount=f"{noun.capitalize()}s",
    )


def _name(bar: Bar) -> str:
    if bar.until is None:
        return f"≥ {_edge(bar.since)}"
    size, unit = (DAY, "d") if bar.since >= DAY else (HOUR, "h")
    if not bar.since:
        return f"< {_edge(bar.until)}"
    return f"{bar.since / size:g}–{bar.until / size:g} {unit}"


def _edge(seconds: float) -> str:
    return f"{seconds / DAY:g} d" if seconds >= DAY else f"{seconds / HOUR:g} h"
