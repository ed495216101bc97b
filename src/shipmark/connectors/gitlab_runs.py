"""GitLab's pipelines, jobs and deployments, as webhooks and API tell them."""

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from shipmark.application.facts import Fact
from shipmark.connectors.gitlab_facts import Project, event_key, path_of, to_second
from shipmark.connectors.payloads import SHA, Instant, Text, Wire, read
from shipmark.domain.events import EventSource, SourceEvent

SUCCEEDED = {"success": True, "failed": False, "canceled": False}
"""Which ends of pipelines, jobs and deployments are a success. Any other status is either no end
(running, manual, blocked) or says nothing (skipped)."""

MERGE_REQUEST_EVENT = "merge_request_event"
SOME_SHA = re.compile("[0-9a-fA-F]{7,64}")
NO_BRANCH = "refs/"
"""How the refs of the pipelines of merge requests begin, which run on no branch."""


class Pipeline(Wire):
    """A pipeline, of a webhook (``url``) or of the API (``web_url``)."""

    id: int
    status: str
    sha: SHA
    ref: Text | None = None
    tag: bool = False
    source: str | None = None
    name: Text | None = None
    finished_at: Instant | None = None
    url: Text | None = None
    web_url: Text | None = None


def pipeline_event(name: str, run: Pipeline) -> list[SourceEvent]:
    """The end of a pipeline; nothing while it has not come to one."""
    # Webhooks name the branch of a merge request here, the API a ref of the request.
    ref = None if run.source == MERGE_REQUEST_EVENT else run.ref
    return _end(
        name,
        ("pipeline", run.id, run.status),
        status=run.status,
        at=run.finished_at,
        commit_sha=run.sha or None,
        workflow=run.name,
        url=run.url or run.web_url,
        **_stands_on(ref, is_tag=run.tag),
    )


class Named(Wire):
    name: Text | None = None


class _JobCommit(Wire):
    id: SHA


class JobPipeline(Named):
    """The pipeline of a job; of its name, most servers tell nothing here."""

    id: int | None = None


class Job(Wire):
    """A job of the API."""

    id: int
    name: Text
    stage: Text
    status: str
    created_at: Instant
    ref: Text | None = None
    tag: bool = False
    finished_at: Instant | None = None
    web_url: Text | None = None
    commit: _JobCommit | None = None
    pipeline: JobPipeline | None = None


def job_event(
    name: str, job: Job, *, workflow: str | None = None, environment: str | None = None
) -> list[SourceEvent]:
    """The end of a job. ``workflow`` and ``environment`` are what else is known of it: a list of
    jobs tells neither the pipeline's name nor the environment."""
    return _end(
        name,
        ("job", job.id),
        status=job.status,
        at=job.finished_at,
        commit_sha=(job.commit and job.commit.id) or None,
        environment=environment,
        workflow=(job.pipeline and job.pipeline.name) or workflow,
        stage=job.stage,
        job=job.name,
        url=job.web_url,
        **_stands_on(job.ref, is_tag=job.tag),
    )


class Deployment(Wire):
    """A deployment of the API; without ``deployable``, it was registered there by hand."""

    id: int
    status: str
    sha: SHA
    environment: Named
    updated_at: Instant
    ref: Text | None = None
    deployable: Job | None = None


def deployment_event(name: str, deployment: Deployment) -> list[SourceEvent]:
    """The end of a deployment: that of its job, or else its own last change."""
    job = deployment.deployable
    return _end(
        name,
        ("deployment", deployment.id, deployment.status),
        source=EventSource.GITLAB_DEPLOYMENTS,
        status=deployment.status,
        at=(job and job.finished_at) or deployment.updated_at,
        commit_sha=deployment.sha or None,
        environment=deployment.environment.name,
        **_deployed_by(deployment),
    )


def deployed_job_event(name: str, deployment: Deployment) -> list[SourceEvent]:
    """The end of the job that deployed, with its environment, which no list of jobs tells."""
    job = deployment.deployable
    return job_event(name, job, environment=deployment.environment.name) if job else []


def whole_deployment(event: SourceEvent, deployment: Deployment) -> SourceEvent:
    """A deployment that a webhook told, with what the API tells of it. By now it may have come to
    another end, which is an event of its own."""
    for told in deployment_event(event.repository, deployment):
        if told.key == event.key:
            return told
    return replace(
        event, is_guessed=False, **{"branch": None, "tag": None} | _deployed_by(deployment)
    )


