"""What windows ship, worked out of the histories of their branches: each stretch is read once.

The same as `storage.shipped` says of one deployment or pull request, for thousands of windows at
once. Most pull requests belong to no service and are listed nowhere; those are told apart.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from operator import attrgetter, lt
from typing import NamedTuple

Position = tuple[int, int]
"""Where a pull request stands on its branch: microseconds since 1970, and its number."""

START: Position = (0, 0)
"""Before everything: where the first window of a lane begins."""

Branch = tuple[int, str]
"""A repository by id, and the name of the branch."""


class Reaching(NamedTuple):
    """A window, and whose it is: from beyond ``opened`` to ``reached``, which is in it.

    It is empty, and ships nothing, unless it ``raises`` the mark of its lane.
    """

    deployment_id: int
    deployed_at: int
    reference_id: str
    lane_id: int
    branch: Branch
    service_id: int
    environment: str
    opened: Position
    reached: Position
    raises: bool = True

    @property
    def is_baseline(self) -> bool:
        """Whether it is the first of its lane, which begins where everything does."""
        return self.raises and self.opened == START


class Listing(NamedTuple):
    """That a successful deployment lists a pull request."""

    service_id: int
    environment: str
    deployed_at: int
    reference_id: str

    def is_before(self, window: Reaching) -> bool:
        """Whether it leaves nothing of the pull request to the window's deployment."""
        order = self.deployed_at, self.reference_id
        here = self.service_id, self.environment
        return here == (window.service_id, window.environment) and order < (
            window.deployed_at,
            window.reference_id,
        )


@dataclass(slots=True)
class Stretch:
    """The part of a branch's history that some windows, which follow one another, lie in."""

    branch: Branch
    since: int
    until: int
    windows: list[Reaching]


def stretches(windows: Iterable[Reaching]) -> list[Stretch]:
    """As few as hold all the windows and nothing between them."""
    found: list[Stretch] = []
    for one in sorted(windows, key=attrgetter("branch", "opened")):
        since, until = one.opened[0], one.reached[0]
        if found and found[-1].branch == one.branch and since <= found[-1].until:
            last = found[-1]
            last.until = max(last.until, until)
            last.windows.append(one)
        else:
            found.append(Stretch(one.branch, since, until, [one]))
    return found


Columns = Sequence[Sequence[int]]
"""Numbers of pull requests, in one order. Columns, since a tuple for each costs more than all that
is computed of it."""


@dataclass(frozen=True, slots=True)
class History:
    """The pull requests of a stretch in order of position: their instants and numbers, and what
    else is to be ``told`` of them; and by position the services of those that belong to any, and
    what lists them."""

    merged: Columns
    told: Columns
    services: Mapping[Position, set[int]] = field(default_factory=dict)
    listings: Mapping[Position, Sequence[Listing]] = field(default_factory=dict)

    def shipped(self, windows: Iterable[Reaching]) -> Iterable[tuple[Reaching, Columns]]:
        """Each window with when the pull requests merged that its deployment ships, and what else
        is told of them. Windows come in the order in which they open."""
        special = sorted({*self.services, *self.listings})
        columns = self.merged[0], *self.told
        since, reached, until = 0, None, 0
        for window in windows:
            # Most open where the one before has reached.
            since = until if window.opened == reached else self._place(window.opened, since)
            reached, until = window.reached, self._place(window.reached, since)
            each: Columns = [column[since:until] for column in columns]
            if special and bisect_right(special, window.opened) < bisect_right(
                special, window.reached
            ):
                each = self._narrowed(each, window, slice(since, until))
            yield window, each

    def _place(self, position: Position, least: int) -> int:
        """How many stand at or before a position, which are at ``least`` so many."""
        instants, numbers = self.merged
        at, number = position
        place = bisect_right(instants, at, least)
        if place > least and instants[place - 1] == at and numbers[place - 1] > number:
            # Of those that merged at the same instant, some stand beyond it.
            return bisect_right(numbers, number, bisect_left(instants, at, least, place), place)
        return place

    def _narrowed(self, each: Columns, window: Reaching, inside: slice) -> Columns:
        instants, numbers = self.merged
        shipped = [
            self._is_shipped(position, window)
            for position in zip(instants[inside], numbers[inside], strict=True)
        ]
        return [list(compress(column, shipped)) for column in each]

    def _is_shipped(self, position: Position, window: Reaching) -> bool:
        belongs = self.services.get(position)
        return (belongs is None or window.service_id in belongs) and not any(
            listing.is_before(window) for listing in self.listings.get(position, ())
        )


def in_order(columns: Columns) -> Columns:
    """The same columns in order of the first two."""
    if all(map(lt, columns[0], columns[0][1:])):
        return columns
    rows = sorted(zip(*columns, strict=True))
    return [list(column) for column in zip(*rows, strict=True)]
