"""Whatever writers do at the same time, the answers follow from the facts that are left."""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import text
from tests.builders import a_deployment, a_pull_request, at, sha
from tests.engine.both import POLICY
from tests.engine.stored_facts import as_stored
from tests.engine.writers import ISOLATIONS, Write, at_once, opened, overlap, with_isolation

from shipmark.application import change
from shipmark.application.drafts import Registration
from shipmark.application.record_pulls import PullFacts, record_pulls
from shipmark.application.register import register
from shipmark.application.repositories import record_branch_commits, upsert_repository
from shipmark.application.retry import retry_claimed
from shipmark.application.set_services import Assignment, set_services
from shipmark.domain.model import BranchCommit
from shipmark.storage.transaction import StorageTransaction


class Place:
    """A repository with deployments of one service, and what may be written about it.

    ``name`` keeps it apart from other places in the same database.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.repository = f"acme/{name}"

    def deploys(self, reference: str, hours: float, **values: Any) -> Write:
        one = self.deployment(reference, hours, **values)
        return lambda tx: register(tx, [one], policy=POLICY)

    def deployment(self, reference: str, hours: float, **values: Any) -> Registration:
        return a_deployment(
            hours,
            reference_id=f"{self.name} {reference}",
            repository=self.repository,
            service=f"api of {self.name}",
            **values,
        )

    def changes(self, reference: str, **values: Any) -> Write:
        patch = change.Patch(reference_id=f"{self.name} {reference}", values=values)
        return lambda tx: change.update(tx, patch, policy=POLICY)

    def deletes(self, reference: str) -> Write:
        return lambda tx: change.delete(tx, f"{self.name} {reference}", policy=POLICY)

    def imports(self, number: int, **facts: Any) -> Write:
        item = self.pull(number, **facts)
        return lambda tx: record_pulls(tx, [item], policy=POLICY)

    def pull(self, number: int, **facts: Any) -> PullFacts:
        return a_pull_request(number, repository=self.repository, **facts)

    def assigns(self, number: int, *services: str) -> Write:
        assignment = Assignment(
            services=tuple((f"{service} of {self.name}", None) for service in services),
            repository=self.repository,
            number=number,
            replace=True,
        )
        return lambda tx: set_services(tx, assignment, policy=POLICY)

    def default_branch(self, branch: str) -> Write:
        facts = {"default_branch": branch}
        return lambda tx: upsert_repository(tx, self.repository, facts, policy=POLICY)

    def pushes(self, number: int, hours: float) -> Write:
        def push(tx: StorageTransaction) -> None:
            (repository,) = tx.repositories.named({self.repository})[self.repository]
            commit = BranchCommit(
                repository_id=repository.id,
                branch="main",
                sha=sha(number),
                committed_at=at(hours),
            )
            record_branch_commits(tx, [commit], policy=POLICY)

        return push

    def retries(self, reference: str) -> Write:
        def retry(tx: StorageTransaction) -> None:
            known = tx.deployments.by_reference_ids({f"{self.name} {reference}"})
            retry_claimed(tx, [one.id for one in known.values()], policy=POLICY)

        return retry


def begin(tx: StorageTransaction, places: Sequence[Place]) -> None:
    """Four pull requests on main and one on develop; a list, two windows, one that waits."""
    for place in places:
        place.default_branch("main")(tx)
    pulls = [place.pull(number) for place in places for number in (1, 2, 3, 4)]
    pulls += [place.pull(5, hours=2.5, base_ref="develop") for place in places]
    record_pulls(tx, pulls, policy=POLICY)
    deployments = [
        deployment
        for place in places
        for deployment in (
            place.deployment("list", 1.5, merge_commit_shas=(sha(1),)),
            place.deployment("time", 2.2),
            place.deployment("commit", 3.5, commit_sha=sha(3)),
            place.deployment("waiting", 6, commit_sha=sha(7)),
        )
    ]
    register(tx, deployments, policy=POLICY)


Kind = Callable[[Place], Write]

KINDS: dict[str, Kind] = {
    "a window in the middle": lambda place: place.deploys("new", 1.2),
    "a window at the end": lambda place: place.deploys("newest", 8),
    "a rollback": lambda place: place.deploys("rollback", 9, commit_sha=sha(2)),
    "a commit to come": lambda place: place.deploys("early", 9, commit_sha=sha(7)),
    "a list": lambda place: place.deploys("listing", 1.8, merge_commit_shas=(sha(2),)),
    "a list to come": lambda place: place.deploys("hoping", 1.8, merge_commit_shas=(sha(7),)),
    "a new lane": lambda place: place.deploys("staged", 1.1, environment="staging"),
    "a list in a new lane": lambda place: place.deploys(
        "staging list", 0.5, environment="staging", merge_commit_shas=(sha(1),)
    ),
    "a window leaves": lambda place: place.deletes("time"),
    "a list leaves": lambda place: place.deletes("list"),
    "a window moves": lambda place: place.changes("time", deployed_at=at(0.5)),
    "a list changes": lambda place: place.changes("list", merge_commit_shas=(sha(2),)),
    "a window fails": lambda place: place.changes("time", success=False),
    "an import": lambda place: place.imports(7, hours=2.1),
    "a pull request moves": lambda place: place.imports(2, base_ref="develop"),
    "a pull request is not merged": lambda place: place.imports(1, merged_at=None),
    "services": lambda place: place.assigns(2, "web"),
    "a push": lambda place: place.pushes(7, 4),
    "another default branch": lambda place: place.default_branch("develop"),
    "the first default branch": lambda place: place.default_branch("main"),
    "a retry": lambda place: place.retries("waiting"),
}


@pytest.mark.parametrize("first", KINDS)
def test_two_writes_that_overlap_are_as_good_as_one_after_the_other(
    postgresql_url: str, first: str
) -> None:
    places = {second: Place(f"{first}, {second}") for second in KINDS}
    with ExitStack() as stack:
        early, late, watching = (stack.enter_context(opened(postgresql_url)) for _ in range(3))
        with early.write() as tx:
            begin(tx, list(places.values()))
        for second, place in places.items():
            overlap(KINDS[first](place), KINDS[second](place), on=(early, late, watching))
        with watching.trial() as tx:
            as_stored(tx).agree()


WRITERS = 4
WRITES = 30


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_many_writers_at_once_leave_what_one_would(postgresql_url: str, isolation: str) -> None:
    url = with_isolation(postgresql_url, isolation)
    places = [Place("shop"), Place("site")]
    with opened(url) as database:
        with database.write() as tx:
            begin(tx, places)
        seed = time.time_ns()
        print("The writers drew from seed", seed)  # noqa: T201 - shown when the test fails
        draw = random.Random(seed)  # noqa: S311 - it only has to be various
        at_once(url, [[any_write(draw, places) for _ in range(WRITES)] for _ in range(WRITERS)])
        with database.trial() as tx:
            both = as_stored(tx)
            both.agree()
            both.agree_in_reports()


def any_write(draw: random.Random, places: Sequence[Place]) -> Write:
    """Something that meets what others do: few references, numbers, commits and branches."""
    place = draw.choice(places)
    reference = f"any {draw.randrange(12)}"
    hours = draw.randrange(20) / 2
    number = draw.randrange(1, 9)
    branch = draw.choice(("main", "main", "develop"))
    commits = tuple(sha(draw.randrange(1, 9)) for _ in range(draw.randrange(1, 3)))
    environment = draw.choice(("production", "production", "staging"))
    return draw.choice(
        (
            place.deploys(reference, hours, environment=environment),
            place.deploys(reference, hours, environment=environment, commit_sha=commits[0]),
            place.deploys(reference, hours, environment=environment, merge_commit_shas=commits),
            place.changes(reference, deployed_at=at(hours), environment=environment),
            place.changes(reference, success=draw.random() < 0.7),
            place.changes(reference, commit_sha=commits[0]),
            place.changes(reference, merge_commit_shas=commits),
            place.deletes(reference),
            place.imports(number, hours=hours, base_ref=branch),
            place.imports(number, merged_at=None, base_ref=branch),
            place.imports(number, merge_commit_sha=commits[0], base_ref=branch),
            place.assigns(number, *draw.sample(("api", "web"), draw.randrange(3))),
            place.pushes(number, hours),
            place.default_branch(branch),
            place.retries(reference),
        )
    )


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_repeatable_read_is_raised_to_serializable(postgresql_url: str, isolation: str) -> None:
    with opened(with_isolation(postgresql_url, isolation)) as database, database.trial() as tx:
        set_to = tx.connection.scalar(text("SHOW transaction_isolation"))
    assert set_to == {"repeatable read": "serializable"}.get(isolation, isolation)
