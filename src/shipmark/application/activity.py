"""How services and repositories are doing: when each was deployed last, and what is on its way."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from shipmark.application import report
from shipmark.application.activity_queries import Activity, Standing
from shipmark.application.forge_ports import ForgeImport
from shipmark.application.metric_queries import Selection
from shipmark.application.queries import (
    DeploymentFilter,
    DeploymentRow,
    Page,
    PullRow,
    ReadTransaction,
)
from shipmark.domain.errors import UnknownMethod
from shipmark.domain.incidents import is_production
from shipmark.domain.model import Repository, Service

RECENTLY = timedelta(days=30)
DRAWN = 200
"""The newest deployments, which are drawn on an axis of time."""

MOST_PLACES = 100
"""Environments that are told of: those of production, and of the others the last deployed to."""

ON_THE_WAY = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRow:
    """A service, its last deployment, and how many it had of late."""

    service: Service
    last: DeploymentRow | None
    deployments: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryRow:
    """The same of a repository, with the state of its import from a forge."""

    repository: Repository
    last: DeploymentRow | None
    deployments: int
    failed: int
    forge_import: ForgeImport | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An environment, with the newest deployment to it and the newest that succeeded."""

    environment: str
    last: DeploymentRow
    live: DeploymentRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The environments of something, the last deployed to first; whether there are more."""

    shown: Sequence[Place]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is in one environment of a service and not in another, the oldest first."""

    ahead: str
    behind: str
    pulls: Sequence[PullRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """What stands on a service's page. ``deployments`` are its newest, of all environments."""

    service: Service
    deployments: Sequence[DeploymentRow]
    places: Places
    comparison: Comparison | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryView:
    """What stands on a repository's page."""

    repository: Repository
    deployments: Sequence[DeploymentRow]
    places: Places
    forge_import: ForgeImport | None


def services(tx: ReadTransaction, page: Page) -> list[ServiceRow]:
    """Services by identifier, each with what became of it of late."""
    found = report.services(tx, page)
    active = tx.activities.of_services([one.id for one in found], tx.now - RECENTLY)
    last = _last_of(tx, active.values())
    return [
        ServiceRow(
            service=one,
            last=last.get(active[one.id].last_id or 0),
            deployments=active[one.id].deployments,
            failed=active[one.id].failed,
        )
        for one in found
    ]


def repositories(tx: ReadTransaction, page: Page) -> list[RepositoryRow]:
    """Repositories by name, each with what became of it of late."""
    found = report.repositories(tx, page)
    ids = [one.id for one in found]
    active = tx.activities.of_repositories(ids, tx.now - RECENTLY)
    last = _last_of(tx, active.values())
    imports = tx.forge_imports.get(ids)
    return [
        RepositoryRow(
            repository=one,
            last=last.get(active[one.id].last_id or 0),
            deployments=active[one.id].deployments,
            failed=active[one.id].failed,
            forge_import=imports.get(one.id),
        )
        for one in found
    ]


def _last_of(tx: ReadTransaction, active: Collection[Activity]) -> dict[int, DeploymentRow]:
    ids = sorted({one.last_id for one in active if one.last_id is not None})
    return {row.deployment.id: row for row in tx.reports.deployments_by_id(ids)}


def service_view(
    tx: ReadTransaction, identifier: str, *, ahead: str | None, behind: str | None
) -> ServiceView:
    """A service with its newest deployments, and two of its environments compared: those that are
    named, or the last deployed to of production and of the others. Raises UnknownMethod."""
    id_ = report.id_of_service(tx, identifier)
    if not id_:
        raise UnknownMethod(f"There is no service '{identifier}'.")
    newest = tx.reports.deployments(DeploymentFilter(service_id=id_), Page(limit=DRAWN))
    places = _places(tx, newest, tx.activities.places_of_service(id_))
    return ServiceView(
        service=tx.services.get({id_})[id_],
        deployments=newest,
        places=places,
        comparison=_comparison(tx, id_, [one.environment for one in places.shown], ahead, behind),
    )


def repository_view(tx: ReadTransaction, name: str) -> RepositoryView:
    """A repository with its newest deployments. Raises RepositoryNotFound."""
    id_ = report.id_of_repository(tx, name)
    newest = tx.reports.deployments(DeploymentFilter(repository_id=id_), Page(limit=DRAWN))
    return RepositoryView(
        repository=tx.repositories.get({id_})[id_],
        deployments=newest,
        places=_places(tx, newest, tx.activities.places_of_repository(id_)),
        forge_import=tx.forge_imports.get([id_]).get(id_),
    )


def _places(
    tx: ReadTransaction, newest: Sequence[DeploymentRow], known: Sequence[Standing]
) -> Places:
    """The environments that are known, and those of the newest deployments. Only what is not
    among these is read."""
    found: dict[str, Standing] = {}
    for one in [*known, *map(_standing, newest)]:
        found[one.environment] = _later(found.get(one.environment, one), one)
    ranked = sorted(
        found.values(), key=lambda one: (is_production(one.environment), one.last), reverse=True
    )
    shown = ranked[:MOST_PLACES]
    rows = {row.deployment.id: row for row in newest}
    ids = {id_ for one in shown for _, id_ in (one.last, one.live or one.last)}
    read = tx.reports.deployments_by_id(sorted(ids - rows.keys()))
    rows |= {row.deployment.id: row for row in read}
    places = [
        Place(
            environment=one.environment,
            last=rows[one.last[1]],
            live=None if one.live is None else rows[one.live[1]],
        )
        for one in shown
    ]
    places.sort(key=lambda one: one.last.deployment.order, reverse=True)
    return Places(shown=places, has_more=len(ranked) > MOST_PLACES)


def _standing(row: DeploymentRow) -> Standing:
    one = row.deployment
    at = one.deployed_at, one.id
    return Standing(one.environment, last=at, live=at if one.success else None)


def _later(one: Standing, other: Standing) -> Standing:
    """Of two standings of an environment, what came last in each respect."""
    lives = [each.live for each in (one, other) if each.live is not None]
    return Standing(one.environment, last=max(one.last, other.last), live=max(lives, default=None))


def _comparison(
    tx: ReadTransaction,
    service_id: int,
    environments: Sequence[str],
    ahead: str | None,
    behind: str | None,
) -> Comparison | None:
    if behind is None:
        behind = next((one for one in environments if is_production(one)), None)
    if ahead is None:
        ahead = next((one for one in environments if one != behind), None)
    if ahead is None or behind is None:
        return None
    ids = tx.metrics.ahead(
        Selection(service_id=service_id), ahead=ahead, behind=behind, limit=ON_THE_WAY
    )
    return Comparison(ahead=ahead, behind=behind, pulls=tx.reports.pulls_by_id(ids))
