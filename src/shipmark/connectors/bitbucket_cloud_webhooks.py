"""The webhooks of Bitbucket Cloud.

A pull request's does not always tell when it was merged, nor the whole SHA of its merge commit. The
push that merging makes comes with a webhook of its own, which has that. What is guessed of either
fills in only what is not known yet, and gives way to the API.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from shipmark.application.facts import Fact
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.bitbucket_cloud_facts import (
    SOURCE,
    Commit,
    Links,
    Parent,
    PullRequest,
    Repository,
    address,
    first_parents,
    pipeline_event,
    pull_facts,
    repository_facts,
    tag_event,
)
from shipmark.connectors.branch_pushes import branch_push
from shipmark.connectors.merge_messages import read_merge_message
from shipmark.connectors.payloads import SHA, Instant, Text, Wire, read
from shipmark.connectors.pull_events import merged_event, with_merges
from shipmark.connectors.ref_events import push_event

BUILD = re.compile(r"/pipelines/(?:home#!/)?results/(?P<number>[0-9]{1,15})")
"""Where the address of a build status leads to a pipeline of Bitbucket's own."""

ENDS = {"SUCCESSFUL": True, "FAILED": False, "STOPPED": False}
"""Which states of a build are its end, and a success."""

TAGS = {"tag", "annotated_tag"}


class _PullHook(Wire):
    repository: Repository
    pullrequest: PullRequest


def _pull(payload: Any, _: datetime | None) -> list[Fact]:
    hook = read(_PullHook, payload)
    return [*with_merges([pull_facts(hook.repository.full_name, hook.pullrequest)], SOURCE)]


def _merged(payload: Any, _: datetime | None) -> list[Fact]:
    return _ended(read(_PullHook, payload), "MERGED")


def _declined(payload: Any, _: datetime | None) -> list[Fact]:
    return _ended(read(_PullHook, payload), "DECLINED")


def _ended(hook: _PullHook, state: str) -> list[Fact]:
    """A pull request that is merged or declined: its last change was just that."""
    pull, name = hook.pullrequest, hook.repository.full_name
    certain = pull_facts(name, pull, state=state)
    at = pull.closed_on or pull.updated_on
    field = "merged_at" if state == "MERGED" else "closed_at"
    values = {"base_ref": certain.values["base_ref"], "closed_at": at, field: at}
    guessed = replace(certain, values=values, only_unknown=True)
    facts: list[Fact] = [certain] if pull.closed_on else [certain, guessed]
    # Twelve characters are enough to deploy a commit by.
    sha = pull.merge_commit.any_length if pull.merge_commit else None
    told = {**values, "merge_commit_sha": sha, "url": address(pull.links)}
    event = merged_event(replace(certain, values=told), SOURCE)
    return [*facts, replace(event, is_guessed=True)] if event else facts


class _Ref(Wire):
    """Where a branch or a tag was or is. Only an annotated tag has a date of its own."""

    type: str
    name: Text
    target: Commit
    date: Instant | None = None
    links: Links | None = None


class _OldTarget(Wire):
    hash: SHA


class _Old(Wire):
    target: _OldTarget


class _Listed(Wire):
    """A commit of a push, of which the newest five are told."""

    hash: SHA
    date: Instant | None = None
    parents: tuple[Parent, ...] = ()


class _Change(Wire):
    new: _Ref | None = None
    old: _Old | None = None
    commits: tuple[_Listed, ...] = ()


class _Push(Wire):
    changes: tuple[_Change, ...]


class _PushHook(Wire):
    repository: Repository
    push: _Push


def _pushed(payload: Any, received_at: datetime | None) -> list[Fact]:
    hook = read(_PushHook, payload)
    name = hook.repository.full_name
    facts: list[Fact] = []
    for change in hook.push.changes:
        new = change.new
        if new is None or not new.target.hash:
            continue
        if new.type in TAGS:
            at = new.date or received_at or new.target.date
            facts.append(tag_event(name, new.name, new.target.hash, at, url=address(new.links)))
        elif new.type == "branch":
            facts += _on_branch(name, change, new, received_at or new.target.date)
    return facts


def _on_branch(name: str, change: _Change, new: _Ref, at: datetime) -> list[Fact]:
    older = [
        Commit(hash=one.hash, date=one.date, parents=one.parents)
        for one in change.commits
        if one.date is not None and one.hash != new.target.hash
    ]
    line = first_parents(new.target.hash, [new.target, *older])
    pushed = (commit.pushed for commit in line)
    before, after = change.old.target.hash if change.old else "", new.target.hash
    url = address(new.links)
    event = push_event(SOURCE, name, new.name, at, before=before, after=after, url=url)
    return [*branch_push(name, new.name, pushed), *_merge(name, change, new), event]


def _merge(name: str, change: _Change, new: _Ref) -> list[PullFacts]:
    """The pull request that was merged by this very push.

    The push of a merge adds one commit to the branch itself, whose message tells the number. A
    branch that is moved to where another is may end with such a commit, too; but it adds more.
    """
    parents = [parent.hash for parent in new.target.parents[:1]]
    message = read_merge_message(new.target.message)
    if message is None or change.old is None or parents != [change.old.target.hash]:
        return []
    values = {"base_ref": new.name, "merge_commit_sha": new.target.hash}
    return [PullFacts(repository=name, number=message.number, values=values, only_unknown=True)]


class _StatusCommit(Wire):
    hash: SHA


class _Status(Wire):
    state: str
    url: Text
    updated_on: Instant
    refname: Text | None = None
    commit: _StatusCommit | None = None


class _StatusHook(Wire):
    repository: Repository
    commit_status: _Status


def _built(payload: Any, _: datetime | None) -> list[Fact]:
    """The end of a pipeline, told as the status of its commit. Other systems' builds are told so
    too, and are none of ours. Neither is told which pipeline it was, nor whether it ran on a branch
    or on a tag: a branch is the better guess."""
    hook = read(_StatusHook, payload)
    status, name = hook.commit_status, hook.repository.full_name
    pipeline = BUILD.search(status.url)
    if pipeline is None or status.state not in ENDS:
        return []
    event = pipeline_event(
        name,
        int(pipeline["number"]),
        success=ENDS[status.state],
        at=status.updated_on,
        commit_sha=(status.commit and status.commit.hash) or None,
        branch=status.refname,
        is_guessed=True,
    )
    return [event]


class _Renaming(Wire):
    old: Text


class _Changes(Wire):
    full_name: _Renaming | None = None


class _UpdatedHook(Wire):
    repository: Repository
    changes: _Changes | None = None


def _updated(payload: Any, received_at: datetime | None) -> list[Fact]:
    hook = read(_UpdatedHook, payload)
    renaming = hook.changes and hook.changes.full_name
    former = renaming.old if renaming else None
    facts = repository_facts(hook.repository, former_name=former, as_of=received_at)
    # It does not say when it was: where it is late, its main branch may be another meanwhile.
    return [replace(facts, values={})]


READERS: dict[str, Callable[[Any, datetime | None], list[Fact]]] = {
    "pullrequest:created": _pull,
    "pullrequest:updated": _pull,
    "pullrequest:fulfilled": _merged,
    "pullrequest:rejected": _declined,
    "repo:push": _pushed,
    "repo:updated": _updated,
    "repo:commit_status_created": _built,
    "repo:commit_status_updated": _built,
}
