"""Ask the API of Bitbucket Cloud, version 2.0.

Everything here is a dialogue; see `exchange`. Paths are percent-encoded already.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlsplit

from shipmark.application.facts import Fact, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.bitbucket_cloud_facts import (
    SOURCE,
    Commit,
    PullRequest,
    Repository,
    first_parents,
    pull_facts,
    repository_facts,
)
from shipmark.connectors.branch_pushes import branch_push
from shipmark.connectors.exchange import Dialogue, Request, Response
from shipmark.connectors.forge_errors import GONE, answer, answer_if_any, file_if_any
from shipmark.connectors.merge_messages import read_merge_message
from shipmark.connectors.pages import Page
from shipmark.connectors.payloads import Text, UnreadablePayload, Wire, read
from shipmark.connectors.pull_events import with_merges
from shipmark.connectors.rules_file import FILE_NAME
from shipmark.connectors.watermarks import Watermark

__all__ = ["SOURCE", "commit", "commits_page", "pull", "pulls_page", "repository", "rules_file"]

PULLS = 50
"""The most pull requests that Bitbucket puts on a page."""
PAGE = 100
"""The most of other things."""

STATES = " OR ".join(f'state="{state}"' for state in ("OPEN", "MERGED", "DECLINED", "SUPERSEDED"))

NOTHING = {202, *GONE}
"""Bitbucket has no such list, or begins to make one now."""

Item = TypeVar("Item")


def repository_path(name: str, below: str = "") -> str:
    return f"/2.0/repositories/{quote(name, safe='/')}{below}"


def repository(name: str) -> Dialogue[RepositoryFacts | None]:
    """What Bitbucket knows of a repository; None: there is none that this token may see."""
    response = yield Request(path=repository_path(name))
    found = answer_if_any(Repository, response, f"the repository {name}")
    if found is None:
        return None
    moved = found.full_name.lower() != name.lower()
    return repository_facts(found, former_name=name if moved else None)


def rules_file(name: str) -> Dialogue[bytes | None]:
    """The file of path rules on the main branch; None: there is none.

    A file is asked for as of a commit, so the main branch and its newest commit come first.
    """
    response = yield Request(path=repository_path(name))
    found = answer_if_any(Repository, response, f"the repository {name}")
    if found is None or found.mainbranch is None:
        return None
    branch = quote(found.mainbranch.name, safe="")
    path = repository_path(name, f"/commits/{branch}")
    response = yield Request(path=path, query={"pagelen": 1})
    newest = answer_if_any(_Commits, response, f"the newest commit of {name}")
    if newest is None or not newest.values:
        return None
    path = repository_path(name, f"/src/{newest.values[0].hash}/{FILE_NAME}")
    return file_if_any((yield Request(path=path)), f"{FILE_NAME} of {name}")


class _Pulls(Wire):
    values: tuple[PullRequest, ...]


def pulls_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Pull requests in the order in which they last changed, and the events of their merging.

    Each merged one costs a request of its own: a list has only a part of the merge commit's SHA.
    """
    mark = Watermark.read(cursor, since)
    wanted = f"({STATES})"
    if mark.after is not None:
        wanted += f" AND updated_on >= {mark.after.isoformat()}"
    response = yield Request(
        path=repository_path(name, "/pullrequests"),
        query={"q": wanted, "sort": "updated_on", "pagelen": PULLS, "page": mark.page},
    )
    listed = answer(_Pulls, response, f"the pull requests of {name}").values
    pulls: list[PullFacts] = []
    for one in listed:
        landed = yield from _landed(name, one)
        pulls.append(pull_facts(name, one, **landed))
    last = listed[-1].updated_on if listed else None
    facts = tuple(with_merges(pulls, SOURCE))
    return Page(facts=facts, cursor=mark.then(last, full=len(listed) >= PULLS))


def _landed(name: str, pull: PullRequest) -> Dialogue[dict[str, Any]]:
    """The commit that a pull request was merged with, whole, and when that was.

    Where Bitbucket does not tell when, the commit does; one that was there before the pull
    request was merged by a fast-forward, some time after.
    """
    if pull.state != "MERGED":
        return {}
    found = None
    if pull.merge_commit is not None:
        sha = pull.merge_commit.hash
        response = yield Request(path=repository_path(name, f"/commit/{quote(sha, safe='')}"))
        found = answer_if_any(Commit, response, f"the commit {sha} of {name}")
    by_commit = max(found.date, pull.created_on) if found else pull.updated_on
    at = pull.closed_on or by_commit
    return {"merge_commit_sha": found and found.hash, "merged_at": at, "closed_at": at}


class _File(Wire):
    path: Text


class _Changed(Wire):
    old: _File | None = None
    new: _File | None = None


