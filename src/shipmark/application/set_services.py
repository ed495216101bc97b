"""Assign services to pull requests, imported already or not."""

from dataclasses import dataclass

from shipmark.application.assignment_ports import ServiceAssignment
from shipmark.application.attribute import Touched
from shipmark.application.locate import locate_repositories
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.record_pulls import (
    apply_assignments,
    apply_waiting_assignments,
    holders,
    look_again,
)
from shipmark.domain.errors import InvalidArgument, RepoNotFound, ShipmarkError
from shipmark.domain.model import PullRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Services (identifier, display name if given apart) for one pull request.

    The pull request is named by the forge's own id, or by repository and number. ``replace``
    makes the set become this one; otherwise it is added to.
    """

    services: tuple[tuple[str, str | None], ...]
    source_id: str | None = None
    repository: str | None = None
    number: int | None = None
    replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """The pull request, None while it is not imported, and the services it has now.

    For one that is not imported these are the services that were sent.
    """

    pull: PullRequest | None
    services: tuple[str, ...]


def set_services(tx: Transaction, assignment: Assignment, *, policy: Policy) -> Assigned:
    """Assign services now, or leave the assignment waiting for the pull request.

    Raises RepoNotFound, and InvalidArgument for a forge's id that several pull requests have.
    """
    repository_id = _repository_id(tx, assignment, policy)
    pull = _find(tx, assignment, repository_id)
    service_ids = tx.services.find_or_add(dict(assignment.services)).values()
    tx.assignments.add(
        ServiceAssignment(services=tuple(service_ids), replace=assignment.replace),
        pull_id=pull.id if pull else None,
        source_id=assignment.source_id,
        repository_id=repository_id,
        number=assignment.number,
    )
    if pull is None:
        return Assigned(pull=None, services=tuple(name for name, _ in assignment.services))
    before = tx.assignments.services_of({pull.id}).get(pull.id, set())
    apply_assignments(tx, {pull.id})
    after = tx.assignments.services_of({pull.id}).get(pull.id, set())
    if after != before:
        look_again(tx, [pull], Touched(deployments=holders(tx, {pull.id})), policy)
    names = sorted(service.identifier for service in tx.services.get(after).values())
    return Assigned(pull=pull, services=tuple(names))


def _repository_id(tx: Transaction, assignment: Assignment, policy: Policy) -> int | None:
    if assignment.repository is None:
        return None
    located = locate_repositories(tx, {assignment.repository}, policy)[assignment.repository]
    if isinstance(located, ShipmarkError):
        raise RepoNotFound(located.message, argument="repository")
    tx.repositories.lock({located.id}, exclusive=True)
    return located.id


def _find(tx: Transaction, assignment: Assignment, repository_id: int | None) -> PullRequest | None:
    if repository_id is not None and assignment.number is not None:
        return tx.pulls.by_number({(repository_id, assignment.number)}).get(
            (repository_id, assignment.number)
        )
    found = tx.pulls.by_source_id(assignment.source_id or "")
    if len(found) > 1:
        raise InvalidArgument(
            f"github_pull_id {assignment.source_id} is the id of {len(found)} imported pull "
            "requests; give repository and pull_number instead.",
            argument="github_pull_id",
        )
    if found:
        tx.repositories.lock({found[0].repository_id}, exclusive=True)
    return found[0] if found else None


def repair_waiting_assignments(tx: Transaction, *, limit: int, policy: Policy) -> int:
    """Apply assignments that were stored at the very moment their pull request was imported."""
    pulls = tx.pulls.get(tx.assignments.still_waiting(limit))
    if pulls:
        tx.repositories.lock({pull.repository_id for pull in pulls}, exclusive=True)
        touched = Touched(deployments=holders(tx, apply_waiting_assignments(tx, pulls)))
        look_again(tx, pulls, touched, policy)
    return len(pulls)
