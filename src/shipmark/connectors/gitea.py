"""The API of Gitea and Forgejo: repositories, pull requests, commits, releases, tags.

There is no GraphQL here, and no documented limit. A page of pull requests costs one call for 20,
and two or more for each of them that is merged: for its commits, and for its files.

Everything here is a dialogue, which does no I/O, and raises ForgeError and UnreadablePayload.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

from shipmark.application.facts import Fact, PushedCommit, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.branch_pushes import branch_push
from shipmark.connectors.exchange import Dialogue, Request, Response
from shipmark.connectors.forge_errors import answer, answer_if_any, file_if_any
from shipmark.connectors.gitea_facts import (
    SOURCE,
    PullRequest,
    Release,
    Repository,
    pull_facts,
    release_event,
    repository_facts,
    tag_event,
)
from shipmark.connectors.pages import Page, page_number
from shipmark.connectors.payloads import SHA, Instant, Text, Wire, told
from shipmark.connectors.pull_events import with_merges
from shipmark.connectors.rules_file import FILE_NAME

PAGE_SIZE = 50
"""More than a server gives out, unless it is set to."""

PULLS_PAGE = 20
EMPTY_REPOSITORY = 409
NO_SUCH_COMMIT = {404, 409, 422}
BRIEFLY: dict[str, str | int] = {"stat": "false", "files": "false", "verification": "false"}
"""What a commit is asked for without; a server works long on these."""


def address(server: str, path: str) -> str:
    """The URL of a request, on the server that people open in their browsers."""
    if not path.startswith("/"):
        raise ValueError(f"{path} is not a path of the API")
    return f"{server.rstrip('/').removesuffix('/api/v1')}/api/v1{path}"


def bearer(token: str) -> dict[str, str]:
    """The header that a token is sent in."""
    return {"authorization": f"token {token}"}


def _get(path: str, **query: str | int) -> Request:
    return Request(path=path, query=query, headers={"accept": "application/json"})


def _home(name: str) -> str:
    return f"/repos/{quote(name)}"


def repository(name: str) -> Dialogue[RepositoryFacts | None]:
    """A repository as it is now, under the name it has now; None: it is not there, or not shown."""
    found = yield from _repository(name)
    if found is None:
        return None
    is_renamed = found.full_name.casefold() != name.casefold()
    return repository_facts(found, former_name=name if is_renamed else None)


def _repository(name: str) -> Dialogue[Repository | None]:
    response = yield _get(_home(name))
    return answer_if_any(Repository, response, f"the repository {name}")


def rules_file(name: str) -> Dialogue[bytes | None]:
    """The file of path rules on the default branch; None: there is none."""
    response = yield Request(path=f"{_home(name)}/raw/{FILE_NAME}")
    return file_if_any(response, f"{FILE_NAME} of {name}")


def pulls_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """A page of pull requests, each merged one whole and with the event of its merging.

    Without ``since``: all, oldest first; they never change places, so that a backfill goes on
    where it stopped. With it, those changed since, last changed first: what changes while they
    are read is left to a next time, with a ``since`` from before this one began.
    """
    page = page_number(cursor)
    sort = "recentupdate" if since else "oldest"
    query: dict[str, str | int] = {"state": "all", "sort": sort, "limit": PULLS_PAGE, "page": page}
    response = yield _get(f"{_home(name)}/pulls", **query)
    found = answer(tuple[PullRequest, ...], response, f"the pull requests of {name}")
    news = [one for one in found if not since or not one.updated_at or one.updated_at >= since]
    facts = []
    for one in news:
        whole = (yield from _whole(name, one)) if told(one.merged_at) else pull_facts(name, one)
        facts.append(whole)
    return Page(
        facts=tuple(with_merges(facts, SOURCE)),
        cursor=_next(page, response, found) if len(news) == len(found) else None,
    )


def pull(name: str, number: int) -> Dialogue[PullFacts | None]:
    """All about a pull request; None: there is none of this number."""
    response = yield _get(f"{_home(name)}/pulls/{number}")
    found = answer_if_any(PullRequest, response, f"pull request {number} of {name}")
    return (yield from _whole(name, found)) if found else None


class Signature(Wire):
    date: Instant | None = None


class GitCommit(Wire):
    author: Signature | None = None


class Commit(Wire):
    sha: SHA
    commit: GitCommit | None = None

    @property
    def at(self) -> datetime | None:
        """When it was authored, which is what a webhook tells."""
        author = self.commit.author if self.commit else None
        return told(author.date) if author else None


class File(Wire):
    filename: Text


def _whole(name: str, pull: PullRequest) -> Dialogue[PullFacts]:
    """A pull request with its commits and files."""
    path = f"{_home(name)}/pulls/{pull.number}"
    commits = yield from _all(tuple[Commit, ...], f"{path}/commits", BRIEFLY)
    files = yield from _all(tuple[File, ...], f"{path}/files", {})
    return pull_facts(
        name,
        pull,
        first_commit_at=min((one.at for one in commits if one.at), default=None),
        commit_shas=frozenset(one.sha for one in commits),
        files=tuple(sorted(file.filename for file in files)),
    )


Item = TypeVar("Item")


def _all(
    shape: type[tuple[Item, ...]], path: str, query: dict[str, str | int]
) -> Dialogue[list[Item]]:
    """Every item of a list, all pages of it; none if there is no such list any more."""
    items: list[Item] = []
    cursor: str | None = "1"
    while cursor:
        page = page_number(cursor)
        response = yield _get(path, **query, limit=PAGE_SIZE, page=page)
        found = answer_if_any(shape, response, path) or ()
        if found and found[0] in items:
            # An old server may not know of pages here, and gives out all of it each time.
            return items
        items += found
        cursor = _next(page, response, found)
    return items


class Comparison(Wire):
    total_commits: int


def commit(name: str, sha: str) -> Dialogue[list[Fact]]:
    """What is known of one commit, given by 7 or more characters: the pull request that it merged,
    with all about it, or else the default branch, if that holds it.

    A commit inside a pull request is not known to be: it comes with the pull request itself. Empty:
    there is no such commit, or it stands on another branch.
    """
    response = yield _get(f"{_home(name)}/git/commits/{quote(sha)}", **BRIEFLY)
    if response.status in NO_SUCH_COMMIT:
        return []
    found = answer(Commit, response, f"commit {sha} of {name}")
    if not found.sha.startswith(sha.lower()):
        # A branch or a tag may be called like a commit.
        return []
    asked = f"the pull request of commit {sha} of {name}"
    response = yield _get(f"{_home(name)}/commits/{found.sha}/pull")
    merged = answer_if_any(PullRequest, response, asked)
    if merged:
        whole = yield from _whole(name, merged)
        return list(with_merges([whole], SOURCE))
    branch = yield from _default_branch_with(name, found.sha)
    return _pushes(name, branch, [found]) if branch else []


def _default_branch_with(name: str, sha: str) -> Dialogue[str | None]:
    """The default branch, if it holds a commit."""
    found = yield from _repository(name)
    if not found or not found.default_branch:
        return None
    path = f"{_home(name)}/compare/{quote(found.default_branch)}...{sha}"
    compared = answer_if_any(Comparison, (yield _get(path)), f"the branches of commit {sha}")
    return found.default_branch if compared and compared.total_commits == 0 else None


def commits_page(
    name: str, branch: str, *, since: datetime | None, cursor: str | None
) -> Dialogue[Page]:
    """Commits on a branch, newest first, until a page of them is all older than ``since``."""
    page = page_number(cursor)
    query: dict[str, str | int] = {"sha": branch, "limit": PAGE_SIZE, "page": page}
    response = yield _get(f"{_home(name)}/commits", **query, **BRIEFLY)
    if response.status == EMPTY_REPOSITORY:
        return Page(facts=())
    found = answer(tuple[Commit, ...], response, f"the commits on {branch} of {name}")
    news = [one for one in found if since is None or (one.at and one.at >= since)]
    return Page(
        facts=tuple(_pushes(name, branch, news)),
        cursor=_next(page, response, found) if news else None,
    )


def _pushes(name: str, branch: str, found: Sequence[Commit]) -> list[Fact]:
    commits = (PushedCommit(sha=one.sha, committed_at=one.at) for one in found if one.at)
    return branch_push(name, branch, commits)


def releases_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Releases published since, each with the commit of its tag, which is asked for. A draft may be
    published long after it was made: none stops."""
    page = page_number(cursor)
    response = yield _get(f"{_home(name)}/releases", limit=PAGE_SIZE, page=page)
    found = answer(tuple[Release, ...], response, f"the releases of {name}")
    news: list[Fact] = []
    for one in found:
        event = release_event(name, one)
        if event and (not since or event.at >= since):
            commit = yield from commit_of_tag(name, one.tag_name)
            news.append(replace(event, commit_sha=commit, is_guessed=commit is None))
    return Page(facts=tuple(news), cursor=_next(page, response, found))


