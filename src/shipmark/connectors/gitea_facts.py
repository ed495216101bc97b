"""The objects of Gitea and Forgejo, as their API and their webhooks both have them, and the facts
in them. They are like GitHub's, and differ in what may be missing."""

from functools import partial
from typing import Any

from shipmark.application.facts import RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors import ref_events
from shipmark.connectors.payloads import SHA, Instant, Number, Text, Wire, told
from shipmark.domain.events import SourceEvent

SOURCE = "gitea"
GHOST = "Ghost"
"""Whom Gitea names instead of someone whose account is deleted."""


class Repository(Wire):
    id: int
    full_name: Text
    default_branch: Text | None = None
    archived: bool | None = None
    updated_at: Instant | None = None


class User(Wire):
    login: Text


class Label(Wire):
    name: Text


class Branch(Wire):
    ref: Text
    sha: SHA = ""


class PullRequest(Wire):
    id: int
    number: Number
    title: Text
    html_url: Text
    base: Branch
    head: Branch
    created_at: Instant | None = None
    updated_at: Instant | None = None
    closed_at: Instant | None = None
    merged_at: Instant | None = None
    merge_commit_sha: SHA | None = None
    user: User | None = None
    labels: tuple[Label, ...] | None = None


class Release(Wire):
    id: int
    tag_name: Text
    html_url: Text | None = None
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
        as_of=told(repository.updated_at),
        former_name=former_name,
        archived=repository.archived if archived is None else archived,
        values={"default_branch": branch} if branch else {},
    )


def pull_facts(repository: str, pull: PullRequest, **more: Any) -> PullFacts:
    """What a pull request says, and ``more`` values that only the API tells."""
    merged_at = told(pull.merged_at)
    login = pull.user.login if pull.user else None
    values = {
        "base_ref": pull.base.ref,
        "source_id": str(pull.id),
        "title": pull.title or None,
        "author": None if login in {None, "", GHOST} else login,
        "url": pull.html_url,
        "head_sha": pull.head.sha or None,
        "created_at": told(pull.created_at),
        "closed_at": told(pull.closed_at),
        "merged_at": merged_at,
        "merge_commit_sha": (pull.merge_commit_sha or None) if merged_at else None,
        "labels": tuple(sorted(label.name for label in pull.labels or ())),
    }
    # Once its branch is gone, the head is a reference of Gitea's own; what it was called stays.
    if not pull.head.ref.startswith("refs/"):
        values["head_ref"] = pull.head.ref
    return PullFacts(
        repository=repository, number=pull.number, values=values | more, as_of=told(pull.updated_at)
    )


def release_event(repository: str, release: Release) -> SourceEvent | None:
    """A release that was published; None: it is a draft. A webhook does not tell its commit."""
    at = told(release.published_at)
    if release.draft or at is None:
        return None
    return ref_events.release_event(
        SOURCE, repository, release.id, release.tag_name, at, url=release.html_url or None
    )


tag_event = partial(ref_events.tag_event, SOURCE)
