"""Record repositories and the commits on their branches."""

from collections.abc import Mapping, Sequence
from typing import Any

from shipmark.application import attribute
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.set_services import repair_waiting_assignments
from shipmark.domain.model import BranchCommit, Repository

REMATCHED_AT_ONCE = 1000


def upsert_repository(
    tx: Transaction, name: str, facts: Mapping[str, Any], *, policy: Policy
) -> Repository:
    """Make a repository known or change it; another default branch moves what was attributed.

    ``facts`` are default_branch, source and source_id; what is absent stays.
    """
    # A bare name may mean another repository by its last part; here only the full name counts.
    known = {one.name.casefold(): one for one in tx.repositories.named({name}).get(name, [])}
    found = known.get(name.casefold()) or tx.repositories.add(name, facts)
    # Someone else may have added or changed it since it was looked for.
    tx.repositories.lock({found.id}, exclusive=True)
    before = tx.repositories.get({found.id})[found.id]
    tx.repositories.update(before.id, {"name": name, **facts})
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
    tx: Transaction, commits: Sequence[BranchCommit], *, policy: Policy
) -> int:
    """Record commits that stand on branches and wake who names them; how many were news."""
    tx.repositories.lock({commit.repository_id for commit in commits}, exclusive=True)
    news = tx.commits.add_to_branches(commits)
    named = tx.deployments.naming({(commit.repository_id, commit.sha) for commit in news})
    attribute.settle(tx, attribute.rematch(tx, named), policy)
    return len(news)
