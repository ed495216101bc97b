"""Queries about services that are assigned to pull requests, also to those not imported yet."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    union,
    update,
)

from shipmark.application.assignment_ports import ServiceAssignment
from shipmark.domain.model import PullRequest
from shipmark.storage.pulls import may_be_on_github
from shipmark.storage.sent_rows import among, packed, sent_rows
from shipmark.storage.statements import chunks, insert_unless_there
from shipmark.storage.tables import pull_services, pulls, repositories, service_assignments


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
_KNOWN = select(pulls.c.id).where(among(pulls.c.id, "ids"))
_SERVICES = select(pull_services).where(among(pull_services.c.pull_id, "ids"))


class Assignments:
    """Each is kept as it was made, in order; the services of a pull request follow from them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.changed: dict[int, str | None] = {}

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

    def add(
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
            self._note(gone)
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
        self.changed[id_] = None

    def _note(self, rows: Iterable[Row[Any]]) -> None:
        """Remember how these were, unless this transaction made or changed them before."""
        for row in rows:
            self.changed.setdefault(row.id, json.dumps(row._asdict()))

    def take_back(self, changed: Mapping[int, str | None]) -> set[int]:
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
        of = {"ids": sorted({row["pull_id"] for row in before} - {None})}
        pulls_ = set(self._connection.scalars(_KNOWN, of))
        rows = [{**row, "pull_id": _if_in(pulls_, row["pull_id"])} for row in before]
        there = select(service_assignments.c.pull_id).where(among(service_assignments.c.id, "ids"))
        ids = {"ids": [row["id"] for row in rows]}
        touched: set[int | None] = set(self._connection.scalars(there, ids))
        self._connection.execute(_CLAIM, [_claim(row["id"], row["pull_id"]) for row in rows])
        self._connection.execute(insert_unless_there(self._connection, service_assignments), rows)
        return touched | {row["pull_id"] for row in rows}

    def claim(self, pulls_: Collection[PullRequest]) -> set[int]:
        claimed: dict[int, int] = {}
        for chunk in chunks(pulls_):
            by_key = {(one.repository_id, one.number): one.id for one in chunk}
            by_source = {one.source_id: one.id for one in self._maybe_github(chunk)}
            keys = {"keys": packed(by_key), "source_ids": list(by_source)}
            for row in self._connection.execute(_WAITING, keys):
                pull_id = by_key.get((row.repository_id, row.number)) or by_source[row.source_id]
                claimed[row.id] = pull_id
                self._note([row])
        if claimed:
            self._connection.execute(_CLAIM, [_claim(*pair) for pair in claimed.items()])
        return set(claimed.values())

    def of(self, pull_ids: Collection[int]) -> dict[int, list[ServiceAssignment]]:
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
            may_be_on_github(),
        )
        github = set(self._connection.scalars(query))
        return [one for one in pulls_ if one.source_id and one.repository_id in github]

    def still_waiting(self, limit: int) -> set[int]:
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
                        may_be_on_github(),
                    ),
                ),
            )
            .where(waiting.pull_id.is_(None))
            .limit(limit)
        )
        return set(self._connection.scalars(query))


def _claim(assignment_id: int, pull_id: int | None) -> dict[str, int | None]:
    """The parameters of _CLAIM."""
    return {"row_id": assignment_id, "pull_id": pull_id}


def _if_in(ids: Collection[int], one: int) -> int | None:
    return one if one in ids else None
