"""The definition of attribution as brute force over small sets of facts.

This is the definition read out loud, sentence by sentence, and shares no code with the engine:
when the two disagree, read the definition and find out which of them is wrong. Nothing here is
fast, stored, locked or clever.

Where the definition is silent, this was decided:

- Pull requests that have the very same full merge commit on the same base are no ambiguity:
  deploying that commit deploys all of them, and the last of their positions is reached. Any
  other two pull requests, or two commits on branches, that the first rule to find any finds
  are ambiguous.
- Of an explicit list, only merge commits count. A SHA that fits several different full commits
  is ambiguous and names none; one full commit of several merged pull requests names them all.
- What a list ships does not depend on what earlier deployments did.
- A list that ships nothing gives the reason of the last of its commits that names none:
  ``no_pull_requests_yet`` where a merged pull request or a branch has the commit otherwise.
- A redeploy is one whose own point equals the mark before it; below the mark is a rollback.
- Only merged pull requests are candidates for anything.
- A deployment of nothing but a repository follows the repository's current default branch, and
  waits with ``default_branch_unknown`` while that is not known.
- A reach by time alone includes every pull request merged at that very instant: its point is
  (time, infinity).

Whether a waiting deployment is pending or expired is a matter of the clock, not of the facts:
here both are WAITING.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf

Point = tuple[datetime, float]
PullKey = tuple[str, int]
LaneKey = tuple[str, str, str, str]
"""Repository, branch, service, environment."""

NOTHING_YET: Point = (datetime(1970, 1, 1, tzinfo=UTC), 0)
"""The mark before the first deployment."""

ATTRIBUTED = "attributed"
WAITING = "waiting"
NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Pull:
    repository: str
    number: int
    base_ref: str
    merged_at: datetime | None = None
    merge_commit_sha: str | None = None
    head_sha: str | None = None
    commit_shas: frozenset[str] = frozenset()
    source_id: str | None = None

    @property
    def key(self) -> PullKey:
        return self.repository, self.number

    @property
    def position(self) -> Point:
        assert self.merged_at is not None
        return self.merged_at, self.number


@dataclass(frozen=True, kw_only=True)
class Deployment:
    reference_id: str
    service: str
    environment: str
    deployed_at: datetime
    success: bool = True
    repository: str | None = None
    commit_sha: str | None = None
    integration_branch: str | None = None
    merge_commit_shas: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[datetime, str]:
        return self.deployed_at, self.reference_id


@dataclass(frozen=True, kw_only=True)
class Reached:
    """A point on a branch of a repository; ``at`` is when what was matched was merged."""

    repository: str
    branch: str
    point: Point
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Window:
    """The points after ``opened`` up to ``reached``: none if the two are equal."""

    opened: Point
    reached: Point


@dataclass(kw_only=True)
class Facts:
    """All that is known. ``commits`` are those known on a branch, with their times."""

    default_branches: dict[str, str | None] = field(default_factory=dict)
    pulls: dict[PullKey, Pull] = field(default_factory=dict)
    services: dict[PullKey, frozenset[str]] = field(default_factory=dict)
    commits: dict[tuple[str, str, str], datetime] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)


class Answers:
    """What the definition says of the facts as they were when this was made."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.merged = [pull for pull in facts.pulls.values() if pull.merged_at is not None]
        self.in_order = sorted(facts.deployments.values(), key=lambda one: one.order)
        self.reaches = {one.reference_id: self._reach(one) for one in self.in_order}
        self.lists = {one.reference_id: self._listed(one)[0] for one in self.in_order}
        self.ships = {one.reference_id: self._ships(one) for one in self.in_order}

    def commits_reached(self) -> dict[str, set[tuple[str, str, str]]]:
        """The (repository, branch, SHA) that each deployment was the first of its lane to reach."""
        reached: dict[str, set[tuple[str, str, str]]] = {
            one.reference_id: set() for one in self.in_order
        }
        for lane, windows in self.windows().items():
            for (repository, branch, sha), at in self.facts.commits.items():
                if (repository, branch) != lane[-4:-2]:
                    continue
                brought = [
                    pull.position
                    for pull in self.merged
                    if (pull.repository, pull.base_ref) == (repository, branch)
                    and sha in {pull.merge_commit_sha, pull.head_sha, *pull.commit_shas}
                ]
                position = min(brought, default=(at, inf))
                for reference_id, window in windows.items():
                    if window.opened < position <= window.reached:
                        reached[reference_id].add((repository, branch, sha))
        return reached

    # Reach

    def _reach(self, deployment: Deployment) -> Reached | str | None:
        """The point it reaches, or why that is not known; None if it reaches nothing at all."""
        if not deployment.success or deployment.merge_commit_shas:
            return None
        assert deployment.repository is not None
        if deployment.commit_sha is None:
            branch = self.facts.default_branches[deployment.repository]
            if branch is None:
                return "default_branch_unknown"
            return _everything_by(deployment.deployed_at, deployment.repository, branch)
        matching = self._matching(deployment.repository, deployment.commit_sha)
        if isinstance(matching, str) or deployment.integration_branch is None:
            return matching
        return _everything_by(matching.at, deployment.repository, deployment.integration_branch)

    def _matching(self, repository: str, sha: str) -> Reached | str:
        here = [pull for pull in self.merged if pull.repository == repository]
        by_merge = [pull for pull in here if _begins(pull.merge_commit_sha, sha)]
        if len({(pull.merge_commit_sha, pull.base_ref) for pull in by_merge}) == 1:
            return _position_of(max(by_merge, key=lambda pull: pull.position))
        by_commit = [
            pull
            for pull in here
            if any(_begins(known, sha) for known in {pull.head_sha, *pull.commit_shas})
        ]
        on_branches = [
            _everything_by(at, repository, branch)
            for (known_in, branch, known), at in self.facts.commits.items()
            if known_in == repository and _begins(known, sha)
        ]
        pulls = [_position_of(pull) for pull in by_merge or by_commit]
        found = pulls or on_branches
        if not found:
            return "commit_not_imported"
        return found[0] if len(found) == 1 else "ambiguous_commit"

    # Explicit lists

    def _listed(self, deployment: Deployment) -> tuple[set[PullKey], str | None]:
        """The pull requests it lists, and why the last commit that names none does not."""
        pulls: set[PullKey] = set()
        reason = None
        for sha in deployment.merge_commit_shas:
            named = [
                pull
                for pull in self.merged
                if deployment.repository in (None, pull.repository)
                and _begins(pull.merge_commit_sha, sha)
            ]
            if len({pull.merge_commit_sha for pull in named}) == 1:
                pulls |= {pull.key for pull in named}
            elif named:
                reason = "ambiguous_commit"
            elif self._is_known(deployment.repository, sha):
                reason = "no_pull_requests_yet"
            else:
                reason = "commit_not_imported"
        return pulls, reason

    def _is_known(self, repository: str | None, sha: str) -> bool:
        of_pulls = (
            (pull.repository, known)
            for pull in self.merged
            for known in (pull.head_sha, *pull.commit_shas)
        )
        of_branches = ((known_in, known) for known_in, _, known in self.facts.commits)
        return any(
            repository in (None, known_in) and _begins(known, sha)
            for known_in, known in (*of_pulls, *of_branches)
        )

    # Shipped

    def _covers(self, deployment: Deployment, pull: Pull) -> bool:
        if pull.key in self.lists[deployment.reference_id]:
            return deployment.success
        reached = self.reaches[deployment.reference_id]
        services = self.facts.services.get(pull.key, frozenset())
        return (
            isinstance(reached, Reached)
            and (reached.repository, reached.branch) == (pull.repository, pull.base_ref)
            and reached.point >= pull.position
            and (not services or deployment.service in services)
        )

    def _ships(self, deployment: Deployment) -> set[PullKey]:
        if not deployment.success:
            return set()
        earlier = [
            other
            for other in self.in_order
            if other.order < deployment.order
            and (other.service, other.environment) == (deployment.service, deployment.environment)
        ]
        return {
            pull.key
            for pull in self.merged
            if pull.key in self.lists[deployment.reference_id]
            or (
                self._covers(deployment, pull)
                and not any(self._covers(other, pull) for other in earlier)
            )
        }

    def shipping(self, pull: PullKey) -> set[str]:
        """The deployments that ship a pull request."""
        return {reference_id for reference_id, pulls in self.ships.items() if pull in pulls}

    # Windows and statuses

    def windows(self) -> dict[LaneKey, dict[str, Window]]:
        """Per lane, the window of each deployment in it: a running maximum."""
        lanes: dict[LaneKey, dict[str, Window]] = {}
        marks: dict[LaneKey, Point] = {}
        for deployment, reached in self._reaching():
            lane = (
                reached.repository,
                reached.branch,
                deployment.service,
                deployment.environment,
            )
            mark = marks.get(lane, NOTHING_YET)
            lanes.setdefault(lane, {})[deployment.reference_id] = Window(
                opened=min(mark, reached.point), reached=reached.point
            )
            marks[lane] = max(mark, reached.point)
        return lanes

    def _reaching(self) -> Iterator[tuple[Deployment, Reached]]:
        for deployment in self.in_order:
            reached = self.reaches[deployment.reference_id]
            if isinstance(reached, Reached):
                yield deployment, reached

    def standing(self, reference_id: str) -> tuple[str, str | None]:
        """The status of a deployment and its reason."""
        deployment = self.facts.deployments[reference_id]
        if not deployment.success:
            return NONE, "failed"
        if self.ships[reference_id]:
            return ATTRIBUTED, None
        reached = self.reaches[reference_id]
        if isinstance(reached, Reached):
            return self._standing_at(deployment, reached)
        return WAITING, self._listed(deployment)[1] if reached is None else reached

    def _standing_at(self, deployment: Deployment, reached: Reached) -> tuple[str, str | None]:
        before = [
            other_reached.point
            for other, other_reached in self._reaching()
            if other.order < deployment.order
            and (other.service, other.environment) == (deployment.service, deployment.environment)
            and (other_reached.repository, other_reached.branch)
            == (reached.repository, reached.branch)
        ]
        mark = max(before, default=NOTHING_YET)
        if reached.point > mark:
            return WAITING, "no_pull_requests_yet"
        return NONE, "redeploy" if reached.point == mark else "rollback"


def _begins(known: str | None, sha: str) -> bool:
    return known is not None and known.startswith(sha)


def _position_of(pull: Pull) -> Reached:
    assert pull.merged_at is not None
    return Reached(
        repository=pull.repository,
        branch=pull.base_ref,
        point=pull.position,
        at=pull.merged_at,
    )


def _everything_by(at: datetime, repository: str, branch: str) -> Reached:
    return Reached(repository=repository, branch=branch, point=(at, inf), at=at)
