"""The commits that deployments reached, of trunks that forges tell of in any order."""

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.builders import REPOSITORY, a_deployment, a_pull_request, at, sha
from tests.engine.both import EVERYTHING, POLICY

from shipmark.application.explain import explain_deployment
from shipmark.application.facts import BranchPush, PushedCommit
from shipmark.application.record_facts import record_facts
from shipmark.application.record_pulls import record_pulls
from shipmark.application.register import register
from shipmark.application.repositories import record_branch_commits, upsert_repository
from shipmark.domain.model import BranchCommit
from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction

TRUNKS = st.lists(st.integers(0, 12), min_size=1, max_size=12)
"""For each commit, how many hours after noon it was made: many at one instant."""


def a_push(numbers: Sequence[int], hours: Sequence[float], branch: str = "main") -> BranchPush:
    commits = [
        PushedCommit(sha=sha(n), committed_at=at(h)) for n, h in zip(numbers, hours, strict=True)
    ]
    return BranchPush(repository=REPOSITORY, branch=branch, commits=tuple(commits))


def tell(tx: StorageTransaction, *facts: BranchPush) -> None:
    record_facts(tx, facts, policy=POLICY)


def reached(tx: StorageTransaction, reference_id: str) -> list[str]:
    (one,) = tx.deployments.by_reference_ids({reference_id}).values()
    return [commit.sha for commit in tx.reports.reached_commits(one.id, EVERYTHING)]


@given(hours=TRUNKS, deployed=st.lists(st.integers(0, 11), max_size=5), data=st.data())
def test_each_commit_is_reached_by_the_first_deployment_at_or_after_it(
    database: Database, hours: list[int], deployed: list[int], data: st.DataObject
) -> None:
    """Deployments by commit, in the order of their numbers, whatever is told first."""
    numbers = [one % len(hours) for one in deployed]
    tellings = [("push", n) for n in range(len(hours))] + [
        ("deploy", n) for n in range(len(numbers))
    ]
    with database.trial() as tx:
        upsert_repository(tx, REPOSITORY, {"default_branch": "main"}, policy=POLICY)
        for what, n in data.draw(st.permutations(tellings)):
            if what == "push":
                tell(tx, a_push([n], [hours[n]]))
            else:
                one = a_deployment(20 + n, reference_id=f"d{n}", commit_sha=sha(numbers[n]))
                register(tx, [one], policy=POLICY)
        left = set(range(len(hours)))
        for n, number in enumerate(numbers):
            own = {one for one in left if hours[one] <= hours[number]}
            left -= own
            expected = sorted(own, key=lambda one: (hours[one], sha(one)))
            assert reached(tx, f"d{n}") == [sha(one) for one in expected]


def test_pushes_to_branches_that_do_not_matter_are_reached_once_they_do(
    database: Database,
) -> None:
    with database.trial() as tx:
        upsert_repository(tx, REPOSITORY, {"default_branch": "main"}, policy=POLICY)
        tell(tx, a_push([1], [1]), a_push([2], [2], branch="develop"))
        register(tx, [a_deployment(3, reference_id="d")], policy=POLICY)
        assert reached(tx, "d") == [sha(1)]
        upsert_repository(tx, REPOSITORY, {"default_branch": "develop"}, policy=POLICY)
        assert reached(tx, "d") == [sha(2)]


def test_a_commit_of_a_pull_request_is_reached_when_that_is(database: Database) -> None:
    """It was made before the first deployment, and merged after it."""
    with database.trial() as tx:
        upsert_repository(tx, REPOSITORY, {"default_branch": "main"}, policy=POLICY)
        tell(tx, a_push([11, 5, 3], [1, 5, 2]))
        record_pulls(tx, [a_pull_request(5, commit_shas=frozenset({sha(11)}))], policy=POLICY)
        deployments = [a_deployment(n, reference_id=f"d{n}") for n in (3, 6)]
        register(tx, deployments, policy=POLICY)
        assert reached(tx, "d3") == [sha(3)]
        assert reached(tx, "d6") == [sha(5), sha(11)]
        found = tx.deployments.by_reference_ids({"d6"})["d6"]
        numbers = [one.number for one in tx.reports.reached_commits(found.id, EVERYTHING)]
        assert numbers == [5, 5]


def test_redeploys_rollbacks_and_failures_reach_no_commits(database: Database) -> None:
    with database.trial() as tx:
        upsert_repository(tx, REPOSITORY, {"default_branch": "main"}, policy=POLICY)
        tell(tx, a_push([1, 2], [1, 2]))
        deployments = [
            a_deployment(10, reference_id="all", commit_sha=sha(2)),
            a_deployment(11, reference_id="again", commit_sha=sha(2)),
            a_deployment(12, reference_id="back", commit_sha=sha(1)),
            a_deployment(9, reference_id="failed", commit_sha=sha(2), success=False),
        ]
        register(tx, deployments, policy=POLICY)
        assert reached(tx, "all") == [sha(1), sha(2)]
        assert [reached(tx, one) for one in ("again", "back", "failed")] == [[], [], []]


def test_an_explanation_counts_the_commits_that_came_without_a_pull_request(
    database: Database,
) -> None:
    with database.trial() as tx:
        stored = upsert_repository(tx, REPOSITORY, {"default_branch": "main"}, policy=POLICY)
        told = []
        for start, reference_id in ((0, "few"), (10, "many")):
            numbers = range(start, start + (3 if start == 0 else 1001))
            commits = [
                BranchCommit(
                    repository_id=stored.id,
                    branch="main",
                    sha=sha(n),
                    committed_at=at(start) + timedelta(seconds=n),
                )
                for n in numbers
            ]
            record_branch_commits(tx, commits, policy=POLICY)
            register(tx, [a_deployment(start + 5, reference_id=reference_id)], policy=POLICY)
            row = tx.reports.deployment(reference_id=reference_id)
            assert row is not None
            around = tx.explanations.around(row.deployment, 1)
            told.append(" ".join(explain_deployment(tx, row, 0, around).words))
    assert "It reached 3 commits without a pull request." in told[0]
    assert "It reached more than 1000 commits without a pull request." in told[1]
