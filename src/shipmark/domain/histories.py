"""What windows ship, worked out of the histories of their branches: each stretch is read once.

The same as `storage.shipped` says of one deployment or pull request, for thousands of windows at
once. Most pull requests belong to no service and are listed nowhere; those are told apart.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Position = tuple[int, int]
"""Where a pull request stands on its branch: microseconds since 1970, and its number."""

Branch = tuple[int, str]
"""A repository by id, and the name of the branch."""


class Reaching(NamedTuple):
    """A window, and whose it is: from beyond ``opened`` to ``reached``, which is in it."""

    deployment_id: int
    deployed_at: int
    reference_id: str
    branch: Branch
    service_id: int
    environment: str
    opened: Position
    reached: Position


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
    for one in sorted(windows, key=lambda one: (one.branch, one.opened)):
        since, until = one.opened[0], one.reached[0]
        if found and found[-1].branch == one.branch and since <= found[-1].until:
            last = found[-1]
            last.until = max(last.until, until)
            last.windows.append(one)
        else:
            found.append(Stretch(one.branch, since, until, [one]))
    return found


Merged = tuple[int, ...]
"""A pull request: its position, and whatever else is asked for."""


@dataclass(frozen=True, slots=True)
class History:
    """The pull requests of a stretch in order; and by position the services of those that belong
    to any, and what lists them."""

    merged: Sequence[Merged]
    services: Mapping[Position, set[int]] = field(default_factory=dict)
    listings: Mapping[Position, Sequence[Listing]] = field(default_factory=dict)

    def shipped(self, windows: Iterable[Reaching]) -> Iterable[tuple[Reaching, Sequence[Merged]]]:
        """Each window with the pull requests that its deployment ships."""
        special = sorted({*self.services, *self.listings})
        for window in windows:
            each: Sequence[Merged] = _within(self.merged, window)
            if special and _within(special, window):
                each = [one for one in each if self._is_shipped((one[0], one[1]), window)]
            yield window, each

    def _is_shipped(self, position: Position, window: Reaching) -> bool:
        belongs = self.services.get(position)
        return (belongs is None or window.service_id in belongs) and not any(
            listing.is_before(window) for listing in self.listings.get(position, ())
        )


def _within(in_order: Sequence[Merged], window: Reaching) -> Sequence[Merged]:
    """Those that stand in the window."""
    # What stands at a position comes before what would stand at the next number.
    (opened_at, opened), (reached_at, reached) = window.opened, window.reached
    return in_order[
        bisect_left(in_order, (opened_at, opened + 1)) : bisect_left(
            in_order, (reached_at, reached + 1)
        )
    ]


def in_tuples(text: str | None, width: int) -> list[Merged]:
    """The numbers of a text, so many at a time, in order."""
    if not text:
        return []
    numbers = map(int, text.split(","))
    found = list(zip(*[numbers] * width, strict=True))
    found.sort()
    return found
