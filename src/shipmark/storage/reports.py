"""Queries behind lists, pages and explanations. They only read."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Select,
    String,
    and_,
    not_,
    select,
    true,
    tuple_,
    union_all,
)

from shipmark.application.ports import LaneKey, NamedRule
from shipmark.application.queries import (
    DeploymentFilter,
    DeploymentRow,
    LaneRow,
    LeftOutPull,
    Page,
    PathRulesRow,
    PullFilter,
    PullRow,
    ReachedCommit,
)
from shipmark.domain.attribution import Window
from shipmark.domain.model import Deployment, Order, Repository, Service
from shipmark.storage.columns import Instant
from shipmark.storage.deploy_rules import DeployRules
from shipmark.storage.deployments import Deployments
from shipmark.storage.filters import deployment_conditions, pull_conditions
from shipmark.storage.lanes import Lanes
from shipmark.storage.path_rules import PathRuleSets
from shipmark.storage.pulls import Pulls
from shipmark.storage.reached import count_direct, reached_commits
from shipmark.storage.repositories import Repositories
from shipmark.storage.sent_rows import packed, sent_rows
from shipmark.storage.services import Services
from shipmark.storage.shipped import (
    POSITION,
    in_window,
    listing_earlier,
    of_service,
    shipped_by_list,
    shipped_by_window,
    shipped_in_window,
)
from shipmark.storage.statements import sent_row
from shipmark.storage.tables import deployments, lanes, pulls, repositories, services, windows
from shipmark.storage.undeployed import undeployed
from shipmark.storage.windows import ORDER, Windows, window_of

NEWEST_FIRST = (deployments.c.deployed_at, deployments.c.reference_id)
LAST_MERGED_FIRST = (pulls.c.listed_at, pulls.c.id)
MOST_READ = 10_000
"""Pull requests of a window among which those that it does not ship are looked for."""

NEAREST = 500
"""Deployments of a service among which those of one environment are looked for."""


class Reports:
    """Finds the ids by the question asked, and lets each noun's own queries read the rows."""

    def __init__(
        self,
        connection: Connection,
        *,
        deployments: Deployments,
        pulls: Pulls,
        lanes: Lanes,
        windows: Windows,
        repositories: Repositories,
        services: Services,
        deploy_rules: DeployRules,
        path_rules: PathRuleSets,
    ) -> None:
        self._connection = connection
        self._deployments = deployments
        self._pulls = pulls
        self._lanes = lanes
        self._windows = windows
        self._repositories = repositories
        self._services = services
        self._deploy_rules = deploy_rules
        self._path_rules = path_rules

    def deployments(self, filter_: DeploymentFilter, page: Page) -> list[DeploymentRow]:
        query = select(deployments.c.id).where(*deployment_conditions(filter_))
        if page.after is not None:
            query = query.where(tuple_(*NEWEST_FIRST) < sent_row(page.after, like=NEWEST_FIRST))
        query = query.order_by(*(column.desc() for column in NEWEST_FIRST)).limit(page.limit)
        return self.deployments_by_id(list(self._connection.scalars(query)))

    def deployment(
        self, *, id_: int | None = None, reference_id: str | None = None
    ) -> DeploymentRow | None:
        query = select(deployments.c.id)
        if id_ is not None:
            query = query.where(deployments.c.id == id_)
        if reference_id is not None:
            query = query.where(deployments.c.reference_id == reference_id)
        found = self.deployments_by_id(list(self._connection.scalars(query)))
        return found[0] if found else None

    def deployments_by_id(self, ids: Collection[int]) -> list[DeploymentRow]:
        """The deployments of these ids, in the order of the ids."""
        stored = self._deployments.get(ids)
        named = self._services.get({one.service_id for one in stored.values()})
        known = self._repositories.get(
            {one.repository_id for one in stored.values() if one.repository_id is not None}
        )
        rolled_back = self._windows.rolled_back(ids)
        rules = self._deploy_rules.names({one.rule_id for one in stored.values() if one.rule_id})
        return [
            DeploymentRow(
                deployment=stored[id_],
                service=named[stored[id_].service_id],
                repository=known.get(stored[id_].repository_id or 0),
                rolled_back=id_ in rolled_back,
                rule=rules.get(stored[id_].rule_id or 0),
            )
            for id_ in ids
            if id_ in stored
        ]

    def shipped_pulls(self, deployment_id: int, page: Page) -> list[PullRow]:
        position = (pulls.c.id, *POSITION)
        # Each window by its whole key and each part cut to the page: then the index of the history
        # gives the rows in their order, and a baseline of a long history costs what others do.
        parts = [
            shipped_by_window(*position).where(
                windows.c.deployment_id == deployment_id, windows.c.lane_id == window.lane_id
            )
            for window in self._windows.of([deployment_id])
        ]
        parts.append(shipped_by_list(*position).where(deployments.c.id == deployment_id))
        found = union_all(*(select(_page(part, page).subquery()) for part in parts)).subquery()
        query = select(found.c.id).order_by(found.c.merged_at, found.c.number).limit(page.limit)
        return self.pulls_by_id(list(self._connection.scalars(query)))

    def reached_commits(self, deployment_id: int, page: Page) -> list[ReachedCommit]:
        raising = [one for one in self._windows.of([deployment_id]) if one.raises]
        lanes_ = self._lanes.keys({one.lane_id for one in raising})
        found = [
            commit
            for one in raising
            for commit in reached_commits(self._connection, one, lanes_[one.lane_id], page)
        ]
        return sorted(found, key=lambda one: (*one.position, one.sha))[: page.limit]

    def count_direct(self, window: Window, limit: int) -> int:
        if not window.raises:
            return 0
        lane = self._lanes.keys([window.lane_id])[window.lane_id]
        return count_direct(self._connection, window, lane, limit)

    def rule_id(self, name: str) -> int | None:
        return self._deploy_rules.id_of(name)

    def carried_pulls(self, window: Window, lane: LaneKey, page: Page) -> list[PullRow]:
        sent = {
            "asked_window": packed(
                [(*window.order, *window.reached, *window.opened, window.raises)]
            ),
            "asked_lane": packed(
                [(lane.repository_id, lane.branch, lane.service_id, lane.environment)]
            ),
        }
        query = _page(_CARRIED.params(sent), page)
        return self.pulls_by_id(list(self._connection.scalars(query)))

    def left_out(self, window: Window, limit: int) -> list[LeftOutPull]:
        listing = deployments.alias("listing")
        listed_by = (
            select(listing.c.reference_id)
            .where(listing.c.id == listing_earlier().limit(1).scalar_subquery())
            .scalar_subquery()
            .label("listed_by")
        )
        this = [
            windows.c.deployment_id == window.deployment_id,
            windows.c.lane_id == window.lane_id,
        ]
        in_this = windows.join(lanes, lanes.c.id == windows.c.lane_id).join(pulls, in_window())
        last = select(*POSITION).select_from(in_this).where(*this).order_by(*POSITION)
        end = self._connection.execute(last.offset(MOST_READ).limit(1)).one_or_none()
        if end is not None:
            this.append(tuple_(*POSITION) < sent_row(tuple(end), like=POSITION))
        query = (
            select(pulls.c.id, pulls.c.number, pulls.c.title, listed_by)
            .select_from(in_this)
            .where(*this, not_(shipped_in_window()))
            .order_by(*POSITION)
            .limit(limit)
        )
        rows = self._connection.execute(query).all()
        assigned = self._service_names({row.id for row in rows})
        return [
            LeftOutPull(
                number=row.number,
                title=row.title,
                services=assigned.get(row.id, ()),
                listed_by=row.listed_by,
            )
            for row in rows
        ]

    def _service_names(self, pull_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
        assigned = self._pulls.services_of(pull_ids)
        named = self._services.get({one for ids in assigned.values() for one in ids})
        return {
            pull_id: tuple(sorted(named[one].identifier for one in ids))
            for pull_id, ids in assigned.items()
        }

    def mark_before(self, lane_id: int, order: Order) -> Window | None:
        query = (
            select(windows)
            .where(
                windows.c.lane_id == lane_id,
                windows.c.raises.is_(true()),
                tuple_(*ORDER) < sent_row(order, like=ORDER),
            )
            .order_by(windows.c.deployed_at.desc(), windows.c.reference_id.desc())
            .limit(1)
        )
        found = self._connection.execute(query).one_or_none()
        return None if found is None else window_of(found, found.deployment_id)

    def windows_around(self, window: Window, each_side: int) -> list[Window]:
        order = sent_row(window.order, like=ORDER)
        raised = select(windows).where(
            windows.c.lane_id == window.lane_id, windows.c.raises.is_(true())
        )
        before = raised.where(tuple_(*ORDER) < order).order_by(*(one.desc() for one in ORDER))
        after = raised.where(tuple_(*ORDER) > order).order_by(*ORDER)
        found = [
            [
                window_of(row, row.deployment_id)
                for row in self._connection.execute(query.limit(each_side))
            ]
            for query in (before, after)
        ]
        return [*reversed(found[0]), window, *found[1]]

    def deployments_around(self, deployment: Deployment, each_side: int) -> list[int]:
        order = sent_row(deployment.order, like=NEWEST_FIRST)
        of_service = select(deployments.c.id, deployments.c.environment, *NEWEST_FIRST).where(
            deployments.c.service_id == deployment.service_id
        )
        before = of_service.where(tuple_(*NEWEST_FIRST) < order)
        after = of_service.where(tuple_(*NEWEST_FIRST) > order)
        near = (
            after.order_by(*NEWEST_FIRST),
            before.order_by(*(column.desc() for column in NEWEST_FIRST)),
        )
        later, earlier = (
            [
                row.id
                for row in self._connection.execute(query.limit(NEAREST))
                if row.environment == deployment.environment
            ][:each_side]
            for query in near
        )
        return [*reversed(later), deployment.id, *earlier]

    def pulls(self, filter_: PullFilter, page: Page) -> list[PullRow]:
        conditions = pull_conditions(filter_)
        if page.after is not None:
            conditions.append(
                tuple_(*LAST_MERGED_FIRST) < sent_row(page.after, like=LAST_MERGED_FIRST)
            )
        parts = [select(*LAST_MERGED_FIRST)]
        if filter_.deployed is False:
            parts = [*undeployed(filter_)]
        found = union_all(*(part.where(*conditions) for part in parts)).subquery()
        query = select(found.c.id).order_by(found.c.listed_at.desc(), found.c.id.desc())
        return self.pulls_by_id(list(self._connection.scalars(query.limit(page.limit))))

    def pulls_named(
        self, *, repository_id: int | None, number: int | None, source_id: str | None
    ) -> list[PullRow]:
        query = select(pulls.c.id)
        if repository_id is not None:
            query = query.where(pulls.c.repository_id == repository_id, pulls.c.number == number)
        else:
            query = query.where(pulls.c.source_id == source_id)
        return self.pulls_by_id(list(self._connection.scalars(query)))

    def pulls_by_id(self, ids: Collection[int]) -> list[PullRow]:
        """The pull requests of these ids, in the order of the ids."""
        stored = {one.id: one for one in self._pulls.get(ids)}
        known = self._repositories.get({one.repository_id for one in stored.values()})
        assigned = self._service_names(stored.keys())
        return [
            PullRow(
                pull=stored[id_],
                repository=known[stored[id_].repository_id].name,
                services=assigned.get(id_, ()),
            )
            for id_ in ids
            if id_ in stored
        ]

    def shipping(self, pull_id: int) -> list[int]:
        holding = {deployment for _, _, deployment in self._windows.covering({pull_id})}
        by_window = shipped_by_window(windows.c.deployment_id).where(
            windows.c.deployment_id.in_(holding), pulls.c.id == pull_id
        )
        by_list = shipped_by_list(deployments.c.id).where(pulls.c.id == pull_id)
        return sorted({*self._connection.scalars(by_window), *self._connection.scalars(by_list)})

    def lanes_of(self, pull_id: int) -> list[LaneRow]:
        holding = {lane: deployment for _, lane, deployment in self._windows.covering({pull_id})}
        query = (
            select(
                lanes.c.id, services.c.identifier, lanes.c.environment, of_service().label("fits")
            )
            .select_from(pulls)
            .join(
                lanes,
                and_(
                    lanes.c.repository_id == pulls.c.repository_id,
                    lanes.c.branch == pulls.c.base_ref,
                ),
            )
            .join(services, services.c.id == lanes.c.service_id)
            .where(pulls.c.id == pull_id)
            .order_by(services.c.identifier, lanes.c.environment)
        )
        return [
            LaneRow(
                lane_id=row.id,
                service=row.identifier,
                environment=row.environment,
                of_service=bool(row.fits),
                deployment_id=holding.get(row.id),
            )
            for row in self._connection.execute(query)
        ]

    def repositories(self, page: Page) -> list[Repository]:
        query = select(repositories.c.id).order_by(repositories.c.name_key).limit(page.limit)
        if page.after is not None:
            query = query.where(repositories.c.name_key > page.after[0].casefold())
        ids = list(self._connection.scalars(query))
        stored = self._repositories.get(ids)
        return [stored[id_] for id_ in ids]

    def services(self, page: Page) -> Sequence[Service]:
        query = select(services.c.id).order_by(services.c.identifier).limit(page.limit)
        if page.after is not None:
            query = query.where(services.c.identifier > page.after[0])
        ids = list(self._connection.scalars(query))
        stored = self._services.get(ids)
        return [stored[id_] for id_ in ids]

    def deploy_rules(self, page: Page) -> Sequence[NamedRule]:
        return self._deploy_rules.page(page)

    def path_rules(self, page: Page) -> Sequence[PathRulesRow]:
        return self._path_rules.page(page)


def _page(query: Select[Any], page: Page) -> Select[Any]:
    """Pull requests in the order of their branch."""
    if page.after is not None:
        query = query.where(tuple_(*POSITION) > sent_row(page.after, like=POSITION))
    return query.order_by(*POSITION).limit(page.limit)


def _carried() -> Select[Any]:
    """What a window that is sent along would ship in a lane that is sent along."""
    window = sent_rows(
        "asked_window",
        deployed_at=Instant,
        reference_id=String,
        reached_at=Instant,
        reached_number=BigInteger,
        opened_at=Instant,
        opened_number=BigInteger,
        raises=Boolean,
    )
    lane = sent_rows(
        "asked_lane",
        repository_id=BigInteger,
        branch=String,
        service_id=BigInteger,
        environment=String,
    )
    return (
        select(pulls.c.id)
        .select_from(window)
        .join(lane, true())
        .join(pulls, shipped_in_window(window, lane))
    )


_CARRIED = _carried()
