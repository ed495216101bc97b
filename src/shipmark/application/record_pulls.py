"""Record pull requests: facts in, a result for each out, and whoever waited for them is woken."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from shipmark.application import attribute
from shipmark.application.attribute import Touched
from shipmark.application.locate import locate_repositories
from shipmark.application.policy import Policy
from shipmark.application.ports import ServiceAssignment, Transaction
from shipmark.domain.errors import ShipmarkError
from shipmark.domain.model import Position, PullRequest


class Change(StrEnum):
    """What importing one item did."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullFacts:
    """What one import says of a pull request.

    ``values`` are facts by the field of `PullRequest` they belong to; what is absent stays as it
    is stored. ``base_ref`` is always among them. Where ``only_unknown``, they only fill in what is
    not known yet: a history read from git takes nothing back that a forge has told. ``as_of`` is
    when a forge last changed the pull request, by which an older message is told from a newer one.
    """

    repository: str
    number: int
    values: Mapping[str, Any] = field(default_factory=dict)
    only_unknown: bool = False
    as_of: datetime | None = None

    def news(self, known: PullRequest) -> dict[str, Any]:
        """The facts to be stored over those of a pull request that is known."""
        if not self.only_unknown:
            return dict(self.values)
        return {name: value for name, value in self.values.items() if not getattr(known, name)}


Result = Change | ShipmarkError
Key = tuple[int, int]


def record_pulls(tx: Transaction, items: Sequence[PullFacts], *, policy: Policy) -> list[Result]:
    """Upsert pull requests by repository and number, then attribute what they change.

    An item that is refused fails alone. Several items for one pull request apply in turn.
    """
    repositories = locate_repositories(tx, {item.repository for item in items}, policy)
    ids = {
        name: located.id
        for name, located in repositories.items()
        if not isinstance(located, ShipmarkError)
    }
    tx.repositories.lock(set(ids.values()), exclusive=True)
    keys = {(ids[item.repository], item.number) for item in items if item.repository in ids}
    before = tx.pulls.by_number(keys)
    after: dict[Key, PullRequest] = {}
    results: list[Result] = []
    for item in items:
        located = repositories[item.repository]
        if isinstance(located, ShipmarkError):
            results.append(located)
        else:
            results.append(_apply(item, located.id, before, after))
    _save(tx, before, after, policy)
    return results


def _apply(
    item: PullFacts,
    repository_id: int,
    before: Mapping[Key, PullRequest],
    after: dict[Key, PullRequest],
) -> Change:
    key = (repository_id, item.number)
    known = after.get(key) or before.get(key)
    if known is None:
        after[key] = PullRequest(
            id=0, repository_id=repository_id, number=item.number, **item.values
        )
        return Change.CREATED
    updated = replace(known, **item.news(known))
    if updated == known:
        return Change.UNCHANGED
    after[key] = updated
    return Change.UPDATED


def _save(
    tx: Transaction,
    before: Mapping[Key, PullRequest],
    after: Mapping[Key, PullRequest],
    policy: Policy,
) -> None:
    changed = {key: pull for key, pull in after.items() if pull != before.get(key)}
    if not changed:
        return
    moved = {key for key, pull in changed.items() if _matters(before.get(key), pull)}
    # Whoever shipped a pull request that moves away may be left with none: they look again.
    touched = Touched(deployments=holders(tx, (before[key].id for key in moved if key in before)))
    ids = tx.pulls.save(list(changed.values()))
    saved = {key: replace(pull, id=ids[key]) for key, pull in changed.items()}
    assigned = apply_waiting_assignments(tx, saved.values())
    moved |= {key for key, pull in saved.items() if pull.id in assigned and key in before}
    touched.deployments |= holders(tx, assigned)
    wake(tx, [(before.get(key), saved[key]) for key in moved], touched, policy)


def _matters(before: PullRequest | None, after: PullRequest) -> bool:
    """Whether attribution can come out differently."""
    if before is None:
        return True
    return (before.position, before.base_ref, before.shas, before.merge_commit_sha) != (
        after.position,
        after.base_ref,
        after.shas,
        after.merge_commit_sha,
    )


def holders(tx: Transaction, pull_ids: Iterable[int]) -> set[int]:
    """The deployments in whose windows these pull requests lie, in every lane of their branch."""
    return {deployment for _, _, deployment in tx.windows.covering(set(pull_ids))}


def wake(
    tx: Transaction,
    changes: Collection[tuple[PullRequest | None, PullRequest]],
    touched: Touched,
    policy: Policy,
) -> None:
    """Attribute anew what names a commit of these pull requests, or has waited for any at all."""
    commits = {
        (pull.repository_id, sha)
        for change in changes
        for pull in change
        if pull is not None
        for sha in pull.shas
    }
    woken = attribute.rematch(tx, tx.deployments.naming(commits))
    touched.deployments |= woken.deployments
    touched.waits_for |= woken.waits_for
    look_again(tx, [pull for _, pull in changes], touched, policy)


def look_again(
    tx: Transaction, pulls: Iterable[PullRequest], touched: Touched, policy: Policy
) -> None:
    """Settle what was touched, and the empty windows in which these pull requests may lie."""
    positions: dict[tuple[int, str], list[Position]] = defaultdict(list)
    for pull in pulls:
        if pull.position is not None:
            positions[pull.repository_id, pull.base_ref].append(pull.position)
    touched.deployments |= tx.windows.waiting_for(positions)
    attribute.settle(tx, touched, policy)


def apply_waiting_assignments(tx: Transaction, pulls: Collection[PullRequest]) -> set[int]:
    """Give pull requests the services assigned to them before they came; which got any."""
    claimed = tx.pulls.claim_assignments(pulls)
    apply_assignments(tx, claimed)
    return claimed


def apply_assignments(tx: Transaction, pull_ids: Collection[int]) -> None:
    """Make the services of pull requests what all their assignments, in order, come to."""
    if pull_ids:
        assignments = tx.pulls.assignments_of(pull_ids)
        tx.pulls.set_services({one: assigned(assignments[one]) for one in pull_ids})


def assigned(assignments: Iterable[ServiceAssignment]) -> set[int]:
    """The services after assignments in the order in which they were made."""
    services: set[int] = set()
    for assignment in assignments:
        kept = set() if assignment.replace else services
        services = kept | set(assignment.services)
    return services
