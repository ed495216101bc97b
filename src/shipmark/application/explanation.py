"""What an explanation holds, and how it is said in plain words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from shipmark.application.queries import DeploymentRow, LeftOutPull, PullRow
from shipmark.domain.model import MatchRule, Method, Reason, Status

Row = TypeVar("Row")

MOST_IN_WORDS = 20
CLOCK = "%Y-%m-%d %H:%M:%S UTC"

RULES = {
    MatchRule.MERGE_COMMIT: "it is the merge commit of",
    MatchRule.PULL_COMMIT: "it is one of the commits of",
    MatchRule.BRANCH_COMMIT: "it was pushed directly to",
}
REASONS = {
    Reason.COMMIT_NOT_IMPORTED: "no imported pull request or commit has the commit yet",
    Reason.AMBIGUOUS_COMMIT: "the commit fits more than one pull request, and nothing is guessed",
    Reason.DEFAULT_BRANCH_UNKNOWN: "the default branch of the repository is not known yet",
    Reason.NO_PULL_REQUESTS_YET: "no pull request in its window is imported and free to ship yet",
    Reason.REDEPLOY: "what it deploys was deployed before",
    Reason.ROLLBACK: "it deploys less than was deployed before",
    Reason.FAILED: "the deployment failed; what it carried is left for the next",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A position on a branch. No number: everything merged by then."""

    at: datetime
    number: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedCommit:
    """What a commit was found to be."""

    rule: MatchRule
    sha: str
    repository: str
    branch: str
    at: datetime
    pull_request: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedWindow:
    """The range of a branch's history that a deployment added: after ``opened``, to ``reached``.

    ``opened`` is null for the first deployment of its lane (a baseline); ``opened_by`` is the
    reference_id of the deployment that set it.
    """

    repository: str
    branch: str
    opened: Point | None
    opened_by: str | None
    reached: Point
    baseline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A pull request in the window's range that is not shipped, and why."""

    number: int
    title: str | None
    reason: str
    services: tuple[str, ...]
    listed_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCommit:
    """One of merge_commit_shas, and the pull requests it is the merge commit of."""

    sha: str
    pull_requests: tuple[int, ...]
    reason: Reason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectCommits:
    """How many commits in a window came without a pull request; ``more``: it holds still more."""

    count: int
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentExplanation:
    """Why a deployment ships what it ships. ``words`` say it in plain sentences.

    ``carried`` are the pull requests that a failed deployment would have shipped. ``left_out``
    and ``carried`` hold the first hundred.
    """

    method: Method
    status: Status
    reason: Reason | None
    matched: MatchedCommit | None
    candidates: tuple[MatchedCommit, ...]
    window: ExplainedWindow | None
    left_out: tuple[LeftOut, ...]
    carried: tuple[int, ...]
    listed: tuple[ListedCommit, ...]
    direct_commits: DirectCommits | None
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class First(Generic[Row]):
    """The first of some rows, and whether there are more."""

    rows: Sequence[Row] = ()
    has_more: bool = False

    @classmethod
    def of(cls, found: Sequence[Row], most: int) -> "First[Row]":
        """The first of what was found, which is one more than that if there are more."""
        return cls(found[:most], len(found) > most)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedInRows:
    """An explanation, with all that is known of the pull requests that it tells numbers of."""

    explanation: DeploymentExplanation
    left_out: First[LeftOutPull]
    carried: First[PullRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A pull request in one service and environment: shipped by what, or why not yet.

    ``reason`` is one of assigned_to_other_services and not_deployed_yet, or null when shipped.
    """

    service: str
    environment: str
    shipped_by: str | None
    deployed_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PullExplanation:
    """Where a pull request is, for each service and environment its branch is deployed to."""

    merged: bool
    services: tuple[str, ...]
    targets: tuple[Target, ...]
    words: tuple[str, ...]


def deployment_words(
    row: DeploymentRow,
    explained: DeploymentExplanation,
    shipped: int,
    carried: Sequence[PullRow],
) -> Iterator[str]:
    """A deployment's explanation, sentence by sentence."""
    one = row.deployment
    yield _how(row)
    if explained.matched is not None:
        yield _match_words(one.commit_sha or "", explained.matched)
    elif len(explained.candidates) > 1:
        named = ", ".join(_named(each) for each in explained.candidates)
        yield f"The commit {one.commit_sha} fits {named}; give more of its characters."
    if explained.window is not None:
        yield _window_words(row, explained.window)
    if shipped:
        yield f"It ships {_pull_requests(shipped)}."
    if explained.direct_commits is not None and explained.direct_commits.count:
        yield f"It reached {_commits(explained.direct_commits)} without a pull request."
    if explained.reason is not None:
        yield f"It ships nothing{_yet(explained.status)}: {REASONS[explained.reason]}."
    if explained.left_out:
        why = _first([_left_out_words(each) for each in explained.left_out], "; ")
        yield f"Left out of its window: {why}."
    if carried:
        numbers = _first([_number(row, each) for each in carried])
        yield f"Had it succeeded it would have shipped {numbers}."


def _how(row: DeploymentRow) -> str:
    one = row.deployment
    repository = row.repository.name if row.repository else "any repository"
    named = {
        Method.DEPLOYED_AT: f"by when {repository} was deployed, {one.deployed_at:{CLOCK}}",
        Method.COMMIT_SHA: f"by the commit {one.commit_sha} of {repository}",
        Method.INTEGRATION_BRANCH: f"by the commit {one.commit_sha} of {repository}, for what was "
        f"merged into {one.integration_branch} by then",
        Method.MERGE_COMMIT_SHAS: "by the merge commits it lists: " + _first(one.merge_commit_shas),
    }
    waits = one.attribution.status in (Status.PENDING, Status.EXPIRED)
    return f"{'To be attributed' if waits else 'Attributed'} {named[one.method]}."


def _first(texts: Sequence[str], separator: str = ", ") -> str:
    """As many as one reads in a sentence, which says so where there are more."""
    more = f"{separator}and more" if len(texts) > MOST_IN_WORDS else ""
    return separator.join(texts[:MOST_IN_WORDS]) + more


def _match_words(sha: str, matched: MatchedCommit) -> str:
    return f"The commit {sha} was found: {RULES[matched.rule]} {_named(matched)}."


def _named(matched: MatchedCommit) -> str:
    if matched.pull_request is None:
        return f"the branch {matched.branch}, {matched.at:{CLOCK}}"
    return f"#{matched.pull_request}, merged into {matched.branch} {matched.at:{CLOCK}}"


def _window_words(row: DeploymentRow, window: ExplainedWindow) -> str:
    target = f"{row.service.identifier} in {row.deployment.environment}"
    lane = f"{window.repository} {window.branch} to {target}"
    if window.opened is None:
        begins = "from the beginning: it is the first deployment there"
    else:
        begins = f"after {_point_words(window.opened)}, where '{window.opened_by}' had come"
    return f"Its window on {lane} goes {begins}, up to {_point_words(window.reached)}."


def _point_words(point: Point) -> str:
    return f"{point.at:{CLOCK}}" + (f" (#{point.number})" if point.number is not None else "")


def _left_out_words(each: LeftOut) -> str:
    if each.listed_by is not None:
        return f"#{each.number} was listed by '{each.listed_by}'"
    return f"#{each.number} belongs to {', '.join(each.services)}"


def _number(row: DeploymentRow, each: PullRow) -> str:
    """A pull request by its number, and by its repository where the deployment names none."""
    return f"{'' if row.repository else each.repository}#{each.pull.number}"


def _yet(status: Status) -> str:
    return " yet" if status is Status.PENDING else ""


def _pull_requests(count: int) -> str:
    return "1 pull request" if count == 1 else f"{count} pull requests"


def _commits(direct: DirectCommits) -> str:
    least = "more than " if direct.more else ""
    return "1 commit" if direct.count == 1 else f"{least}{direct.count} commits"


def pull_words(row: PullRow, targets: Sequence[Target]) -> Iterator[str]:
    """A pull request's explanation, sentence by sentence."""
    pull = row.pull
    if pull.merged_at is None:
        yield f"#{pull.number} is not merged, so no deployment can ship it."
        return
    yield f"#{pull.number} was merged into {pull.base_ref} {pull.merged_at:{CLOCK}}."
    if row.services:
        yield f"It belongs to {', '.join(row.services)}."
    if not targets:
        yield f"Nothing was deployed from {pull.base_ref} of {row.repository} yet."
    for one in targets:
        place = f"{one.service} in {one.environment}"
        if one.shipped_by is not None:
            yield f"Shipped to {place} by '{one.shipped_by}', {one.deployed_at:{CLOCK}}."
        elif one.reason == "not_deployed_yet":
            yield f"Not in {place} yet: no deployment there has reached it."
        else:
            yield f"Not for {place}: it belongs to other services."
