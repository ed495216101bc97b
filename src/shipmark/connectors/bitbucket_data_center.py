"""Ask the API of Bitbucket Data Center, version 1.0.

Everything here is a dialogue; see `exchange`. Paths are percent-encoded already.
"""

from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from shipmark.application.facts import Fact, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
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
from shipmark.connectors.exchange import Dialogue, Request, Response
from shipmark.connectors.forge_errors import GONE, answer, answer_if_any, file_if_any
from shipmark.connectors.pages import Page
from shipmark.connectors.payloads import SHA, Text, Wire, read
from shipmark.connectors.pull_events import with_merges
from shipmark.connectors.rules_file import FILE_NAME

__all__ = [
    "SOURCE",
    "commit",
    "commits_page",
    "pull",
    "pulls_page",
    "repository",
    "rules_file",
    "runs_page",
]

PAGE = 100
TAGS = 25
"""Tags of one page: each costs a request, to date it."""
NO_CONTENT = 204

Item = TypeVar("Item")


def repository_path(name: str, below: str = "", *, api: str = "api") -> str:
    """Below which the API has a repository. Without a slash, a name is the project's alone."""
    key, _, slug = name.rpartition("/")
    return f"/rest/{api}/1.0/projects/{quote(key, safe='~')}/repos/{quote(slug, safe='')}{below}"


def repository(name: str) -> Dialogue[RepositoryFacts | None]:
    """What Bitbucket knows of a repository; None: there is none that this token may see."""
    response = yield Request(path=repository_path(name))
    found = answer_if_any(Repository, response, f"the repository {name}")
    if found is None:
        return None
    default = yield from _default_branch(name)
    moved = found.name.lower() != name.lower()
    return repository_facts(found, default_branch=default, former_name=name if moved else None)


def _default_branch(name: str) -> Dialogue[str | None]:
    """The default branch; None: the repository is empty."""
    response = yield Request(path=repository_path(name, "/default-branch"))
    if response.status in {NO_CONTENT, *GONE}:
        return None
    return answer(Ref, response, f"the default branch of {name}").branch


def rules_file(name: str) -> Dialogue[bytes | None]:
    """The file of path rules on the default branch; None: there is none."""
    response = yield Request(path=repository_path(name, f"/raw/{FILE_NAME}"))
    return file_if_any(response, f"{FILE_NAME} of {name}")


class _Slice(Wire, rename="camel"):
    """A part of a list, and where the next one starts."""

    values: tuple[Any, ...]
    is_last_page: bool = True
    next_page_start: int | None = None

    @property
    def next(self) -> int | None:
        return None if self.is_last_page else self.next_page_start


def _slice(shape: type[Item], response: Response, asked: str) -> tuple[list[Item], int | None]:
    found = answer(_Slice, response, asked)
    return list(read(tuple[shape, ...], found.values)), found.next  # type: ignore[valid-type]


