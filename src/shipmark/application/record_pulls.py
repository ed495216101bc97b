"""Record pull requests: facts in, a result for each out, and whoever waited for them is woken."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from shipmark.application import attribute
from shipmark.application.assignment_ports import ServiceAssignment
from shipmark.application.attribute import Touched
from shipmark.application.locate import locate_repositories
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.received import Kind, Via, receipts
from shipmark.application.services_by_paths import assign_by_paths
from shipmark.application.told import Told, guess, hear
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
    when a forge last changed the pull request, by which an older message is told from a newer one;
    without it, what comes later counts.
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


def record_pulls(
    tx: Transaction, items: Sequence[PullFacts], *, policy: Policy, via: Via = Via.CLIENT
) -> list[Result]:
    """Upsert pull requests by repository and number, then attribute what they change.

    An item that is refused fails alone. Several items for one pull request apply in turn.
    """
    repositories = locate_repositories(tx, [item.repository for item in items], policy)
    ids = {
        name: located.id
        for name, located in repositories.items()
        if not isinstance(located, ShipmarkError)
    }
    tx.repositories.lock(set(ids.values()), exclusive=True)
    about = ((id_, Kind.PULL_REQUESTS) for id_ in ids.values())
    tx.received.note(receipts(about, via=via, at=tx.now))
    keys = [(ids[item.repository], item.number) for item in items if item.repository in ids]
    before = tx.pulls.by_number(set(keys))
    told = _told(tx, before.values()) if any(item.as_of for item in items) else {}
    after, heard = dict(before), dict(told)
    changes: list[Result] = []
    for item, key in zip((one for one in items if one.repository in ids), keys, strict=True):
        known = after.get(key)
        after[key], heard[key] = _apply(item, key, known, heard.get(key) or Told())
        changes.append(_change(known, after[key]))
    saved = save_pulls(tx, before, after, policy)
    news = {key: one for key, one in heard.items() if one != told.get(key, Told())}
    tx.pulls.save_told({saved.get(key) or before[key].id: one for key, one in news.items()})
    done = iter(changes)
    return [
        located if isinstance(located, ShipmarkError) else next(done)
        for located in (repositories[item.repository] for item in items)
    ]


def _told(tx: Transaction, pulls: Collection[PullRequest]) -> dict[Key, Told]:
    """When forges told what is known of these pull requests."""
    told = tx.pulls.told({pull.id for pull in pulls})
    return {(pull.repository_id, pull.number): told[pull.id] for pull in pulls}


def _apply(
    item: PullFacts, key: Key, known: PullRequest | None, told: Told
) -> tuple[PullRequest, Told]:
    """The pull request after an item, and when all that is known of it was told."""
    pull = known or PullRequest(id=0, repository_id=key[0], number=key[1], base_ref="")
    if item.as_of is None:
        return replace(pull, **item.news(pull)), told
    stored = {name: getattr(pull, name) for name in item.values}
    listen = guess if item.only_unknown else hear
    standing, told = listen(stored, told, item.values, item.as_of)
    return replace(pull, **standing), told


def _change(known: PullRequest | None, updated: PullRequest) -> Change:
    if known is None:
        return Change.CREATED
    return Change.UNCHANGED if updated == known else Change.UPDATED


def save_pulls(
    tx: Transaction,
    before: Mapping[Key, PullRequest],
    after: Mapping[Key, PullRequest],
    policy: Policy,
) -> dict[Key, int]:
    """Store what changed and attribute it; the ids of what was stored."""
    changed = {key: pull for key, pull in after.items() if pull != before.get(key)}
    if not changed:
        return {}
    moved = {key for key, pull in changed.items() if _matters(before.get(key), pull)}
    # Whoever shipped a pull request that moves away may be left with none: they look again.
    touched = Touched(deployments=holders(tx, (before[key].id for key in moved if key in before)))
    merged = _bases(changed.values())
    bases = tx.commits.pushed_aside(merged) if merged else set()
    ids = tx.pulls.save(list(changed.values()))
    saved = {key: replace(pull, id=ids[key]) for key, pull in changed.items()}
    assigned = apply_waiting_assignments(tx, saved.values())
    files = {key: one.files for key, one in before.items()}
    told = [pull for key, pull in saved.items() if pull.files != files.get(key)]
    assigned |= {one.pull.id for one in assign_by_paths(tx, told, policy)}
    moved |= {key for key, pull in saved.items() if pull.id in assigned and key in before}
    touched.deployments |= holders(tx, assigned)
    left = _bases(before[key] for key in moved if key in before) - merged
    bases |= tx.commits.pushed_aside(left) if left else set()
    if bases:
        # What was pushed to them counts from now on, or no more.
        _join(touched, attribute.rematch(tx, sorted(tx.commits.deployed_from(bases))))
    wake(tx, [(before.get(key), saved[key]) for key in moved], touched, policy)
    return ids


def _bases(pulls: Iterable[PullRequest]) -> set[tuple[int, str]]:
    """The branches, by their repositories, that these were merged to."""
    return {(one.repository_id, one.base_ref) for one in pulls if one.merged_at}


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
    _join(touched, woken)
    look_again(tx, [pull for _, pull in changes], touched, policy)


def _join(touched: Touched, woken: Touched) -> None:
    touched.deployments |= woken.deployments
    touched.waits_for |= woken.waits_for


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
    claimed = tx.assignments.claim(pulls)
    apply_assignments(tx, claimed)
    return claimed


def apply_assignments(tx: Transaction, pull_ids: Collection[int]) -> None:
    """Make the services of pull requests what all their assignments, in order, come to."""
    if pull_ids:
        assignments = tx.assignments.of(pull_ids)
        tx.assignments.set_services({one: assigned(assignments[one]) for one in pull_ids})


def assigned(assignments: Iterable[ServiceAssignment]) -> set[int]:
    """The services after assignments in the order in which they were made."""
    services: set[int] = set()
    for assignment in assignments:
        kept = set() if assignment.replace else services
        services = kept | set(assignment.services)
    return services
