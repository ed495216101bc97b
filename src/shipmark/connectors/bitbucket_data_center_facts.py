"""From what Bitbucket Data Center sends to facts: the shapes, and what they say.

Instants are milliseconds, or text where a server is set up so. A repository is `KEY/name`, and
`~user/name` where it is somebody's own.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import Any

from shipmark.application.facts import PushedCommit, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors import ref_events
from shipmark.connectors.payloads import SHA, Instant, Number, Text, Wire, branch_of

SOURCE = "bitbucket"


class Project(Wire):
    key: Text


class Repository(Wire):
    id: int
    slug: Text
    project: Project
    archived: bool | None = None

    @property
    def name(self) -> str:
        return f"{self.project.key}/{self.slug}"


class User(Wire):
    name: Text | None = None


class Author(Wire):
    user: User


class Ref(Wire, rename="camel"):
    id: Text
    display_id: Text

    @property
    def branch(self) -> str:
        return branch_of(self.id) or self.display_id


class SourceRef(Ref, rename="camel"):
    latest_commit: SHA | None = None


class TargetRef(Ref, rename="camel"):
    repository: Repository


class MergeCommit(Wire):
    id: SHA


class Properties(Wire, rename="camel"):
    merge_commit: MergeCommit | None = None


class Link(Wire):
    href: Text | None = None


class Links(Wire):
    self: tuple[Link | None, ...] = ()


class PullRequest(Wire, rename="camel"):
    id: Number
    title: Text
    state: str
    created_date: Instant
    updated_date: Instant
    from_ref: SourceRef
    to_ref: TargetRef
    closed_date: Instant | None = None
    author: Author | None = None
    properties: Properties | None = None
    links: Links | None = None


class Parent(Wire):
    id: SHA


class Commit(Wire, rename="camel"):
    id: SHA
    author_timestamp: Instant
    committer_timestamp: Instant | None = None
    parents: tuple[Parent, ...] = ()

    @property
    def pushed(self) -> PushedCommit:
        at = self.committer_timestamp or self.author_timestamp
        return PushedCommit(sha=self.id, committed_at=at)


def repository_facts(
    repository: Repository,
    *,
    default_branch: str | None = None,
    former_name: str | None = None,
    as_of: datetime | None = None,
) -> RepositoryFacts:
    return RepositoryFacts(
        name=repository.name,
        source=SOURCE,
        source_id=str(repository.id),
        as_of=as_of,
        former_name=former_name,
        archived=repository.archived,
        values={"default_branch": default_branch} if default_branch else {},
    )


def pull_facts(pull: PullRequest, **more: Any) -> PullFacts:
    """What webhooks and API tell alike; ``more`` is what only further requests tell."""
    is_open, is_merged = pull.state == "OPEN", pull.state == "MERGED"
    closed_at = None if is_open else pull.closed_date or pull.updated_date
    merge = pull.properties.merge_commit if pull.properties else None
    links = pull.links.self if pull.links else ()
    values: dict[str, Any] = {
        "base_ref": pull.to_ref.branch,
        "title": pull.title,
        "author": pull.author.user.name if pull.author else None,
        "url": next((link.href for link in links if link), None),
        "head_ref": pull.from_ref.branch,
        "head_sha": pull.from_ref.latest_commit or None,
        "created_at": pull.created_date,
        "merged_at": closed_at if is_merged else None,
        "merge_commit_sha": merge.id if is_merged and merge else None,
        **more,
    }
    told = {name: value for name, value in values.items() if value is not None}
    return PullFacts(
        repository=pull.to_ref.repository.name,
        number=pull.id,
        values={**told, "closed_at": closed_at},
        as_of=pull.updated_date,
    )


def first_parents(tip: str, commits: Iterable[Commit]) -> Iterator[Commit]:
    """The commits of a branch itself, of its commits from the newest to older ones: each is the
    first parent of the one before it."""
    for commit in commits:
        if commit.id == tip:
            yield commit
            tip = commit.parents[0].id if commit.parents else ""


tag_event = partial(ref_events.tag_event, SOURCE)
"""A new tag, or one that was moved."""
