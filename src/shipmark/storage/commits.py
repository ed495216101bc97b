"""Queries about commits: which pull request or branch has one that starts like this?

Every look-up goes by the first seven characters, which an index serves whether or not the
repository is known; the domain compares the rest.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Row,
    Select,
    literal,
    null,
    select,
    union_all,
    update,
)

from shipmark.domain.attribution import Candidate
from shipmark.domain.model import SHORT_SHA_LENGTH, BranchCommit, MatchRule
from shipmark.storage.sent_rows import among
from shipmark.storage.statements import chunks, insert_unless_there
from shipmark.storage.tables import branch_commits, pull_commits, pulls

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
        latest = {(one.repository_id, one.branch, one.sha): one for one in commits}
        news: list[BranchCommit] = []
        for chunk in chunks(list(latest.values())):
            stored = self._stored_times(chunk)
            new = [one for one in chunk if stored.get(_key(one)) != one.committed_at]
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
                        .values(committed_at=one.committed_at)
                    )
            news += new
        return news

    def _stored_times(self, commits: Collection[BranchCommit]) -> dict[Key, datetime]:
        query = select(
            branch_commits.c.repository_id,
            branch_commits.c.branch,
            branch_commits.c.sha,
            branch_commits.c.committed_at,
        ).where(
            branch_commits.c.prefix.in_({one.sha[:SHORT_SHA_LENGTH] for one in commits}),
            branch_commits.c.repository_id.in_({one.repository_id for one in commits}),
        )
        return {
            (row.repository_id, row.branch, row.sha): row.committed_at
            for row in self._connection.execute(query)
        }

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
    ).where(among(branch_commits.c.prefix, "prefixes"))


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


def _row(commit: BranchCommit) -> dict[str, Any]:
    return {
        "repository_id": commit.repository_id,
        "branch": commit.branch,
        "sha": commit.sha,
        "committed_at": commit.committed_at,
    }
