"""Queries behind lists and pages. They only read."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    case,
    func,
    literal,
    select,
    tuple_,
    union_all,
)

from shipmark.application.queries import (
    DeploymentFilter,
    DeploymentRow,
    Page,
    PathRulesRow,
    PlacedWindow,
    PullFilter,
    PullRow,
    ReachedCommit,
)
from shipmark.application.rule_ports import NamedRule
from shipmark.domain.model import BEGINNING, Deployment, Repository, Service
from shipmark.storage.columns import Instant
from shipmark.storage.deploy_rules import DeployRules
from shipmark.storage.deployment_rows import DeploymentRows
from shipmark.storage.filters import deployment_parts, pull_conditions
from shipmark.storage.lanes import KEY, key_of
from shipmark.storage.path_rules import PathRuleSets
from shipmark.storage.pull_rows import PullRows
from shipmark.storage.reached import reached_commits
from shipmark.storage.repositories import Repositories
from shipmark.storage.services import Services
from shipmark.storage.shipped import POSITION, in_order, shipped_by_list, shipped_by_window
from shipmark.storage.shipping import shipping
from shipmark.storage.statements import sent_row
from shipmark.storage.tables import deployments, lanes, pulls, windows
from shipmark.storage.undeployed import undeployed
from shipmark.storage.windows import window_of

NEWEST_FIRST = (deployments.c.deployed_at, deployments.c.reference_id)
LAST_MERGED_FIRST = (pulls.c.listed_at, pulls.c.id)

_SHIPPING = shipping()


class Reports:
    """Finds what is asked for, and has its rows read together with their names."""

    def __init__(
        self,
        connection: Connection,
        *,
        deployment_rows: DeploymentRows,
        pull_rows: PullRows,
        repositories: Repositories,
        services: Services,
        deploy_rules: DeployRules,
        path_rules: PathRuleSets,
    ) -> None:
        self._connection = connection
        self._deployment_rows = deployment_rows
        self._pull_rows = pull_rows
        self._repositories = repositories
        self._services = services
        self._deploy_rules = deploy_rules
        self._path_rules = path_rules

    def deployments(self, filter_: DeploymentFilter, page: Page) -> list[DeploymentRow]:
        of_repository = filter_.repository_id is not None
        parts = [
            _newest(part, page, of_repository=of_repository) for part in deployment_parts(filter_)
        ]
        if len(parts) == 1:
            return self._deployment_rows.of(parts[0])
        parts = [parts[0], *(part.where(_from_end_of(parts[0], page)) for part in parts[1:])]
        found = union_all(*(select(part.subquery()) for part in parts)).subquery()
        order = (found.c.deployed_at.desc(), found.c.reference_id.desc())
        return self._deployment_rows.of(select(found.c.id).order_by(*order).limit(page.limit))

    def deployment(
        self, *, id_: int | None = None, reference_id: str | None = None
    ) -> DeploymentRow | None:
        query = select(deployments.c.id)
        if id_ is not None:
            query = query.where(deployments.c.id == id_)
        if reference_id is not None:
            query = query.where(deployments.c.reference_id == reference_id)
        found = self._deployment_rows.of(query)
        return found[0] if found else None

    def deployments_by_id(self, ids: Collection[int]) -> list[DeploymentRow]:
        return self._deployment_rows.by_id(ids)

    def deployments_around(self, deployment: Deployment, each_side: int) -> list[DeploymentRow]:
        itself = select(deployments.c.id).where(deployments.c.id == deployment.id)
        near = (_near(deployment, each_side, earlier=earlier) for earlier in (True, False))
        return self._deployment_rows.of(union_all(itself, *near))

    def placed_windows(self, deployment_id: int) -> list[PlacedWindow]:
        query = (
            select(windows, *KEY)
            .join(lanes, lanes.c.id == windows.c.lane_id)
            .where(windows.c.deployment_id == deployment_id)
            .order_by(lanes.c.id)
        )
        return [
            PlacedWindow(window=window_of(row, deployment_id), lane=key_of(row))
            for row in self._connection.execute(query)
        ]

    def shipped_pulls(
        self, deployment_id: int, page: Page, placed: Sequence[PlacedWindow] | None = None
    ) -> list[PullRow]:
        placed = self.placed_windows(deployment_id) if placed is None else placed
        position = (pulls.c.id, *POSITION)
        # Each window by its whole key and each part cut to the page: then the index of the history
        # gives the rows in their order, and a baseline of a long history costs what others do.
        parts = [
            shipped_by_window(*position).where(
                windows.c.deployment_id == deployment_id, windows.c.lane_id == one.window.lane_id
            )
            for one in placed
        ]
        parts.append(shipped_by_list(*position).where(deployments.c.id == deployment_id))
        found = union_all(*(select(in_order(part, page).subquery()) for part in parts)).subquery()
        query = select(found.c.id).order_by(found.c.merged_at, found.c.number).limit(page.limit)
        return self._pull_rows.of(query, *POSITION)

    def reached_commits(
        self, deployment_id: int, page: Page, placed: Sequence[PlacedWindow] | None = None
    ) -> list[ReachedCommit]:
        placed = self.placed_windows(deployment_id) if placed is None else placed
        found = [
            commit
            for one in placed
            if one.window.raises
            for commit in reached_commits(self._connection, one.window, one.lane, page)
        ]
        return sorted(found, key=lambda one: (*one.position, one.sha))[: page.limit]

    def rule_id(self, name: str) -> int | None:
        return self._deploy_rules.id_of(name)

    def pulls(self, filter_: PullFilter, page: Page) -> list[PullRow]:
        conditions = pull_conditions(filter_)
        if page.after is not None:
            conditions.append(
                tuple_(*LAST_MERGED_FIRST) < sent_row(page.after, like=LAST_MERGED_FIRST)
            )
        parts = [select(*LAST_MERGED_FIRST).where(*conditions)]
        if filter_.deployed is False:
            parts = [*undeployed(self._connection, filter_, conditions)]
        found = union_all(*parts).subquery()
        query = select(found.c.id).order_by(found.c.listed_at.desc(), found.c.id.desc())
        return self._pull_rows.by_id(list(self._connection.scalars(query.limit(page.limit))))

    def pulls_named(
        self, *, repository_id: int | None, number: int | None, source_id: str | None
    ) -> list[PullRow]:
        query = select(pulls.c.id)
        if repository_id is not None:
            query = query.where(pulls.c.repository_id == repository_id, pulls.c.number == number)
        else:
            query = query.where(pulls.c.source_id == source_id)
        return self._pull_rows.of(query, pulls.c.id)

    def pulls_by_id(self, ids: Collection[int]) -> list[PullRow]:
        return self._pull_rows.by_id(ids)

    def shipping(self, pull_id: int) -> list[DeploymentRow]:
        query = _SHIPPING.params(ids=[pull_id])
        return self._deployment_rows.of(query, deployments.c.id)

    def repositories(self, page: Page) -> list[Repository]:
        return self._repositories.page(page)

    def services(self, page: Page) -> Sequence[Service]:
        return self._services.page(page)

    def deploy_rules(self, page: Page) -> Sequence[NamedRule]:
        return self._deploy_rules.page(page)

    def path_rules(self, page: Page) -> Sequence[PathRulesRow]:
        return self._path_rules.page(page)


def _newest(
    conditions: Sequence[ColumnElement[bool]], page: Page, *, of_repository: bool
) -> Select[Any]:
    """A page of the deployments that fulfil conditions, the newest first."""
    query = select(deployments.c.id, *NEWEST_FIRST).where(*conditions)
    if page.after is not None:
        query = query.where(tuple_(*NEWEST_FIRST) < sent_row(page.after, like=NEWEST_FIRST))
    # All are of one repository, or of none. That it comes first in the order makes no difference
    # but to PostgreSQL, which would not see that `ix_deployments_repository` has those of none in
    # this order.
    first = [deployments.c.repository_id] if of_repository else []
    order = (column.desc() for column in (*first, *NEWEST_FIRST))
    return query.order_by(*order).limit(page.limit)


def _from_end_of(newest: Select[Any], page: Page) -> ColumnElement[bool]:
    """The deployment is no older than the last of a page that is full: what is older will not be
    on it, and is not looked at."""
    found = newest.subquery()
    end = case((func.count() >= page.limit, func.min(found.c.deployed_at)))
    last = select(end).select_from(found).scalar_subquery()
    return deployments.c.deployed_at >= func.coalesce(last, literal(BEGINNING.at, Instant))


def _near(deployment: Deployment, most: int, *, earlier: bool) -> Select[Any]:
    """The nearest deployments of its service and environment on one side of a deployment: those
    next to it in `ix_deployments_place`."""
    itself, place = sent_row(deployment.order, like=NEWEST_FIRST), tuple_(*NEWEST_FIRST)
    nearest = (
        select(deployments.c.id)
        .where(
            deployments.c.service_id == deployment.service_id,
            deployments.c.environment == deployment.environment,
            place < itself if earlier else place > itself,
        )
        .order_by(*(column.desc() if earlier else column.asc() for column in NEWEST_FIRST))
        .limit(most)
    )
    return select(nearest.subquery().c.id)
