"""What may have been a deployment, from GitHub's REST API: runs, jobs, deployments, releases, tags.

All are read newest first, until something is older than ``since``. Pages are counted: what comes
anew while they are read makes some come twice, and none be left out. What one page costs: runs one
call for 100, releases and tags one point of GraphQL for 100, jobs one call for each run, and
deployments one call for 30 and one for each of them, since only its statuses tell how it went, and
another for each run that deployed, which has the name of the workflow.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shipmark.application.facts import Fact
from shipmark.connectors.exchange import Dialogue
from shipmark.connectors.forge_errors import ForgeNotFound, ForgeRefused, answer, answer_if_any
from shipmark.connectors.github import PAGE_SIZE, get, home
from shipmark.connectors.github_facts import (
    Deployment,
    DeploymentStatus,
    Release,
    Repository,
    WorkflowJob,
    WorkflowRun,
    deployment_event,
    job_event,
    release_event,
    run_event,
    tag_event,
)
from shipmark.connectors.github_graphql import Connection, ask, named
from shipmark.connectors.pages import Page, next_page, page_number
from shipmark.connectors.payloads import SHA, Instant, Text, Wire
from shipmark.domain.events import EventSource, SourceEvent

DEPLOYMENTS_PAGE = 30
LONGEST = timedelta(days=1)
"""How long something may have been going on that ended since. Few runs take longer, and of those
that do, a webhook tells."""

RUN = re.compile(r"/actions/runs/(?P<id>[0-9]{1,19})(?:/|$)")
"""Where the address that a deployment names leads to the run that deployed."""

TAGS = """
query($owner: String!, $name: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    refs(
      refPrefix: "refs/tags/", first: 100, after: $after,
      orderBy: {field: TAG_COMMIT_DATE, direction: DESC}
    ) {
      pageInfo { hasNextPage endCursor }
      nodes {
        name
        target {
          ...commit
          ... on Tag { tagger { date } target { ...commit } }
        }
      }
    }
  }
}
fragment commit on Commit { oid committedDate }
"""
RELEASES = """
query($owner: String!, $name: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    releases(first: 100, after: $after, orderBy: {field: CREATED_AT, direction: DESC}) {
      pageInfo { hasNextPage endCursor }
      nodes { databaseId tagName url isDraft publishedAt tagCommit { oid } }
    }
  }
}
"""


class Run(WorkflowRun):
    """A run as lists have it: with the repository that it ran for."""

    repository: Repository | None = None


class Runs(Wire):
    workflow_runs: tuple[Run, ...]


class Jobs(Wire):
    jobs: tuple[WorkflowJob, ...]


def runs_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Workflow runs that ended since, unless they were made more than a day before that."""
    # A filter, even one by date, would end the list at 1,000 runs.
    page = page_number(cursor)
    response = yield get(f"{home(name)}/actions/runs", per_page=PAGE_SIZE, page=page)
    found = answer(Runs, response, f"the workflow runs of {name}").workflow_runs
    news = [run for run in found if since is None or run.created_at >= since - LONGEST]
    events = (run_event(name, run, run.repository.id if run.repository else None) for run in news)
    return _page(events, since=since, cursor=_next(page, found, news, PAGE_SIZE))


def jobs_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """The jobs of such runs, which cost a call for each run."""
    page = page_number(cursor)
    response = yield get(f"{home(name)}/actions/runs", per_page=PAGE_SIZE, page=page)
    found = answer(Runs, response, f"the workflow runs of {name}").workflow_runs
    news = [run for run in found if since is None or run.created_at >= since - LONGEST]
    events: list[SourceEvent] = []
    for run in news:
        ended = run_event(name, run, run.repository.id if run.repository else None)
        if ended and (since is None or ended.at >= since):
            events += yield from jobs(name, run.id)
    return _page(events, since=since, cursor=_next(page, found, news, PAGE_SIZE))


def jobs(name: str, run_id: int) -> Dialogue[tuple[SourceEvent, ...]]:
    """The jobs of the last attempt of a run, those that ended; none if there is no such run."""
    events: list[SourceEvent | None] = []
    cursor: str | None = "1"
    while cursor:
        page = page_number(cursor)
        path = f"{home(name)}/actions/runs/{run_id}/jobs"
        response = yield get(path, per_page=PAGE_SIZE, page=page)
        found = answer_if_any(Jobs, response, f"the jobs of run {run_id} of {name}")
        some = found.jobs if found else ()
        events += [job_event(name, job) for job in some]
        cursor = next_page(page, some, PAGE_SIZE)
    return tuple(event for event in events if event)


