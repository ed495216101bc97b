"""A lane in memory, and what its windows are by definition."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from shipmark.domain.attribution import Arrival, Window
from shipmark.domain.model import BEGINNING, Order, Position

LANE_ID = 7


@dataclass
class LaneInMemory:
    """Satisfies `Lane`; ``read`` counts the windows that were looked at."""

    id: int = LANE_ID
    windows: dict[int, Window] = field(default_factory=dict)
    read: int = 0

    def mark_before(self, order: Order) -> Position:
        before = [one.reached for one in self._raising() if one.order < order]
        return max(before, default=BEGINNING)

    def raising_after(self, order: Order) -> Iterator[Window]:
        return self._looked_at(one for one in self._raising() if one.order > order)

    def above_after(self, order: Order, mark: Position) -> Iterator[Window]:
        return self._looked_at(
            one for one in self._in_order() if one.order > order and one.reached > mark
        )

    def save(self, changed: Iterable[Window]) -> None:
        self.windows |= {window.deployment_id: window for window in changed}

    def _raising(self) -> list[Window]:
        return [one for one in self._in_order() if one.raises]

    def _in_order(self) -> list[Window]:
        return sorted(self.windows.values(), key=lambda one: one.order)

    def _looked_at(self, found: Iterable[Window]) -> Iterator[Window]:
        for window in found:
            self.read += 1
            yield window


def windows_by_definition(arrivals: Iterable[Arrival]) -> dict[int, Window]:
    """Each deployment's window, by the running maximum of all that are in the lane."""
    mark = BEGINNING
    windows = {}
    for one in sorted(arrivals, key=lambda arrival: arrival.order):
        windows[one.deployment_id] = Window(
            lane_id=LANE_ID,
            deployment_id=one.deployment_id,
            order=one.order,
            reached=one.reached,
            opened=min(mark, one.reached),
        )
        mark = max(mark, one.reached)
    return windows
