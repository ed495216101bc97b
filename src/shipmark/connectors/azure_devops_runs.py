"""Runs of Azure Pipelines, their stages and jobs, as events.

A run that is not of a repository in Azure DevOps but of one on GitHub is told under that one's
name. Stages and jobs come from the run's timeline, of which the latest attempt counts.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import unquote

import msgspec

from shipmark.application.facts import Fact
from shipmark.connectors.azure_devops_facts import (
    COMPLETED,
    SOURCE,
    Named,
    Reference,
    RepositoryWire,
)
from shipmark.connectors.azure_devops_requests import (
    CONTINUATION,
    PAGE_SIZE,
    answer,
    answer_if_any,
    get,
    project_path,
    repository_path,
)
from shipmark.connectors.exchange import Dialogue, Response
from shipmark.connectors.pages import Page
from shipmark.connectors.payloads import Instant, Text, Wire, branch_of, tag_of, told
from shipmark.domain.events import EventSource, SourceEvent

SUCCESSES: Final = frozenset({"succeeded", "partiallySucceeded", "succeededWithIssues"})
FAILURES: Final = frozenset({"failed", "canceled", "abandoned"})
"""What is neither, as ``skipped``, is no event."""

IMPLICIT_STAGE: Final = "__default"
_PULL_REF: Final = "refs/pull/"


class BuildRepository(Wire):
    id: Text = ""
    type: Text = ""
    name: Text | None = None
    url: Text | None = None


class Link(Wire):
    href: Text = ""


class Links(Wire):
    web: Link = Link()


class BuildWire(Wire, rename="camel"):
    """A run. ``source_version`` is a commit where the repository is one of git."""

    id: int
    status: Text = ""
    result: Text | None = None
    finish_time: Instant | None = None
    source_branch: Text = ""
    source_version: Text | None = None
    definition: Named = Named()
    project: Reference = Reference()
    repository: BuildRepository = BuildRepository()
    links: Links = msgspec.field(default_factory=Links, name="_links")

    @property
    def repository_name(self) -> str | None:
        """None: a repository of a kind that is not known here."""
        if self.repository.type == "GitHub":
            return self.repository.id or None
        if self.repository.type != "TfsGit":
            return None
        # A pipeline may build a repository of another project, which only the URL tells.
        before, found, name = (self.repository.url or "").partition("/_git/")
        if found:
            return f"{unquote(before.rpartition('/')[2])}/{unquote(name.partition('/')[0])}"
        if self.project.name and self.repository.name:
            return f"{self.project.name}/{self.repository.name}"
        return None

    @property
    def commit(self) -> str | None:
        told_sha = (self.source_version or "").lower()
        return told_sha if len(told_sha) in (40, 64) else None


class RecordWire(Wire, rename="camel"):
    """A line of a timeline: a stage, a phase, a job or a task."""

    id: Text
    type: Text
    name: Text = ""
    parent_id: Text | None = None
    state: Text = ""
    result: Text | None = None
    finish_time: Instant | None = None
    attempt: int = 1


class TimelineWire(Wire):
    records: tuple[RecordWire, ...] = ()


class Builds(Wire):
    value: tuple[BuildWire, ...] = ()


def run(project: str, build_id: int) -> Dialogue[list[Fact]]:
    """All of a run that is finished: itself, its stages, its jobs. [] where it is unknown."""
    build = answer_if_any(
        BuildWire,
        (yield get(f"{project_path(project)}/build/builds/{build_id}")),
        f"the run {build_id}",
    )
    if build is None or build.repository_name is None:
        return []
    return [*run_events(build), *(yield from _parts(project, build))]


def runs_page(
    name: str, *, since: datetime | None, cursor: str | None, stages: bool = False
) -> Dialogue[Page]:
    """Finished runs of a repository, the earliest first.

    With ``stages`` also their stages and jobs, at one more request for each run.
    """
    project = name.partition("/")[0]
    repository_id, _, token = (cursor or "").partition("|")
    if not repository_id:
        asked = f"the repository {name}"
        repository_id = answer(RepositoryWire, (yield get(repository_path(name))), asked).id
    query: dict[str, str | int] = {
        "repositoryId": repository_id,
        "repositoryType": "TfsGit",
        "statusFilter": COMPLETED,
        "queryOrder": "finishTimeAscending",
        "$top": PAGE_SIZE,
    }
    query |= {"minTime": since.isoformat()} if since else {}
    query |= {"continuationToken": token} if token else {}
    response = yield get(f"{project_path(project)}/build/builds", query)
    facts: list[Fact] = []
    for build in answer(Builds, response, f"the runs of {name}").value:
        facts += run_events(build)
        if stages:
            facts += yield from _parts(project, build)
    following = response.headers.get(CONTINUATION)
    return Page(facts=tuple(facts), cursor=f"{repository_id}|{following}" if following else None)


def run_events(build: BuildWire) -> list[Fact]:
    """The end of a run. One of which failed stages are run again ends once more."""
    event = _event(build, at=build.finish_time, state=build.status, result=build.result)
    return [] if event is None else [event]


def _parts(project: str, build: BuildWire) -> Dialogue[list[Fact]]:
    response: Response = yield get(f"{project_path(project)}/build/builds/{build.id}/timeline")
    # A run that failed before it began has none: the answer is 204, without a body.
    if not response.body:
        return []
    timeline = answer_if_any(TimelineWire, response, f"the timeline of run {build.id}")
    return part_events(build, timeline.records if timeline else ())


def part_events(build: BuildWire, records: Iterable[RecordWire]) -> list[Fact]:
    """The stages and jobs of a run that are finished. The one stage of a run without is none."""
    by_id = {record.id: record for record in records}
    facts: list[Fact] = []
    for record in by_id.values():
        stage = _stage_of(record, by_id)
        if record.type == "Job":
            event = _event(build, record=record, stage=stage, job=record.name)
        elif record.type == "Stage" and stage:
            event = _event(build, record=record, stage=stage)
        else:
            continue
        facts += [event] if event else []
    return facts


def _stage_of(record: RecordWire, by_id: Mapping[str, RecordWire]) -> str | None:
    seen: set[str] = set()
    while record.type != "Stage":
        parent = by_id.get(record.parent_id or "")
        if parent is None or parent.id in seen:
            return None
        seen.add(parent.id)
        record = parent
    return None if record.name in ("", IMPLICIT_STAGE) else record.name


def _event(
    build: BuildWire,
    *,
    at: datetime | None = None,
    state: str = "",
    result: str | None = None,
    record: RecordWire | None = None,
    stage: str | None = None,
    job: str | None = None,
) -> SourceEvent | None:
    name, part = build.repository_name, f"run:{build.id}:{_ended(result)}"
    if record is not None:
        at, state, result = record.finish_time, record.state, record.result
        part = f"{record.type.lower()}:{build.id}:{record.id}:{record.attempt}"
    if name is None or state != COMPLETED or result not in SUCCESSES | FAILURES:
        return None
    if (finished := told(at)) is None:
        return None
    return SourceEvent(
        source=EventSource.AZURE_PIPELINES,
        key=f"{SOURCE}:{name}:{part}",
        repository=name,
        at=finished,
        success=result in SUCCESSES,
        commit_sha=build.commit,
        branch=branch_of(build.source_branch),
        tag=tag_of(build.source_branch),
        workflow=build.definition.name or None,
        stage=stage,
        job=job or None,
        pull_number=_pull_number(build.source_branch),
        url=build.links.web.href or None,
    )


def _ended(result: str | None) -> str:
    return "success" if result in SUCCESSES else "failure"


def _pull_number(ref: str) -> int | None:
    number = ref.removeprefix(_PULL_REF).partition("/")[0]
    return int(number) if ref.startswith(_PULL_REF) and number.isdecimal() else None
