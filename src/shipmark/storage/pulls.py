"""Queries about pull requests and the services assigned to them."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from shipmark.application.ports import WaitingAssignment
from shipmark.domain.model import PullRequest
from shipmark.storage.sent_rows import packed, sent_rows
from shipmark.storage.statements import chunks, sent_list
from shipmark.storage.tables import (
    pull_commits,
    pull_services,
    pulls,
    repositories,
    waiting_assignments,
)

STORED = tuple(
    column for column in pulls.c if column.computed is None and column.name != "imported_at"
)
GITHUB = "github"


def _by_number() -> Select[Any]:
    wanted = sent_rows("wanted", repository_id=BigInteger, number=BigInteger)
    return select(*STORED).join_from(
        wanted,
        pulls,
        and_(pulls.c.repository_id == wanted.c.repository_id, pulls.c.number == wanted.c.number),
    )


_BY_NUMBER = _by_number()
_BY_ID = select(*STORED).where(pulls.c.id.in_(sent_list("ids")))
_COMMITS = select(pull_commits.c.pull_id, pull_commits.c.sha).where(
    pull_commits.c.pull_id.in_(sent_list("ids"))
)
_SERVICES = select(pull_services).where(pull_services.c.pull_id.in_(sent_list("ids")))


class Pulls:
    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def by_number(self, wanted: Collection[tuple[int, int]]) -> dict[tuple[int, int], PullRequest]:
        found: list[Row[Any]] = []
        for chunk in chunks(wanted):
            found += self._connection.execute(_BY_NUMBER, {"wanted": packed(chunk)}).all()
        return {(one.repository_id, one.number): one for one in self._whole(found)}

    def by_source_id(self, source_id: str) -> list[PullRequest]:
        query = (
            select(*STORED)
            .join(repositories, repositories.c.id == pulls.c.repository_id)
            .where(
                pulls.c.source_id == source_id,
                or_(repositories.c.source.is_(None), repositories.c.source == GITHUB),
            )
        )
        return self._whole(self._connection.execute(query).all())

    def get(self, ids: Collection[int]) -> list[PullRequest]:
        found: list[Row[Any]] = []
        for chunk in chunks(ids):
            found += self._connection.execute(_BY_ID, {"ids": chunk}).all()
        return self._whole(found)

    def _whole(self, rows: Sequence[Row[Any]]) -> list[PullRequest]:
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
            inserted = self._connection.execute(
                insert(pulls).returning(pulls.c.repository_id, pulls.c.number, pulls.c.id),
                [_row(one) | {"imported_at": self._now} for one in chunk],
            )
            ids |= {(row.repository_id, row.number): row.id for row in inserted}
        if old:
            # A column and a parameter may not share their names in an UPDATE.
            statement = update(pulls).where(pulls.c.id == bindparam("row_id"))
            self._connection.execute(
                statement,
                [_row(one) | {"row_id": one.id, "imported_at": self._now} for one in old],
            )
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
            {
                "pull_id": ids[one.repository_id, one.number],
                "repository_id": one.repository_id,
                "sha": sha,
            }
            for one in [*old, *new]
            for sha in sorted(one.commit_shas)
        ]
        for part in chunks(rows):
            self._connection.execute(insert(pull_commits), part)

    def services_of(self, pull_ids: Collection[int]) -> dict[int, set[int]]:
        services: dict[int, set[int]] = defaultdict(set)
        for chunk in chunks(pull_ids):
            for row in self._connection.execute(_SERVICES, {"ids": chunk}):
                services[row.pull_id].add(row.service_id)
        return services

    def set_services(self, services: Mapping[int, set[int]]) -> None:
        for chunk in chunks(services.keys()):
            self._connection.execute(
                delete(pull_services).where(pull_services.c.pull_id.in_(chunk))
            )
        rows = [
            {"pull_id": pull_id, "service_id": service_id}
            for pull_id, service_ids in services.items()
            for service_id in sorted(service_ids)
        ]
        for part in chunks(rows):
            self._connection.execute(insert(pull_services), part)

    def add_waiting_assignment(
        self,
        *,
        source_id: str | None,
        repository_id: int | None,
        number: int | None,
        services: Sequence[int],
        replace: bool,
    ) -> None:
        self._connection.execute(
            insert(waiting_assignments).values(
                source_id=source_id,
                repository_id=repository_id,
                number=number,
                services=json.dumps(list(services)),
                replace=replace,
            )
        )

    def take_waiting_assignments(
        self, pulls_: Collection[PullRequest]
    ) -> dict[int, list[WaitingAssignment]]:
        taken: dict[int, dict[int, WaitingAssignment]] = defaultdict(dict)
        for chunk in chunks(pulls_):
            by_key = {(one.repository_id, one.number): one.id for one in chunk}
            by_source = {one.source_id: one.id for one in self._maybe_github(chunk)}
            key = tuple_(waiting_assignments.c.repository_id, waiting_assignments.c.number)
            query = select(waiting_assignments).where(
                or_(
                    key.in_(list(by_key)),
                    waiting_assignments.c.source_id.in_(list(by_source)),
                )
            )
            for row in self._connection.execute(query):
                pull_id = by_key.get((row.repository_id, row.number)) or by_source[row.source_id]
                taken[pull_id][row.id] = WaitingAssignment(
                    id=row.id, services=tuple(json.loads(row.services)), replace=row.replace
                )
        self._forget_waiting(one for found in taken.values() for one in found)
        return {pull_id: [found[one] for one in sorted(found)] for pull_id, found in taken.items()}

    def _maybe_github(self, pulls_: Sequence[PullRequest]) -> list[PullRequest]:
        """Those with a forge's id that may be GitHub's."""
        query = select(repositories.c.id).where(
            repositories.c.id.in_({one.repository_id for one in pulls_}),
            or_(repositories.c.source.is_(None), repositories.c.source == GITHUB),
        )
        github = set(self._connection.scalars(query))
        return [one for one in pulls_ if one.source_id and one.repository_id in github]

    def _forget_waiting(self, ids: Iterable[int]) -> None:
        for chunk in chunks(list(ids)):
            self._connection.execute(
                delete(waiting_assignments).where(waiting_assignments.c.id.in_(chunk))
            )

    def with_waiting_assignments(self, limit: int) -> list[PullRequest]:
        waiting = waiting_assignments.c
        query = (
            select(pulls.c.id)
            .join(repositories, repositories.c.id == pulls.c.repository_id)
            .join(
                waiting_assignments,
                or_(
                    and_(
                        waiting.repository_id == pulls.c.repository_id,
                        waiting.number == pulls.c.number,
                    ),
                    and_(
                        waiting.source_id == pulls.c.source_id,
                        func.coalesce(repositories.c.source, GITHUB) == GITHUB,
                    ),
                ),
            )
            .limit(limit)
        )
        return self.get(set(self._connection.scalars(query)))


def _pull(row: Row[Any], commits: Collection[str]) -> PullRequest:
    values = dict(row._mapping)  # noqa: SLF001 - a Row's public mapping has this name
    for name in ("labels", "files"):
        if values[name] is not None:
            values[name] = tuple(json.loads(values[name]))
    return PullRequest(**values, commit_shas=frozenset(commits))


def _row(pull: PullRequest) -> dict[str, Any]:
    values = {column.name: getattr(pull, column.name) for column in STORED if column.name != "id"}
    for name in ("labels", "files"):
        if values[name] is not None:
            values[name] = json.dumps(values[name])
    return values