class TaggedCommit(Wire):
    sha: SHA
    created: Instant | None = None


class Tag(Wire):
    name: Text
    commit: TaggedCommit | None = None


def tags_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Tags of commits made since, as of when their commits were made. They come in no order that
    would tell when to stop."""
    page = page_number(cursor)
    response = yield _get(f"{_home(name)}/tags", limit=PAGE_SIZE, page=page)
    found = answer(tuple[Tag, ...], response, f"the tags of {name}")
    dated = [(tag.name, tag.commit.sha, told(tag.commit.created)) for tag in found if tag.commit]
    news = tuple(
        tag_event(name, tag, sha, at, is_guessed=True)
        for tag, sha, at in dated
        if at and (not since or at >= since)
    )
    return Page(facts=news, cursor=_next(page, response, found))


def commit_of_tag(name: str, tag: str) -> Dialogue[str | None]:
    """The commit that a tag stands for, which a release does not tell; None: no such tag."""
    response = yield _get(f"{_home(name)}/tags/{quote(tag, safe='')}")
    found = answer_if_any(Tag, response, f"the tag {tag} of {name}")
    return (found.commit.sha or None) if found and found.commit else None


def _next(page: int, response: Response, found: Sequence[object]) -> str | None:
    """The cursor of the next page; None: there is none.

    Servers may be set to give out less than is asked for, so a short page need not be the last.
    """
    if not found:
        return None
    link = response.headers.get("link")
    if link is not None:
        return str(page + 1) if 'rel="next"' in link else None
    total = response.headers.get("x-total-count", "")
    is_all = page == 1 and total.isdecimal() and int(total) <= len(found)
    return None if is_all else str(page + 1)
