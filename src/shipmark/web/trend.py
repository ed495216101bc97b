"""A trend: the values of a series as a small line."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, MARGIN = 100.0, 24.0, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The points of an SVG polyline."""

    points: str
    width: float = WIDTH
    height: float = HEIGHT


def trend(values: Sequence[float | None]) -> Trend | None:
    """The drawing of a series, from each known value to the next: a day without a deployment has
    none. None if fewer than two values are known."""
    known = [(place, one) for place, one in enumerate(values) if one is not None]
    if len(known) < 2:
        return None
    top = max(0.0, *(value for _, value in known)) or 1.0
    step = WIDTH / (len(values) - 1)
    return Trend(
        points=" ".join(
            f"{round(place * step, 1)},{round(_height(value, top), 1)}" for place, value in known
        )
    )


def _height(value: float, top: float) -> float:
    return HEIGHT - MARGIN - max(value, 0.0) / top * (HEIGHT - 2 * MARGIN)
