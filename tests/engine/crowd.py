"""A database with so much in it that whoever reads all of a table is found out."""

from tests.builders import a_deployment, a_pull_request, at, sha
from tests.engine.both import POLICY

from shipmark.application.record_pulls import record_pulls
from shipmark.application.register import register
from shipmark.application.repositories import record_branch_commits, upsert_repository
from shipmark.domain.model import BranchCommit
from shipmark.storage.transaction import StorageTransaction

LONG, SHORT, WIDE = "acme/long", "acme/short", "acme/wide"
LENGTHS = {LONG: 10_000, SHORT: 200}
LANES = 200
AT_ONCE = 500


def fill(tx: StorageTransaction) -> None:
    """A lane of 10,000 windows, one of 200, and a branch with 200 lanes."""
    for repository, length in LENGTHS.items():
        _lengthen(tx, repository, length)
    _widen(tx)


def _lengthen(tx: StorageTransaction, repository: str, length: int) -> None:
    """Each pull request is merged on the hour and deployed half an hour later."""
    stored = upsert_repository(tx, repository, {"default_branch": "main"}, policy=POLICY)
    pushed = [
        BranchCommit(
            repository_id=stored.id, branch="main", sha=sha(300_000 + number), committed_at=at(0)
        )
        for number in range(length)
    ]
    record_branch_commits(tx, pushed, policy=POLICY)
    for start in range(1, length + 1, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, length + 1))
        pulls = [
            a_pull_request(
                number,
                repository=repository,
                head_sha=sha(100_000 + number),
                commit_shas=frozenset({sha(200_000 + number)}),
            )
            for number in numbers
        ]
        record_pulls(tx, pulls, policy=POLICY)
        deployments = [
            a_deployment(number + 0.5, repository=repository, reference_id=f"{repository}#{number}")
            for number in numbers
        ]
        lists = [
            a_deployment(
                number, repository=repository, service="lists", merge_commit_shas=(sha(number),)
            )
            for number in numbers[::10]
        ]
        register(tx, deployments + lists, policy=POLICY)


def _widen(tx: StorageTransaction) -> None:
    upsert_repository(tx, WIDE, {"default_branch": "main"}, policy=POLICY)
    record_pulls(tx, [a_pull_request(1, repository=WIDE)], policy=POLICY)
    deployments = [
        a_deployment(hours, repository=WIDE, service=f"service-{lane}")
        for lane in range(LANES)
        for hours in (1.5, 3)
    ]
    register(tx, deployments, policy=POLICY)


def the_middle_of(repository: str) -> int:
    return LENGTHS[repository] // 2
