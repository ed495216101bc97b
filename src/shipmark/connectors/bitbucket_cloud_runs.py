"""Ask the API of Bitbucket Cloud what has run: events that deploy rules may match."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from shipmark.application.facts import Fact
from shipmark.connectors.bitbucket_cloud import PAGE, all_of, repository_path
from shipmark.connectors.bitbucket_cloud_facts import (
    SOURCE,
    Commit,
    Links,
    ShortCommit,
    address,
    pipeline_event,
    tag_event,
)
from shipmark.connectors.exchange import Dialogue, Request
from shipmark.connectors.forge_errors import answer, answer_if_any
from shipmark.connectors.pages import Page, next_page, page_number
from shipmark.connectors.payloads import Instant, Text, Wire
from shipmark.domain.events import EventSource, SourceEvent

ENDS = {"SUCCESSFUL": True, "FAILED": False, "ERROR": False, "STOPPED": False, "EXPIRED": False}
"""Which ends of pipelines and deployments are a success."""


class _Named(Wire):
    name: Text | None = None


class _PipelineState(Wire):
    name: str
    result: _Named | None = None


class _Selector(Wire):
    type: str | None = None
    pattern: Text | None = None


class _PipelineTarget(Wire):
    ref_type: str | None = None
    ref_name: Text | None = None
    commit: ShortCommit | None = None
    selector: _Selector | None = None


class _Pipeline(Wire):
    build_number: int
    created_on: Instant
    state: _PipelineState
    completed_on: Instant | None = None
    target: _PipelineTarget | None = None


class _Pipelines(Wire):
    values: tuple[_Pipeline, ...]


def pipelines_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Pipelines, the newest first, to the first that was made before ``since``."""
    page = page_number(cursor)
    response = yield Request(
        path=repository_path(name, "/pipelines"),
        query={"sort": "-created_on", "pagelen": PAGE, "page": page},
    )
    listed = answer(_Pipelines, response, f"the pipelines of {name}").values
    events = [event for one in listed for event in _ended(name, one)]
    done = bool(listed) and since is not None and listed[-1].created_on < since
    return Page(facts=tuple(events), cursor=None if done else next_page(page, listed, PAGE))


def _ended(name: str, run: _Pipeline) -> list[SourceEvent]:
    end = run.state.result.name if run.state.result else None
    if end not in ENDS or run.completed_on is None:
        return []
    at, success = run.completed_on, ENDS[end]
    return [pipeline_event(name, run.build_number, success=success, at=at, **_ran(run))]


def _ran(run: _Pipeline) -> dict[str, Any]:
    """Which pipeline ran, and on what."""
    target = run.target or _PipelineTarget()
    selector = target.selector
    return {
        "commit_sha": target.commit.any_length if target.commit else None,
        # Only a custom pipeline has a name.
        "workflow": selector.pattern if selector and selector.type == "custom" else None,
        "tag" if target.ref_type == "tag" else "branch": target.ref_name,
    }


def whole_event(event: SourceEvent) -> Dialogue[list[Fact]] | None:
    """What to ask so that an event of a webhook is whole; None: there is nothing to ask."""
    is_pipeline = event.source is EventSource.BITBUCKET_PIPELINES
    return _whole_pipeline(event) if is_pipeline and event.is_guessed else None


def _whole_pipeline(event: SourceEvent) -> Dialogue[list[Fact]]:
    """Pipelines are found by their numbers as well as by their ids."""
    name, number = event.repository, event.key.split(":")[-2]
    response = yield Request(path=repository_path(name, f"/pipelines/{number}"))
    run = answer_if_any(_Pipeline, response, f"the pipeline {number} of {name}")
    if run is None:
        return []
    told = [one for one in _ended(name, run) if one.key == event.key]
    # Its end may be told before it is to be seen, or it may have come to another one meanwhile.
    unlike = {"branch": None, "tag": None, "is_guessed": False} | _ran(run)
    return [*told] or [replace(event, **unlike)]


class _Environment(Wire):
    uuid: Text
    name: Text | None = None


class _Release(Wire):
    commit: ShortCommit | None = None
    url: Text | None = None


class _DeploymentState(Wire):
    name: str
    status: _Named | None = None
    completion_date: Instant | None = None
    completed_on: Instant | None = None


class _Deployment(Wire):
    uuid: Text
    environment: _Environment
    state: _DeploymentState
    release: _Release | None = None


class _Deployments(Wire):
    values: tuple[_Deployment, ...]


def deployments_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Deployments to environments, which no webhook tells. Their order is not documented, so all
    are read; and they tell their environment only by its id."""
    page = page_number(cursor)
    path = repository_path(name, "/environments")
    environments = yield from all_of(_Environment, path, f"the environments of {name}")
    response = yield Request(
        path=repository_path(name, "/deployments"), query={"pagelen": PAGE, "page": page}
    )
    listed = answer(_Deployments, response, f"the deployments of {name}").values
    names = {one.uuid: one.name for one in environments}
    events = [event for one in listed for event in _deployed(name, one, names, since)]
    return Page(facts=tuple(events), cursor=next_page(page, listed, PAGE))


def _deployed(
    name: str, one: _Deployment, names: dict[str, str | None], since: datetime | None
) -> list[SourceEvent]:
    state = one.state
    end = state.status.name if state.status else None
    at = state.completion_date or state.completed_on
    if end not in ENDS or at is None or (since is not None and at < since):
        return []
    environment = one.environment.name or names.get(one.environment.uuid)
    if environment is None:
        # It was deleted since. Without it, this would look like a pipeline, and of production.
        return []
    commit = one.release.commit if one.release else None
    event = SourceEvent(
        source=EventSource.BITBUCKET_PIPELINES,
        key=f"{SOURCE}:{name}:deployment:{one.uuid}",
        repository=name,
        at=at,
        success=ENDS[end],
        commit_sha=commit.any_length if commit else None,
        environment=environment,
        url=one.release.url if one.release else None,
    )
    return [event]


class _Tag(Wire):
    name: Text
    target: Commit
    date: Instant | None = None
    links: Links | None = None


class _Tags(Wire):
    values: tuple[_Tag, ...]


def tags_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Tags. One that is not annotated is as old as its commit: nothing else is known of it."""
    page = page_number(cursor)
    response = yield Request(
        path=repository_path(name, "/refs/tags"),
        query={"sort": "-target.date", "pagelen": PAGE, "page": page},
    )
    listed = answer(_Tags, response, f"the tags of {name}").values
    events = [
        tag_event(name, one.name, one.target.hash, at, url=address(one.links), is_guessed=True)
        for one in listed
        if (at := one.date or one.target.date) and (since is None or at >= since)
    ]
    return Page(facts=tuple(events), cursor=next_page(page, listed, PAGE))
