"""GitHub's own objects, as its REST API and its webhooks both have them, and the facts in them."""

from datetime import datetime
from functools import partial
from typing import Any

from shipmark.application.facts import PushedCommit, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors import ref_events
from shipmark.connectors.payloads import SHA, Instant, Number, Text, Wire
from shipmark.domain.events import EventSource, SourceEvent

SOURCE = "github"
SUCCESS = {"success"}
FAILURE = {"failure", "error", "timed_out", "cancelled", "startup_failure", "stale"}
"""How a run, a job or a deployment can end that did something. What was skipped, was neutral, or
still waits for someone's action has deployed nothing, and is no event."""

GHOST = "ghost"
"""Whom GitHub names instead of someone whose account is deleted."""


class Repository(Wire):
    id: int
    full_name: Text
    default_branch: Text | None = None
    archived: bool | None = None
    updated_at: Instant | None = None
    pushed_at: Instant | None = None


class User(Wire):
    login: Text


class Label(Wire):
    name: Text


class Reference(Wire):
    ref: Text
    sha: SHA


class PullRequest(Wire):
    id: int
    number: Number
    title: Text
    html_url: Text
    head: Reference
    base: Reference
    created_at: Instant
    updated_at: Instant
    closed_at: Instant | None = None
    merged_at: Instant | None = None
    merge_commit_sha: SHA | None = None
    draft: bool = False
    user: User | None = None
    labels: tuple[Label, ...] = ()


class WorkflowRun(Wire):
    """``name`` is the workflow's. ``head_branch`` is a tag's name where a tag was pushed."""

    id: int
    head_sha: SHA
    html_url: Text
    created_at: Instant
    updated_at: Instant
    run_attempt: int = 1
    name: Text | None = None
    head_branch: Text | None = None
    conclusion: Text | None = None
    head_repository: Repository | None = None


class WorkflowJob(Wire):
    id: int
    name: Text
    head_sha: SHA
    workflow_name: Text | None = None
    head_branch: Text | None = None
    conclusion: Text | None = None
    html_url: Text | None = None
    completed_at: Instant | None = None


class Deployment(Wire):
    id: int
    sha: SHA
    ref: Text
    environment: Text
    created_at: Instant
    updated_at: Instant


class DeploymentStatus(Wire):
    state: Text
    created_at: Instant
    environment: Text | None = None
    target_url: Text | None = None
    log_url: Text | None = None


class Release(Wire):
    id: int
    tag_name: Text
    html_url: Text
    draft: bool = False
    published_at: Instant | None = None


def repository_facts(
    repository: Repository, *, former_name: str | None = None, archived: bool | None = None
) -> RepositoryFacts:
    """``archived`` says so whatever the repository itself says."""
    branch = repository.default_branch
    return RepositoryFacts(
        name=repository.full_name,
        source=SOURCE,
        source_id=str(repository.id),
        as_of=repository.updated_at,
        former_name=former_name,
        archived=repository.archived if archived is None else archived,
        values={"default_branch": branch} if branch else {},
    )


def pull_facts(repository: str, pull: PullRequest, **more: Any) -> PullFacts:
    """What a pull request says, and ``more`` values that are told beside it."""
    values = {
        "base_ref": pull.base.ref,
        "source_id": str(pull.id),
        "title": pull.title or None,
        "author": author(pull.user.login if pull.user else None),
        "url": pull.html_url,
        "head_ref": pull.head.ref,
        "head_sha": pull.head.sha or None,
        "created_at": pull.created_at,
        "closed_at": pull.closed_at,
        "merged_at": pull.merged_at,
        # Until it is merged, this is the commit of a merge that GitHub only tried.
        "merge_commit_sha": (pull.merge_commit_sha or None) if pull.merged_at else None,
        "labels": tuple(sorted(label.name for label in pull.labels)),
    }
    return PullFacts(
        repository=repository, number=pull.number, values=values | more, as_of=pull.updated_at
    )


def author(login: str | None) -> str | None:
    """Who opened a pull request; None: their account is gone."""
    return None if login in (None, GHOST) else login


def pushed_commit(sha: str, at: datetime, files: tuple[str, ...] | None = None) -> PushedCommit:
    return PushedCommit(sha=sha, committed_at=at, files=files)


def run_event(repository: str, run: WorkflowRun, repository_id: int | None) -> SourceEvent | None:
    """A workflow run that ended; None: it has not, it did nothing, or it ran for a fork.

    A fork's branch may be called like one of ours: taken for ours, a pull request from it would
    look like a run on that branch. Without ``repository_id``, nothing is taken for a fork's.
    """
    home = run.head_repository.id if run.head_repository else None
    if run.conclusion not in SUCCESS | FAILURE or (repository_id and home != repository_id):
        return None
    return SourceEvent(
        source=EventSource.GITHUB_ACTIONS,
        key=f"{SOURCE}:{repository}:run:{run.id}:{run.run_attempt}",
        repository=repository,
        at=run.updated_at,
        success=run.conclusion in SUCCESS,
        commit_sha=run.head_sha or None,
        branch=run.head_branch,
        workflow=run.name,
        url=run.html_url,
    )


def job_event(repository: str, job: WorkflowJob) -> SourceEvent | None:
    """A job that ended; None: it has not, or it did nothing. A job run again has another id."""
    if job.conclusion not in SUCCESS | FAILURE or job.completed_at is None:
        return None
    return SourceEvent(
        source=EventSource.GITHUB_ACTIONS,
        key=f"{SOURCE}:{repository}:job:{job.id}",
        repository=repository,
        at=job.completed_at,
        success=job.conclusion in SUCCESS,
        commit_sha=job.head_sha or None,
        branch=job.head_branch,
        workflow=job.workflow_name,
        job=job.name,
        url=job.html_url,
    )


def deployment_event(
    repository: str,
    deployment: Deployment,
    status: DeploymentStatus,
    workflow: str | None = None,
) -> SourceEvent | None:
    """A deployment that succeeded or failed; None: it goes on, or another took its place.

    It may fail and then succeed, which is two events; but it is often said twice that it succeeded.
    ``workflow`` is the one that deployed, where that is told.
    """
    if status.state not in SUCCESS | FAILURE:
        return None
    outcome = "success" if status.state in SUCCESS else "failure"
    return SourceEvent(
        source=EventSource.GITHUB_DEPLOYMENTS,
        key=f"{SOURCE}:{repository}:deployment:{deployment.id}:{outcome}",
        repository=repository,
        at=status.created_at,
        success=status.state in SUCCESS,
        commit_sha=deployment.sha or None,
        # What was to be deployed is told as a branch, a tag or a commit, and not as which.
        branch=None if deployment.ref == deployment.sha else deployment.ref,
        environment=status.environment or deployment.environment,
        workflow=workflow,
        url=status.log_url or status.target_url or None,
    )


def release_event(
    repository: str, release: Release, *, commit: str | None = None
) -> SourceEvent | None:
    """A release that was published; None: it is a draft. A webhook does not tell its commit."""
    if release.draft or release.published_at is None:
        return None
    return ref_events.release_event(
        SOURCE,
        repository,
        release.id,
        release.tag_name,
        release.published_at,
        url=release.html_url,
        commit=commit,
    )


tag_event = partial(ref_events.tag_event, SOURCE)
