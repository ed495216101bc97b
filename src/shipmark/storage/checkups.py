"""Queries behind a look for what is missing: sets, however many repositories there are."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Select, Table, exists, func, select

from shipmark.application.checkup import (
    BadDeliveries,
    Example,
    Overdue,
    RepositoryState,
    RuleState,
    Waiting,
    WaitingReport,
)
from shipmark.application.queries import Page
from shipmark.application.received import Budget, Kind, Refusals, Via
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.domain.model import Reason, Status
from shipmark.storage import unmade
from shipmark.storage.deploy_rules import DeployRules
from shipmark.storage.forge_imports import ForgeImports
from shipmark.storage.forge_tables import deliveries, forge_imports
from shipmark.storage.received_tables import forge_budgets, received, webhook_refusals
from shipmark.storage.repositories import Repositories, name_key
from shipmark.storage.rule_tables import path_rules
from shipmark.storage.sent_rows import among
from shipmark.storage.statements import chunks
from shipmark.storage.tables import branch_commits, deployments, pulls, repositories

EXAMPLES = 3
MOST_RULES = 1000
MOST_BAD = 100
WAITS = (Status.PENDING, Status.EXPIRED)

_LAST_MERGED = (
    select(pulls.c.merged_at)
    .where(pulls.c.repository_id == repositories.c.id)
    .order_by(pulls.c.listed_at.desc())
    .limit(1)
    .scalar_subquery()
)
_LAST_DEPLOYED = (
    select(deployments.c.deployed_at)
    .where(deployments.c.repository_id == repositories.c.id)
    .order_by(deployments.c.deployed_at.desc())
    .limit(1)
    .scalar_subquery()
)
_HAS_COMMITS = exists().where(branch_commits.c.repository_id == repositories.c.id)
_STATES = select(
    repositories.c.id,
    _LAST_MERGED.label("last_merged_at"),
    _LAST_DEPLOYED.label("last_deployed_at"),
    _HAS_COMMITS.label("has_commits"),
)
_RECEIVED = select(received).where(among(received.c.repository_id, "ids"))
_PATH_RULES = (
    select(path_rules.c.repository_id, path_rules.c.origin)
    .where(among(path_rules.c.repository_id, "ids"))
    .order_by(path_rules.c.repository_id, path_rules.c.origin)
)


def _waiting(deployed_since: datetime, registered_before: datetime) -> Select[Any]:
    """What waits, in groups: how many, and the latest of them."""
    group = (
        deployments.c.repository_id,
        deployments.c.attribution_status,
        deployments.c.attribution_reason,
    )
    return select(
        *group,
        deployments.c.reference_id,
        deployments.c.commit_sha,
        func.count().over(partition_by=group).label("count_"),
        func.row_number()
        .over(
            partition_by=group,
            order_by=(deployments.c.deployed_at.desc(), deployments.c.reference_id.desc()),
        )
        .label("place"),
    ).where(
        deployments.c.attribution_status.in_(WAITS),
        deployments.c.deployed_at >= deployed_since,
        deployments.c.created_at < registered_before,
    )


class Checkups:
    def __init__(
        self,
        connection: Connection,
        *,
        repositories: Repositories,
        forge_imports: ForgeImports,
        deploy_rules: DeployRules,
    ) -> None:
        self._connection = connection
        self._repositories = repositories
        self._forge_imports = forge_imports
        self._deploy_rules = deploy_rules

    def repositories(
        self,
        *,
        name: str | None,
        deployed_since: datetime,
        registered_before: datetime,
        limit: int,
        after: str | None,
    ) -> list[RepositoryState]:
        query = _STATES.order_by(repositories.c.name_key).limit(limit)
        if name is not None:
            query = query.where(repositories.c.name_key == name_key(name))
        if after is not None:
            query = query.where(repositories.c.name_key > name_key(after))
        rows = {row.id: row for row in self._connection.execute(query)}
        known = self._repositories.get(rows.keys())
        told = self._received(rows.keys())
        imports = self._forge_imports.get(rows.keys())
        waits = _waiting(deployed_since, registered_before)
        whole = name is None and after is None and len(rows) < limit
        waiting = self._waiting(waits, None if whole else rows.keys())
        origins = self._path_rules(rows.keys())
        return [
            RepositoryState(
                repository=known[id_],
                received=told.get(id_, {}),
                forge_import=imports.get(id_),
                last_merged_at=row.last_merged_at,
                last_deployed_at=row.last_deployed_at,
                has_commits=bool(row.has_commits),
                waiting=tuple(waiting.get(id_, ())),
                path_rules_from=tuple(origins.get(id_, ())),
            )
            for id_, row in rows.items()
        ]

    def without_repository(
        self, *, deployed_since: datetime, registered_before: datetime
    ) -> tuple[Waiting, ...]:
        waits = _waiting(deployed_since, registered_before)
        found = self._groups(waits.where(deployments.c.repository_id.is_(None)))
        return tuple(found.get(None, ()))

    def _waiting(
        self, waits: Select[Any], ids: Collection[int] | None
    ) -> Mapping[int | None, list[Waiting]]:
        if ids is None:
            return self._groups(waits)
        found: dict[int | None, list[Waiting]] = {}
        for chunk in chunks(ids):
            found |= self._groups(waits.where(deployments.c.repository_id.in_(chunk)))
        return found

    def _groups(self, waits: Select[Any]) -> dict[int | None, list[Waiting]]:
        ranked = waits.subquery()
        first = select(ranked).where(ranked.c.place <= EXAMPLES)
        groups: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
        for row in self._connection.execute(first.order_by(*ranked.c)):
            key = (row.repository_id, row.attribution_status, row.attribution_reason)
            groups[key].append(row)
        found: dict[int | None, list[Waiting]] = defaultdict(list)
        for (repository_id, status, reason), rows in groups.items():
            rows.sort(key=lambda row: row.place)
            found[repository_id].append(
                Waiting(
                    status=Status(status),
                    reason=Reason(reason),
                    count=rows[0].count_,
                    examples=tuple(
                        Example(reference_id=row.reference_id, commit_sha=row.commit_sha)
                        for row in rows
                    ),
                )
            )
        return found

    def _received(self, ids: Collection[int]) -> dict[int, dict[tuple[Kind, Via], datetime]]:
        found: dict[int, dict[tuple[Kind, Via], datetime]] = defaultdict(dict)
        for chunk in chunks(ids):
            for row in self._connection.execute(_RECEIVED, {"ids": chunk}):
                found[row.repository_id][Kind(row.kind), Via(row.via)] = row.at
        return found

    def _path_rules(self, ids: Collection[int]) -> dict[int, list[str]]:
        found: dict[int, list[str]] = defaultdict(list)
        for chunk in chunks(ids):
            for row in self._connection.execute(_PATH_RULES, {"ids": chunk}):
                found[row.repository_id].append(row.origin)
        return found

    def bad_deliveries(self) -> list[BadDeliveries]:
        fails = deliveries.c.error.is_not(None)
        group = (deliveries.c.forge, deliveries.c.repository, deliveries.c.error)
        query = (
            select(
                *group,
                func.count(deliveries.c.due_at).label("waiting"),
                func.count().label("all_"),
                func.max(deliveries.c.id).label("last"),
            )
            .where(fails)
            .group_by(*group)
            .order_by(func.max(deliveries.c.id).desc())
            .limit(MOST_BAD)
        )
        rows = self._connection.execute(query).all()
        last = self._deliveries({row.last for row in rows})
        return [
            BadDeliveries(
                forge=row.forge,
                repository=row.repository,
                error=row.error,
                waiting=row.waiting,
                given_up=row.all_ - row.waiting,
                last_id=last[row.last].delivery_id,
                last_at=last[row.last].received_at,
            )
            for row in rows
        ]

    def _deliveries(self, ids: Collection[int]) -> dict[int, Any]:
        query = select(deliveries.c.id, deliveries.c.delivery_id, deliveries.c.received_at).where(
            deliveries.c.id.in_(ids)
        )
        return {row.id: row for row in self._connection.execute(query)} if ids else {}

    def last_delivery(self) -> dict[str, datetime]:
        query = (
            select(repositories.c.source, func.max(received.c.at).label("at"))
            .join(repositories, repositories.c.id == received.c.repository_id)
            .where(received.c.via == Via.WEBHOOK, repositories.c.source.is_not(None))
            .group_by(repositories.c.source)
        )
        return {row.source: row.at for row in self._connection.execute(query)}

    def rules(self) -> list[RuleState]:
        named = self._deploy_rules.page(Page(limit=MOST_RULES))
        last: dict[int, datetime] = {}
        for chunk in chunks([one.rule.id for one in named]):
            query = (
                select(deployments.c.rule_id, func.max(deployments.c.deployed_at).label("at"))
                .where(deployments.c.rule_id.in_(chunk))
                .group_by(deployments.c.rule_id)
            )
            last |= {row.rule_id: row.at for row in self._connection.execute(query)}
        return [RuleState(named=one, last_deployed_at=last.get(one.rule.id)) for one in named]

    def reports_of_late(self, *, since: datetime, before: datetime) -> list[WaitingReport]:
        return unmade.reports_of_late(self._connection, since=since, before=before)

    def long_named_events(
        self, sources: Collection[EventSource], *, since: datetime, longest_name: int
    ) -> list[SourceEvent]:
        return unmade.long_named_events(
            self._connection, sources, since=since, longest_name=longest_name
        )

    def overdue(self, *, before: datetime) -> list[Overdue]:
        asked: list[tuple[str, Table, Column[Any]]] = [
            ("attributions", deployments, deployments.c.attribution_due_at),
            ("deliveries", deliveries, deliveries.c.due_at),
            ("imports", forge_imports, forge_imports.c.due_at),
        ]
        found = []
        for what, table, due in asked:
            query = select(func.count(), func.min(due)).select_from(table)
            count, since = self._connection.execute(
                query.where(due.is_not(None), due < before)
            ).one()
            if count:
                found.append(Overdue(what=what, count=count, since=since))
        return found

    def budgets(self) -> list[Budget]:
        rows = self._connection.execute(select(forge_budgets).order_by(forge_budgets.c.source))
        return [Budget(**row._asdict()) for row in rows]

    def refusals(self) -> list[Refusals]:
        rows = self._connection.execute(select(webhook_refusals).order_by(webhook_refusals.c.forge))
        return [Refusals(**row._asdict()) for row in rows]