def pulls_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Pull requests, the oldest first, and the events of their merging.

    Bitbucket can neither sort nor choose them by when they changed: every page is asked for, and
    what did not change since is left out of it.
    """
    response = yield Request(
        path=repository_path(name, "/pull-requests"),
        query={"state": "ALL", "order": "OLDEST", "limit": PAGE, "start": int(cursor or 0)},
    )
    listed, start = _slice(PullRequest, response, f"the pull requests of {name}")
    pulls = [pull_facts(one) for one in listed if since is None or one.updated_date >= since]
    return _page(with_merges(pulls, SOURCE), start)


def _page(facts: Any, start: int | None) -> Page:
    return Page(facts=tuple(facts), cursor=None if start is None else str(start))


class _Path(Wire, rename="camel"):
    to_string: Text = ""


class _Changed(Wire, rename="camel"):
    path: _Path
    src_path: _Path | None = None


def pull(name: str, number: int) -> Dialogue[PullFacts | None]:
    """Everything about one pull request, in three requests or more."""
    path = repository_path(name, f"/pull-requests/{number}")
    asked = f"the pull request {number} of {name}"
    response = yield Request(path=path)
    found = answer_if_any(PullRequest, response, asked)
    if found is None:
        return None
    commits = yield from all_of(Commit, f"{path}/commits", f"the commits of {asked}")
    changes = yield from all_of(_Changed, f"{path}/changes", f"the files of {asked}")
    paths = {side.to_string for one in changes for side in (one.path, one.src_path) if side}
    return pull_facts(
        found,
        commit_shas=frozenset(one.id for one in commits) or None,
        first_commit_at=min((one.author_timestamp for one in commits), default=None),
        files=tuple(sorted(paths - {""})) or None,
    )


class _Found(Wire):
    id: int
    state: str


def commit(name: str, sha: str) -> Dialogue[list[Fact]]:
    """The merged pull requests that brought a commit, or else the branches that it stands on."""
    asked = f"the commit {sha} of {name}"
    path = repository_path(name, "/commits/")
    response = yield Request(path=path + quote(sha, safe=""))
    found = answer_if_any(Commit, response, asked)
    if found is None:
        return []
    path += f"{found.id}/pull-requests"
    pulls: list[PullFacts] = []
    for one in (yield from all_of(_Found, path, f"what brought {asked}")):
        told = (yield from pull(name, one.id)) if one.state == "MERGED" else None
        pulls += [told] if told else []
    return [*with_merges(pulls, SOURCE)] or (yield from _branches_of(name, found))


def _branches_of(name: str, found: Commit) -> Dialogue[list[Fact]]:
    """Where a commit stands. All later branches hold what the default branch does: where that
    holds it, they say nothing."""
    path = repository_path(name, f"/branches/info/{found.id}", api="branch-utils")
    branches = [one.branch for one in (yield from all_of(Ref, path, f"where {found.id} stands"))]
    default = yield from _default_branch(name)
    if default in branches:
        branches = [default]
    return [push for branch in branches for push in branch_push(name, branch, [found.pushed])]


def commits_page(
    name: str, branch: str, *, since: datetime | None, cursor: str | None
) -> Dialogue[Page]:
    """Commits of a branch itself, without those that merges brought, newest first.

    The cursor is the commit to go on from, so that nothing pushed meanwhile moves the pages.
    """
    query: dict[str, str | int] = {"until": cursor or f"refs/heads/{branch}", "limit": PAGE}
    response = yield Request(path=repository_path(name, "/commits"), query=query)
    commits, _ = _slice(Commit, response, f"the commits of {branch} of {name}")
    line = list(first_parents(commits[0].id, commits)) if commits else []
    pushed = [one for one in line if since is None or one.pushed.committed_at >= since]
    further = line[-1].parents[0].id if line and line[-1].parents else None
    return Page(
        facts=tuple(branch_push(name, branch, (one.pushed for one in pushed))),
        cursor=further if len(pushed) == len(line) else None,
    )


class _Tag(Wire, rename="camel"):
    display_id: Text
    latest_commit: SHA


def runs_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Tags, which are as old as their commits: nothing else is known of them. Bitbucket Data
    Center has no pipelines of its own, and of other systems' builds it tells none by time."""
    response = yield Request(
        path=repository_path(name, "/tags"),
        query={"orderBy": "MODIFICATION", "limit": TAGS, "start": int(cursor or 0)},
    )
    tags, start = _slice(_Tag, response, f"the tags of {name}")
    events: list[Fact] = []
    for tag in tags:
        path = repository_path(name, f"/commits/{tag.latest_commit}")
        response = yield Request(path=path)
        found = answer(Commit, response, f"the commit {tag.latest_commit} of {name}")
        at = found.pushed.committed_at
        if since is None or at >= since:
            events.append(tag_event(name, tag.display_id, found.id, at, is_guessed=True))
    return _page(events, start)


def all_of(shape: type[Item], path: str, asked: str) -> Dialogue[list[Item]]:
    """Everything on all pages of a list; nothing where there is no such list."""
    items: list[Item] = []
    start: int | None = 0
    while start is not None:
        response: Response = yield Request(path=path, query={"limit": PAGE, "start": start})
        if response.status in GONE:
            break
        found, start = _slice(shape, response, asked)
        items += found
    return items