def pull(name: str, number: int) -> Dialogue[PullFacts | None]:
    """Everything about one pull request, in four requests or more."""
    path = repository_path(name, f"/pullrequests/{number}")
    asked = f"the pull request {number} of {name}"
    response = yield Request(path=path)
    found = answer_if_any(PullRequest, response, asked)
    if found is None:
        return None
    landed = yield from _landed(name, found)
    # What was changed or brought is gone once the branch of a fork is.
    commits = yield from all_of(Commit, f"{path}/commits", f"the commits of {asked}")
    changes = yield from all_of(_Changed, f"{path}/diffstat", f"the files of {asked}")
    files = [side.path for change in changes for side in (change.old, change.new) if side]
    head = found.source.commit.hash.lower() if found.source.commit else ""
    return pull_facts(
        name,
        found,
        **landed,
        head_sha=next((one.hash for one in commits if head and one.hash.startswith(head)), None),
        commit_shas=frozenset(one.hash for one in commits) or None,
        first_commit_at=min((one.date for one in commits), default=None),
        files=tuple(sorted(set(files))) or None,
    )


class _Numbered(Wire):
    id: int


def commit(name: str, sha: str) -> Dialogue[list[Fact]]:
    """The merged pull requests that brought a commit, or else the main branch if it is there.

    Bitbucket knows the first only where its app for that is installed; the message of a merge
    commit tells without.
    """
    asked = f"the commit {sha} of {name}"
    response = yield Request(path=repository_path(name, f"/commit/{quote(sha, safe='')}"))
    found = answer_if_any(Commit, response, asked)
    if found is None:
        return []
    path = repository_path(name, f"/commit/{found.hash}/pullrequests")
    numbers = [one.id for one in (yield from all_of(_Numbered, path, f"what brought {asked}"))]
    if not numbers and (message := read_merge_message(found.message)):
        numbers = [message.number]
    pulls: list[PullFacts] = []
    for number in numbers:
        told = yield from pull(name, number)
        pulls += [told] if told and told.values.get("merged_at") and _has(told, found.hash) else []
    return [*with_merges(pulls, SOURCE)] or (yield from _on_main_branch(name, found))


def _has(told: PullFacts, sha: str) -> bool:
    """Whether a pull request is with a commit: a message may name one that it only quotes."""
    values = told.values
    named = {values.get("merge_commit_sha"), values.get("head_sha")}
    return sha in named | values.get("commit_shas", frozenset())


def _on_main_branch(name: str, found: Commit) -> Dialogue[list[Fact]]:
    """Whether the main branch has a commit. There is no question for that; but then nothing of
    its history is left without the main branch's."""
    response = yield Request(path=repository_path(name))
    main = answer(Repository, response, f"the repository {name}").mainbranch
    if main is None:
        return []
    query: dict[str, str | int] = {"include": found.hash, "exclude": main.name, "pagelen": 1}
    response = yield Request(path=repository_path(name, "/commits"), query=query)
    without = answer(_Values, response, f"the commits that {main.name} of {name} lacks")
    return [] if without.values else [*branch_push(name, main.name, [found.pushed])]


class _Values(Wire):
    values: tuple[Any, ...]
    next: Text | None = None


class _Commits(Wire):
    values: tuple[Commit, ...]


def commits_page(
    name: str, branch: str, *, since: datetime | None, cursor: str | None
) -> Dialogue[Page]:
    """Commits of a branch itself, without those that merges brought, newest first.

    The cursor is the commit to go on from, so that nothing pushed meanwhile moves the pages.
    """
    path = repository_path(name, f"/commits/{quote(cursor or branch, safe='')}")
    response = yield Request(path=path, query={"pagelen": PAGE})
    commits = answer(_Commits, response, f"the commits of {branch} of {name}").values
    line = list(first_parents(commits[0].hash, commits)) if commits else []
    pushed = [one for one in line if since is None or one.date >= since]
    further = line[-1].parents[0].hash if line and line[-1].parents else None
    return Page(
        facts=tuple(branch_push(name, branch, (one.pushed for one in pushed))),
        cursor=further if len(pushed) == len(line) else None,
    )


def following(link: str) -> dict[str, str]:
    """The query of the next page. The rest of the link is left aside, so that a token never goes
    to another server than the one that was set. Raises UnreadablePayload."""
    try:
        return dict(parse_qsl(urlsplit(link).query))
    except ValueError as error:
        raise UnreadablePayload(f"{link!r} is no address: {error}.") from error


def all_of(shape: type[Item], path: str, asked: str) -> Dialogue[list[Item]]:
    """Everything on all pages of a list; nothing where there is no such list."""
    items: list[Item] = []
    query: Mapping[str, str | int] | None = {"pagelen": PAGE}
    while query is not None:
        response: Response = yield Request(path=path, query=query)
        if response.status in NOTHING:
            break
        page = answer(_Values, response, asked)
        items += read(tuple[shape, ...], page.values)  # type: ignore[valid-type]
        query = following(page.next) if page.next else None
    return items
