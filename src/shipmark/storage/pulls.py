"""Queries about pull requests."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    or_,
    select,
    update,
)

from shipmark.application.told import Told
from shipmark.domain.model import PullRequest
from shipmark.storage.sent_rows import among, inserted, packed, sent_rows, updated
from shipmark.storage.statements import chunks
from shipmark.storage.tables import (
    deployment_pulls,
    pull_commits,
    pull_services,
    pulls,
    repositories,
    service_assignments,
)
from shipmark.storage.told import as_text, from_text

NOT_OF_THE_PULL = {"imported_at", "facts_as_of", "facts_told"}
STORED = tuple(
    column for column in pulls.c if column.computed is None and column.name not in NOT_OF_THE_PULL
)
TOLD = tuple(column.name for column in STORED if column.name != "id")
GITHUB = "github"

_told = attrgetter(*TOLD)
_ADD = inserted(pulls, (*TOLD, "imported_at")).returning(
    pulls.c.repository_id, pulls.c.number, pulls.c.id
)
_SAVE = updated(pulls, ["id"], (*TOLD, "imported_at"))
_TOLD = select(pulls.c.id, pulls.c.facts_told).where(among(pulls.c.id, "ids"))
_SAVE_TOLD = updated(pulls, ["id"], ("facts_as_of", "facts_told"))
_ADD_COMMITS = inserted(pull_commits, ("pull_id", "repository_id", "sha"))


def _by_number() -> Select[Any]:
    wanted = sent_rows("wanted", repository_id=BigInteger, number=BigInteger)
    return select(*STORED).join_from(
        wanted,
        pulls,
        and_(pulls.c.repository_id == wanted.c.repository_id, pulls.c.number == wanted.c.number),
    )


_BY_NUMBER = _by_number()
_BY_ID = select(*STORED).where(among(pulls.c.id, "ids"))
_COMMITS = select(pull_commits.c.pull_id, pull_commits.c.sha).where(
    among(pull_commits.c.pull_id, "ids")
)


def may_be_on_github() -> ColumnElement[bool]:
    """The repository of the enclosing query is GitHub's, or nobody has said whose it is."""
    return or_(repositories.c.source.is_(None), repositories.c.source == GITHUB)


class Pulls:
    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def by_number(self, wanted: Collection[tuple[int, int]]) -> dict[tuple[int, int], PullRequest]:
        found: list[Row[Any]] = []
        for chunk in chunks(wanted):
            found += self._connection.execute(_BY_NUMBER, {"wanted": packed(chunk)}).all()
        return {(one.repository_id, one.number): one for one in self.whole(found)}

    def by_source_id(self, source_id: str) -> list[PullRequest]:
        query = (
            select(*STORED)
            .join(repositories, repositories.c.id == pulls.c.repository_id)
            .where(pulls.c.source_id == source_id, may_be_on_github())
        )
        return self.whole(self._connection.execute(query).all())

    def get(self, ids: Collection[int]) -> list[PullRequest]:
        found: list[Row[Any]] = []
        for chunk in chunks(ids):
            found += self._connection.execute(_BY_ID, {"ids": chunk}).all()
        return self.whole(found)

    def whole(self, rows: Sequence[Row[Any]]) -> list[PullRequest]:
        """Pull requests with their commits."""
        commits: dict[int, set[str]] = defaultdict(set)
        for chunk in chunks([row.id for row in rows]):
            for pull_id, sha in self._connection.execute(_COMMITS, {"ids": chunk}):
                commits[pull_id].add(sha)
        return [_pull(row, commits[row.id]) for row in rows]

    def save(self, pulls_: Sequence[PullRequest]) -> dict[tuple[int, int], int]:
        new = [one for one in pulls_ if not one.id]
        old = [one for one in pulls_ if one.id]
        ids = {(one.repository_id, one.number): one.id for one in old}
        for chunk in chunks(new):
            sent = packed((*_row(one), self._now) for one in chunk)
            for row in self._connection.execute(_ADD, {"rows": sent}):
                ids[row.repository_id, row.number] = row.id
        for chunk in chunks(old):
            sent = packed((one.id, *_row(one), self._now) for one in chunk)
            self._connection.execute(_SAVE, {"rows": sent})
        self._save_commits(old, new, ids)
        return ids

    def _save_commits(
        self,
        old: Sequence[PullRequest],
        new: Sequence[PullRequest],
        ids: Mapping[tuple[int, int], int],
    ) -> None:
        for chunk in chunks([one.id for one in old]):
            self._connection.execute(delete(pull_commits).where(pull_commits.c.pull_id.in_(chunk)))
        rows = [
            (ids[one.repository_id, one.number], one.repository_id, sha)
            for one in [*old, *new]
            for sha in sorted(one.commit_shas)
        ]
        for part in chunks(rows):
            self._connection.execute(_ADD_COMMITS, {"rows": packed(part)})

    def told(self, pull_ids: Collection[int]) -> dict[int, Told]:
        return {
            row.id: from_text(row.facts_told)
            for chunk in chunks(pull_ids)
            for row in self._connection.execute(_TOLD, {"ids": chunk})
        }

    def save_told(self, told: Mapping[int, Told]) -> None:
        for chunk in chunks(told.items()):
            sent = packed((id_, one.as_of, as_text(one)) for id_, one in chunk)
            self._connection.execute(_SAVE_TOLD, {"rows": sent})

    def delete(self, ids: Collection[int]) -> None:
        for chunk in chunks(ids):
            for table in (deployment_pulls, pull_services, pull_commits):
                self._connection.execute(delete(table).where(table.c.pull_id.in_(chunk)))
            self._connection.execute(
                update(service_assignments)
                .where(service_assignments.c.pull_id.in_(chunk))
                .values(pull_id=None)
            )
            self._connection.execute(delete(pulls).where(pulls.c.id.in_(chunk)))

    def with_files(self, repository_id: int, *, after: int, limit: int) -> list[PullRequest]:
        query = (
            select(*STORED)
            .where(
                pulls.c.repository_id == repository_id,
                pulls.c.number > after,
                pulls.c.files.is_not(None),
            )
            .order_by(pulls.c.number)
            .limit(limit)
        )
        return self.whole(self._connection.execute(query).all())


def _pull(row: Row[Any], commits: Collection[str]) -> PullRequest:
    values = {column.name: getattr(row, column.name) for column in STORED}
    for name in ("labels", "files"):
        if values[name] is not None:
            values[name] = tuple(json.loads(values[name]))
    return PullRequest(**values, commit_shas=frozenset(commits))


def _row(pull: PullRequest) -> tuple[Any, ...]:
    """The values of the columns TOLD."""
    return tuple(json.dumps(value) if isinstance(value, tuple) else value for value in _told(pull))
