"""The examples in the description of the API that Shipmark answers like, in numbers."""

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from tests.server import LiveServer
from tests.shops import Shop

# "The Deployments API supports several paths to attributing deployments to code changes"


@pytest.fixture
def shop(server: LiveServer) -> Shop:
    """1, 2 and 5 merged to main, 3 and 4 to develop, 6 to release."""
    shop = Shop(server)
    shop.merge_all([1, 2, 5])
    shop.merge_all([3, 4], base_ref="develop")
    shop.merge(6, base_ref="release")
    return shop


def test_path_1_all_that_is_not_deployed_of_the_default_branch(shop: Shop) -> None:
    shop.deploy(1.5)
    assert shop.shipped(shop.deploy(9)) == [2, 5]


def test_path_2_the_matching_pull_request_and_all_before_it_on_its_base(shop: Shop) -> None:
    assert shop.shipped(shop.deploy(9, commit_sha=shop.sha(2))) == [1, 2]
    assert shop.shipped(shop.deploy(10, commit_sha=shop.sha(4))) == [3, 4]


def test_path_3_only_what_was_merged_into_the_integration_branch(shop: Shop) -> None:
    shop.deploy(9, commit_sha=shop.sha(2), integration_branch="develop")
    later = shop.deploy(10, commit_sha=shop.sha(5), integration_branch="develop")
    assert shop.shipped(later) == [3, 4]


def test_path_4_the_pull_requests_of_the_shas_that_are_given(shop: Shop) -> None:
    given = [shop.sha(number)[:12] for number in (2, 4, 6)]
    deployed = shop.deploy(9, merge_commit_shas=given, repository=None)
    assert shop.shipped(deployed) == [2, 4, 6]


# "commits A and B are attributed to Deployment 1, and commits C, D, and E to Deployment 2"

A, B, C, D, E = range(1, 6)
MERGED = {A: "2024-02-01", B: "2024-02-28", C: "2024-03-05", D: "2024-04-01", E: "2024-05-31"}


def seconds(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize("path", ["deployed_at", "commit_sha", "integration_branch"])
@pytest.mark.parametrize("order", list(permutations(("1", "2", "commits"))), ids="-".join)
def test_commits_between_two_deployments_are_shipped_by_the_second(
    server: LiveServer, path: str, order: tuple[str, ...]
) -> None:
    shop = Shop(server)
    base = "develop" if path == "integration_branch" else "main"
    deployments = {"1": ("2024-03-01", B), "2": ("2024-06-01", E)}

    def releases() -> list[dict[str, Any]]:
        """For the third path: the pull requests by which develop was merged to main."""
        return [
            shop.item(10 + commit, merged_at=MERGED[commit], base_ref="main") for commit in (B, E)
        ]

    def tell(what: str) -> None:
        if what == "commits":
            commits = [shop.item(one, merged_at=MERGED[one], base_ref=base) for one in MERGED]
            shop.import_pulls(*commits, *(releases() if base == "develop" else []))
            return
        day, commit = deployments[what]
        named = {
            "deployed_at": {},
            "commit_sha": {"commit_sha": shop.sha(commit)},
            "integration_branch": {
                "commit_sha": shop.sha(10 + commit),
                "integration_branch": "develop",
            },
        }[path]
        shop.deploy(deployed_at=seconds(day), reference_id=shop.reference(what), **named)

    for what in order:
        tell(what)
    assert shop.shipped({"reference_id": shop.reference("1")}) == [A, B]
    assert shop.shipped({"reference_id": shop.reference("2")}) == [C, D, E]


# "10 am - merge PR#1 (changes service_a) ... 12:01 - deploy service_a"

DAY = "2024-06-01T"


def monorepo(server: LiveServer) -> Shop:
    shop = Shop(server)
    for number, clock in [(1, "10:00"), (2, "11:00"), (3, "12:00")]:
        shop.merge(number, merged_at=DAY + clock, source_id=str(10**10 + 10 * shop.number + number))
    return shop


def set_services(shop: Shop) -> None:
    for number, service in [(1, "service_a"), (2, "service_b"), (3, "service_a")]:
        shop.server.call(
            "deployments.setPullServices",
            github_pull_id=10**10 + 10 * shop.number + number,
            services=[service],
        )


def deploy_service_a(shop: Shop, **arguments: Any) -> dict[str, Any]:
    return shop.deploy(deployed_at=DAY + "12:01", service="service_a", **arguments)


@pytest.mark.parametrize("by_commit", [True, False])
def test_with_services_set_1_and_3_are_deployed_and_2_is_not(
    server: LiveServer, by_commit: bool
) -> None:
    shop = monorepo(server)
    set_services(shop)
    deployed = deploy_service_a(shop, **({"commit_sha": shop.sha(3)} if by_commit else {}))
    assert shop.shipped(deployed) == [1, 3]
    assert shop.shipping(2) == []
    waiting = server.call("pulls.list", repository=shop.repository, deployed=False)
    assert [pull["number"] for pull in waiting["pull_requests"]] == [2]


def test_without_services_all_three_are_considered_deployed(server: LiveServer) -> None:
    shop = monorepo(server)
    assert shop.shipped(deploy_service_a(shop)) == [1, 2, 3]


def test_services_that_are_set_late_correct_what_was_considered_deployed(
    server: LiveServer,
) -> None:
    shop = monorepo(server)
    deployed = deploy_service_a(shop)
    set_services(shop)
    assert shop.shipped(deployed) == [1, 3]
