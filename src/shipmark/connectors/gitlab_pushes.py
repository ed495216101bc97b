"""GitLab's webhooks about branches, tags and releases."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from shipmark.application.facts import BranchPush, Fact
from shipmark.connectors.gitlab_facts import (
    SOURCE,
    HookCommit,
    Project,
    release_event,
    repository_facts,
    tag_event,
)
from shipmark.connectors.merge_messages import read_merge_message
from shipmark.connectors.payloads import SHA, Instant, Text, Wire, branch_of, read, tag_of
from shipmark.connectors.ref_events import push_event
from shipmark.domain.events import SourceEvent


class _PushHook(Wire):
    ref: Text
    after: SHA
    project: Project
    before: SHA = ""
    checkout_sha: SHA | None = None
    commits: tuple[HookCommit, ...] = ()
    total_commits_count: int = 0


def read_push(payload: Any, received_at: datetime | None) -> list[Fact]:
    """The facts of a push to a branch, and of its project, whose default branch may be new."""
    hook = read(_PushHook, payload)
    branch = branch_of(hook.ref)
    if not branch or not hook.after:
        return []
    facts: list[Fact] = [repository_facts(hook.project)]
    name = hook.project.path_with_namespace
    commits = _on_the_branch(hook)
    if commits:
        # Of what the others changed, nothing is known.
        is_all = len(commits) >= max(hook.total_commits_count, len(hook.commits))
        pushed = tuple(
            one if is_all else replace(one, files=None)
            for one in (commit.pushed for commit in commits)
        )
        facts.append(BranchPush(repository=name, branch=branch, commits=pushed))
    times = [commit.timestamp for commit in commits if commit.id == hook.after]
    if at := received_at or next(iter(times), None):
        facts.append(_push_event(hook, branch, at))
    return facts


def _push_event(hook: _PushHook, branch: str, at: datetime) -> SourceEvent:
    name, address = hook.project.path_with_namespace, hook.project.web_url
    url = address and f"{address}/-/commit/{hook.after}"
    return push_event(SOURCE, name, branch, at, before=hook.before, after=hook.after, url=url)


def _on_the_branch(hook: _PushHook) -> list[HookCommit]:
    """The commits of the branch itself.

    The parents are not told. If any of the commits merged a request, others may be of the branch
    that it came from, and only the newest is certain. The API tells the rest.
    """
    if any(read_merge_message(commit.message) for commit in hook.commits):
        return [commit for commit in hook.commits if commit.id == hook.after]
    return list(hook.commits)


def read_tag_push(payload: Any, received_at: datetime | None) -> list[Fact]:
    """The event of a new tag."""
    hook = read(_PushHook, payload)
    tag = tag_of(hook.ref)
    if not tag or not hook.after or received_at is None:
        return []
    name = hook.project.path_with_namespace
    # An annotated tag is an object of its own; checkout_sha is the commit it stands for.
    sha = hook.checkout_sha or hook.after
    return [tag_event(name, tag, sha, received_at, hook.project.web_url)]


class _ReleaseCommit(Wire):
    id: SHA


class _ReleaseHook(Wire):
    action: str
    tag: Text
    project: Project
    created_at: Instant
    released_at: Instant | None = None
    commit: _ReleaseCommit | None = None
    url: Text | None = None


def read_release(payload: Any, _: datetime | None) -> list[Fact]:
    """The event of a release that was published."""
    hook = read(_ReleaseHook, payload)
    if hook.action != "create":
        return []
    name = hook.project.path_with_namespace
    at = hook.released_at or hook.created_at
    return [release_event(name, hook.tag, at, hook.commit.id if hook.commit else None, hook.url)]
