"""Queries about incidents."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    Connection,
    Row,
    Select,
    Table,
    and_,
    delete,
    insert,
    literal,
    select,
    tuple_,
    union_all,
    update,
)

from shipmark.application.incident_ports import IncidentFilter
from shipmark.domain.failures import Deployed
from shipmark.domain.incidents import Correction, Incident, Told, Withdrawal
from shipmark.storage.columns import Instant
from shipmark.storage.incident_tables import (
    incident_corrections,
    incident_services,
    incident_withdrawals,
    incidents,
)
from shipmark.storage.metric_edges import FACTS, IN_ORDER, TOLD, WINDOW, deployed, with_windows
from shipmark.storage.sent_rows import among, packed, sent_rows
from shipmark.storage.statements import chunks, insert_unless_there, sent_row
from shipmark.storage.tables import deployments

LAST_STARTED_FIRST = (incidents.c.started_at, incidents.c.reference_id)
FIXED = {"id", "reference_id", "service_ids", "created_at"}
"""What of an incident never changes, or stands in another table."""

_ROWS: Select[Any] = select(incidents, incident_services.c.service_id).outerjoin(
    incident_services, incident_services.c.incident_id == incidents.c.id
)
_BY_ID = _ROWS.where(among(incidents.c.id, "ids")).order_by(incidents.c.id)
_CORRECTIONS = (
    select(incident_corrections)
    .where(among(incident_corrections.c.incident_id, "ids"))
    .order_by(incident_corrections.c.made_at, incident_corrections.c.deployment_reference_id)
)
_WITHDRAWALS = (
    select(incident_withdrawals)
    .where(among(incident_withdrawals.c.incident_id, "ids"))
    .order_by(incident_withdrawals.c.made_at, incident_withdrawals.c.deployment_reference_id)
)
_TOLD = union_all(*(part.where(among(incidents.c.id, "ids")) for part in TOLD))


def _suspects() -> Any:
    asked = sent_rows("asked", service_id=BigInteger, since=Instant, until=Instant)
    # Two incidents may suspect the same deployment: each is wanted once.
    ids = select(deployments.c.id).join_from(
        asked,
        deployments,
        and_(
            deployments.c.service_id == asked.c.service_id,
            deployments.c.deployed_at >= asked.c.since,
            deployments.c.deployed_at <= asked.c.until,
        ),
    )
    return (
        select(*FACTS, literal(1), *WINDOW)
        .select_from(with_windows(deployments))
        .where(deployments.c.id.in_(ids))
        .order_by(*IN_ORDER)
    )


_SUSPECTS = _suspects()


class Incidents:
    """An incident is found, or made, by its reference_id."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def claim(self, reference_id: str, started_at: datetime) -> Incident:
        self._connection.execute(
            insert_unless_there(self._connection, incidents).values(
                reference_id=reference_id,
                started_at=started_at,
                created_at=self._now,
                updated_at=self._now,
            )
        )
        claimed = select(incidents.c.id).where(incidents.c.reference_id == reference_id)
        id_: int = self._connection.execute(claimed.with_for_update()).scalar_one()
        return self.get({id_})[id_]

    def save(self, incident: Incident) -> None:
        columns = (column.name for column in incidents.c if column.name not in FIXED)
        self._connection.execute(
            update(incidents)
            .where(incidents.c.id == incident.id)
            .values({name: getattr(incident, name) for name in columns})
        )

    def set_services(self, incident_id: int, service_ids: Collection[int]) -> None:
        self._connection.execute(
            delete(incident_services).where(incident_services.c.incident_id == incident_id)
        )
        rows = [{"incident_id": incident_id, "service_id": one} for one in sorted(service_ids)]
        if rows:
            self._connection.execute(insert(incident_services), rows)

    def delete(self, incident_id: int) -> None:
        for table in (incident_services, incident_corrections, incident_withdrawals):
            self._connection.execute(delete(table).where(table.c.incident_id == incident_id))
        self._connection.execute(delete(incidents).where(incidents.c.id == incident_id))

    def by_reference_id(self, reference_id: str) -> Incident | None:
        query = select(incidents.c.id).where(incidents.c.reference_id == reference_id)
        return next(iter(self.get(set(self._connection.scalars(query))).values()), None)

    def get(self, ids: Collection[int]) -> dict[int, Incident]:
        return {
            one.id: one
            for chunk in chunks(ids)
            for one in _incidents(self._connection.execute(_BY_ID, {"ids": chunk}))
        }

    def page(
        self, filter_: IncidentFilter, *, after: tuple[datetime, str] | None, limit: int
    ) -> list[Incident]:
        query = select(incidents.c.id).where(*_conditions(filter_))
        if after is not None:
            last = sent_row(after, like=LAST_STARTED_FIRST)
            query = query.where(tuple_(*LAST_STARTED_FIRST) < last)
        query = query.order_by(*(column.desc() for column in LAST_STARTED_FIRST)).limit(limit)
        return self._of(query)

    def _of(self, ids: Select[Any] | CompoundSelect[Any]) -> list[Incident]:
        """The incidents whose ids a query finds, the last started first."""
        found = _ROWS.where(incidents.c.id.in_(select(ids.subquery("found").c.id)))
        last_first = found.order_by(*(column.desc() for column in LAST_STARTED_FIRST))
        return list(_incidents(self._connection.execute(last_first)))

    def correct(self, incident_id: int, correction: Correction) -> None:
        key = {
            "incident_id": incident_id,
            "deployment_reference_id": correction.deployment_reference_id,
        }
        values = {
            "is_linked": correction.is_linked,
            "reason": correction.reason,
            "account": correction.account,
            "token": correction.token,
            "made_at": correction.made_at,
        }
        self._connection.execute(
            insert_unless_there(self._connection, incident_corrections).values(**key, **values)
        )
        self._connection.execute(
            update(incident_corrections)
            .where(*(incident_corrections.c[name] == one for name, one in key.items()))
            .values(**values)
        )
        self._forget(incident_withdrawals, incident_id, correction.deployment_reference_id)

    def withdraw(self, incident_id: int, withdrawal: Withdrawal) -> None:
        self._forget(incident_corrections, incident_id, withdrawal.deployment_reference_id)
        self._connection.execute(
            insert_unless_there(self._connection, incident_withdrawals).values(
                incident_id=incident_id, **asdict(withdrawal)
            )
        )

    def _forget(self, table: Table, incident_id: int, deployment_reference_id: str) -> None:
        self._connection.execute(
            delete(table).where(
                table.c.incident_id == incident_id,
                table.c.deployment_reference_id == deployment_reference_id,
            )
        )

    def withdrawals(self, incident_ids: Collection[int]) -> dict[int, list[Withdrawal]]:
        found: dict[int, list[Withdrawal]] = {}
        for chunk in chunks(incident_ids):
            for row in self._connection.execute(_WITHDRAWALS, {"ids": chunk}):
                facts = {field.name: getattr(row, field.name) for field in fields(Withdrawal)}
                found.setdefault(row.incident_id, []).append(Withdrawal(**facts))
        return found

    def corrections(self, incident_ids: Collection[int]) -> dict[int, list[Correction]]:
        found: dict[int, list[Correction]] = {}
        for chunk in chunks(incident_ids):
            for row in self._connection.execute(_CORRECTIONS, {"ids": chunk}):
                found.setdefault(row.incident_id, []).append(
                    Correction(
                        deployment_reference_id=row.deployment_reference_id,
                        is_linked=row.is_linked,
                        reason=row.reason,
                        account=row.account,
                        token=row.token,
                        made_at=row.made_at,
                    )
                )
        return found

    def about(
        self, deployment_reference_id: str, filter_: IncidentFilter, *, limit: int
    ) -> list[Incident]:
        named = select(incidents.c.id).where(
            incidents.c.deployment_reference_id == deployment_reference_id
        )
        corrected = select(incident_corrections.c.incident_id.label("id")).where(
            incident_corrections.c.deployment_reference_id == deployment_reference_id
        )
        of_filter = (
            select(incidents.c.id)
            .where(*_conditions(filter_))
            .order_by(*(column.desc() for column in LAST_STARTED_FIRST))
        )
        parts = (named.union(corrected).limit(limit), of_filter.limit(limit))
        return self._of(union_all(*(select(part.subquery().c.id) for part in parts)))

    def suspects(self, incidents: Sequence[Incident], *, within: timedelta) -> list[Deployed]:
        asked = [
            (service_id, one.started_at - within, one.started_at)
            for one in incidents
            if one.deployment_reference_id is None
            for service_id in one.service_ids
        ]
        if not asked:
            return []
        return deployed(self._connection.execute(_SUSPECTS, {"asked": packed(asked)}))

    def told(self, incident_ids: Collection[int]) -> list[Told]:
        return [
            Told(*row)
            for chunk in chunks(incident_ids)
            for row in self._connection.execute(_TOLD, {"ids": chunk})
        ]


def _conditions(filter_: IncidentFilter) -> list[Any]:
    wanted = {
        incidents.c.environment: filter_.environment,
        incidents.c.priority: filter_.priority,
    }
    conditions: list[Any] = [column == one for column, one in wanted.items() if one is not None]
    if filter_.service_id is not None:
        of_service = select(incident_services.c.incident_id).where(
            incident_services.c.service_id == filter_.service_id
        )
        conditions.append(incidents.c.id.in_(of_service))
    if filter_.resolved is not None:
        is_open = incidents.c.resolved_at.is_(None)
        conditions.append(~is_open if filter_.resolved else is_open)
    if filter_.since is not None:
        conditions.append(incidents.c.started_at >= filter_.since)
    if filter_.until is not None:
        conditions.append(incidents.c.started_at < filter_.until)
    return conditions


def _incidents(rows: Iterable[Row[Any]]) -> Iterator[Incident]:
    """The incidents in rows of which there is one for each service."""
    for _, of_one in groupby(rows, key=attrgetter("id")):
        each = list(of_one)
        facts = {column.name: getattr(each[0], column.name) for column in incidents.c}
        service_ids = sorted(row.service_id for row in each if row.service_id is not None)
        yield Incident(**facts, service_ids=tuple(service_ids))
