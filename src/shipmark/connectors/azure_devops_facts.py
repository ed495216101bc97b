"""What Azure DevOps says of repositories, pull requests and commits, as facts.

A repository is called ``project/repository``; either may hold spaces, neither a slash. Service
hooks and the API say things in the same JSON, of which lists leave some parts out.
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from shipmark.application.facts import BranchPush, Fact, PushedCommit, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.payloads import SHA, Instant, Number, Text, Wire, branch_of, told
from shipmark.domain.events import EventSource, SourceEvent

SOURCE = "azure_devops"
COMPLETED = "completed"


class Named(Wire):
    name: Text | None = None


class Reference(Named):
    id: Text | None = None


class Project(Wire):
    name: Text
    id: Text = ""


class RepositoryWire(Wire, rename="camel"):
    """A repository. Lists of pull requests leave ``default_branch`` out."""

    id: Text
    name: Text
    project: Project
    url: Text = ""
    default_branch: Text | None = None
    is_disabled: bool | None = None

    @property
    def full_name(self) -> str:
        return f"{self.project.name}/{self.name}"

    @property
    def web_url(self) -> str | None:
        """Its page. The API's URL may or may not have the project in it, by its id."""
        base, found, _ = self.url.partition("/_apis/")
        if not found:
            return None
        base = base.removesuffix(f"/{self.project.id}").removesuffix(f"/{quote(self.project.name)}")
        return f"{base}/{quote(self.project.name)}/_git/{quote(self.name)}"


class Stamp(Wire):
    date: Instant | None = None


class CommitWire(Wire, rename="camel"):
    commit_id: SHA
    author: Stamp = Stamp()
    committer: Stamp = Stamp()

    @property
    def committed_at(self) -> datetime | None:
        return told(self.committer.date) or told(self.author.date)


class Identity(Wire, rename="camel"):
    unique_name: Text | None = None
    display_name: Text | None = None


class Label(Wire):
    name: Text
    active: bool = True


class PullWire(Wire, rename="camel"):
    """A pull request. Its ``closed_date`` is when it was completed, if it was."""

    pull_request_id: Number
    repository: RepositoryWire
    status: Text
    target_ref_name: Text
    source_ref_name: Text = ""
    title: Text | None = None
    created_by: Identity = Identity()
    creation_date: Instant | None = None
    closed_date: Instant | None = None
    last_merge_source_commit: CommitWire | None = None
    last_merge_commit: CommitWire | None = None
    labels: tuple[Label, ...] | None = None

    @property
    def merged_at(self) -> datetime | None:
        """An active pull request has a merge commit too: the one that would come of it."""
        return told(self.closed_date) if self.status == COMPLETED else None


class RefUpdate(Wire, rename="camel"):
    name: Text
    new_object_id: SHA
    old_object_id: SHA = ""


class PushWire(Wire, rename="camel"):
    """A push. Only service hooks tell its ``commits``."""

    push_id: int
    date: Instant
    ref_updates: tuple[RefUpdate, ...] = ()
    commits: tuple[CommitWire, ...] = ()


def repository_facts(wire: RepositoryWire, *, as_of: datetime | None) -> RepositoryFacts:
    branch = branch_of(wire.default_branch or "")
    return RepositoryFacts(
        name=wire.full_name,
        source=SOURCE,
        source_id=wire.id,
        as_of=as_of,
        archived=wire.is_disabled,
        values={"default_branch": branch} if branch else {},
    )


def pull_facts(wire: PullWire, *, as_of: datetime | None, **more: Any) -> PullFacts:
    """A pull request; ``more`` are values that took questions of their own."""
    head = wire.last_merge_source_commit
    values: dict[str, Any] = {
        "base_ref": _branch(wire.target_ref_name),
        "source_id": str(wire.pull_request_id),
        "title": wire.title,
        "author": wire.created_by.unique_name or wire.created_by.display_name,
        "url": _page(wire),
        "head_ref": _branch(wire.source_ref_name) or None,
        "head_sha": (head and head.commit_id) or None,
        "created_at": told(wire.creation_date),
    }
    known = {name: value for name, value in values.items() if value is not None}
    known |= {"merged_at": wire.merged_at, "closed_at": _closed_at(wire)}
    if wire.labels is not None:
        known["labels"] = tuple(sorted(label.name for label in wire.labels if label.active))
    if wire.merged_at and wire.last_merge_commit and wire.last_merge_commit.commit_id:
        known["merge_commit_sha"] = wire.last_merge_commit.commit_id
    return PullFacts(
        repository=wire.repository.full_name,
        number=wire.pull_request_id,
        values=known | more,
        as_of=as_of,
    )


def branch_pushes(name: str, push: PushWire) -> list[Fact]:
    """The commits of a push, by branch.

    A push to several branches does not tell which commit is on which: only the heads are sure.
    """
    branches = {
        branch: update.new_object_id
        for update in push.ref_updates
        if (branch := branch_of(update.name)) and update.new_object_id
    }
    facts: list[Fact] = []
    for branch, head in branches.items():
        commits = tuple(
            PushedCommit(sha=one.commit_id, committed_at=one.committed_at)
            for one in push.commits
            if one.committed_at and (len(branches) == 1 or one.commit_id == head)
        )
        if commits:
            facts.append(BranchPush(repository=name, branch=branch, commits=commits))
    return facts


def push_events(name: str, push: PushWire) -> list[Fact]:
    """A push as something that happened: once for each branch that it moved or made."""
    return [
        SourceEvent(
            source=EventSource.PUSH,
            key=f"{SOURCE}:{name}:push:{push.push_id}:{branch}",
            repository=name,
            at=push.date,
            success=True,
            commit_sha=update.new_object_id,
            branch=branch,
        )
        for update in push.ref_updates
        if (branch := branch_of(update.name)) and update.new_object_id
    ]


def _branch(ref: str) -> str:
    return branch_of(ref) or ref


def _closed_at(wire: PullWire) -> datetime | None:
    return None if wire.status == "active" else told(wire.closed_date)


def _page(wire: PullWire) -> str | None:
    url = wire.repository.web_url
    return url and f"{url}/pullrequest/{wire.pull_request_id}"
