"""When services and repositories were deployed last, and how often of late."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, bindparam, func, not_, select

from shipmark.application.activity_queries import Activity
from shipmark.storage.columns import Instant
from shipmark.storage.sent_rows import among
from shipmark.storage.statements import chunks
from shipmark.storage.tables import deployments, repositories, services


def _of(table: Table, column: Any) -> Select[Any]:
    """By look-ups for each row: its part of an index is in the order of time."""
    recent = and_(
        column == table.c.id, deployments.c.deployed_at >= bindparam("since", type_=Instant)
    )
    last = (
        select(deployments.c.id)
        .where(column == table.c.id)
        .order_by(deployments.c.deployed_at.desc(), deployments.c.reference_id.desc())
        .limit(1)
    )
    counts = (
        select(func.count()).select_from(deployments).where(recent),
        select(func.count()).select_from(deployments).where(recent, not_(deployments.c.success)),
    )
    columns = (one.correlate(table).scalar_subquery() for one in (last, *counts))
    return select(table.c.id, *columns).where(among(table.c.id, "ids"))


_OF_SERVICES = _of(services, deployments.c.service_id)
_OF_REPOSITORIES = _of(repositories, deployments.c.repository_id)


class Activities:
    """What `application.activity_queries.Activities` asks for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of_services(self, ids: Collection[int], since: datetime) -> dict[int, Activity]:
        return self._found(_OF_SERVICES, ids, since)

    def of_repositories(self, ids: Collection[int], since: datetime) -> dict[int, Activity]:
        return self._found(_OF_REPOSITORIES, ids, since)

    def _found(
        self, query: Select[Any], ids: Collection[int], since: datetime
    ) -> dict[int, Activity]:
        return {
            id_: Activity(*rest)
            for chunk in chunks(ids)
            for id_, *rest in self._connection.execute(query, {"ids": chunk, "since": since})
        }
