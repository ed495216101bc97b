"""The webhooks of Bitbucket Data Center."""

from collections.abc import Callable
from typing import Any

from shipmark.application.facts import Fact
from shipmark.connectors.bitbucket_data_center_facts import (
    SOURCE,
    Commit,
    PullRequest,
    Ref,
    Repository,
    first_parents,
    pull_facts,
    repository_facts,
    tag_event,
)
from shipmark.connectors.branch_pushes import branch_push
from shipmark.connectors.payloads import SHA, Instant, Wire, read
from shipmark.connectors.pull_events import with_merges
from shipmark.connectors.ref_events import push_event


class _PullHook(Wire, rename="camel"):
    pull_request: PullRequest


def _pull(payload: Any) -> list[Fact]:
    return [*with_merges([pull_facts(read(_PullHook, payload).pull_request)], SOURCE)]


class _Change(Wire, rename="camel"):
    ref: Ref
    type: str
    from_hash: SHA
    to_hash: SHA


class _PushHook(Wire, rename="camel"):
    date: Instant
    repository: Repository
    changes: tuple[_Change, ...]
    to_commit: Commit | None = None
    commits: tuple[Commit, ...] = ()


def _pushed(payload: Any) -> list[Fact]:
    hook = read(_PushHook, payload)
    facts: list[Fact] = []
    for change in hook.changes:
        if change.type == "DELETE" or not change.to_hash:
            continue
        if change.ref.id.startswith("refs/tags/"):
            facts.append(_tag(hook, change))
        elif change.ref.id.startswith("refs/heads/"):
            facts += _branch(hook, change)
    return facts


def _tag(hook: _PushHook, change: _Change) -> Fact:
    # An annotated tag is an object of its own; the commit it stands for is told beside it, where
    # the push was of nothing else.
    alone = hook.to_commit if len(hook.changes) == 1 else None
    sha = alone.id if alone else change.to_hash
    return tag_event(hook.repository.name, change.ref.display_id, sha, hook.date)


def _branch(hook: _PushHook, change: _Change) -> list[Fact]:
    """What was pushed to a branch. Servers before version 8 tell nothing of the commits, and no
    server more than the newest of them."""
    name, branch = hook.repository.name, change.ref.branch
    told = [*([hook.to_commit] if hook.to_commit else []), *hook.commits]
    unique = list({commit.id: commit for commit in told}.values())
    pushed = (commit.pushed for commit in first_parents(change.to_hash, unique))
    before, after = change.from_hash, change.to_hash
    event = push_event(SOURCE, name, branch, hook.date, before=before, after=after)
    return [*branch_push(name, branch, pushed), event]


class _RenamedHook(Wire):
    date: Instant
    old: Repository
    new: Repository


def _renamed(payload: Any) -> list[Fact]:
    hook = read(_RenamedHook, payload)
    moved = hook.old.name != hook.new.name
    former = hook.old.name if moved else None
    return [repository_facts(hook.new, former_name=former, as_of=hook.date)]


READERS: dict[str, Callable[[Any], list[Fact]]] = {
    "pr:opened": _pull,
    "pr:modified": _pull,
    "pr:from_ref_updated": _pull,
    "pr:to_ref_updated": _pull,
    "pr:merged": _pull,
    "pr:declined": _pull,
    "repo:refs_changed": _pushed,
    "repo:modified": _renamed,
}
