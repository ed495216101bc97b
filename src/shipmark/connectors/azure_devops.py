"""Azure DevOps Services and Server: what to ask their API about repositories and pull requests.

Paths are below the URL of an organisation or a collection. A pull request has no time of its last
change: facts about it are as of the answer that told them.
"""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from shipmark.application.facts import BranchPush, Fact, PushedCommit, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.azure_devops_facts import (
    COMPLETED,
    SOURCE,
    CommitWire,
    PullWire,
    RepositoryWire,
    pull_facts,
    repository_facts,
)
from shipmark.connectors.azure_devops_pushes import pushes_page
from shipmark.connectors.azure_devops_releases import deployments_page
from shipmark.connectors.azure_devops_requests import (
    CONTINUATION,
    PAGE_SIZE,
    answer,
    answer_if_any,
    file_if_any,
    get,
    limits,
    post,
    repository_path,
)
from shipmark.connectors.azure_devops_runs import runs_page
from shipmark.connectors.azure_devops_webhooks import (
    delivery_id,
    follow_up,
    is_genuine,
    read_webhook,
)
from shipmark.connectors.exchange import Dialogue, Response
from shipmark.connectors.pages import Page
from shipmark.connectors.payloads import SHA, Text, Wire
from shipmark.connectors.pull_events import with_merges
from shipmark.connectors.rules_file import FILE_NAME

__all__ = (
    "SOURCE", "authorization", "commit", "commits_page", "delivery_id", "deployments_page",
    "follow_up", "is_genuine", "limits", "pull", "pulls_page", "pushes_page", "read_webhook",
    "repository", "rules_file", "runs_page",
)  # fmt: skip

UNKNOWN_COMMIT: Final = frozenset({400, 404})
"""What the API answers about a commit that there is not, or that is written too short."""

CHANGES_SIZE: Final = 2000


class Pulls(Wire):
    value: tuple[PullWire, ...] = ()


class Commits(Wire):
    value: tuple[CommitWire, ...] = ()


class IterationWire(Wire):
    id: int


class Iterations(Wire):
    value: tuple[IterationWire, ...] = ()


class ItemWire(Wire, rename="camel"):
    path: Text | None = None
    is_folder: bool = False
    git_object_type: Text | None = None


class ChangeWire(Wire, rename="camel"):
    item: ItemWire = ItemWire()
    original_path: Text | None = None


class Changes(Wire, rename="camel"):
    change_entries: tuple[ChangeWire, ...] = ()
    next_skip: int | None = None


class Found(Wire):
    results: tuple[dict[str, tuple[PullWire, ...]], ...] = ()


class Comparison(Wire, rename="camel"):
    common_commit: SHA | None = None


def authorization(token: str) -> str:
    """The header Authorization for a personal access token."""
    return "Basic " + base64.b64encode(f":{token}".encode()).decode()


def repository(name: str) -> Dialogue[RepositoryFacts | None]:
    """A repository; None where there is none of that name."""
    response = yield get(repository_path(name))
    wire = answer_if_any(RepositoryWire, response, f"the repository {name}")
    return None if wire is None else repository_facts(wire, as_of=_as_of(response))


def rules_file(name: str) -> Dialogue[bytes | None]:
    """The file of path rules on the default branch; None: there is none."""
    asking = get(f"{repository_path(name)}/items", {"path": f"/{FILE_NAME}"})
    response = yield replace(asking, headers={"accept": "application/octet-stream"})
    return file_if_any(response, f"{FILE_NAME} of {name}")


