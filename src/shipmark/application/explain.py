"""Explain attribution, from the same functions that decided it."""

from collections.abc import Sequence
from dataclasses import replace

from shipmark.application.attribute import Evidence
from shipmark.application.explanation import (
    DeploymentExplanation,
    ExplainedWindow,
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
    PullRow,
    ReadTransaction,
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


def explain_deployment(
    tx: ReadTransaction, row: DeploymentRow, shipped: int
) -> DeploymentExplanation:
    """Explain one deployment as it stands now; ``shipped`` is how many pull requests it ships."""
    one = row.deployment
    evidence = Evidence(tx, [one])
    match = evidence.match(one)
    window = next(iter(tx.windows.of([one.id])), None)
    left_out = tx.reports.left_out(window, MOST_LEFT_OUT) if window else []
    explanation = DeploymentExplanation(
        method=one.method,
        status=one.attribution.status,
        reason=reason_of(one, {one.id} if row.rolled_back else set()),
        matched=_matched(row, match.found) if match and match.found else None,
        candidates=tuple(_matched(row, each) for each in match.candidates) if match else (),
        window=_explain_window(tx, row, window) if window else None,
        left_out=tuple(_left_out(each) for each in left_out),
        carried=() if one.success else _carried(tx, row, match),
        listed=tuple(_listed(sha, evidence.of(one, sha)) for sha in one.merge_commit_shas),
        words=(),
    )
    return replace(explanation, words=tuple(deployment_words(row, explanation, shipped)))


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


def _explain_window(tx: ReadTransaction, row: DeploymentRow, window: Window) -> ExplainedWindow:
    """The window of a deployment; an empty one shows the mark it did not raise."""
    mark = tx.reports.mark_before(window.lane_id, window.order)
    setter = tx.deployments.get([mark.deployment_id])[mark.deployment_id] if mark else None
    return ExplainedWindow(
        repository=row.repository.name if row.repository else "",
        branch=tx.lanes.keys([window.lane_id])[window.lane_id].branch,
        opened=_point(mark.reached) if mark else None,
        opened_by=setter.reference_id if setter else None,
        reached=_point(window.reached),
        baseline=window.is_baseline,
    )


def _left_out(row: LeftOutPull) -> LeftOut:
    return LeftOut(
        number=row.number,
        title=row.title,
        reason="listed_by_earlier_deployment" if row.listed_by else "assigned_to_other_services",
        services=row.services,
        listed_by=row.listed_by,
    )


def _carried(tx: ReadTransaction, row: DeploymentRow, match: Match | None) -> tuple[int, ...]:
    """What a failed deployment would have shipped, had it succeeded."""
    one = row.deployment
    if one.method is Method.MERGE_COMMIT_SHAS:
        listed = tx.reports.pulls_by_id(tx.deployments.listed_pulls([one.id]).get(one.id, set()))
        return tuple(sorted(each.pull.number for each in listed))
    default_branch = row.repository.default_branch if row.repository else None
    reached = reach(replace(one, success=True), default_branch, match)
    if isinstance(reached, Reason):
        return ()
    return tuple(each.pull.number for point in reached for each in _carried_by(tx, row, point))


def _carried_by(tx: ReadTransaction, row: DeploymentRow, point: Reach) -> list[PullRow]:
    one = row.deployment
    key = LaneKey(
        repository_id=point.repository_id,
        branch=point.branch,
        service_id=one.service_id,
        environment=one.environment,
    )
    lane_id = tx.lanes.find([key]).get(key, 0)
    mark = tx.reports.mark_before(lane_id, one.order)
    window = Window(
        lane_id=lane_id,
        deployment_id=one.id,
        order=one.order,
        reached=point.position,
        opened=min(mark.reached if mark else BEGINNING, point.position),
    )
    return tx.reports.carried_pulls(window, key, Page(limit=MOST_CARRIED))


def _listed(sha: str, candidates: Sequence[Candidate]) -> ListedCommit:
    found = listed_pulls(sha, candidates)
    if isinstance(found, Match):
        return ListedCommit(sha=sha, pull_requests=(), reason=found.reason)
    numbers = sorted(each.number for each in found if each.number is not None)
    return ListedCommit(sha=sha, pull_requests=tuple(numbers), reason=None)


def explain_pull(tx: ReadTransaction, row: PullRow) -> PullExplanation:
    """Explain one pull request as it stands now."""
    shipping = tx.reports.deployments_by_id(tx.reports.shipping(row.pull.id))
    return explain_shipped_pull(tx, row, shipping)


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
        for lane in tx.reports.lanes_of(row.pull.id)
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
