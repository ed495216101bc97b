"""From what Bitbucket Cloud sends to facts: the shapes, and what they say."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import Any

from shipmark.application.facts import PushedCommit, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors import ref_events
from shipmark.connectors.payloads import SHA, Instant, Number, Text, Wire
from shipmark.domain.events import EventSource, SourceEvent

SOURCE = "bitbucket"

FULL_SHA = re.compile("[0-9a-f]{40}(?:[0-9a-f]{24})?")
SHORT_SHA = re.compile("[0-9a-f]{7,64}")


class Branch(Wire):
    name: Text


class Repository(Wire):
    uuid: Text
    full_name: Text
    mainbranch: Branch | None = None


class Account(Wire):
    nickname: Text | None = None
    display_name: Text | None = None


class ShortCommit(Wire):
    """A commit as it stands in a pull request, mostly by its first twelve characters."""

    hash: Text

    @property
    def full(self) -> str | None:
        sha = self.hash.lower()
        return sha if FULL_SHA.fullmatch(sha) else None

    @property
    def any_length(self) -> str | None:
        sha = self.hash.lower()
        return sha if SHORT_SHA.fullmatch(sha) else None


class Source(Wire):
    branch: Branch | None = None
    commit: ShortCommit | None = None


class Destination(Wire):
    branch: Branch


class Link(Wire):
    href: Text | None = None


class Links(Wire):
    html: Link | None = None


class PullRequest(Wire):
    id: Number
    title: Text
    state: str
    created_on: Instant
    updated_on: Instant
    source: Source
    destination: Destination
    author: Account | None = None
    merge_commit: ShortCommit | None = None
    closed_on: Instant | None = None
    links: Links | None = None


class Parent(Wire):
    hash: SHA


class Commit(Wire):
    """A commit by itself, with the whole of its SHA."""

    hash: SHA
    date: Instant
    message: Text = ""
    parents: tuple[Parent, ...] = ()

    @property
    def pushed(self) -> PushedCommit:
        return PushedCommit(sha=self.hash, committed_at=self.date)


def repository_facts(
    repository: Repository, *, former_name: str | None = None, as_of: datetime | None = None
) -> RepositoryFacts:
    main = repository.mainbranch
    return RepositoryFacts(
        name=repository.full_name,
        source=SOURCE,
        source_id=repository.uuid,
        as_of=as_of,
        former_name=former_name,
        values={"default_branch": main.name} if main else {},
    )


def pull_facts(
    repository: str, pull: PullRequest, *, state: str | None = None, **more: Any
) -> PullFacts:
    """What is certain of a pull request; ``more`` is what further requests tell.

    Not every answer tells when it was merged, and most have only a part of the commits' SHAs.
    """
    state = state or pull.state
    merged, is_open = state == "MERGED", state == "OPEN"
    values = {
        "base_ref": pull.destination.branch.name,
        "title": pull.title,
        "author": pull.author and (pull.author.nickname or pull.author.display_name),
        "url": address(pull.links),
        "head_ref": pull.source.branch and pull.source.branch.name,
        "head_sha": pull.source.commit and pull.source.commit.full,
        "created_at": pull.created_on,
        "closed_at": pull.closed_on,
        "merged_at": pull.closed_on if merged else None,
        "merge_commit_sha": pull.merge_commit.full if merged and pull.merge_commit else None,
    }
    told = {name: value for name, value in (values | more).items() if value is not None}
    return PullFacts(
        repository=repository,
        number=pull.id,
        values={**told, "closed_at": None} if is_open else told,
        as_of=pull.updated_on,
    )


def address(links: Links | None) -> str | None:
    return links.html.href if links and links.html else None


def first_parents(tip: str, commits: Iterable[Commit]) -> Iterator[Commit]:
    """The commits of a branch itself, of its commits from the newest to older ones: each is the
    first parent of the one before it."""
    for commit in commits:
        if commit.hash == tip:
            yield commit
            tip = commit.parents[0].hash if commit.parents else ""


tag_event = partial(ref_events.tag_event, SOURCE)


def pipeline_event(repository: str, build: int, *, success: bool, **fields: Any) -> SourceEvent:
    """The end of a pipeline. One of which failed steps are run again ends once more.

    Its address is made, as the API does not tell it, and webhooks tell an older form.
    """
    end = "success" if success else "failure"
    return SourceEvent(
        source=EventSource.BITBUCKET_PIPELINES,
        key=f"{SOURCE}:{repository}:pipeline:{build}:{end}",
        repository=repository,
        success=success,
        url=f"https://bitbucket.org/{repository}/pipelines/results/{build}",
        **fields,
    )
