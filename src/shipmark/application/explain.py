"""Explain attribution, from the same functions that decided it."""

from collections.abc import Sequence
from dataclasses import replace

from shipmark.application.attribute import Evidence
from shipmark.application.explanation import (
    DeploymentExplanation,
    DirectCommits,
    ExplainedInRows,
    ExplainedWindow,
    First,
    LeftOut,
    ListedCommit,
    MatchedCommit,
    Point,
    PullExplanation,
    Target,
    deployment_words,
    pull_words,
)
from shipmark.application.ports import LaneKey
from shipmark.application.queries import (
    DeploymentRow,
    LeftOutPull,
    Page,
    PlacedWindow,
    PullRow,
    ReadTransaction,
    Surroundings,
)
from shipmark.application.register import reason_of
from shipmark.domain.attribution import (
    Candidate,
    Match,
    Reach,
    Window,
    listed_pulls,
    reach,
)
from shipmark.domain.model import (
    BEGINNING,
    LAST_NUMBER,
    Method,
    Position,
    Reason,
)

MOST_LEFT_OUT = 100
MOST_CARRIED = 100
MOST_COUNTED = 1000


def explain_deployment(
    tx: ReadTransaction, row: DeploymentRow, shipped: int, around: Surroundings | None
) -> DeploymentExplanation:
    """Explain one deployment as it stands now: ``shipped`` is how many pull requests it ships,
    ``around`` what stands beside it in its lane."""
    return explain_in_rows(tx, row, shipped, around).explanation


def explain_in_rows(
    tx: ReadTransaction, row: DeploymentRow, shipped: int, around: Surroundings | None
) -> ExplainedInRows:
    """The same, with the rows of the pull requests that it tells of."""
    one = row.deployment
    evidence = Evidence(tx, [one])
    match = evidence.match(one)
    left_out = First.of(_left_out_of(tx, around), MOST_LEFT_OUT)
    carried = First.of([] if one.success else _carried(tx, row, match), MOST_CARRIED)
    explanation = DeploymentExplanation(
        method=one.method,
        status=one.attribution.status,
        reason=reason_of(one, {one.id} if row.rolled_back else set()),
        matched=_matched(row, match.found) if match and match.found else None,
        candidates=tuple(_matched(row, each) for each in match.candidates) if match else (),
        window=_explain_window(row, around) if around else None,
        left_out=tuple(_left_out(each) for each in left_out.rows),
        carried=tuple(each.pull.number for each in carried.rows),
        listed=tuple(_listed(sha, evidence.of(one, sha)) for sha in one.merge_commit_shas),
        direct_commits=_direct_commits(tx, around.placed) if around else None,
        words=(),
    )
    words = tuple(deployment_words(row, explanation, shipped, carried.rows))
    return ExplainedInRows(
        explanation=replace(explanation, words=words), left_out=left_out, carried=carried
    )


def _matched(row: DeploymentRow, candidate: Candidate) -> MatchedCommit:
    return MatchedCommit(
        rule=candidate.rule,
        sha=candidate.sha,
        repository=row.repository.name if row.repository else "",
        branch=candidate.branch,
        at=candidate.at,
        pull_request=candidate.number,
    )


def _point(position: Position) -> Point:
    number = None if position.number == LAST_NUMBER else position.number
    return Point(at=position.at, number=number)


def _explain_window(row: DeploymentRow, around: Surroundings) -> ExplainedWindow:
    """The window of a deployment; an empty one shows the mark it did not raise."""
    mark, window = around.mark, around.placed.window
    return ExplainedWindow(
        repository=row.repository.name if row.repository else "",
        branch=around.placed.lane.branch,
        opened=_point(mark.reached) if mark else None,
        opened_by=mark.order.reference_id if mark else None,
        reached=_point(window.reached),
        baseline=window.is_baseline,
    )


