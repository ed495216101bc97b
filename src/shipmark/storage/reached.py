"""The commits that deployments reached: those whose position lies in their windows.

A commit that merged pull requests brought to its branch stands where the first of them does; every
other one stands at its own time, as a deployment of it would reach. A page is read in the order
of two indexes, from where the page before it ended, however many commits the window holds.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    func,
    literal,
    null,
    select,
    tuple_,
    union,
    union_all,
)

from shipmark.application.ports import LaneKey
from shipmark.application.queries import Page, ReachedCommit
from shipmark.domain.attribution import Window
from shipmark.domain.model import LAST_NUMBER
from shipmark.storage.commits import counts
from shipmark.storage.shipped import POSITION
from shipmark.storage.statements import by_no_index, sent_row
from shipmark.storage.tables import branch_commits, pull_commits, pulls

COMMIT = (branch_commits.c.committed_at, branch_commits.c.sha)
PLACE = (*POSITION, branch_commits.c.sha)


def reached_commits(
    connection: Connection, window: Window, lane: LaneKey, page: Page
) -> list[ReachedCommit]:
    """A page of the commits in a window, in the order of the branch."""
    after = page.after
    parts = [_direct(window, lane, after), *_brought(window, lane, after)]
    found = union(*(select(part.limit(page.limit).subquery()) for part in parts)).subquery()
    query = select(found).order_by(found.c.at, found.c.place, found.c.sha).limit(page.limit)
    return [
        ReachedCommit(
            repository_id=lane.repository_id,
            branch=lane.branch,
            sha=row.sha,
            committed_at=row.committed_at,
            number=row.number,
            position=(row.at, row.place),
        )
        for row in connection.execute(query)
    ]


def count_direct(connection: Connection, window: Window, lane: LaneKey, limit: int) -> int:
    """How many commits of a window no pull request brought, counted up to a limit."""
    some = _direct(window, lane, None).limit(limit).subquery()
    return connection.scalar(select(func.count()).select_from(some)) or 0


def _direct(window: Window, lane: LaneKey, after: Sequence[Any] | None) -> Select[Any]:
    """The commits that came without a pull request."""
    at = branch_commits.c.committed_at
    # Their positions have the last of all numbers, so instants decide, and the index is used.
    opens_below = window.opened.number < LAST_NUMBER
    conditions = [
        branch_commits.c.repository_id == lane.repository_id,
        branch_commits.c.branch == lane.branch,
        at >= window.opened.at if opens_below else at > window.opened.at,
        at <= window.reached.at if window.reached.number == LAST_NUMBER else at < window.reached.at,
        counts(),
        home().is_(None),
    ]
    if after is not None:
        since, number, sha = after
        is_last = number == LAST_NUMBER
        sent = sent_row((since, sha), like=COMMIT)
        conditions.append(tuple_(*COMMIT) > sent if is_last else at >= since)
    return (
        select(
            at.label("at"),
            literal(LAST_NUMBER, BigInteger).label("place"),
            branch_commits.c.sha,
            at,
            null().cast(BigInteger).label("number"),
        )
        .where(*conditions)
        .order_by(*COMMIT)
    )


def _brought(window: Window, lane: LaneKey, after: Sequence[Any] | None) -> list[Select[Any]]:
    """The commits that pull requests brought: by merging, as their heads, and as their commits."""
    conditions = [
        pulls.c.repository_id == lane.repository_id,
        pulls.c.base_ref == lane.branch,
        pulls.c.merged_at >= window.opened.at,
        pulls.c.merged_at <= window.reached.at,
        tuple_(*POSITION) > sent_row(window.opened, like=POSITION),
        tuple_(*POSITION) <= sent_row(window.reached, like=POSITION),
        # A branch that they were merged to counts, whoever told of its commits.
        home() == by_no_index(pulls.c.id, 0),
    ]
    if after is not None:
        conditions += [
            pulls.c.merged_at >= after[0],
            tuple_(*PLACE) > sent_row(after, like=PLACE),
        ]
    listed = pulls.join(pull_commits, pull_commits.c.pull_id == pulls.c.id)
    return [
        select(
            pulls.c.merged_at.label("at"),
            pulls.c.number.label("place"),
            branch_commits.c.sha,
            branch_commits.c.committed_at,
            pulls.c.number.label("number"),
        )
        .select_from(having)
        .join(
            branch_commits,
            and_(
                branch_commits.c.repository_id == pulls.c.repository_id,
                branch_commits.c.branch == pulls.c.base_ref,
                branch_commits.c.sha == sha,
            ),
        )
        .where(*conditions)
        .order_by(*PLACE)
        for having, sha in (
            (pulls, pulls.c.merge_commit_sha),
            (pulls, pulls.c.head_sha),
            # Else SQLite would compare each commit of the branch with each pull request.
            (listed, by_no_index(pull_commits.c.sha, "")),
        )
    ]


def home() -> ColumnElement[int | None]:
    """The first of the merged pull requests that brought a commit of the enclosing query to its
    branch; NULL: none did."""
    bringing = pulls.alias("bringing")
    merged_here = (
        # By an index of the branch, SQLite would look for each commit at all that merged to it.
        by_no_index(bringing.c.repository_id, 0) == branch_commits.c.repository_id,
        by_no_index(bringing.c.base_ref, "") == branch_commits.c.branch,
        bringing.c.merged_at.is_not(None),
    )
    asked = select(bringing.c.id, bringing.c.merged_at, bringing.c.number).where(*merged_here)
    its = pull_commits.alias("its")
    ways = (
        asked.where(
            bringing.c.merge_commit_prefix == branch_commits.c.prefix,
            bringing.c.merge_commit_sha == branch_commits.c.sha,
        ),
        asked.where(
            bringing.c.head_prefix == branch_commits.c.prefix,
            bringing.c.head_sha == branch_commits.c.sha,
        ),
        asked.join(its, its.c.pull_id == bringing.c.id).where(
            its.c.prefix == branch_commits.c.prefix, its.c.sha == branch_commits.c.sha
        ),
    )
    found = union_all(*(way.correlate(branch_commits) for way in ways)).subquery("brought")
    return (
        select(found.c.id)
        .order_by(found.c.merged_at, found.c.number)
        .limit(1)
        .correlate(branch_commits)
        .scalar_subquery()
    )
