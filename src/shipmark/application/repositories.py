"""Record repositories and the commits on their branches."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from shipmark.application import attribute
from shipmark.application.facts import RepositoryFacts
from shipmark.application.forge_ports import RepositoryTold
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.received import Kind, Via, receipts
from shipmark.application.set_services import repair_waiting_assignments
from shipmark.domain.errors import InvalidArgument
from shipmark.domain.model import BranchCommit, Repository

REMATCHED_AT_ONCE = 1000
CHANGEABLE = ("name", "default_branch", "source", "source_id", "archived")


def upsert_repository(
    tx: Transaction, name: str, facts: Mapping[str, Any], *, policy: Policy
) -> Repository:
    """Make a repository known or change it; another default branch moves what was attributed.

    ``facts`` are default_branch, source and source_id; what is absent stays. The default branch
    stands until its forge changes it later. Raises InvalidArgument for the id of another one.
    """
    # A bare name may mean another repository by its last part; here only the full name counts.
    known = {one.name.casefold(): one for one in tx.repositories.named({name}).get(name, [])}
    found = known.get(name.casefold()) or tx.repositories.add(name, {})
    _check_id(tx, found, facts)
    said = {"default_branch_set_at": tx.now} if "default_branch" in facts else {}
    return _change(tx, found.id, {"name": name, **facts, **said}, policy)


def _check_id(tx: Transaction, found: Repository, facts: Mapping[str, Any]) -> None:
    source, source_id = (facts.get(key, getattr(found, key)) for key in ("source", "source_id"))
    other = tx.repositories.by_source(source, source_id) if source and source_id else None
    if other is not None and other.id != found.id:
        raise InvalidArgument(
            f"source_id '{source_id}' is the id that {source} has for {other.name}. Leave it out, "
            "or correct it.",
            argument="source_id",
        )


def record_repository(
    tx: Transaction, facts: RepositoryFacts, *, as_of: datetime, policy: Policy
) -> Repository:
    """Record what a forge says of a repository. It is found by the forge's own id for it, so that
    it stays the same one under another name; what is told under a former name is still its own.

    An older message takes back nothing that a newer one told. Of two with one name, which are two
    by their ids, who was told to have it last has it; the other one's name is not known until its
    forge tells it.
    """
    found = _known_as(tx, facts) or _newcomer(tx, facts)
    holder = _holder(tx, facts.name)
    tx.repositories.lock({found.id, (holder or found).id}, exclusive=True)
    before = tx.repositories.get({found.id})[found.id]
    if is_of_another_forge(before, facts):
        # Two forges have one of this name: it stays with the first.
        return before
    told = tx.repositories.told(before.id)
    after, told_now = _heard(before, told, facts, as_of)
    if after.name.casefold() != before.name.casefold() and not _gets_name(tx, after, as_of, policy):
        after = replace(after, name=before.name)
    if after != before:
        changes = {name: getattr(after, name) for name in CHANGEABLE}
        after = _change(tx, before.id, changes, policy)
    former = {before.name, facts.name, facts.former_name or after.name} - {after.name}
    if former or told_now != told:
        tx.repositories.save_told(before.id, told_now, former_names=former)
    return after


def is_of_another_forge(repository: Repository, facts: RepositoryFacts) -> bool:
    """Whether a repository is said to be of another forge than the one that tells of its name."""
    return repository.source is not None and repository.source.strip().lower() != facts.source


def _known_as(tx: Transaction, facts: RepositoryFacts) -> Repository | None:
    """The repository that a forge means."""
    by_id = tx.repositories.by_source(facts.source, facts.source_id)
    if by_id is not None:
        return by_id
    former = facts.former_name
    found = tx.repositories.named({facts.name, former} if former else {facts.name})
    for one in found.get(facts.name, []):
        # Who has another id is another repository, though it has the name, or had it once.
        is_named_so = one.name.casefold() == facts.name.casefold()
        if one.source_id is None or (is_named_so and not _is_told_apart(one, facts)):
            return one
    return next((one for one in found.get(former or "", []) if one.source_id is None), None)


def _is_told_apart(repository: Repository, facts: RepositoryFacts) -> bool:
    """Whether the same forge has another id for it."""
    if repository.source is None or is_of_another_forge(repository, facts):
        return False
    return repository.source_id not in (None, facts.source_id)


def _newcomer(tx: Transaction, facts: RepositoryFacts) -> Repository:
    """A repository that was not known. While another one has its name, it has a stand-in."""
    name = _stand_in(facts.name, facts.source_id) if _holder(tx, facts.name) else facts.name
    return tx.repositories.add(name, {})


def _stand_in(name: str, source_id: str | None) -> str:
    """What a repository is called while another one has its name."""
    return f"{name} ({source_id})"


def _holder(tx: Transaction, name: str) -> Repository | None:
    """Who has this very name now."""
    named = tx.repositories.named({name}).get(name, [])
    return next((one for one in named if one.name.casefold() == name.casefold()), None)


def _heard(
    before: Repository, told: RepositoryTold, facts: RepositoryFacts, as_of: datetime
) -> tuple[Repository, RepositoryTold]:
    """The repository after a message, and as of when all of it was told."""
    after = before
    if _is_newer(told.named_as_of, as_of, before.name, facts.name):
        after = replace(after, name=facts.name, source=facts.source, source_id=facts.source_id)
        told = replace(told, named_as_of=as_of)
    branch = facts.values.get("default_branch")
    if branch and _is_newer(told.default_branch_as_of, as_of, told.forge_default_branch, branch):
        set_at = told.default_branch_set_at
        # What it said before is no news: a client may have said another since, and meant it.
        if branch != told.forge_default_branch and (set_at is None or as_of >= set_at):
            after = replace(after, default_branch=branch)
        told = replace(told, default_branch_as_of=as_of, forge_default_branch=branch)
    archived = facts.archived
    if archived is not None and _is_newer(told.archived_as_of, as_of, before.archived, archived):
        after = replace(after, archived=archived)
        told = replace(told, archived_as_of=as_of)
    return after, told


def _gets_name(tx: Transaction, wanting: Repository, as_of: datetime, policy: Policy) -> bool:
    """Whether it can have the name that it is said to have, if need be from who had it before."""
    holder = _holder(tx, wanting.name)
    if holder is None or holder.id == wanting.id:
        return True
    if holder.source_id is None or (holder.source or "").strip().lower() != wanting.source:
        return False
    told = tx.repositories.told(holder.id)
    if not _is_newer(told.named_as_of, as_of, holder.source_id, wanting.source_id):
        return False
    stand_in = _stand_in(holder.name, holder.source_id)
    _change(tx, holder.id, {"name": stand_in}, policy)
    tx.repositories.save_told(holder.id, told, former_names={holder.name})
    return True


def _is_newer(stored_as_of: datetime | None, as_of: datetime, stored: Any, value: Any) -> bool:
    """Whether a value stands over what is stored; of two as of one instant, the greater does."""
    return stored_as_of is None or (as_of, str(value)) >= (stored_as_of, str(stored or ""))


def _change(
    tx: Transaction, repository_id: int, facts: Mapping[str, Any], policy: Policy
) -> Repository:
    # Someone else may have added or changed it since it was looked for.
    tx.repositories.lock({repository_id}, exclusive=True)
    before = tx.repositories.get({repository_id})[repository_id]
    tx.repositories.update(before.id, facts)
    after = tx.repositories.get({before.id})[before.id]
    if after.source != before.source:
        # Whether GitHub's ids may be meant by those of its pull requests depends on it.
        repair_waiting_assignments(tx, limit=REMATCHED_AT_ONCE, policy=policy)
    if after.default_branch != before.default_branch:
        _rematch_all(tx, before, after, policy)
    return after


def _rematch_all(tx: Transaction, before: Repository, after: Repository, policy: Policy) -> None:
    """Attribute anew what depends on which branch is the default one: whatever names no commit,
    or one that was pushed to either branch."""
    branches = {one.default_branch for one in (before, after)} - {None}
    pushed = tx.commits.deployed_from({(after.id, branch) for branch in branches if branch})
    deployments = sorted({*tx.deployments.by_time_alone(after.id), *pushed})
    for start in range(0, len(deployments), REMATCHED_AT_ONCE):
        chunk = deployments[start : start + REMATCHED_AT_ONCE]
        attribute.settle(tx, attribute.rematch(tx, chunk), policy)


def record_branch_commits(
    tx: Transaction, commits: Sequence[BranchCommit], *, policy: Policy, via: Via = Via.CLIENT
) -> int:
    """Record commits that stand on branches and wake who names them; how many were news."""
    ids = {commit.repository_id for commit in commits}
    tx.repositories.lock(ids, exclusive=True)
    tx.received.note(receipts(((id_, Kind.PUSHES) for id_ in ids), via=via, at=tx.now))
    news = tx.commits.add_to_branches(commits)
    named = tx.deployments.naming({(commit.repository_id, commit.sha) for commit in news})
    attribute.settle(tx, attribute.rematch(tx, named), policy)
    return len(news)
