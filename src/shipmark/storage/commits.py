"""Queries about commits: which pull request or branch has one that starts like this?

Every look-up goes by the first seven characters, which an index serves whether or not the
repository is known; the domain compares the rest.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    Select,
    String,
    Table,
    and_,
    false,
    join,
    literal,
    null,
    or_,
    select,
    union,
    union_all,
    update,
)

from shipmark.domain.attribution import Candidate
from shipmark.domain.model import SHORT_SHA_LENGTH, BranchCommit, MatchRule
from shipmark.storage.sent_rows import among, packed, sent_rows
from shipmark.storage.statements import chunks, insert_unless_there
from shipmark.storage.tables import (
    branch_commits,
    deployment_commits,
    deployments,
    pull_commits,
    pulls,
    repositories,
)

Wanted = Collection[tuple[int | None, str]]
Key = tuple[int, str, str]


class Commits:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def candidates(self, wanted: Wanted) -> list[Candidate]:
        found = self._look_up(wanted, _CANDIDATES)
        return [
            Candidate(
                rule=MatchRule(row.rule),
                sha=row.sha,
                repository_id=row.repository_id,
                branch=row.branch,
                at=row.at,
                pull_id=row.pull_id,
                number=row.number,
            )
            for row in found
        ]

    def known(self, wanted: Wanted) -> set[tuple[int, str]]:
        return {(row.repository_id, row.sha) for row in self._look_up(wanted, _KNOWN)}

    def add_to_branches(self, commits: Iterable[BranchCommit]) -> list[BranchCommit]:
        latest: dict[Key, BranchCommit] = {}
        for one in commits:
            latest[_key(one)] = _standing(one, latest.get(_key(one)))
        news: list[BranchCommit] = []
        for chunk in chunks(list(latest.values())):
            stored = self._stored(chunk)
            standing = [_standing(one, stored.get(_key(one))) for one in chunk]
            new = [one for one in standing if stored.get(_key(one)) != one]
            added = [one for one in new if _key(one) not in stored]
            if added:
                self._connection.execute(
                    insert_unless_there(self._connection, branch_commits),
                    [_row(one) for one in added],
                )
            for one in new:
                if _key(one) in stored:
                    self._connection.execute(
                        update(branch_commits)
                        .where(
                            branch_commits.c.repository_id == one.repository_id,
                            branch_commits.c.branch == one.branch,
                            branch_commits.c.sha == one.sha,
                        )
                        .values(committed_at=one.committed_at, is_pushed=one.is_pushed)
                    )
            news += new
        return news

    def pushed_aside(self, branches: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
        found: set[tuple[int, str]] = set()
        for chunk in chunks(branches):
            rows = self._connection.execute(_PUSHED_ASIDE, {"wanted": packed(chunk)})
            found |= {(row.repository_id, row.branch) for row in rows}
        return found

    def deployed_from(self, branches: Collection[tuple[int, str]]) -> set[int]:
        found: set[int] = set()
        for chunk in chunks(branches):
            found |= set(self._connection.scalars(_DEPLOYED_FROM, {"wanted": packed(chunk)}))
        return found

    def _stored(self, commits: Collection[BranchCommit]) -> dict[Key, BranchCommit]:
        query = select(
            branch_commits.c.repository_id,
            branch_commits.c.branch,
            branch_commits.c.sha,
            branch_commits.c.committed_at,
            branch_commits.c.is_pushed,
        ).where(
            branch_commits.c.prefix.in_({one.sha[:SHORT_SHA_LENGTH] for one in commits}),
            branch_commits.c.repository_id.in_({one.repository_id for one in commits}),
        )
        found = [BranchCommit(**row) for row in self._connection.execute(query).mappings()]
        return {_key(one): one for one in found}

    def _look_up(self, wanted: Wanted, query: CompoundSelect[Any]) -> Iterator[Row[Any]]:
        """Rows whose SHA starts like one wanted, in its repository where one is named."""
        by_prefix: dict[str, set[tuple[int | None, str]]] = defaultdict(set)
        for repository_id, sha in wanted:
            by_prefix[sha[:SHORT_SHA_LENGTH]].add((repository_id, sha))
        for chunk in chunks(by_prefix.keys()):
            for row in self._connection.execute(query, {"prefixes": chunk}):
                if any(
                    row.sha.startswith(sha) and repository_id in (None, row.repository_id)
                    for repository_id, sha in by_prefix[row.sha[:SHORT_SHA_LENGTH]]
                ):
                    yield row


def _merged() -> list[Select[Any]]:
    """Merged pull requests by their merge commit, their head, and their imported commits."""
    by_merge = _pull_candidates(MatchRule.MERGE_COMMIT, pulls.c.merge_commit_sha).where(
        among(pulls.c.merge_commit_prefix, "prefixes")
    )
    by_head = _pull_candidates(MatchRule.PULL_COMMIT, pulls.c.head_sha).where(
        among(pulls.c.head_prefix, "prefixes")
    )
    by_commit = (
        _pull_candidates(MatchRule.PULL_COMMIT, pull_commits.c.sha)
        .join_from(pull_commits, pulls, pulls.c.id == pull_commits.c.pull_id)
        .where(
            among(pull_commits.c.prefix, "prefixes"),
            # The head is often among the commits; it counts once.
            pull_commits.c.sha.is_distinct_from(pulls.c.head_sha),
        )
    )
    return [by_merge, by_head, by_commit]


def _pull_candidates(rule: MatchRule, sha: Any) -> Select[Any]:
    return select(
        literal(rule.value).label("rule"),
        sha.label("sha"),
        pulls.c.repository_id,
        pulls.c.base_ref.label("branch"),
        pulls.c.merged_at.label("at"),
        pulls.c.id.label("pull_id"),
        pulls.c.number,
    ).where(pulls.c.merged_at.is_not(None))


def _pushed() -> Select[Any]:
    return select(
        literal(MatchRule.BRANCH_COMMIT.value).label("rule"),
        branch_commits.c.sha,
        branch_commits.c.repository_id,
        branch_commits.c.branch,
        branch_commits.c.committed_at.label("at"),
        null().label("pull_id"),
        null().label("number"),
    ).where(among(branch_commits.c.prefix, "prefixes"), counts())


def counts() -> ColumnElement[bool]:
    """Whether a commit of the enclosing query stands on a branch that matters.

    Whoever imports a branch from a clone has chosen it; forges tell of every branch.
    """
    return or_(
        branch_commits.c.is_pushed.is_(false()),
        _is_default(branch_commits),
        _is_base(branch_commits),
    )


def _is_default(branch: CTE | Table) -> ColumnElement[bool]:
    return _any(
        repositories.c.id,
        repositories.c.id == branch.c.repository_id,
        repositories.c.default_branch == branch.c.branch,
    )


def _is_base(branch: CTE | Table) -> ColumnElement[bool]:
    """Whether pull requests were merged to the branch."""
    return _any(
        pulls.c.merged_at,
        pulls.c.repository_id == branch.c.repository_id,
        pulls.c.base_ref == branch.c.branch,
        pulls.c.merged_at.is_not(None),
    )


def _any(first_by: ColumnElement[Any], *where: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether there is a row, looked up where it is asked.

    PostgreSQL would join with all that EXISTS may mean, and read a whole table for any row of it,
    where it takes every row for one. The first row in the order of an index is found by that.
    """
    first = select(first_by).where(*where).order_by(first_by).limit(1)
    return first.scalar_subquery().is_not(None)


