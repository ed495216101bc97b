"""From what GitLab sends to facts: the shapes, and what they say, common to webhooks and API.

Webhooks tell instants to the second, the API to the millisecond. Where both tell one, it is cut to
the second, so that the two agree.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from shipmark.application.facts import PushedCommit, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors import ref_events
from shipmark.connectors.payloads import SHA, Instant, Number, Text, UnreadablePayload, Wire
from shipmark.domain.events import EventSource, SourceEvent

SOURCE = "gitlab"


class Project(Wire):
    id: int
    path_with_namespace: Text
    default_branch: Text | None = None
    web_url: Text | None = None
    archived: bool | None = None


class Person(Wire):
    username: Text | None = None
    id: int | None = None


class AnyMergeRequest(Wire):
    """What webhooks and API both tell of a merge request."""

    id: int
    iid: Number
    target_branch: Text
    source_branch: Text
    state: str
    title: Text
    created_at: Instant
    updated_at: Instant


class MergeRequest(AnyMergeRequest):
    """A merge request of the API. ``sha`` is its head."""

    web_url: Text | None = None
    author: Person | None = None
    merged_at: Instant | None = None
    closed_at: Instant | None = None
    sha: SHA | None = None
    merge_commit_sha: SHA | None = None
    squash_commit_sha: SHA | None = None
    labels: tuple[Text, ...] = ()


class Commit(Wire):
    """A commit of the API. ``id`` is its SHA."""

    id: SHA
    authored_date: Instant
    committed_date: Instant


class HookCommit(Wire):
    """A commit of a webhook; its timestamp is when it was committed."""

    id: SHA
    timestamp: Instant
    message: Text = ""
    added: tuple[Text, ...] | None = None
    modified: tuple[Text, ...] | None = None
    removed: tuple[Text, ...] | None = None

    @property
    def pushed(self) -> PushedCommit:
        told = [paths for paths in (self.added, self.modified, self.removed) if paths is not None]
        return PushedCommit(
            sha=self.id,
            committed_at=self.timestamp,
            files=sorted_paths(path for paths in told for path in paths) if told else None,
        )


def sorted_paths(paths: Iterable[str | None]) -> tuple[str, ...]:
    """Every path once, in one order."""
    return tuple(sorted({path for path in paths if path}))


def to_second(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def path_of(url: str) -> str:
    """The name of the project that stands at an address. Raises UnreadablePayload."""
    try:
        return urlsplit(url).path.strip("/")
    except ValueError as error:
        raise UnreadablePayload(f"{url!r} is no address of a project: {error}.") from error


def repository_facts(
    project: Project, *, as_of: datetime | None = None, asked_for: str | None = None
) -> RepositoryFacts:
    """What is known of a project. GitLab answers for a former name too: ``asked_for``."""
    name = project.path_with_namespace
    moved = asked_for is not None and asked_for.lower() != name.lower()
    return RepositoryFacts(
        name=name,
        source=SOURCE,
        source_id=str(project.id),
        as_of=as_of,
        former_name=asked_for if moved else None,
        archived=project.archived,
        values={"default_branch": project.default_branch} if project.default_branch else {},
    )


def landed_as(request: MergeRequest) -> str | None:
    """The commit with which a merged request came to its branch.

    A fast-forward makes no merge commit: the squashed commit is what came, or else the head.
    """
    return request.merge_commit_sha or request.squash_commit_sha or request.sha or None


def pull_facts(repository: str, request: MergeRequest, **more: Any) -> PullFacts:
    """What the API says of a merge request; ``more`` is what only further requests tell."""
    values: dict[str, Any] = {
        **common_values(request),
        "url": request.web_url,
        "author": request.author.username if request.author else None,
        "head_sha": request.sha or None,
        "labels": tuple(sorted(request.labels)),
        **more,
    }
    if request.state == "merged":
        values["merged_at"] = request.merged_at or request.updated_at
        values["merge_commit_sha"] = landed_as(request)
    if request.closed_at is not None:
        values["closed_at"] = to_second(request.closed_at)
    return PullFacts(
        repository=repository,
        number=request.iid,
        values=known(values),
        as_of=to_second(request.updated_at),
    )


def common_values(request: AnyMergeRequest) -> dict[str, Any]:
    """What webhooks and API both tell."""
    values = {
        "base_ref": request.target_branch,
        "source_id": str(request.id),
        "title": request.title,
        "head_ref": request.source_branch,
        "created_at": to_second(request.created_at),
    }
    # An open one may have been closed before; what is closed, only the API dates for certain.
    return {**values, "closed_at": None} if request.state == "opened" else values


def known(values: dict[str, Any]) -> dict[str, Any]:
    """Without what was not told; but that a request is not closed is told by a null."""
    return {
        name: value for name, value in values.items() if value is not None or name == "closed_at"
    }


def event_key(repository: str, *parts: object) -> str:
    return ":".join([SOURCE, repository, *map(str, parts)])


def tag_event(
    name: str,
    tag: str,
    sha: str,
    at: datetime,
    project_url: str | None,
    *,
    is_guessed: bool = False,
) -> SourceEvent:
    url = project_url and f"{project_url}/-/tags/{tag}"
    return ref_events.tag_event(SOURCE, name, tag, sha, at, url=url, is_guessed=is_guessed)


def release_event(
    name: str, tag: str, at: datetime, sha: str | None, url: str | None
) -> SourceEvent:
    return SourceEvent(
        source=EventSource.RELEASE,
        key=event_key(name, "release", tag),
        repository=name,
        at=to_second(at),
        success=True,
        commit_sha=sha or None,
        tag=tag,
        url=url,
        is_guessed=not sha,
    )
