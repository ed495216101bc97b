"""Ask GitLab's API, of gitlab.com or of a server of one's own (GitLab 15.7 and later).

Everything here is a dialogue; see `exchange`. Paths are percent-encoded already: a project in
nested groups is one segment, ``group%2Fsub%2Fname``.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

from shipmark.application.facts import BranchPush, Fact, PushedCommit, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.exchange import Dialogue, Request, Response
from shipmark.connectors.forge_errors import answer, answer_if_any, file_if_any
from shipmark.connectors.gitlab_facts import (
    SOURCE,
    Commit,
    MergeRequest,
    Project,
    pull_facts,
    repository_facts,
    sorted_paths,
)
from shipmark.connectors.pages import Page, page_number
from shipmark.connectors.payloads import Text, Wire
from shipmark.connectors.pull_events import with_merges
from shipmark.connectors.rules_file import FILE_NAME
from shipmark.connectors.watermarks import Watermark

__all__ = ["SOURCE", "commit", "commits_page", "pull", "pulls_page", "repository", "rules_file"]

PAGE = 100
"""The most that GitLab puts on a page."""

Item = TypeVar("Item")


def project_path(name: str, below: str = "") -> str:
    return f"/api/v4/projects/{quote(name, safe='')}{below}"


def repository(name: str) -> Dialogue[RepositoryFacts | None]:
    """What GitLab knows of a project; None: there is none that this token may see."""
    response = yield Request(path=project_path(name))
    project = answer_if_any(Project, response, f"the project {name}")
    return None if project is None else repository_facts(project, asked_for=name)


def rules_file(name: str) -> Dialogue[bytes | None]:
    """The file of path rules on the default branch; None: there is none."""
    path = project_path(name, f"/repository/files/{FILE_NAME}/raw")
    response = yield Request(path=path, query={"ref": "HEAD"})
    return file_if_any(response, f"{FILE_NAME} of {name}")


def pulls_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Merge requests in the order in which they last changed, 100 for each request, and the events
    of their merging. Their commits and files, only `pull` tells.
    """
    mark = Watermark.read(cursor, since)
    response = yield Request(path=project_path(name, "/merge_requests"), query=by_change(mark))
    requests = answer(tuple[MergeRequest, ...], response, f"the merge requests of {name}")
    facts = tuple(with_merges((pull_facts(name, request) for request in requests), SOURCE))
    last = requests[-1].updated_at if requests else None
    return Page(facts=facts, cursor=mark.then(last, full=len(requests) >= PAGE))


def by_change(mark: Watermark) -> dict[str, str | int]:
    """A query for one page of what changed at or after a watermark."""
    query: dict[str, str | int] = {
        "order_by": "updated_at",
        "sort": "asc",
        "per_page": PAGE,
        "page": mark.page,
    }
    return query if mark.after is None else {**query, "updated_after": mark.after.isoformat()}


class _Diff(Wire):
    old_path: Text
    new_path: Text


def pull(name: str, number: int) -> Dialogue[PullFacts | None]:
    """Everything about one merge request, in three requests or more."""
    path = project_path(name, f"/merge_requests/{number}")
    asked = f"the merge request {name}!{number}"
    response = yield Request(path=path)
    request = answer_if_any(MergeRequest, response, asked)
    if request is None:
        return None
    commits = yield from all_of(Commit, f"{path}/commits", f"the commits of {asked}")
    diffs = yield from all_of(_Diff, f"{path}/diffs", f"the files of {asked}")
    shas = {commit.id for commit in commits} | {request.squash_commit_sha or ""}
    return pull_facts(
        name,
        request,
        commit_shas=frozenset(shas - {""}),
        first_commit_at=min((commit.authored_date for commit in commits), default=None),
        files=sorted_paths(path for diff in diffs for path in (diff.old_path, diff.new_path)),
    )


class _Numbered(Wire):
    iid: int
    state: str


def commit(name: str, sha: str) -> Dialogue[list[Fact]]:
    """The merged requests that brought a commit, or else the branches that it stands on."""
    path = project_path(name, f"/repository/commits/{quote(sha, safe='')}")
    asked = f"the commit {sha} of {name}"
    response = yield Request(path=path)
    found = answer_if_any(Commit, response, asked)
    if found is None:
        return []
    path = project_path(name, f"/repository/commits/{found.id}")
    requests = yield from all_of(_Numbered, f"{path}/merge_requests", f"what brought {asked}")
    pulls: list[PullFacts] = []
    for request in requests:
        told = (yield from pull(name, request.iid)) if request.state == "merged" else None
        pulls += [told] if told else []
    return [*with_merges(pulls, SOURCE)] or (yield from _branches_of(name, path, found))


class _Branch(Wire):
    name: Text


def _branches_of(name: str, path: str, found: Commit) -> Dialogue[list[Fact]]:
    """Where a commit stands. All later branches hold what the default branch does: where that
    holds it, they say nothing."""
    response = yield Request(path=project_path(name))
    project = answer(Project, response, f"the project {name}")
    refs = yield from all_of(_Branch, f"{path}/refs", f"the branches of {found.id}", type="branch")
    branches = [ref.name for ref in refs]
    if project.default_branch in branches:
        branches = [project.default_branch]
    pushed = (PushedCommit(sha=found.id, committed_at=found.committed_date),)
    return [BranchPush(repository=name, branch=branch, commits=pushed) for branch in branches]


def commits_page(
    name: str, branch: str, *, since: datetime | None, cursor: str | None
) -> Dialogue[Page]:
    """Commits of a branch itself, without those that merges brought, newest first.

    What is pushed in between moves the others to later pages, where they are told again.
    """
    page = page_number(cursor)
    query: dict[str, str | int] = {
        "ref_name": branch,
        "first_parent": "true",
        "per_page": PAGE,
        "page": page,
    }
    if since is not None:
        query["since"] = since.isoformat()
    asked = f"the commits of {branch} of {name}"
    response = yield Request(path=project_path(name, "/repository/commits"), query=query)
    commits = answer(tuple[Commit, ...], response, asked)
    pushed = tuple(PushedCommit(sha=one.id, committed_at=one.committed_date) for one in commits)
    push = BranchPush(repository=name, branch=branch, commits=pushed)
    return Page(facts=(push,) if pushed else (), cursor=page_after(response, page, len(pushed)))


def page_after(response: Response, page: int, count: int) -> str | None:
    """The cursor of what follows a page by number. Not every endpoint tells the next one."""
    told = response.headers.get("x-next-page")
    more = count >= PAGE if told is None else bool(told.strip())
    return str(page + 1) if more else None


def all_of(shape: type[Item], path: str, asked: str, **query: str | int) -> Dialogue[list[Item]]:
    """Everything on all pages of a list."""
    items: list[Item] = []
    page, more = 1, True
    while more:
        asked_for: Mapping[str, str | int] = {**query, "per_page": PAGE, "page": page}
        response = yield Request(path=path, query=asked_for)
        found = answer(tuple[shape, ...], response, asked)  # type: ignore[valid-type]
        if found and found[0] in items:
            # It gives out the same page whichever is asked for.
            return items
        items += found
        more, page = page_after(response, page, len(found)) is not None, page + 1
    return items