def deployments_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Deployments that ended since, unless they were made more than a day before that."""
    page = page_number(cursor)
    response = yield get(f"{home(name)}/deployments", per_page=DEPLOYMENTS_PAGE, page=page)
    found = answer(tuple[Deployment, ...], response, f"the deployments of {name}")
    news = [one for one in found if since is None or one.created_at >= since - LONGEST]
    events: list[SourceEvent] = []
    workflows: dict[str, str | None] = {}
    for deployment in news:
        if since is None or deployment.updated_at >= since:
            for outcome in (yield from _outcomes(name, deployment)):
                events += [(yield from _with_workflow(name, outcome, workflows))]
    return _page(events, since=since, cursor=_next(page, found, news, DEPLOYMENTS_PAGE))


def _outcomes(name: str, deployment: Deployment) -> Dialogue[list[SourceEvent]]:
    """That a deployment succeeded or failed, each when that was first said."""
    path = f"{home(name)}/deployments/{deployment.id}/statuses"
    asked = f"the statuses of deployment {deployment.id} of {name}"
    response = yield get(path, per_page=PAGE_SIZE)
    statuses = answer_if_any(tuple[DeploymentStatus, ...], response, asked) or ()
    first: dict[str, SourceEvent] = {}
    for status in sorted(statuses, key=lambda one: one.created_at):
        event = deployment_event(name, deployment, status)
        if event:
            first.setdefault(event.key, event)
    return list(first.values())


def whole_event(event: SourceEvent) -> Dialogue[list[Fact]] | None:
    """What to ask so that an event of a webhook is whole; None: there is nothing to ask."""
    return _whole(event) if _run_of(event) else None


def _whole(event: SourceEvent) -> Dialogue[list[Fact]]:
    return [(yield from _with_workflow(event.repository, event, {}))]


def _run_of(event: SourceEvent) -> str | None:
    """The run that deployed, of a deployment of which the workflow is not told."""
    if event.source is not EventSource.GITHUB_DEPLOYMENTS or event.workflow is not None:
        return None
    found = RUN.search(event.url or "")
    return found["id"] if found else None


def _with_workflow(
    name: str, event: SourceEvent, workflows: dict[str, str | None]
) -> Dialogue[SourceEvent]:
    """A deployment with the name of the workflow that deployed; ``workflows`` are known by run."""
    run = _run_of(event)
    if run is None:
        return event
    if run not in workflows:
        response = yield get(f"{home(name)}/actions/runs/{run}")
        try:
            found = answer_if_any(WorkflowRun, response, f"the run {run} of {name}")
        except ForgeRefused:
            # A token that may read deployments need not be one that may read runs.
            found = None
        workflows[run] = found.name if found else None
    return replace(event, workflow=workflows[run])


class Commit(Wire, rename="camel"):
    """Empty: it is no commit that is tagged."""

    oid: SHA = ""
    committed_date: Instant | None = None


class ReleaseNode(Wire, rename="camel"):
    """A release as GraphQL has it; without ``tag_commit`` its tag is gone, or is of no commit."""

    database_id: int
    tag_name: Text
    url: Text
    is_draft: bool
    published_at: Instant | None = None
    tag_commit: Commit | None = None

    def event(self, name: str) -> SourceEvent | None:
        release = Release(
            id=self.database_id,
            tag_name=self.tag_name,
            html_url=self.url,
            draft=self.is_draft,
            published_at=self.published_at,
        )
        commit = self.tag_commit.oid if self.tag_commit else None
        return release_event(name, release, commit=commit or None)


class Releases(Wire):
    releases: Connection[ReleaseNode]


class ReleasesData(Wire):
    repository: Releases | None = None


def releases_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Releases published since, with the commits of their tags, which only GraphQL tells. A draft
    may be published long after it was made: none stops."""
    asked = f"the releases of {name}"
    data = yield from ask(ReleasesData, RELEASES, {**named(name), "after": cursor}, asked)
    if data.repository is None:
        raise ForgeNotFound(f"GitHub does not know or does not show {asked}.")
    found = data.repository.releases
    return _page((one.event(name) for one in found.seen), since=since, cursor=found.next)


class Tagger(Wire):
    date: Instant | None = None


class Target(Commit, rename="camel"):
    """A commit, or an annotated tag, which has a target of its own."""

    tagger: Tagger | None = None
    target: Commit | None = None


class Tag(Wire):
    name: Text
    target: Target | None = None


class Refs(Wire):
    refs: Connection[Tag] | None = None


class TagsData(Wire):
    repository: Refs | None = None


def tags_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Tags of commits committed since: when they were made, or else when their commits were."""
    asked = f"the tags of {name}"
    data = yield from ask(TagsData, TAGS, {**named(name), "after": cursor}, asked)
    if data.repository is None:
        raise ForgeNotFound(f"GitHub does not know or does not show {asked}.")
    refs = data.repository.refs
    if refs is None:
        return Page(facts=())
    dated = [(tag.name, *_commit(tag.target)) for tag in refs.seen if tag.target]
    known = [(tag, commit, at, made) for tag, commit, at, made in dated if commit and at and made]
    news = [one for one in known if since is None or one[2] >= since]
    return _page(
        (tag_event(name, tag, commit, made, is_guessed=True) for tag, commit, _, made in news),
        cursor=refs.next if len(news) == len(known) else None,
    )


def _commit(target: Target) -> tuple[str, datetime | None, datetime | None]:
    """The commit of a tag, when it was committed, and when the tag was made."""
    commit = target.target or target
    made = target.tagger.date if target.tagger else None
    return commit.oid, commit.committed_date, made or commit.committed_date


def _page(
    events: Iterable[SourceEvent | None], *, since: datetime | None = None, cursor: str | None
) -> Page:
    facts: tuple[Fact, ...] = tuple(
        event for event in events if event and (since is None or event.at >= since)
    )
    return Page(facts=facts, cursor=cursor)


def _next(page: int, found: Sequence[object], news: Sequence[object], size: int) -> str | None:
    return next_page(page, found, size) if len(news) == len(found) else None