def _deployed_by(deployment: Deployment) -> dict[str, Any]:
    """The job that deployed, and on what it ran."""
    job = deployment.deployable
    stands_on = _stands_on(deployment.ref, is_tag=job is not None and job.tag)
    return {"job": job and job.name, "url": job and job.web_url, **stands_on}


def _end(
    repository: str,
    key: tuple[object, ...],
    *,
    status: str,
    at: datetime | None,
    source: EventSource = EventSource.GITLAB_PIPELINES,
    **fields: Any,
) -> list[SourceEvent]:
    if status not in SUCCEEDED or at is None:
        return []
    return [
        SourceEvent(
            source=source,
            key=event_key(repository, *key),
            repository=repository,
            at=to_second(at),
            success=SUCCEEDED[status],
            **fields,
        )
    ]


def _stands_on(ref: str | None, *, is_tag: bool) -> dict[str, Any]:
    """Whether something ran on a branch or on a tag; on neither, for a merge request."""
    if not ref or ref.startswith(NO_BRANCH):
        return {}
    return {"tag": ref} if is_tag else {"branch": ref}


class _PipelineHook(Wire):
    project: Project
    object_attributes: Pipeline


def read_pipeline(payload: Any, _: datetime | None) -> list[Fact]:
    """The facts of a pipeline's webhook."""
    hook = read(_PipelineHook, payload)
    return [*pipeline_event(hook.project.path_with_namespace, hook.object_attributes)]


class _JobEnvironment(Named):
    """The environment of a job, and what the job does there: most deploy to it (``start``)."""

    action: str | None = None

    @property
    def deployed_to(self) -> str | None:
        """A job that stops, prepares or verifies an environment deploys nothing to it."""
        return self.name if self.action in (None, "start") else None


class _Homepage(Wire):
    homepage: Text


class _JobHook(Wire):
    build_id: int
    build_name: Text
    build_stage: Text
    build_status: str
    sha: SHA
    repository: _Homepage
    ref: Text | None = None
    tag: bool = False
    build_finished_at: Instant | None = None
    commit: Named | None = None
    project: Project | None = None
    environment: _JobEnvironment | None = None


def read_job(payload: Any, _: datetime | None) -> list[Fact]:
    """The facts of a job's webhook."""
    hook = read(_JobHook, payload)
    home = hook.repository.homepage
    events = _end(
        # Older servers do not tell the project itself.
        hook.project.path_with_namespace if hook.project else path_of(home),
        ("job", hook.build_id),
        status=hook.build_status,
        at=hook.build_finished_at,
        commit_sha=hook.sha or None,
        environment=hook.environment and hook.environment.deployed_to,
        # What is called the commit here is the pipeline.
        workflow=hook.commit and hook.commit.name,
        stage=hook.build_stage,
        job=hook.build_name,
        url=f"{home}/-/jobs/{hook.build_id}",
        **_stands_on(hook.ref, is_tag=hook.tag),
    )
    return [*events]


class _DeploymentHook(Wire):
    status: str
    deployment_id: int
    environment: Text
    project: Project
    short_sha: Text
    status_changed_at: Instant
    commit_url: Text | None = None
    deployable_url: Text | None = None
    ref: Text | None = None


def read_deployment(payload: Any, _: datetime | None) -> list[Fact]:
    """The facts of a deployment's webhook: neither its job, nor whether its ref is a tag's."""
    hook = read(_DeploymentHook, payload)
    # Only the address of the commit has the whole of its SHA.
    told = (hook.commit_url or "").rpartition("/")[2], hook.short_sha
    events = _end(
        hook.project.path_with_namespace,
        ("deployment", hook.deployment_id, hook.status),
        source=EventSource.GITLAB_DEPLOYMENTS,
        status=hook.status,
        at=hook.status_changed_at,
        commit_sha=next((sha.lower() for sha in told if SOME_SHA.fullmatch(sha)), None),
        environment=hook.environment,
        url=hook.deployable_url,
        is_guessed=True,
        **_stands_on(hook.ref, is_tag=False),
    )
    return [*events]
