"""Pull requests from GitHub's GraphQL API: with their commits, files and labels, in one call.

What a page of pull requests costs, by the limits that GitHub documents:

- REST tells neither commits nor files in a list, so each pull request costs two calls more. At
  5,000 calls an hour, 50,000 of them take 100,500 calls, and 20 hours.
- GraphQL counts one point for each 100 connections that a query has to open, and at least one.
  A page of 24 opens itself and four for each pull request, 97: one point. At 5,000 points an hour,
  50,000 pull requests take 2,084 calls and points, and fit into the budget of one hour.

Only a pull request with more than 100 commits or files costs further calls, one for each 100. What
GitHub does not manage to answer in time is asked for in smaller pages, which cost a point too.
"""

from datetime import datetime
from typing import Any

import msgspec

from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.exchange import Dialogue
from shipmark.connectors.forge_errors import ForgeNotFound
from shipmark.connectors.github_facts import SOURCE, Label, author
from shipmark.connectors.github_graphql import Connection, TooHeavy, ask, named
from shipmark.connectors.pages import Page
from shipmark.connectors.payloads import SHA, Instant, Number, Text, Wire
from shipmark.connectors.pull_events import with_merges

PORTIONS = ((24, True), (6, True), (1, True), (1, False))
"""How many pull requests to ask for, and whether for their files, until GitHub manages it."""

NEWEST_FIRST = {"field": "UPDATED_AT", "direction": "DESC"}
OLDEST_FIRST = {"field": "CREATED_AT", "direction": "ASC"}
LAST_NUMBER = 2**31 - 1
"""GraphQL has no larger whole numbers."""

PULL_FIELDS = """
fragment pull on PullRequest {
  fullDatabaseId number title url isDraft createdAt updatedAt mergedAt closedAt
  baseRefName headRefName headRefOid
  author { __typename login }
  mergeCommit { oid }
  labels(first: 100) { nodes { name } }
  timelineItems(last: 1, itemTypes: [READY_FOR_REVIEW_EVENT]) {
    nodes { ... on ReadyForReviewEvent { createdAt } }
  }
  commits(first: 100, after: $commitsAfter) {
    pageInfo { hasNextPage endCursor } nodes { commit { oid authoredDate } }
  }
  files(first: 100, after: $filesAfter) @include(if: $files) {
    pageInfo { hasNextPage endCursor } nodes { path }
  }
}"""
PULLS = f"""
query(
  $owner: String!, $name: String!, $first: Int!, $after: String,
  $field: IssueOrderField!, $direction: OrderDirection!,
  $files: Boolean!, $commitsAfter: String, $filesAfter: String
) {{
  repository(owner: $owner, name: $name) {{
    pullRequests(
      first: $first, after: $after, orderBy: {{field: $field, direction: $direction}}
    ) {{
      pageInfo {{ hasNextPage endCursor }}
      nodes {{ ...pull }}
    }}
  }}
}}
{PULL_FIELDS}"""
PULL = f"""
query(
  $owner: String!, $name: String!, $number: Int!,
  $files: Boolean!, $commitsAfter: String, $filesAfter: String
) {{
  repository(owner: $owner, name: $name) {{ pullRequest(number: $number) {{ ...pull }} }}
}}
{PULL_FIELDS}"""


class Author(Wire):
    login: Text
    kind: Text = msgspec.field(name="__typename", default="User")


class MergeCommit(Wire):
    oid: SHA


class Commit(Wire, rename="camel"):
    oid: SHA
    authored_date: Instant


class PullCommit(Wire):
    commit: Commit


class File(Wire):
    path: Text


class ReadyForReview(Wire, rename="camel"):
    created_at: Instant


class Labels(Wire):
    nodes: tuple[Label | None, ...] = ()


class TimelineItems(Wire):
    nodes: tuple[ReadyForReview | None, ...] = ()


class PullRequest(Wire, rename="camel"):
    full_database_id: int | str
    number: Number
    title: Text
    url: Text
    is_draft: bool
    created_at: Instant
    updated_at: Instant
    base_ref_name: Text
    head_ref_name: Text
    head_ref_oid: SHA
    commits: Connection[PullCommit]
    merged_at: Instant | None = None
    closed_at: Instant | None = None
    author: Author | None = None
    merge_commit: MergeCommit | None = None
    labels: Labels | None = None
    timeline_items: TimelineItems | None = None
    files: Connection[File] | None = None


class Pulls(Wire, rename="camel"):
    pull_requests: Connection[PullRequest]


class PullsData(Wire):
    repository: Pulls | None = None


class OnePull(Wire, rename="camel"):
    pull_request: PullRequest | None = None


class PullData(Wire):
    repository: OnePull | None = None


