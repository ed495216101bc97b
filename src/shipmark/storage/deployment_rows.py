"""Deployments with the names that belong to their ids, as lists and pages show them."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Row,
    Select,
    select,
    true,
)

from shipmark.application.queries import DeploymentRow
from shipmark.domain.model import Deployment, Repository, Service
from shipmark.storage.deployments import Deployments
from shipmark.storage.rule_tables import deploy_rules
from shipmark.storage.sent_rows import among
from shipmark.storage.statements import chunks
from shipmark.storage.tables import deployments, repositories, services, windows
from shipmark.storage.windows import is_rolled_back

NEWEST_FIRST = (deployments.c.deployed_at.desc(), deployments.c.reference_id.desc())


def _rows() -> Select[Any]:
    rolled_back = (
        select(true())
        .select_from(windows)
        .where(windows.c.deployment_id == deployments.c.id, is_rolled_back())
        .limit(1)
        .correlate(deployments)
        .scalar_subquery()
    )
    return (
        select(
            deployments,
            services.c.identifier.label("service_identifier"),
            services.c.name.label("service_name"),
            repositories.c.name.label("repository_name"),
            repositories.c.default_branch,
            repositories.c.source,
            repositories.c.source_id,
            repositories.c.archived,
            repositories.c.rules_file_error,
            deploy_rules.c.name.label("rule"),
            rolled_back.label("rolled_back"),
        )
        .join(services, services.c.id == deployments.c.service_id)
        .outerjoin(repositories, repositories.c.id == deployments.c.repository_id)
        .outerjoin(deploy_rules, deploy_rules.c.id == deployments.c.rule_id)
    )


_ROWS = _rows()
_BY_ID = _ROWS.where(among(deployments.c.id, "ids"))


class DeploymentRows:
    """Each question is one statement, and one more where lists of commits are among what is
    found."""

    def __init__(self, connection: Connection, *, deployments: Deployments) -> None:
        self._connection = connection
        self._deployments = deployments

    def by_id(self, ids: Collection[int]) -> list[DeploymentRow]:
        """The deployments of these ids, in the order of the ids."""
        found: list[Row[Any]] = []
        for chunk in chunks(ids):
            found += self._connection.execute(_BY_ID, {"ids": chunk}).all()
        known = {one.deployment.id: one for one in self._named(found)}
        return [known[id_] for id_ in ids if id_ in known]

    def of(self, ids: Select[Any] | CompoundSelect[Any], *order: Any) -> list[DeploymentRow]:
        """The deployments whose ids a query finds: in an order, or the newest first."""
        # As a table of its own, the query is planned and ended as if it were alone.
        found = select(ids.subquery("found").c.id)
        query = _ROWS.where(deployments.c.id.in_(found)).order_by(*(order or NEWEST_FIRST))
        return self._named(self._connection.execute(query).all())

    def _named(self, rows: Sequence[Row[Any]]) -> list[DeploymentRow]:
        whole = self._deployments.whole(rows)
        return [_named(row, one) for row, one in zip(rows, whole, strict=True)]


def _named(row: Row[Any], one: Deployment) -> DeploymentRow:
    return DeploymentRow(
        deployment=one,
        service=Service(
            id=one.service_id, identifier=row.service_identifier, name=row.service_name
        ),
        repository=None if one.repository_id is None else _repository(row, one.repository_id),
        rolled_back=bool(row.rolled_back),
        rule=row.rule,
    )


def _repository(row: Row[Any], id_: int) -> Repository:
    return Repository(
        id=id_,
        name=row.repository_name,
        default_branch=row.default_branch,
        source=row.source,
        source_id=row.source_id,
        archived=row.archived,
        rules_file_error=row.rules_file_error,
    )
