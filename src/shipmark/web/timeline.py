"""The windows of a lane on an axis of time: where each shape of the drawing stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shipmark.domain.attribution import Window
from shipmark.domain.model import BEGINNING

ROW = 38
"""Pixels from one row to the next."""

WIDTH = 98.0
"""Percent of the width that the axis takes; the rest is for what stands at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A deployment of the lane: a bar from where its window opens to where it reaches, and a dot
    for when it was deployed. Places are percent of the width, ``y`` is in pixels."""

    deployment_id: int
    reference_id: str
    y: int
    opened: float
    length: float
    deployed: float
    here: bool
    is_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    steps: Sequence[Step]
    merges: Sequence[float]
    begins: datetime
    ends: datetime
    height: int


def timeline(
    windows: Sequence[Window], deployment_id: int, merged: Sequence[datetime]
) -> Timeline | None:
    """The drawing of windows in order, with the merges in that of one deployment. None for none."""
    if not windows:
        return None
    begins = min(_opened(one) for one in windows)
    ends = max(max(one.reached.at, one.order.deployed_at) for one in windows)
    whole = (ends - begins).total_seconds() or 1.0

    def place(at: datetime) -> float:
        return round(max(0.0, (at - begins).total_seconds() / whole) * WIDTH, 2)

    steps = [
        Step(
            deployment_id=one.deployment_id,
            reference_id=one.order.reference_id,
            y=ROW * row,
            opened=place(_opened(one)),
            length=max(0.3, round(place(one.reached.at) - place(_opened(one)), 2)),
            deployed=place(one.order.deployed_at),
            here=one.deployment_id == deployment_id,
            is_first=one.opened == BEGINNING,
        )
        for row, one in enumerate(windows)
    ]
    return Timeline(
        steps=steps,
        merges=[place(at) for at in merged if at >= begins],
        begins=begins,
        ends=ends,
        height=ROW * len(steps),
    )


def _opened(window: Window) -> datetime:
    """Where the bar begins. The first window of a lane has no beginning: its end is drawn alone."""
    return window.reached.at if window.opened == BEGINNING else window.opened.at