def pulls_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """A page of pull requests, each merged one with the event of its merging.

    Without ``since``: all, oldest first; they never change places, so that a backfill goes on
    where it stopped. With it, those changed since, last changed first: what changes while they
    are read is left to a next time, with a ``since`` from before this one began. ``since`` must
    be the same for all pages. Raises ForgeNotFound.
    """
    asked = f"the pull requests of {name}"
    order = NEWEST_FIRST if since else OLDEST_FIRST
    found = yield from _portion({**named(name), **order, "after": cursor}, asked)
    news = [pull for pull in found.seen if since is None or pull.updated_at >= since]
    facts = []
    for pull in news:
        whole = yield from _whole(name, pull)
        facts.append(whole)
    is_last = len(news) < len(found.seen)
    return Page(facts=tuple(with_merges(facts, SOURCE)), cursor=None if is_last else found.next)


def pull(name: str, number: int) -> Dialogue[PullFacts | None]:
    """All about a pull request; None: there is none of this number."""
    if number > LAST_NUMBER:
        return None
    try:
        found = yield from _one(name, number, files=True)
    except TooHeavy:
        found = yield from _one(name, number, files=False)
    return (yield from _whole(name, found)) if found else None


def _portion(variables: dict[str, Any], asked: str) -> Dialogue[Connection[PullRequest]]:
    """As many pull requests as GitHub manages to answer."""
    *larger, (least, least_files) = PORTIONS
    for first, files in larger:
        try:
            return (yield from _pulls(variables | {"first": first, "files": files}, asked))
        except TooHeavy:
            continue
    return (yield from _pulls(variables | {"first": least, "files": least_files}, asked))


def _pulls(variables: dict[str, Any], asked: str) -> Dialogue[Connection[PullRequest]]:
    data = yield from ask(PullsData, PULLS, variables, asked)
    if data.repository is None:
        raise ForgeNotFound(f"GitHub does not know or does not show {asked}.")
    return data.repository.pull_requests


def _one(
    name: str,
    number: int,
    *,
    files: bool,
    commits_after: str | None = None,
    files_after: str | None = None,
) -> Dialogue[PullRequest | None]:
    after = {"commitsAfter": commits_after, "filesAfter": files_after}
    variables = {**named(name), "number": number, "files": files, **after}
    try:
        data = yield from ask(PullData, PULL, variables, f"pull request {number} of {name}")
    except ForgeNotFound:
        return None
    return data.repository.pull_request if data.repository else None


def _whole(name: str, pull: PullRequest) -> Dialogue[PullFacts]:
    """A pull request with all of its commits and files, where these are more than a page."""
    commits, files = list(pull.commits.seen), list(pull.files.seen) if pull.files else None
    part: PullRequest | None = pull
    commits_after = files_after = None
    while part and (part.commits.next or (part.files and part.files.next)):
        # Behind the last page of the one, while the other has more, there is no cursor.
        commits_after = part.commits.page_info.end_cursor or commits_after
        files_after = (part.files and part.files.page_info.end_cursor) or files_after
        part = yield from _one(
            name,
            pull.number,
            files=files is not None,
            commits_after=commits_after,
            files_after=files_after,
        )
        if part:
            commits += part.commits.seen
        if part and part.files and files is not None:
            files += part.files.seen
    return _facts(name, pull, [one.commit for one in commits], files)


def _facts(
    name: str, pull: PullRequest, commits: list[Commit], files: list[File] | None
) -> PullFacts:
    merged = pull.merge_commit if pull.merged_at else None
    labels = (label.name for label in pull.labels.nodes if label) if pull.labels else ()
    values = {
        "base_ref": pull.base_ref_name,
        "source_id": str(pull.full_database_id),
        "title": pull.title or None,
        "author": _author(pull.author),
        "url": pull.url,
        "head_ref": pull.head_ref_name,
        "head_sha": pull.head_ref_oid or None,
        "created_at": pull.created_at,
        "closed_at": pull.closed_at,
        "merged_at": pull.merged_at,
        "merge_commit_sha": (merged.oid or None) if merged else None,
        "labels": tuple(sorted(labels)),
        "ready_for_review_at": _ready_for_review_at(pull),
        "first_commit_at": min((commit.authored_date for commit in commits), default=None),
        "commit_shas": frozenset(commit.oid for commit in commits),
    }
    if files is not None:
        values["files"] = tuple(sorted(file.path for file in files))
    return PullFacts(repository=name, number=pull.number, values=values, as_of=pull.updated_at)


def _author(opened_by: Author | None) -> str | None:
    """As the REST API and webhooks write it, where an app has a mark behind its name."""
    if opened_by is None:
        return None
    return author(f"{opened_by.login}[bot]" if opened_by.kind == "Bot" else opened_by.login)


def _ready_for_review_at(pull: PullRequest) -> datetime | None:
    if pull.is_draft:
        return None
    said = [one for one in (pull.timeline_items.nodes if pull.timeline_items else ()) if one]
    return said[-1].created_at if said else pull.created_at
