"""What the definition says in sentences, one by one, as a client would meet it."""

from typing import Any

import pytest
from tests.builders import REPOSITORY, Clock, a_deployment, a_pull_request, at, sha
from tests.engine.both import EVERYTHING, POLICY

from shipmark.application import change
from shipmark.application.change import Patch
from shipmark.application.queries import DeploymentFilter
from shipmark.application.record_pulls import record_pulls
from shipmark.application.register import Registered, answer, register
from shipmark.application.repositories import record_branch_commits, upsert_repository
from shipmark.application.retry import claim_due, retry_claimed
from shipmark.application.set_services import Assignment, set_services
from shipmark.domain.model import BranchCommit, Reason, Status
from shipmark.storage.database import Database


class Shop:
    """A repository whose default branch is main, told and asked in separate transactions."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.write() as tx:
            stored = upsert_repository(tx, REPOSITORY, {"default_branch": "main"}, policy=POLICY)
        self.repository_id = stored.id

    def merges(self, *numbers: int, **facts: Any) -> None:
        with self.database.write() as tx:
            record_pulls(tx, [a_pull_request(n, **facts) for n in numbers], policy=POLICY)

    def deploys(self, reference: str, hours: float, **values: Any) -> Registered:
        with self.database.write() as tx:
            one = a_deployment(hours, reference_id=reference, **values)
            (result,) = register(tx, [one], policy=POLICY)
        assert isinstance(result, Registered)
        return result

    def assigns(self, *services: str, **key: Any) -> None:
        assignment = Assignment(services=tuple((one, None) for one in services), **key)
        with self.database.write() as tx:
            set_services(tx, assignment, policy=POLICY)

    def changes(self, reference: str, **values: Any) -> None:
        with self.database.write() as tx:
            change.update(tx, Patch(reference_id=reference, values=values), policy=POLICY)

    def forgets(self, reference: str) -> None:
        with self.database.write() as tx:
            change.delete(tx, reference, policy=POLICY)

    def shipped(self) -> dict[str, list[int]]:
        """The numbers of the pull requests that each deployment ships."""
        with self.database.read() as tx:
            return {
                row.deployment.reference_id: [
                    one.pull.number
                    for one in tx.reports.shipped_pulls(row.deployment.id, EVERYTHING)
                ]
                for row in tx.reports.deployments(DeploymentFilter(), EVERYTHING)
            }

    def stands(self, reference: str) -> tuple[Status, Reason | None]:
        with self.database.read() as tx:
            (one,) = tx.deployments.by_reference_ids({reference}).values()
        return one.attribution.status, one.attribution.reason

    def answered(self, reference: str) -> Registered:
        """What a client is told that registers the same deployment again."""
        with self.database.read() as tx:
            return answer(tx, tx.deployments.by_reference_ids({reference}).values())[reference]

    def retries_what_is_due(self) -> int:
        with self.database.write() as tx:
            due = claim_due(tx, limit=100)
        with self.database.write() as tx:
            return retry_claimed(tx, due, policy=POLICY)


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)


ATTRIBUTED = (Status.ATTRIBUTED, None)


# Reach


@pytest.mark.parametrize("told", [("first", "second"), ("second", "first")])
def test_each_deployment_ships_what_came_since_the_one_before(
    shop: Shop, told: tuple[str, str]
) -> None:
    shop.merges(1, 2, 3, 4, 5)
    commits = {"first": sha(2), "second": sha(5)}
    hours = {"first": 2.5, "second": 6}
    for reference in told:
        shop.deploys(reference, hours[reference], commit_sha=commits[reference])
    assert shop.shipped() == {"first": [1, 2], "second": [3, 4, 5]}


def test_a_deployment_at_the_instant_of_a_merge_includes_it(shop: Shop) -> None:
    shop.merges(1, 2, hours=1)
    shop.deploys("now", 1)
    assert shop.shipped() == {"now": [1, 2]}


def test_a_commit_leaves_out_what_was_merged_at_its_instant_with_a_higher_number(
    shop: Shop,
) -> None:
    shop.merges(1, 2, 3, hours=1)
    shop.deploys("second", 2, commit_sha=sha(2))
    assert shop.shipped() == {"second": [1, 2]}


def test_what_is_merged_to_another_branch_is_not_shipped(shop: Shop) -> None:
    shop.merges(1)
    shop.merges(2, base_ref="develop")
    shop.deploys("main", 3)
    shop.deploys("develop", 4, commit_sha=sha(2))
    assert shop.shipped() == {"main": [1], "develop": [2]}


def test_an_integration_branch_is_shipped_without_the_release_itself(shop: Shop) -> None:
    shop.merges(1, 2, 4, base_ref="develop")
    shop.merges(3)
    shop.deploys("release", 5, commit_sha=sha(3), integration_branch="develop")
    assert shop.shipped() == {"release": [1, 2]}


def test_a_pushed_commit_ships_what_was_merged_to_its_branch_by_then(shop: Shop) -> None:
    shop.merges(1, 2, 3)
    shop.deploys("push", 4, commit_sha=sha(9))
    assert shop.stands("push") == (Status.PENDING, Reason.COMMIT_NOT_IMPORTED)
    push = BranchCommit(
        repository_id=shop.repository_id, branch="main", sha=sha(9), committed_at=at(2)
    )
    with shop.database.write() as tx:
        record_branch_commits(tx, [push], policy=POLICY)
    assert shop.shipped() == {"push": [1, 2]}


def test_environments_and_services_do_not_take_from_each_other(shop: Shop) -> None:
    shop.merges(1)
    shop.deploys("staging", 2, environment="staging")
    shop.deploys("production", 3)
    shop.deploys("other", 4, service="shop-web")
    assert shop.shipped() == {"staging": [1], "production": [1], "other": [1]}


def test_a_failed_deployment_uses_nothing_up(shop: Shop) -> None:
    shop.merges(1)
    shop.deploys("failed", 2, success=False)
    shop.deploys("again", 3)
    assert shop.shipped() == {"failed": [], "again": [1]}
    assert shop.stands("failed") == (Status.NONE, Reason.FAILED)


def test_a_redeploy_and_a_rollback_ship_nothing_and_say_so(shop: Shop) -> None:
    shop.merges(1, 2)
    shop.deploys("first", 3, commit_sha=sha(2))
    again = shop.deploys("again", 4, commit_sha=sha(2))
    back = shop.deploys("back", 5, commit_sha=sha(1))
    assert (again.reason, back.reason) == (Reason.REDEPLOY, Reason.ROLLBACK)
    assert shop.shipped() == {"first": [1, 2], "again": [], "back": []}


def test_a_rollback_becomes_the_first_once_what_it_rolled_back_is_gone(shop: Shop) -> None:
    shop.merges(1, 2)
    shop.deploys("gone", 3, commit_sha=sha(2))
    shop.deploys("back", 4, commit_sha=sha(1))
    shop.forgets("gone")
    assert shop.shipped() == {"back": [1]}
    assert shop.stands("back") == ATTRIBUTED


def test_a_correction_gives_back_what_a_deployment_took(shop: Shop) -> None:
    shop.merges(1, 2)
    shop.deploys("early", 3)
    shop.deploys("late", 4)
    assert shop.answered("late").reason is Reason.NO_PULL_REQUESTS_YET
    shop.changes("early", deployed_at=at(5))
    assert shop.shipped() == {"late": [1, 2], "early": []}
    shop.changes("late", success=False)
    assert shop.shipped() == {"late": [], "early": [1, 2]}


# Pull requests that come late, change, or belong to services


def test_a_late_pull_request_falls_into_the_window_that_was_empty(shop: Shop) -> None:
    shop.deploys("empty", 2)
    assert shop.stands("empty") == (Status.PENDING, Reason.NO_PULL_REQUESTS_YET)
    shop.merges(1)
    assert shop.stands("empty") == ATTRIBUTED
    assert shop.shipped() == {"empty": [1]}


def test_a_pull_request_that_moves_away_leaves_its_deployment_waiting(shop: Shop) -> None:
    shop.merges(1)
    shop.deploys("only", 2)
    shop.merges(1, base_ref="develop")
    assert shop.stands("only") == (Status.PENDING, Reason.NO_PULL_REQUESTS_YET)


def test_a_pull_request_of_one_service_is_not_shipped_by_another(shop: Shop) -> None:
    shop.merges(1)
    shop.deploys("api", 2)
    shop.assigns("shop-web", repository=REPOSITORY, number=1)
    assert shop.stands("api") == (Status.PENDING, Reason.NO_PULL_REQUESTS_YET)
    shop.deploys("web", 3, service="shop-web")
    assert shop.shipped() == {"api": [], "web": [1]}


def test_an_assignment_that_waits_for_an_id_takes_effect_when_the_id_is_known(shop: Shop) -> None:
    shop.assigns("shop-web", source_id="4711")
    shop.merges(1)
    shop.deploys("api", 2)
    assert shop.stands("api") == ATTRIBUTED
    shop.merges(1, source_id="4711")
    assert shop.stands("api") == (Status.PENDING, Reason.NO_PULL_REQUESTS_YET)


# Lists


def test_a_list_ships_what_it_names_whatever_its_branch_or_services(shop: Shop) -> None:
    shop.merges(1, 2)
    shop.merges(3, base_ref="develop")
    shop.assigns("shop-web", repository=REPOSITORY, number=2)
    shop.deploys("list", 4, merge_commit_shas=(sha(2), sha(3)[:7]))
    assert shop.shipped() == {"list": [2, 3]}


def test_a_list_told_late_takes_its_pull_requests_from_later_windows(shop: Shop) -> None:
    shop.merges(1)
    shop.deploys("window", 3)
    assert shop.stands("window") == ATTRIBUTED
    shop.deploys("list", 2, merge_commit_shas=(sha(1),))
    assert shop.shipped() == {"list": [1], "window": []}
    assert shop.stands("window") == (Status.PENDING, Reason.NO_PULL_REQUESTS_YET)
    shop.forgets("list")
    assert shop.stands("window") == ATTRIBUTED


def test_a_list_ships_again_what_an_earlier_window_shipped(shop: Shop) -> None:
    shop.merges(1)
    shop.deploys("window", 2)
    shop.deploys("list", 3, merge_commit_shas=(sha(1),))
    assert shop.shipped() == {"window": [1], "list": [1]}


# Waiting


def test_a_short_commit_that_could_be_two_waits_until_one_is_left(shop: Shop) -> None:
    twin = sha(1)[:7].ljust(40, "0")
    shop.merges(1)
    shop.merges(2, merge_commit_sha=twin)
    shop.deploys("short", 3, commit_sha=sha(1)[:7])
    assert shop.stands("short") == (Status.PENDING, Reason.AMBIGUOUS_COMMIT)
    shop.merges(2, merged_at=None)
    assert shop.shipped() == {"short": [1]}


def test_what_waits_in_vain_expires_and_is_attributed_all_the_same_when_its_commit_comes(
    shop: Shop, clock: Clock
) -> None:
    shop.deploys("patient", 2, commit_sha=sha(1))
    clock.advance(days=2.9)
    assert shop.retries_what_is_due() == 0
    assert shop.stands("patient") == (Status.PENDING, Reason.COMMIT_NOT_IMPORTED)
    clock.advance(hours=3)
    assert shop.retries_what_is_due() == 1
    assert shop.stands("patient") == (Status.EXPIRED, Reason.COMMIT_NOT_IMPORTED)
    shop.merges(1)
    assert shop.stands("patient") == ATTRIBUTED


def test_retries_pause_for_a_minute_first_and_then_longer_but_never_for_more_than_an_hour(
    shop: Shop, clock: Clock
) -> None:
    shop.deploys("patient", 2, commit_sha=sha(1))
    pauses = []
    for _ in range(9):
        with shop.database.read() as tx:
            (one,) = tx.deployments.by_reference_ids({"patient"}).values()
        due_at = one.attribution.due_at
        assert due_at is not None
        pauses.append((due_at - clock.now).total_seconds() / 60)
        clock.now = due_at
        shop.retries_what_is_due()
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
