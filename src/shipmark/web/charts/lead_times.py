"""How long pull requests waited, in steps that double: hours at first, weeks in the end."""

from collections.abc import Sequence
from datetime import timedelta

from shipmark.web.charts.specification import Chart, bars
from shipmark.web.words import count

STEPS = (
    ("< 1 h", timedelta(hours=1)),
    ("1–4 h", timedelta(hours=4)),
    ("4–12 h", timedelta(hours=12)),
    ("12–24 h", timedelta(days=1)),
    ("1–3 d", timedelta(days=3)),
    ("3–7 d", timedelta(days=7)),
    ("1–4 wk", timedelta(weeks=4)),
    ("> 4 wk", timedelta.max),
)


def lead_times(lengths: Sequence[timedelta], *, title: str) -> Chart:
    """How many took how long."""
    amounts = dict.fromkeys((name for name, _ in STEPS), 0)
    for length in lengths:
        amounts[next(name for name, most in STEPS if length < most)] += 1
    largest = max(amounts, key=lambda name: amounts[name])
    return bars(
        title=title,
        text=f"{title}: {count(len(lengths), 'pull request')}, most of them {largest}.",
        values=list(amounts.items()),
        category="Time",
        amount="Pull requests",
    )
