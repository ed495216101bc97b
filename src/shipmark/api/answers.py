"""The wire types of answers, and how stored values become them.

Instants go out as ISO-8601 with Z; durations are seconds.
"""

from datetime import datetime
from typing import Any

import msgspec

from shipmark.application.queries import DeploymentRow, PullRow, ReachedCommit
from shipmark.application.register import Registered, reason_of
from shipmark.domain.model import Deployment, Method, PullRequest, Reason, Status


class Answer(msgspec.Struct, kw_only=True, frozen=True):
    """What every answer of a method that did what was asked begins with."""

    ok: bool = True
    warnings: list[str] | msgspec.UnsetType = msgspec.UNSET


class ListAnswer(Answer, kw_only=True, frozen=True):
    """A page of a list. ``next_cursor`` is null on the last one."""

    next_cursor: str | None


class AttributionAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """How the attribution of a deployment went; ``pull_requests`` counts what it ships."""

    status: Status
    method: Method
    pull_requests: int
    reason: Reason | None


class AttributionState(AttributionAnswer, kw_only=True, frozen=True):
    """The same with its times: since when it ships something, and when it is tried again."""

    attributed_at: datetime | None
    next_attempt_at: datetime | None
    retried_until: datetime
    attempts: int


class DeploymentAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """A deployment: every stored argument, and its attribution."""

    id: int
    reference_id: str
    deployed_at: datetime
    service: str
    service_name: str
    environment: str
    success: bool
    repository: str | None
    commit_sha: str | None
    merge_commit_shas: tuple[str, ...]
    integration_branch: str | None
    source_url: str | None
    source_name: str | None
    metadata: msgspec.Raw
    url: str
    created_at: datetime
    updated_at: datetime
    rule: str | None
    rule_id: int | None
    rule_version: int | None
    attribution: AttributionState


class ShippedPullAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """A pull request as one deployment shipped it; durations are seconds, null if unknown."""

    repository: str
    number: int
    title: str | None
    author: str | None
    url: str | None
    base_ref: str
    merge_commit_sha: str | None
    merged_at: datetime | None
    merge_to_deploy: float | None
    open_to_deploy: float | None


class ReachedCommitAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """A commit that one deployment reached; ``pull_request`` is the number of the one that brought
    it to the branch, null for a direct push. ``commit_to_deploy`` is in seconds."""

    repository: str
    branch: str
    sha: str
    committed_at: datetime
    pull_request: int | None
    commit_to_deploy: float


class PullAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """A pull request: every imported fact, and the services assigned to it."""

    repository: str
    number: int
    base_ref: str
    source_id: str | None
    title: str | None
    author: str | None
    url: str | None
    head_ref: str | None
    head_sha: str | None
    commit_shas: list[str]
    merge_commit_sha: str | None
    created_at: datetime | None
    first_commit_at: datetime | None
    ready_for_review_at: datetime | None
    merged_at: datetime | None
    closed_at: datetime | None
    labels: tuple[str, ...]
    files: tuple[str, ...]
    services: tuple[str, ...]


class ShippedByAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """A deployment as it shipped one pull request; durations are seconds, null if unknown."""

    id: int
    reference_id: str
    service: str
    environment: str
    deployed_at: datetime
    method: Method
    url: str
    merge_to_deploy: float | None
    open_to_deploy: float | None


def attribution(registered: Registered) -> AttributionAnswer:
    """What registering answers about attribution."""
    return AttributionAnswer(
        status=registered.deployment.attribution.status,
        method=registered.deployment.method,
        pull_requests=registered.pull_requests,
        reason=registered.reason,
    )


def deployment(row: DeploymentRow, shipped: int, url: str) -> DeploymentAnswer:
    """A stored deployment as it goes out."""
    one = row.deployment
    return DeploymentAnswer(
        id=one.id,
        reference_id=one.reference_id,
        deployed_at=one.deployed_at,
        service=row.service.identifier,
        service_name=row.service.name,
        environment=one.environment,
        success=one.success,
        repository=row.repository.name if row.repository else None,
        commit_sha=one.commit_sha,
        merge_commit_shas=one.merge_commit_shas,
        integration_branch=one.integration_branch,
        source_url=one.source_url,
        source_name=one.source_name,
        metadata=msgspec.Raw((one.metadata or "{}").encode()),
        url=url,
        created_at=one.created_at,
        updated_at=one.updated_at,
        rule=row.rule,
        rule_id=one.rule_id,
        rule_version=one.rule_version,
        attribution=_state(row, shipped),
    )


def _state(row: DeploymentRow, shipped: int) -> AttributionState:
    one = row.deployment
    return AttributionState(
        status=one.attribution.status,
        method=one.method,
        pull_requests=shipped,
        reason=reason_of(one, {one.id} if row.rolled_back else set()),
        attributed_at=one.attribution.attributed_at,
        next_attempt_at=one.attribution.due_at,
        retried_until=one.attribution.retry_until,
        attempts=one.attribution.attempts,
    )


def shipped_pull(row: PullRow, by: Deployment) -> ShippedPullAnswer:
    """A pull request with how long it took to that deployment."""
    pull = row.pull
    return ShippedPullAnswer(
        repository=row.repository,
        number=pull.number,
        title=pull.title,
        author=pull.author,
        url=pull.url,
        base_ref=pull.base_ref,
        merge_commit_sha=pull.merge_commit_sha,
        merged_at=pull.merged_at,
        merge_to_deploy=_seconds(pull.merged_at, by.deployed_at),
        open_to_deploy=_seconds(pull.created_at, by.deployed_at),
    )


def reached_commit(commit: ReachedCommit, by: DeploymentRow) -> ReachedCommitAnswer:
    """A commit with how long it took to that deployment."""
    return ReachedCommitAnswer(
        repository=by.repository.name if by.repository else "",
        branch=commit.branch,
        sha=commit.sha,
        committed_at=commit.committed_at,
        pull_request=commit.number,
        commit_to_deploy=(by.deployment.deployed_at - commit.committed_at).total_seconds(),
    )


def shipped_by(row: DeploymentRow, pull: PullRequest, url: str) -> ShippedByAnswer:
    """A deployment with how long that pull request took to it."""
    one = row.deployment
    return ShippedByAnswer(
        id=one.id,
        reference_id=one.reference_id,
        service=row.service.identifier,
        environment=one.environment,
        deployed_at=one.deployed_at,
        method=one.method,
        url=url,
        merge_to_deploy=_seconds(pull.merged_at, one.deployed_at),
        open_to_deploy=_seconds(pull.created_at, one.deployed_at),
    )


def _seconds(start: datetime | None, end: datetime) -> float | None:
    return None if start is None else (end - start).total_seconds()


def pull_request(row: PullRow) -> PullAnswer:
    """A stored pull request as it goes out."""
    pull = row.pull
    facts: dict[str, Any] = {
        name: getattr(pull, name)
        for name in PullAnswer.__struct_fields__
        if name not in {"repository", "commit_shas", "labels", "files", "services"}
    }
    return PullAnswer(
        repository=row.repository,
        commit_shas=sorted(pull.commit_shas),
        labels=pull.labels or (),
        files=pull.files or (),
        services=row.services,
        **facts,
    )
