"""Ask GitLab's API what has run and what was released: events that deploy rules may match."""

from datetime import datetime

import msgspec

from shipmark.application.facts import Fact
from shipmark.connectors.exchange import Dialogue, Request
from shipmark.connectors.forge_errors import answer, answer_if_any
from shipmark.connectors.gitlab import PAGE, by_change, page_after, project_path
from shipmark.connectors.gitlab_facts import release_event, tag_event
from shipmark.connectors.gitlab_runs import (
    SUCCEEDED,
    Deployment,
    Job,
    Named,
    Pipeline,
    deployed_job_event,
    deployment_event,
    job_event,
    pipeline_event,
    whole_deployment,
)
from shipmark.connectors.pages import Page, page_number
from shipmark.connectors.payloads import SHA, Instant, Text, Wire
from shipmark.connectors.watermarks import Watermark
from shipmark.domain.events import EventSource, SourceEvent


class _ListedPipeline(Wire):
    id: int
    status: str
    updated_at: Instant


def pipelines_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Pipelines in the order in which they last changed. A list does not tell when they finished,
    so each that did costs a request."""
    mark = Watermark.read(cursor, since)
    path = project_path(name, "/pipelines")
    response = yield Request(path=path, query=by_change(mark))
    listed = answer(tuple[_ListedPipeline, ...], response, f"the pipelines of {name}")
    facts: list[Fact] = []
    for one in listed:
        if one.status in SUCCEEDED:
            response = yield Request(path=f"{path}/{one.id}")
            run = answer(Pipeline, response, f"the pipeline {one.id} of {name}")
            facts += pipeline_event(name, run)
    last = listed[-1].updated_at if listed else None
    return Page(facts=tuple(facts), cursor=mark.then(last, full=len(listed) >= PAGE))


def jobs_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Jobs, the newest first, to the first that was made before ``since``. Their list does not tell
    what a pipeline is called, so each of which a job ended costs a request."""
    page = page_number(cursor)
    response = yield Request(
        path=project_path(name, "/jobs"), query={"per_page": PAGE, "page": page}
    )
    jobs = answer(tuple[Job, ...], response, f"the jobs of {name}")
    facts: list[Fact] = []
    workflows: dict[int, str | None] = {}
    for job in jobs:
        if job_event(name, job):
            facts += job_event(name, job, workflow=(yield from _workflow(name, job, workflows)))
    done = bool(jobs) and _is_before(jobs[-1].created_at, since)
    return Page(facts=tuple(facts), cursor=None if done else page_after(response, page, len(jobs)))


def _workflow(name: str, job: Job, known: dict[int, str | None]) -> Dialogue[str | None]:
    """What the pipeline of a job is called; ``known`` is by pipeline."""
    pipeline = job.pipeline
    if pipeline is None or pipeline.id is None or pipeline.name:
        # Where the list tells, it counts.
        return None
    if pipeline.id not in known:
        response = yield Request(path=project_path(name, f"/pipelines/{pipeline.id}"))
        found = answer_if_any(Named, response, f"the pipeline {pipeline.id} of {name}")
        known[pipeline.id] = found.name if found else None
    return known[pipeline.id]


def whole_event(event: SourceEvent) -> Dialogue[list[Fact]] | None:
    """What to ask so that an event of a webhook is whole; None: there is nothing to ask."""
    is_deployment = event.source is EventSource.GITLAB_DEPLOYMENTS
    return _whole_deployment(event) if is_deployment and event.is_guessed else None


def _whole_deployment(event: SourceEvent) -> Dialogue[list[Fact]]:
    name, number = event.repository, event.key.split(":")[-2]
    response = yield Request(path=project_path(name, f"/deployments/{number}"))
    found = answer_if_any(Deployment, response, f"the deployment {number} of {name}")
    return [whole_deployment(event, found)] if found else []


def deployments_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Deployments in the order in which they last changed, and the jobs that deployed: of these,
    the list of jobs does not tell the environment."""
    mark = Watermark.read(cursor, since)
    response = yield Request(path=project_path(name, "/deployments"), query=by_change(mark))
    listed = answer(tuple[Deployment, ...], response, f"the deployments of {name}")
    facts = [
        event
        for one in listed
        for event in (*deployment_event(name, one), *deployed_job_event(name, one))
    ]
    last = listed[-1].updated_at if listed else None
    return Page(facts=tuple(facts), cursor=mark.then(last, full=len(listed) >= PAGE))


class _TaggedCommit(Wire):
    id: SHA
    committed_date: Instant


class _Links(Wire):
    self: Text | None = None


class _Release(Wire):
    tag_name: Text
    released_at: Instant
    upcoming_release: bool = False
    commit: _TaggedCommit | None = None
    links: _Links | None = msgspec.field(default=None, name="_links")


class _Tag(Wire):
    name: Text
    commit: _TaggedCommit
    created_at: Instant | None = None


def releases_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Releases, the newest first, to the first that was released before ``since``."""
    page = page_number(cursor)
    response = yield Request(
        path=project_path(name, "/releases"),
        query={"order_by": "released_at", "sort": "desc", "per_page": PAGE, "page": page},
    )
    listed = answer(tuple[_Release, ...], response, f"the releases of {name}")
    facts = [
        release_event(
            name,
            one.tag_name,
            one.released_at,
            one.commit.id if one.commit else None,
            one.links.self if one.links else None,
        )
        for one in listed
        if not one.upcoming_release and not _is_before(one.released_at, since)
    ]
    done = bool(listed) and _is_before(listed[-1].released_at, since)
    return Page(
        facts=tuple(facts), cursor=None if done else page_after(response, page, len(listed))
    )


def tags_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Tags. One that is not annotated is as old as its commit: nothing else is known of it."""
    page = page_number(cursor)
    response = yield Request(
        path=project_path(name, "/repository/tags"),
        query={"order_by": "updated", "sort": "desc", "per_page": PAGE, "page": page},
    )
    listed = answer(tuple[_Tag, ...], response, f"the tags of {name}")
    facts = [
        tag_event(name, one.name, one.commit.id, at, None, is_guessed=True)
        for one in listed
        if not _is_before(at := one.created_at or one.commit.committed_date, since)
    ]
    return Page(facts=tuple(facts), cursor=page_after(response, page, len(listed)))


def _is_before(at: datetime, since: datetime | None) -> bool:
    return since is not None and at < since
