"""When services and repositories were deployed last and where, and how often of late."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    Table,
    and_,
    bindparam,
    func,
    not_,
    select,
    true,
)

from shipmark.application.activity_queries import Activity, Standing
from shipmark.storage.columns import Instant
from shipmark.storage.sent_rows import among
from shipmark.storage.statements import by_no_index, chunks
from shipmark.storage.tables import deployments, lanes, repositories, services


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


def _standings(places: CTE, *conditions: ColumnElement[bool]) -> Select[Any]:
    """What was deployed last to each of these places, tried and succeeded, and when: each by a
    look into `ix_deployments_place`, whose end for a place it is."""
    here = (
        deployments.c.service_id == places.c.service_id,
        deployments.c.environment == places.c.environment,
        *conditions,
    )

    def last(column: Column[Any], *outcome: ColumnElement[bool]) -> ScalarSelect[Any]:
        return (
            select(column)
            .where(*here, *outcome)
            .order_by(deployments.c.deployed_at.desc(), deployments.c.reference_id.desc())
            .limit(1)
            .correlate(places)
            .scalar_subquery()
        )

    succeeded = deployments.c.success.is_(true())
    return select(
        places.c.environment,
        last(deployments.c.id),
        last(deployments.c.deployed_at),
        last(deployments.c.id, succeeded),
        last(deployments.c.deployed_at, succeeded),
    ).where(places.c.environment.is_not(None))


def _of_service() -> Select[Any]:
    """The environments of a service, by one leap through the same index for each."""
    service_id = bindparam("id", type_=BigInteger)
    environment = deployments.c.environment
    nearest = (
        select(environment)
        .where(deployments.c.service_id == service_id)
        .order_by(environment)
        .limit(1)
    )
    places = select(
        service_id.label("service_id"), nearest.scalar_subquery().label("environment")
    ).cte("places", recursive=True)
    following = nearest.where(environment > places.c.environment).correlate(places)
    leaps = select(places.c.service_id, following.scalar_subquery()).where(
        places.c.environment.is_not(None)
    )
    return _standings(places.union_all(leaps))


def _of_repository() -> Select[Any]:
    """Where services are deployed to from a repository, as its lanes tell."""
    repository_id = bindparam("id", type_=BigInteger)
    places = (
        select(lanes.c.service_id, lanes.c.environment)
        .where(lanes.c.repository_id == repository_id)
        .distinct()
        .cte("places")
    )
    return _standings(places, by_no_index(deployments.c.repository_id, 0) == repository_id)


_OF_SERVICES = _of(services, deployments.c.service_id)
_OF_REPOSITORIES = _of(repositories, deployments.c.repository_id)
_PLACES_OF_SERVICE = _of_service()
_PLACES_OF_REPOSITORY = _of_repository()


class Activities:
    """What `application.activity_queries.Activities` asks for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of_services(self, ids: Collection[int], since: datetime) -> dict[int, Activity]:
        return self._found(_OF_SERVICES, ids, since)

    def of_repositories(self, ids: Collection[int], since: datetime) -> dict[int, Activity]:
        return self._found(_OF_REPOSITORIES, ids, since)

    def places_of_service(self, service_id: int) -> list[Standing]:
        return self._standings(_PLACES_OF_SERVICE, service_id)

    def places_of_repository(self, repository_id: int) -> list[Standing]:
        return self._standings(_PLACES_OF_REPOSITORY, repository_id)

    def _found(
        self, query: Select[Any], ids: Collection[int], since: datetime
    ) -> dict[int, Activity]:
        return {
            id_: Activity(*rest)
            for chunk in chunks(ids)
            for id_, *rest in self._connection.execute(query, {"ids": chunk, "since": since})
        }

    def _standings(self, query: Select[Any], id_: int) -> list[Standing]:
        rows = self._connection.execute(query, {"id": id_})
        return [
            Standing(
                environment=environment,
                last=(last_at, last_id),
                live=None if live_id is None else (live_at, live_id),
            )
            for environment, last_id, last_at, live_id, live_at in rows
            if last_id is not None
        ]
