"""A trend: the values of a series as a small line, with gaps where there is none."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, MARGIN = 100.0, 24.0, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The lines, each as the points of an SVG polyline, and the values that stand alone."""

    lines: Sequence[str]
    dots: Sequence[tuple[float, float]]
    width: float = WIDTH
    height: float = HEIGHT


def trend(values: Sequence[float | None]) -> Trend | None:
    """The drawing of a series. None if fewer than two values are known."""
    known = [one for one in values if one is not None]
    if len(known) < 2:
        return None
    top = max(*known, 0.0) or 1.0
    step = WIDTH / (len(values) - 1)
    runs = list(_runs(values))
    placed = [
        [(round(place * step, 1), round(_height(value, top), 1)) for place, value in run]
        for run in runs
    ]
    return Trend(
        lines=[" ".join(f"{x},{y}" for x, y in run) for run in placed if len(run) > 1],
        dots=[run[0] for run in placed if len(run) == 1],
    )


def _height(value: float, top: float) -> float:
    return HEIGHT - MARGIN - max(value, 0.0) / top * (HEIGHT - 2 * MARGIN)


def _runs(values: Sequence[float | None]) -> Iterable[list[tuple[int, float]]]:
    """The values that follow one another, each with its place."""
    run: list[tuple[int, float]] = []
    for place, value in enumerate(values):
        if value is not None:
            run.append((place, value))
        elif run:
            yield run
            run = []
    if run:
        yield run
