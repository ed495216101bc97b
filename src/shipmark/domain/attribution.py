"""Which deployment shipped which pull request: the rules, as pure functions.

A deployment *reaches* a position on a branch (`match_commit`, `reach`). Per repository, branch,
service and environment (a *lane*) the deployments, in order, raise a high-water mark; each that
raises it owns the *window* of positions between the mark before it and its own reach
(`insert_windows`, `remove_windows`). What a deployment ships is what lies in its windows.

Nothing here replays a history. A change looks at its neighbours in the lane until the mark is
as it was before the change, and answers the windows that became different.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest
from typing import Protocol

from shipmark.domain.model import (
    BEGINNING,
    Deployment,
    MatchRule,
    Method,
    Order,
    Position,
    Reason,
    Status,
    everything_by,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A commit known here whose SHA may be the one a deployment names.

    ``pull_id`` and ``number`` are those of the merged pull request it belongs to; a commit that
    is only known on a branch has neither, and its time stands in ``at``.
    """

    rule: MatchRule
    sha: str
    repository_id: int
    branch: str
    at: datetime
    pull_id: int | None = None
    number: int | None = None

    @property
    def position(self) -> Position:
        return everything_by(self.at) if self.number is None else Position(self.at, self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a commit was found to be, or why it could not be told.

    ``candidates`` are those of the deciding rule; they are the evidence an explanation shows.
    """

    found: Candidate | None
    reason: Reason | None
    candidates: tuple[Candidate, ...]


def match_commit(sha: str, candidates: Iterable[Candidate]) -> Match:
    """Find the one thing a commit of 7 to 40 characters can be, or say why there is none."""
    fitting = [candidate for candidate in candidates if candidate.sha.startswith(sha)]
    for rule in MatchRule:
        evidence = tuple(candidate for candidate in fitting if candidate.rule is rule)
        if evidence:
            found = _the_only_one(evidence)
            reason = None if found else Reason.AMBIGUOUS_COMMIT
            return Match(found=found, reason=reason, candidates=evidence)
    return Match(found=None, reason=Reason.COMMIT_NOT_IMPORTED, candidates=())


def _the_only_one(evidence: Sequence[Candidate]) -> Candidate | None:
    """The candidate if there is no doubt about it.

    Forges give pull requests that were merged by one and the same commit (one contained the
    other) that same merge commit. On one branch they are no two answers: deploying the commit
    deploys all of them, so the last of their positions is reached.
    """
    last = max(evidence, key=lambda candidate: candidate.position)
    if len(evidence) == 1 or _one_pull(evidence):
        return last
    same_merge = {(candidate.sha, candidate.branch) for candidate in evidence}
    return last if last.rule is MatchRule.MERGE_COMMIT and len(same_merge) == 1 else None


def _one_pull(evidence: Sequence[Candidate]) -> bool:
    """Whether it is one pull request whichever of its commits is meant."""
    pulls = {candidate.pull_id for candidate in evidence}
    return len(pulls) == 1 and None not in pulls


def listed_pulls(sha: str, candidates: Iterable[Candidate]) -> Match | tuple[Candidate, ...]:
    """The pull requests whose merge commit an explicit list names, or why there are none.

    One commit may have merged several pull requests; they are all named. Characters that fit
    several commits name none.
    """
    fitting = [candidate for candidate in candidates if candidate.sha.startswith(sha)]
    merged = tuple(c for c in fitting if c.rule is MatchRule.MERGE_COMMIT)
    if len({candidate.sha for candidate in merged}) > 1:
        return Match(found=None, reason=Reason.AMBIGUOUS_COMMIT, candidates=merged)
    if merged:
        return merged
    reason = Reason.NO_PULL_REQUESTS_YET if fitting else Reason.COMMIT_NOT_IMPORTED
    return Match(found=None, reason=reason, candidates=tuple(fitting))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A position on a branch that a deployment brought to its service and environment."""

    repository_id: int
    branch: str
    position: Position


def reach(
    deployment: Deployment, default_branch: str | None, match: Match | None
) -> tuple[Reach, ...] | Reason:
    """Where a deployment reaches, or why that is not known (yet).

    A deployment that lists its merge commits reaches nothing, and so does a failed one. Several
    reaches, one a branch, are what a commit graph would give; these rules give one.
    """
    if not deployment.success or deployment.method is Method.MERGE_COMMIT_SHAS:
        return ()
    if deployment.repository_id is None:
        return Reason.COMMIT_NOT_IMPORTED
    return _reached_point(deployment, default_branch, match)


def _reached_point(
    deployment: Deployment, default_branch: str | None, match: Match | None
) -> tuple[Reach, ...] | Reason:
    assert deployment.repository_id is not None  # noqa: S101 - narrowed by the caller
    if deployment.method is Method.DEPLOYED_AT:
        if default_branch is None:
            return Reason.DEFAULT_BRANCH_UNKNOWN
        branch, position = default_branch, everything_by(deployment.deployed_at)
    elif match is None or match.found is None:
        return (match and match.reason) or Reason.COMMIT_NOT_IMPORTED
    elif deployment.integration_branch is not None:
        # The matching pull request was merged to the release branch; only its time counts here.
        branch, position = deployment.integration_branch, everything_by(match.found.at)
    else:
        branch, position = match.found.branch, match.found.position
    return (Reach(repository_id=deployment.repository_id, branch=branch, position=position),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The part of a lane's history that one deployment added: (opened, reached].

    A deployment that did not raise the mark owns an empty window, opened where it reached.
    """

    lane_id: int
    deployment_id: int
    order: Order
    reached: Position
    opened: Position

    @property
    def raises(self) -> bool:
        return self.opened < self.reached

    @property
    def is_baseline(self) -> bool:
        """Whether it is its lane's first: it ships everything merged before it."""
        return self.raises and self.opened == BEGINNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A deployment about to enter a lane."""

    deployment_id: int
    order: Order
    reached: Position


class Lane(Protocol):
    """What must be known of a lane to change it; looked up on demand, never as a whole."""

    @property
    def id(self) -> int: ...

    def mark_before(self, order: Order) -> Position:
        """The high-water mark of the deployments before ``order``; BEGINNING if there are none."""

    def raising_after(self, order: Order) -> Iterator[Window]:
        """The windows after ``order`` that raise the mark, first to last."""

    def above_after(self, order: Order, mark: Position) -> Iterator[Window]:
        """All windows after ``order`` that reach above ``mark``, first to last."""


def insert_windows(lane: Lane, arrivals: Sequence[Arrival]) -> list[Window]:
    """The windows of ``arrivals``, and every other window of the lane they change.

    ``arrivals`` are in order and not in the lane yet. Each is followed until the mark is as it
    was before: usually at once.
    """
    changed: list[Window] = []
    mark = BEGINNING
    for arrival, following in zip_longest(arrivals, arrivals[1:]):
        mark = max(mark, lane.mark_before(arrival.order))
        changed.append(
            Window(
                lane_id=lane.id,
                deployment_id=arrival.deployment_id,
                order=arrival.order,
                reached=arrival.reached,
                opened=min(mark, arrival.reached),
            )
        )
        mark = max(mark, arrival.reached)
        for window in lane.raising_after(arrival.order):
            if window.opened >= mark or (following and window.order > following.order):
                break
            changed.append(replace(window, opened=min(mark, window.reached)))
            if window.reached > mark:
                break
    return changed


def remove_windows(lane: Lane, gone: Sequence[Window]) -> list[Window]:
    """The windows of the lane that become different now that ``gone`` are no longer in it.

    ``gone`` are in order. Behind each that raised the mark the lane is followed to the next one
    left that did so: from there on the mark is as it was.
    """
    changed: list[Window] = []
    followed_to: Order | None = None
    for one in gone:
        if not one.raises or (followed_to is not None and one.order < followed_to):
            continue
        mark = lane.mark_before(one.order)
        for window in lane.above_after(one.order, mark):
            if window.reached <= mark:
                continue
            if window.opened != mark:
                changed.append(replace(window, opened=mark))
            if window.raises:
                followed_to = window.order
                break
            mark = window.reached
        else:
            break
    return changed


def standing(
    *, success: bool, ships: bool, window: Window | None, waits_for: Reason | None, may_wait: bool
) -> tuple[Status, Reason | None]:
    """The status of a deployment and its reason.

    ``waits_for`` says why it has no window, or no listed pull request; ``may_wait`` is whether
    the time in which attribution is retried is still running.
    """
    if not success:
        return Status.NONE, Reason.FAILED
    if ships:
        return Status.ATTRIBUTED, None
    if window is not None and not window.raises:
        return Status.NONE, None
    reason = Reason.NO_PULL_REQUESTS_YET if window is not None else waits_for
    waiting = Status.PENDING if may_wait else Status.EXPIRED
    return waiting, reason or Reason.COMMIT_NOT_IMPORTED
