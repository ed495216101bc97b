"""Pull requests with the names that belong to their ids, as lists and pages show them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from shipmark.application.queries import PullRow
from shipmark.storage.pulls import STORED, Pulls
from shipmark.storage.sent_rows import among
from shipmark.storage.statements import chunks
from shipmark.storage.tables import pull_services, pulls, repositories, services

_ROWS: Select[Any] = select(*STORED, repositories.c.name.label("repository")).join(
    repositories, repositories.c.id == pulls.c.repository_id
)
_BY_ID = _ROWS.where(among(pulls.c.id, "ids"))
_SERVICES = (
    select(pull_services.c.pull_id, services.c.identifier)
    .join(services, services.c.id == pull_services.c.service_id)
    .where(among(pull_services.c.pull_id, "ids"))
    .order_by(services.c.identifier)
)


class PullRows:
    """Each question is three statements: pull requests, their commits, and their services."""

    def __init__(self, connection: Connection, *, pulls: Pulls) -> None:
        self._connection = connection
        self._pulls = pulls

    def by_id(self, ids: Collection[int]) -> list[PullRow]:
        """The pull requests of these ids, in the order of the ids."""
        found: list[Row[Any]] = []
        for chunk in chunks(ids):
            found += self._connection.execute(_BY_ID, {"ids": chunk}).all()
        known = {one.pull.id: one for one in self._named(found)}
        return [known[id_] for id_ in ids if id_ in known]

    def of(self, ids: Select[Any], *order: Any) -> list[PullRow]:
        """The pull requests whose ids a query finds."""
        # As a table of its own, the query is planned and ended as if it were alone.
        found = select(ids.subquery("found").c.id)
        query = _ROWS.where(pulls.c.id.in_(found)).order_by(*order)
        return self._named(self._connection.execute(query).all())

    def services(self, ids: Collection[int]) -> dict[int, tuple[str, ...]]:
        """The identifiers of the services that pull requests belong to."""
        found: dict[int, tuple[str, ...]] = defaultdict(tuple)
        for chunk in chunks(ids):
            for row in self._connection.execute(_SERVICES, {"ids": chunk}):
                found[row.pull_id] += (row.identifier,)
        return found

    def _named(self, rows: Sequence[Row[Any]]) -> list[PullRow]:
        services_of = self.services([row.id for row in rows])
        return [
            PullRow(pull=one, repository=row.repository, services=services_of.get(row.id, ()))
            for row, one in zip(rows, self._pulls.whole(rows), strict=True)
        ]
