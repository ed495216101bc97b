"""What a part of the benchmark found: tables to read, targets, and the figures themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.measure import Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of the report, by the name of its place in the page."""

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What was aimed at and what it came to; both are ratios unless ``figure`` has a unit."""

    what: str
    target: str
    figure: str
    met: bool

    @classmethod
    def at_most(cls, what: str, figure: float, most: float, of: str) -> "Target":
        """A ratio that must not be more."""
        return cls(
            what=what,
            target=f"at most {most:g} times {of}",
            figure=f"{figure:.2f}",
            met=figure <= most,
        )

    @classmethod
    def at_least(cls, what: str, figure: float, least: float, of: str) -> "Target":
        """A ratio that must not be less."""
        return cls(
            what=what,
            target=f"at least {least:g} times {of}",
            figure=f"{figure:.2f}",
            met=figure >= least,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that one part found. ``figures`` is plain data, for the JSON file."""

    subject: str
    tables: Sequence[Table]
    targets: Sequence[Target]
    figures: dict[str, Any] = field(default_factory=dict)


def count(value: float) -> str:
    """A number of things, to three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def milliseconds(value: float) -> str:
    """A duration in milliseconds, to three digits."""
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def seconds(value: float) -> str:
    """A duration in seconds, to three digits; short ones in milliseconds."""
    if value < 1:
        return milliseconds(value * 1000)
    return f"{value:,.0f} s" if value >= 100 else f"{value:.3g} s"


def times(value: float) -> str:
    """A ratio."""
    return f"{value:.2f}"


def spans(values: Spread) -> str:
    """The extremes of several measurements."""
    return f"{count(values.least)} to {count(values.most)}"
