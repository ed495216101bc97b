"""Queries about pull requests and the services assigned to them."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
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
    union,
    update,
)

from shipmark.application.ports import ServiceAssignment
from shipmark.application.told import Told
from shipmark.domain.model import PullRequest
from shipmark.storage.sent_rows import among, inserted, packed, sent_rows, updated
from shipmark.storage.statements import chunks, insert_unless_there
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


def _waiting() -> CompoundSelect[Any]:
    keys = sent_rows("keys", repository_id=BigInteger, number=BigInteger)
    by_key = select(service_assignments).join_from(
        keys,
        service_assignments,
        and_(
            service_assignments.c.repository_id == keys.c.repository_id,
            service_assignments.c.number == keys.c.number,
        ),
    )
    by_source = select(service_assignments).where(
        among(service_assignments.c.source_id, "source_ids")
    )
    waits = service_assignments.c.pull_id.is_(None)
    return union(by_key.where(waits), by_source.where(waits))


_WAITING = _waiting()
_CLAIM = update(service_assignments).where(service_assignments.c.id == bindparam("row_id"))
_ASSIGNMENTS = (
    select(service_assignments)
    .where(among(service_assignments.c.pull_id, "ids"))
    .order_by(service_assignments.c.id)
)
_SERVICES = select(pull_services).where(among(pull_services.c.pull_id, "ids"))


class Pulls:
    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self.changed_assignments: dict[int, str | None] = {}

    def by_number(self, wanted: Collection[tuple[int, int]]) -> dict[tuple[int, int], PullRequest]:
        found: list[Row[Any]] = []
        for chunk in chunks(wanted):
            found += self._connection.execute(_BY_NUMBER, {"wanted": packed(chunk)}).all()
        return {(one.repository_id, one.number): one for one in self.whole(found)}

    def by_source_id(self, source_id: str) -> list[PullRequest]:
        query = (
            select(*STORED)
            .join(repositories, repositories.c.id == pulls.c.repository_id)
            .where(
                pulls.c.source_id == source_id,
                or_(repositories.c.source.is_(None), repositories.c.source == GITHUB),
            )
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

    def add_assignment(
        self,
        assignment: ServiceAssignment,
        *,
        pull_id: int | None,
        source_id: str | None,
        repository_id: int | None,
        number: int | None,
    ) -> None:
        if pull_id is not None and assignment.replace:
            # What came before it counts no more, whatever is found to belong here later.
            gone = self._connection.execute(
                delete(service_assignments)
                .where(service_assignments.c.pull_id == pull_id)
                .returning(*service_assignments.c)
            )
            self._note_assignments(gone)
        id_ = self._connection.execute(
            insert(service_assignments)
            .values(
                pull_id=pull_id,
                source_id=source_id,
                repository_id=repository_id,
                number=number,
                services=json.dumps(assignment.services),
                replace=assignment.replace,
            )
            .returning(service_assignments.c.id)
        ).scalar_one()
        self.changed_assignments[id_] = None

    def _note_assignments(self, rows: Iterable[Row[Any]]) -> None:
        """Remember how these were, unless this transaction made or changed them before."""
        for row in rows:
            self.changed_assignments.setdefault(row.id, json.dumps(row._asdict()))

    def take_back_assignments(self, changed: Mapping[int, str | None]) -> set[int]:
        touched: set[int | None] = set()
        made = [id_ for id_, before in changed.items() if before is None]
        for chunk in chunks(made):
            touched |= set(
                self._connection.scalars(
                    delete(service_assignments)
                    .where(service_assignments.c.id.in_(chunk))
                    .returning(service_assignments.c.pull_id)
                )
            )
        before = [json.loads(before) for before in changed.values() if before is not None]
        if before:
            touched |= self._put_back(before)
        return {one for one in touched if one is not None}

    def _put_back(self, before: Sequence[Mapping[str, Any]]) -> set[int | None]:
        """Assignments that were deleted, or claimed; the pull requests they belong to or did."""
        pulls_ = {pull.id for pull in self.get({row["pull_id"] for row in before})}
        rows = [{**row, "pull_id": _if_in(pulls_, row["pull_id"])} for row in before]
        there = select(service_assignments.c.pull_id).where(among(service_assignments.c.id, "ids"))
        ids = {"ids": [row["id"] for row in rows]}
        touched: set[int | None] = set(self._connection.scalars(there, ids))
        self._connection.execute(_CLAIM, [_claim(row["id"], row["pull_id"]) for row in rows])
        self._connection.execute(insert_unless_there(self._connection, service_assignments), rows)
        return touched | {row["pull_id"] for row in rows}

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

    def claim_assignments(self, pulls_: Collection[PullRequest]) -> set[int]:
        claimed: dict[int, int] = {}
        for chunk in chunks(pulls_):
            by_key = {(one.repository_id, one.number): one.id for one in chunk}
            by_source = {one.source_id: one.id for one in self._maybe_github(chunk)}
            keys = {"keys": packed(by_key), "source_ids": list(by_source)}
            for row in self._connection.execute(_WAITING, keys):
                pull_id = by_key.get((row.repository_id, row.number)) or by_source[row.source_id]
                claimed[row.id] = pull_id
                self._note_assignments([row])
        if claimed:
            self._connection.execute(_CLAIM, [_claim(*pair) for pair in claimed.items()])
        return set(claimed.values())

    def assignments_of(self, pull_ids: Collection[int]) -> dict[int, list[ServiceAssignment]]:
        found: dict[int, list[ServiceAssignment]] = defaultdict(list)
        for chunk in chunks(pull_ids):
            for row in self._connection.execute(_ASSIGNMENTS, {"ids": chunk}):
                found[row.pull_id].append(
                    ServiceAssignment(services=tuple(json.loads(row.services)), replace=row.replace)
                )
        return found

    def _maybe_github(self, pulls_: Sequence[PullRequest]) -> list[PullRequest]:
        """Those with a forge's id that may be GitHub's."""
        query = select(repositories.c.id).where(
            repositories.c.id.in_({one.repository_id for one in pulls_}),
            or_(repositories.c.source.is_(None), repositories.c.source == GITHUB),
        )
        github = set(self._connection.scalars(query))
        return [one for one in pulls_ if one.source_id and one.repository_id in github]

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

    def with_waiting_assignments(self, limit: int) -> list[PullRequest]:
        waiting = service_assignments.c
        query = (
            select(pulls.c.id)
            .join(repositories, repositories.c.id == pulls.c.repository_id)
            .join(
                service_assignments,
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
            .where(waiting.pull_id.is_(None))
            .limit(limit)
        )
        return self.get(set(self._connection.scalars(query)))


def _claim(assignment_id: int, pull_id: int | None) -> dict[str, int | None]:
    """The parameters of _CLAIM."""
    return {"row_id": assignment_id, "pull_id": pull_id}


def _if_in(ids: Collection[int], one: int) -> int | None:
    return one if one in ids else None


def _pull(row: Row[Any], commits: Collection[str]) -> PullRequest:
    values = {column.name: getattr(row, column.name) for column in STORED}
    for name in ("labels", "files"):
        if values[name] is not None:
            values[name] = tuple(json.loads(values[name]))
    return PullRequest(**values, commit_shas=frozenset(commits))


def _row(pull: PullRequest) -> tuple[Any, ...]:
    """The values of the columns TOLD."""
    return tuple(json.dumps(value) if isinstance(value, tuple) else value for value in _told(pull))
