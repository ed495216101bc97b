"""Reads: one question each, answered from one state of the database."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from shipmark.application.explain import explain_deployment, explain_pull
from shipmark.application.explanation import DeploymentExplanation, PullExplanation
from shipmark.application.locate import locate_repositories
from shipmark.application.policy import Policy
from shipmark.application.queries import (
    DeploymentFilter,
    DeploymentRow,
    Page,
    PlacedWindow,
    PullFilter,
    PullRow,
    ReachedCommit,
    ReadTransaction,
)
from shipmark.domain.errors import DeploymentNotFound, InvalidArgument, PullNotFound, ShipmarkError
from shipmark.domain.model import Repository, Service, Status

Filter = TypeVar("Filter", DeploymentFilter, PullFilter)

NOT_REGISTERING = Policy()
"""Reads never make a repository known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A deployment, how many pull requests it ships, a page of them, and a page of the commits
    that it reached."""

    row: DeploymentRow
    shipped: int
    pulls: Sequence[PullRow] = ()
    commits: Sequence[ReachedCommit] = ()


def deployment(
    tx: ReadTransaction, id_: int | None, reference_id: str | None, *, argument: str | None = None
) -> DeploymentRow:
    """The deployment with this id, or this reference_id, which an argument of another name may be.
    Raises DeploymentNotFound."""
    row = tx.reports.deployment(id_=id_, reference_id=reference_id)
    if row is None:
        named = {"id": id_, "reference_id": reference_id}
        which = " and ".join(f"{key} '{one}'" for key, one in named.items() if one is not None)
        raise DeploymentNotFound(
            f"There is no deployment with {which}.",
            argument=argument or ("reference_id" if reference_id is not None else "id"),
        )
    return row


def reported(
    tx: ReadTransaction, rows: Sequence[DeploymentRow], *, roughly: bool = False
) -> list[Reported]:
    """The deployments, each with how many pull requests it ships; roughly is not for the API."""
    shipping = [
        row.deployment for row in rows if row.deployment.attribution.status is Status.ATTRIBUTED
    ]
    shipped = tx.deployments.count_shipped(shipping, roughly=roughly)
    return [Reported(row=row, shipped=shipped.get(row.deployment.id, 0)) for row in rows]


def deployment_with_contents(
    tx: ReadTransaction, id_: int | None, reference_id: str | None, *, pulls: Page, commits: Page
) -> Reported:
    """A deployment with a page of what it ships, and of the commits it reached.

    Raises DeploymentNotFound.
    """
    row = deployment(tx, id_, reference_id)
    placed = tx.reports.placed_windows(row.deployment.id)
    commits_reached = tx.reports.reached_commits(row.deployment.id, commits, placed)
    return replace(with_pulls(tx, row, pulls, placed), commits=commits_reached)


def with_pulls(
    tx: ReadTransaction,
    row: DeploymentRow,
    page: Page,
    placed: Sequence[PlacedWindow],
    *,
    roughly: bool = False,
) -> Reported:
    """A deployment with a page of what it ships by its windows and lists."""
    found = tx.reports.shipped_pulls(row.deployment.id, page, placed)
    if page.after is None and len(found) < page.limit:
        return Reported(row=row, shipped=len(found), pulls=found)
    (counted,) = reported(tx, [row], roughly=roughly)
    return replace(counted, pulls=found)


def explained_deployment(
    tx: ReadTransaction, id_: int | None, reference_id: str | None
) -> tuple[Reported, DeploymentExplanation]:
    """A deployment with its explanation. Raises DeploymentNotFound."""
    (found,) = reported(tx, [deployment(tx, id_, reference_id)])
    around = tx.explanations.around(found.row.deployment, 1)
    return found, explain_deployment(tx, found.row, found.shipped, around)


def deployments(
    tx: ReadTransaction,
    filter_: DeploymentFilter,
    page: Page,
    *,
    service: str | None = None,
    repository: str | None = None,
    rule: str | None = None,
    roughly: bool = False,
) -> list[Reported]:
    """Deployments, newest first. A service or a rule nobody knows has none.

    Raises RepositoryNotFound.
    """
    if rule is not None:
        filter_ = replace(filter_, rule_id=tx.reports.rule_id(rule) or 0)
    filter_ = narrowed(tx, filter_, service=service, repository=repository)
    return reported(tx, tx.reports.deployments(filter_, page), roughly=roughly)


def narrowed(
    tx: ReadTransaction, filter_: Filter, *, service: str | None, repository: str | None
) -> Filter:
    """The filter with the ids of what is named. Raises RepositoryNotFound."""
    if service is not None:
        filter_ = replace(filter_, service_id=id_of_service(tx, service))
    if repository is not None:
        filter_ = replace(filter_, repository_id=id_of_repository(tx, repository))
    return filter_


def id_of_service(tx: ReadTransaction, identifier: str) -> int:
    return tx.services.find([identifier]).get(identifier, 0)


def id_of_repository(tx: ReadTransaction, name: str) -> int:
    return located(tx, name).id


def located(tx: ReadTransaction, name: str) -> Repository:
    """The repository that a name means. Raises RepositoryNotFound."""
    found = locate_repositories(tx, [name], NOT_REGISTERING)[name]
    if isinstance(found, ShipmarkError):
        raise found
    return found


def pulls(
    tx: ReadTransaction,
    filter_: PullFilter,
    page: Page,
    *,
    service: str | None = None,
    repository: str | None = None,
) -> list[PullRow]:
    """Pull requests, last merged first. Raises RepositoryNotFound."""
    filter_ = narrowed(tx, filter_, service=service, repository=repository)
    return tx.reports.pulls(filter_, page)


def pull(
    tx: ReadTransaction, repository: str | None, number: int | None, source_id: str | None
) -> PullRow:
    """A pull request by repository and number, or by the forge's id.

    Raises RepositoryNotFound, PullNotFound, and InvalidArgument for an id that several have.
    """
    repository_id = id_of_repository(tx, repository) if repository is not None else None
    rows = tx.reports.pulls_named(repository_id=repository_id, number=number, source_id=source_id)
    if len(rows) > 1:
        named = ", ".join(f"#{row.pull.number} of {row.repository}" for row in rows)
        raise InvalidArgument(
            f"source_id '{source_id}' is the id of {named}; give repository and number instead.",
            argument="source_id",
        )
    if not rows:
        which = f"#{number} of {repository}" if repository is not None else f"with id {source_id}"
        raise PullNotFound(f"There is no imported pull request {which}.")
    return rows[0]


def pull_with_deployments(
    tx: ReadTransaction, repository: str | None, number: int | None, source_id: str | None
) -> tuple[PullRow, list[DeploymentRow]]:
    """A pull request and the deployments that ship it. Raises as `pull` does."""
    row = pull(tx, repository, number, source_id)
    return row, tx.reports.shipping(row.pull.id)


def explained_pull(
    tx: ReadTransaction, repository: str | None, number: int | None, source_id: str | None
) -> tuple[PullRow, PullExplanation]:
    """A pull request with its explanation. Raises as `pull` does."""
    row = pull(tx, repository, number, source_id)
    return row, explain_pull(tx, row)


def repositories(tx: ReadTransaction, page: Page) -> list[Repository]:
    """Repositories by name."""
    return tx.reports.repositories(page)


def services(tx: ReadTransaction, page: Page) -> Sequence[Service]:
    """Services by identifier."""
    return tx.reports.services(page)