def _direct_commits(tx: ReadTransaction, placed: PlacedWindow) -> DirectCommits:
    count = tx.explanations.count_direct(placed, MOST_COUNTED + 1)
    return DirectCommits(count=min(count, MOST_COUNTED), more=count > MOST_COUNTED)


def _left_out_of(tx: ReadTransaction, around: Surroundings | None) -> list[LeftOutPull]:
    """What its window does not ship: one more than is told of, if there are more."""
    return tx.explanations.left_out(around.placed.window, MOST_LEFT_OUT + 1) if around else []


def _left_out(row: LeftOutPull) -> LeftOut:
    return LeftOut(
        number=row.number,
        title=row.title,
        reason="listed_by_earlier_deployment" if row.listed_by else "assigned_to_other_services",
        services=row.services,
        listed_by=row.listed_by,
    )


def _carried(tx: ReadTransaction, row: DeploymentRow, match: Match | None) -> list[PullRow]:
    """What a failed deployment would have shipped, had it succeeded, in the order of merging: one
    more than is told of, if there are more."""
    one = row.deployment
    if one.method is Method.MERGE_COMMIT_SHAS:
        listed = tx.reports.pulls_by_id(tx.deployments.listed_pulls([one.id]).get(one.id, set()))
        return sorted(listed, key=lambda each: (each.pull.position or BEGINNING, each.repository))
    default_branch = row.repository.default_branch if row.repository else None
    reached = reach(replace(one, success=True), default_branch, match)
    if isinstance(reached, Reason):
        return []
    return [each for point in reached for each in _carried_by(tx, row, point)]


def _carried_by(tx: ReadTransaction, row: DeploymentRow, point: Reach) -> list[PullRow]:
    one = row.deployment
    key = LaneKey(
        repository_id=point.repository_id,
        branch=point.branch,
        service_id=one.service_id,
        environment=one.environment,
    )
    mark = tx.explanations.mark_before(key, one.order)
    window = Window(
        lane_id=mark.lane_id if mark else 0,
        deployment_id=one.id,
        order=one.order,
        reached=point.position,
        opened=min(mark.reached if mark else BEGINNING, point.position),
    )
    return tx.explanations.carried_pulls(window, key, Page(limit=MOST_CARRIED + 1))


def _listed(sha: str, candidates: Sequence[Candidate]) -> ListedCommit:
    found = listed_pulls(sha, candidates)
    if isinstance(found, Match):
        return ListedCommit(sha=sha, pull_requests=(), reason=found.reason)
    numbers = sorted(each.number for each in found if each.number is not None)
    return ListedCommit(sha=sha, pull_requests=tuple(numbers), reason=None)


def explain_pull(tx: ReadTransaction, row: PullRow) -> PullExplanation:
    """Explain one pull request as it stands now."""
    return explain_shipped_pull(tx, row, tx.reports.shipping(row.pull.id))


def explain_shipped_pull(
    tx: ReadTransaction, row: PullRow, shipping: Sequence[DeploymentRow]
) -> PullExplanation:
    """The same, of a pull request of which it is known what ships it."""
    reached = {(one.service.identifier, one.deployment.environment) for one in shipping}
    targets = [
        Target(
            service=one.service.identifier,
            environment=one.deployment.environment,
            shipped_by=one.deployment.reference_id,
            deployed_at=one.deployment.deployed_at,
            reason=None,
        )
        for one in shipping
    ] + [
        Target(
            service=lane.service,
            environment=lane.environment,
            shipped_by=None,
            deployed_at=None,
            reason="not_deployed_yet" if lane.of_service else "assigned_to_other_services",
        )
        for lane in tx.explanations.lanes_of(row.pull.id)
        if (lane.service, lane.environment) not in reached
    ]
    targets.sort(
        key=lambda one: (one.service, one.environment, one.deployed_at or row.pull.merged_at)
    )
    return PullExplanation(
        merged=row.pull.merged_at is not None,
        services=row.services,
        targets=tuple(targets),
        words=tuple(pull_words(row, targets)),
    )
