"""GitHub's API: repositories and commits. Pull requests are in `github_pulls`, what can be a
deployment in `github_runs`, tokens and addresses in `github_auth`, limits in `github_limits`.

Everything here is a dialogue, which does no I/O, and raises ForgeError and UnreadablePayload.
"""

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote

from shipmark.application.facts import BranchPush, Fact, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.exchange import Dialogue, Request
from shipmark.connectors.forge_errors import answer, answer_if_any, file_if_any
from shipmark.connectors.github_facts import (
    SOURCE,
    Repository,
    pushed_commit,
    repository_facts,
)
from shipmark.connectors.github_pulls import pull
from shipmark.connectors.pages import Page, next_page, page_number
from shipmark.connectors.payloads import SHA, Instant, Number, Text, Wire
from shipmark.connectors.pull_events import with_merges
from shipmark.connectors.rules_file import FILE_NAME

HEADERS = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}
PAGE_SIZE = 100
NO_SUCH_COMMIT = {404, 409, 422}
"""Unknown; the repository is empty; it is no SHA that a commit has."""

EMPTY_REPOSITORY = 409
ON_THE_BRANCH = {"ahead", "identical"}
"""How a branch compares to a commit that it holds."""


def get(path: str, **query: str | int) -> Request:
    return Request(path=path, query=query, headers=HEADERS)


def home(name: str) -> str:
    """The path of a repository."""
    return f"/repos/{quote(name)}"


def repository(name: str) -> Dialogue[RepositoryFacts | None]:
    """A repository as it is now, under the name it has now; None: it is not there, or not shown."""
    found = yield from _repository(name)
    if found is None:
        return None
    is_renamed = found.full_name.casefold() != name.casefold()
    return repository_facts(found, former_name=name if is_renamed else None)


def _repository(name: str) -> Dialogue[Repository | None]:
    response = yield get(home(name))
    return answer_if_any(Repository, response, f"the repository {name}")


def rules_file(name: str) -> Dialogue[bytes | None]:
    """The file of path rules on the default branch; None: there is none."""
    raw = {**HEADERS, "accept": "application/vnd.github.raw+json"}
    response = yield Request(path=f"{home(name)}/contents/{FILE_NAME}", headers=raw)
    return file_if_any(response, f"{FILE_NAME} of {name}")


class Signature(Wire):
    date: Instant | None = None


class GitCommit(Wire):
    committer: Signature | None = None
    author: Signature | None = None


class Commit(Wire):
    sha: SHA
    commit: GitCommit

    @property
    def at(self) -> datetime | None:
        """When it was committed, which a webhook tells too."""
        told = self.commit.committer or self.commit.author
        return told.date if told else None


class FoundPull(Wire):
    number: Number
    merged_at: Instant | None = None


class Comparison(Wire):
    status: Text


class Branch(Wire):
    name: Text


def commit(name: str, sha: str) -> Dialogue[list[Fact]]:
    """What is known of one commit, given by 7 or more characters: all about the pull requests
    that it belongs to; where none of them is merged, also the branch that it stands on.

    That is the default branch if it holds the commit, else those that end in it. Empty: GitHub
    knows no such commit.
    """
    response = yield get(f"{home(name)}/commits/{quote(sha)}")
    if response.status in NO_SUCH_COMMIT:
        return []
    found = answer(Commit, response, f"commit {sha} of {name}")
    if not found.sha.startswith(sha.lower()):
        # A branch or a tag may be called like a commit.
        return []
    pulls = yield from _pulls_of(name, found.sha)
    facts = list(with_merges(pulls, SOURCE))
    if any(one.values.get("merged_at") for one in pulls):
        return facts
    branches = yield from _branches_of(name, found.sha, heads=not pulls)
    return [*facts, *_pushes(name, branches, [found])]


def _pulls_of(name: str, sha: str) -> Dialogue[list[PullFacts]]:
    response = yield get(f"{home(name)}/commits/{sha}/pulls", per_page=PAGE_SIZE)
    asked = f"the pull requests of commit {sha} of {name}"
    found = answer(tuple[FoundPull, ...], response, asked)
    pulls = []
    for one in found:
        facts = yield from pull(name, one.number)
        if facts:
            pulls.append(facts)
    return pulls


def _branches_of(name: str, sha: str, *, heads: bool) -> Dialogue[list[str]]:
    """The default branch if it holds a commit; else, where asked for, the branches it heads."""
    asked = f"the branches of commit {sha} of {name}"
    found = yield from _repository(name)
    default = found.default_branch if found else None
    if default:
        path = f"{home(name)}/compare/{sha}...{quote(default)}"
        compared = answer_if_any(Comparison, (yield get(path, per_page=1)), asked)
        if compared and compared.status in ON_THE_BRANCH:
            return [default]
    if not heads:
        return []
    response = yield get(f"{home(name)}/commits/{sha}/branches-where-head")
    return [branch.name for branch in answer(tuple[Branch, ...], response, asked)]


def commits_page(
    name: str, branch: str, *, since: datetime | None, cursor: str | None
) -> Dialogue[Page]:
    """Commits on a branch, committed since, newest first: one call for 100.

    Commits that are pushed while they are read make some come twice, and none be left out.
    """
    page = page_number(cursor)
    query: dict[str, str | int] = {"sha": branch, "per_page": PAGE_SIZE, "page": page}
    if since:
        query["since"] = timestamp(since)
    response = yield get(f"{home(name)}/commits", **query)
    if response.status == EMPTY_REPOSITORY:
        return Page(facts=())
    found = answer(tuple[Commit, ...], response, f"the commits on {branch} of {name}")
    return Page(
        facts=tuple(_pushes(name, [branch], found)), cursor=next_page(page, found, PAGE_SIZE)
    )


def _pushes(name: str, branches: Iterable[str], found: Iterable[Commit]) -> list[Fact]:
    commits = tuple(pushed_commit(one.sha, one.at) for one in found if one.at)
    if not commits:
        return []
    return [BranchPush(repository=name, branch=one, commits=commits) for one in branches]


def commit_of_tag(name: str, tag: str) -> Dialogue[str | None]:
    """The commit that a tag stands for, which the webhook of a release does not tell; None: there
    is no such tag."""
    response = yield get(f"{home(name)}/commits/{quote(f'tags/{tag}')}")
    if response.status in NO_SUCH_COMMIT:
        return None
    return answer(Commit, response, f"the tag {tag} of {name}").sha


def timestamp(at: datetime) -> str:
    """An instant as GitHub's query strings have it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
