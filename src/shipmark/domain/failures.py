"""Which deployments failed and why, when each was recovered from, and which were fixes.

A *place* is a service in an environment. What is decided about a deployment depends on its
neighbours in the place, whoever asks for what: neighbours are never filtered.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple

from shipmark.domain.histories import Position, Reaching
from shipmark.domain.incidents import Happened, Linked, LinkKind, Told, corrected, last_by


class FailureReason(StrEnum):
    """Why a deployment counts as failed."""

    UNSUCCESSFUL = "unsuccessful"
    INCIDENT_BY_HAND = "incident_by_hand"
    INCIDENT_NAMED = "incident_named"
    INCIDENT_FOLLOWED = "incident_followed"
    ROLLED_BACK = "rolled_back"


class ReworkReason(StrEnum):
    """Why a deployment counts as an unplanned fix."""

    AFTER_FAILURE = "after_failure"
    ONLY_FIXES = "only_fixes"


_OF_LINKS = {
    LinkKind.BY_HAND: FailureReason.INCIDENT_BY_HAND,
    LinkKind.NAMED: FailureReason.INCIDENT_NAMED,
    LinkKind.FOLLOWED: FailureReason.INCIDENT_FOLLOWED,
}


class Deployed(NamedTuple):
    """What of a deployment decides. ``counted`` is whether it is one of those asked about."""

    id: int
    service_id: int
    environment: str
    deployed_at: int
    success: bool
    counted: bool
    windows: tuple[Reaching, ...] = ()

    @property
    def is_baseline(self) -> bool:
        """Whether it was the first deployment of a lane."""
        return any(one.is_baseline for one in self.windows)

    @property
    def place(self) -> "Place":
        return self.service_id, self.environment


Place = tuple[int, str]
_PLACE = attrgetter("service_id", "environment")
"""As `Deployed.place`, quicker where it is asked of thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """What lies beyond the period that was read, as far as it decides about what lies in it.

    By place: the deployment before the period, when the next one was and when the next successful
    one; by lane, how far its next deployment reaches.
    """

    before: Mapping[Place, Deployed] = field(default_factory=dict)
    next_at: Mapping[Place, int] = field(default_factory=dict)
    next_success_at: Mapping[Place, int] = field(default_factory=dict)
    next_reached: Mapping[int, Position] = field(default_factory=dict)


class Judged(NamedTuple):
    """A deployment with what became of it. Reasons are empty where it did not fail, or is no fix.

    ``recovered_at`` is None also for one that did not fail.
    """

    deployed: Deployed
    failed: tuple[FailureReason, ...]
    links: tuple[Linked, ...]
    recovered_at: int | None
    follows_failure: bool


def judge(
    deployments: Sequence[Deployed],
    edges: Edges,
    *,
    happened: Iterable[Happened] = (),
    told: Iterable[Told] = (),
    within: int,
) -> list[Judged]:
    """Judge all deployments of a period, which come in order.

    ``within`` is for how many microseconds an incident may follow a deployment.
    """
    places: dict[Place, list[Deployed]] = {place: [one] for place, one in edges.before.items()}
    for place, one in zip(map(_PLACE, deployments), deployments, strict=True):
        places.setdefault(place, []).append(one)
    links = corrected(followed(places, edges.next_at, happened, within), told)
    rolled_back = _rolled_back([*edges.before.values(), *deployments], edges.next_reached)
    judged = {
        one.deployed.id: one
        for place, in_order in places.items()
        for one in _judge_place(in_order, edges.next_success_at.get(place), links, rolled_back)
    }
    return [judged[one.id] for one in deployments]


def followed(
    places: Mapping[Place, Sequence[Deployed]],
    next_at: Mapping[Place, int],
    happened: Iterable[Happened],
    within: int,
) -> dict[int, dict[int, Linked]]:
    """By deployment, the incidents that follow it: those of its service that start before the
    place's next deployment, and not too long after it."""
    of_service: dict[int, list[Place]] = defaultdict(list)
    for place in places:
        of_service[place[0]].append(place)
    instants = {place: [one.deployed_at for one in ones] for place, ones in places.items()}
    links: dict[int, dict[int, Linked]] = {}
    for one in happened:
        if one.names_one or one.service_id is None:
            continue
        for place in of_service[one.service_id]:
            found = last_by(instants[place], one.started_at, within)
            overtaken = place in next_at and next_at[place] <= one.started_at
            if found is not None and not overtaken and one.is_of(place[1]):
                linked = Linked(one.incident_id, LinkKind.FOLLOWED, one.resolved_at)
                links.setdefault(places[place][found].id, {})[one.incident_id] = linked
    return links


def _rolled_back(in_order: Sequence[Deployed], next_reached: Mapping[int, Position]) -> set[int]:
    """Those whose lane's next deployment reaches less far than they do."""
    following = dict(next_reached)
    found = set()
    for one in reversed(in_order):
        for window in one.windows:
            lane, reached = window.lane_id, window.reached
            if following.get(lane, reached) < reached:
                found.add(one.id)
            following[lane] = reached
    return found


def _judge_place(
    in_order: Sequence[Deployed],
    next_success_at: int | None,
    links: Mapping[int, Mapping[int, Linked]],
    rolled_back: set[int],
) -> Iterator[Judged]:
    later = _next_successes(in_order, next_success_at)
    after_failure = False
    for one, next_success in zip(in_order, later, strict=True):
        linked = tuple(links[one.id].values()) if one.id in links else ()
        failed = _reasons(one, linked, one.id in rolled_back)
        recovered_at = _recovered_at(one, next_success, linked) if failed else None
        yield Judged(one, failed, linked, recovered_at, after_failure and one.success)
        after_failure = bool(failed)


def _next_successes(in_order: Sequence[Deployed], last: int | None) -> list[int | None]:
    """For each deployment, when the next successful one after it was."""
    found: list[int | None] = []
    for one in reversed(in_order):
        found.append(last)
        if one.success:
            last = one.deployed_at
    return found[::-1]


def _reasons(
    one: Deployed,
    linked: Sequence[Linked],
    is_rolled_back: bool,  # noqa: FBT001
) -> tuple[FailureReason, ...]:
    if one.success and not linked and not is_rolled_back:
        return ()  # As most are: it is told quickly.
    kinds = {link.kind for link in linked}
    return (
        *(() if one.success else (FailureReason.UNSUCCESSFUL,)),
        *(reason for kind, reason in _OF_LINKS.items() if kind in kinds),
        *((FailureReason.ROLLED_BACK,) if is_rolled_back else ()),
    )


def _recovered_at(one: Deployed, next_success: int | None, linked: Sequence[Linked]) -> int | None:
    """The next successful deployment, or the end of its last incident when that comes first."""
    ends = [link.resolved_at for link in linked]
    resolved = None
    if ends and None not in ends:
        resolved = max(end for end in ends if end is not None)
    at = [end for end in (next_success, resolved) if end is not None and end >= one.deployed_at]
    return min(at, default=None)