def pulls_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Completed pull requests, the latest first.

    What is completed meanwhile comes before what was told, so that a backfill which goes on after
    a crash is told some again and misses none.
    """
    skip = int(cursor or 0)
    query: dict[str, str | int] = {
        "searchCriteria.status": COMPLETED,
        "$top": PAGE_SIZE,
        "$skip": skip,
    }
    if since is not None:
        # Servers before 2022.1 pass over these two.
        query |= {
            "searchCriteria.minTime": since.isoformat(),
            "searchCriteria.queryTimeRangeType": "closed",
        }
    response = yield get(f"{repository_path(name)}/pullrequests", query)
    pulls = answer(Pulls, response, f"the pull requests of {name}").value
    facts = (
        pull_facts(one, as_of=_as_of(response))
        for one in pulls
        if since is None or one.merged_at is None or one.merged_at >= since
    )
    more = len(pulls) == PAGE_SIZE
    return Page(
        facts=tuple(with_merges(facts, SOURCE)), cursor=str(skip + PAGE_SIZE) if more else None
    )


def pull(name: str, number: int) -> Dialogue[PullFacts | None]:
    """All of a pull request: its commits and the files it changed too."""
    path = f"{repository_path(name)}/pullRequests/{number}"
    asked = f"pull request {number} of {name}"
    response = yield get(path)
    wire = answer_if_any(PullWire, response, asked)
    if wire is None:
        return None
    commits = yield from _commits_of(path, asked)
    files = yield from _files_of(path, asked)
    first = min((one.author.date for one in commits if one.author.date), default=None)
    more = {"commit_shas": frozenset(one.commit_id for one in commits), "files": files}
    return pull_facts(
        wire, as_of=_as_of(response), **more, **({"first_commit_at": first} if first else {})
    )


def commit(name: str, sha: str) -> Dialogue[list[Fact]]:
    """What brought a commit: completed pull requests, else the default branch if it is on it."""
    asked = f"the commit {sha} of {name}"
    response = yield get(f"{repository_path(name)}/commits/{sha}")
    if response.status in UNKNOWN_COMMIT:
        return []
    wire = answer(CommitWire, response, asked)
    query = {
        "queries": [
            {"type": kind, "items": [wire.commit_id]} for kind in ("lastMergeCommit", "commit")
        ]
    }
    response = yield post(f"{repository_path(name)}/pullrequestquery", query)
    found = answer(Found, response, f"the pull requests with {sha} of {name}")
    numbers = {
        one.pull_request_id
        for result in found.results
        for pulls in result.values()
        for one in pulls
        if one.status == COMPLETED
    }
    brought: list[PullFacts] = []
    for number in sorted(numbers):
        one = yield from pull(name, number)
        brought += [one] if one else []
    return list(with_merges(brought, SOURCE)) or (yield from _default_branch(name, wire))


def commits_page(
    name: str, branch: str, *, since: datetime | None, cursor: str | None
) -> Dialogue[Page]:
    """The commits of a branch, from its head as it was when the first page was asked for."""
    head, _, skip = (cursor or "").partition("|")
    version, kind = (head, "commit") if head else (branch, "branch")
    query: dict[str, str | int] = {
        "searchCriteria.itemVersion.version": version,
        "searchCriteria.itemVersion.versionType": kind,
        "searchCriteria.$top": PAGE_SIZE,
        "searchCriteria.$skip": int(skip or 0),
    }
    query |= {"searchCriteria.fromDate": since.isoformat()} if since else {}
    response = yield get(f"{repository_path(name)}/commits", query)
    commits = answer(Commits, response, f"the commits on {branch} of {name}").value
    pushed = tuple(
        PushedCommit(sha=one.commit_id, committed_at=one.committed_at)
        for one in commits
        if one.committed_at
    )
    more = len(commits) == PAGE_SIZE
    return Page(
        facts=(BranchPush(repository=name, branch=branch, commits=pushed),) if pushed else (),
        cursor=f"{head or commits[0].commit_id}|{int(skip or 0) + PAGE_SIZE}" if more else None,
    )


def _default_branch(name: str, wire: CommitWire) -> Dialogue[list[Fact]]:
    facts = yield from repository(name)
    branch = facts and facts.values.get("default_branch")
    if not branch or not wire.committed_at:
        return []
    query: dict[str, str | int] = {
        "baseVersion": branch,
        "baseVersionType": "branch",
        "targetVersion": wire.commit_id,
        "targetVersionType": "commit",
        "$top": 1,
    }
    response = yield get(f"{repository_path(name)}/diffs/commits", query)
    compared = answer(Comparison, response, f"how {wire.commit_id} relates to {branch} of {name}")
    if compared.common_commit != wire.commit_id:
        return []
    pushed = PushedCommit(sha=wire.commit_id, committed_at=wire.committed_at)
    return [BranchPush(repository=name, branch=branch, commits=(pushed,))]


def _commits_of(path: str, asked: str) -> Dialogue[list[CommitWire]]:
    query: dict[str, str | int] = {"$top": PAGE_SIZE}
    commits: list[CommitWire] = []
    while True:
        response = yield get(f"{path}/commits", query)
        commits += answer(Commits, response, f"the commits of {asked}").value
        if not (token := response.headers.get(CONTINUATION)):
            return commits
        query = {**query, "continuationToken": token}


def _files_of(path: str, asked: str) -> Dialogue[tuple[str, ...]]:
    """The paths that the pull request changed as a whole; of what was moved, both."""
    response = yield get(f"{path}/iterations")
    iterations = answer(Iterations, response, f"the iterations of {asked}").value
    if not iterations:
        return ()
    last = max(one.id for one in iterations)
    files: set[str] = set()
    skip: int | None = 0
    while skip is not None:
        query: dict[str, str | int] = {"$compareTo": 0, "$top": CHANGES_SIZE, "$skip": skip}
        response = yield get(f"{path}/iterations/{last}/changes", query)
        changes = answer(Changes, response, f"the files of {asked}")
        for change in changes.change_entries:
            if not change.item.is_folder and change.item.git_object_type != "tree":
                files |= {
                    one.lstrip("/") for one in (change.item.path, change.original_path) if one
                }
        # It says 0 where there is no more.
        skip = changes.next_skip if (changes.next_skip or 0) > skip else None
    return tuple(sorted(files))


def _as_of(response: Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return None