def _pushed_to() -> tuple[CTE, ColumnElement[bool]]:
    """Branches that are sent along, and the condition that a commit was pushed to one of them."""
    wanted = sent_rows("wanted", repository_id=BigInteger, branch=String)
    return wanted, and_(
        branch_commits.c.repository_id == wanted.c.repository_id,
        branch_commits.c.branch == wanted.c.branch,
        branch_commits.c.is_pushed,
    )


def _pushed_aside() -> Select[Any]:
    wanted, pushed_to = _pushed_to()
    return select(wanted).where(
        ~_is_default(wanted), ~_is_base(wanted), _any(branch_commits.c.sha, pushed_to)
    )


def _deployed_from() -> CompoundSelect[Any]:
    wanted, pushed_to = _pushed_to()
    pushed = join(wanted, branch_commits, pushed_to)
    single = pushed.join(deployments, deployments.c.commit_prefix == branch_commits.c.prefix)
    listed = pushed.join(deployment_commits, deployment_commits.c.prefix == branch_commits.c.prefix)
    return union(
        select(deployments.c.id).select_from(single),
        select(deployment_commits.c.deployment_id).select_from(listed),
    )


_PUSHED_ASIDE = _pushed_aside()
_DEPLOYED_FROM = _deployed_from()


def _known() -> CompoundSelect[Any]:
    return union_all(
        select(pulls.c.repository_id, pulls.c.merge_commit_sha.label("sha")).where(
            among(pulls.c.merge_commit_prefix, "prefixes")
        ),
        select(pulls.c.repository_id, pulls.c.head_sha.label("sha")).where(
            among(pulls.c.head_prefix, "prefixes")
        ),
        select(pull_commits.c.repository_id, pull_commits.c.sha).where(
            among(pull_commits.c.prefix, "prefixes")
        ),
        select(branch_commits.c.repository_id, branch_commits.c.sha).where(
            among(branch_commits.c.prefix, "prefixes")
        ),
    )


_CANDIDATES = union_all(*_merged(), _pushed())
_KNOWN = _known()


def _key(commit: BranchCommit) -> Key:
    return commit.repository_id, commit.branch, commit.sha


def _standing(one: BranchCommit, known: BranchCommit | None) -> BranchCommit:
    """Of two words on a commit: an import's, else the later time, as the forge's events name the
    one when it was authored, and its API the one when it came to be as it is."""
    if known is None or not one.is_pushed:
        return one
    return known if not known.is_pushed or known.committed_at > one.committed_at else one


def _row(commit: BranchCommit) -> dict[str, Any]:
    return {
        "repository_id": commit.repository_id,
        "branch": commit.branch,
        "sha": commit.sha,
        "committed_at": commit.committed_at,
        "is_pushed": commit.is_pushed,
    }
