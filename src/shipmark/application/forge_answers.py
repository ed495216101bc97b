"""Record what a forge answered about one repository."""

from collections.abc import Sequence
from dataclasses import replace

from shipmark.application.facts import BranchPush, Fact, RepositoryFacts
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.record_pulls import PullFacts, record_pulls
from shipmark.application.repositories import record_branch_commits, upsert_repository
from shipmark.domain.errors import ShipmarkError
from shipmark.domain.model import BranchCommit, Repository


def record_answer(
    tx: Transaction, repository: Repository, facts: Sequence[Fact], *, policy: Policy
) -> None:
    """Record facts about a repository. It keeps its name here whatever the forge calls it now.

    Commits count on the default branch and where pull requests are merged to: on a branch of some
    work under way, they would make another branch's commits ambiguous.
    """
    for fact in facts:
        if isinstance(fact, RepositoryFacts):
            told = {**fact.values, "source": fact.source, "source_id": fact.source_id}
            repository = upsert_repository(tx, repository.name, told, policy=policy)
    pulls = [
        replace(fact, repository=repository.name) for fact in facts if isinstance(fact, PullFacts)
    ]
    for result in record_pulls(tx, pulls, policy=policy):
        if isinstance(result, ShipmarkError):
            raise result
    _record_pushes(tx, repository, [one for one in facts if isinstance(one, BranchPush)], policy)


def _record_pushes(
    tx: Transaction, repository: Repository, pushes: Sequence[BranchPush], policy: Policy
) -> None:
    _, bases = tx.repositories.bases_of_pulls({(repository.id, push.branch) for push in pushes})
    commits = [
        BranchCommit(
            repository_id=repository.id,
            branch=push.branch,
            sha=commit.sha,
            committed_at=commit.committed_at,
        )
        for push in pushes
        if push.branch == repository.default_branch or (repository.id, push.branch) in bases
        for commit in push.commits
    ]
    if commits:
        record_branch_commits(tx, commits, policy=policy)
