"""deployments.setPullServices: which services a pull request changed."""

from typing import Any

import pytest
from tests.server import LiveServer
from tests.shops import Shop


class Monorepo(Shop):
    """A repository of two services, whose pull requests have GitHub's ids."""

    def __init__(self, server: LiveServer) -> None:
        super().__init__(server)
        self.a, self.b = f"{self.service}-a", f"{self.service}-b"

    def github_id(self, number: int) -> int:
        return 1_000_000_000 + 1000 * self.number + number

    def item(self, number: int, /, **facts: Any) -> dict[str, Any]:
        return super().item(number, **{"source_id": str(self.github_id(number))} | facts)

    def assign(self, number: int, services: object, **arguments: Any) -> dict[str, Any]:
        """Assign services by GitHub's id of a pull request."""
        return self.server.call(
            "deployments.setPullServices",
            github_pull_id=self.github_id(number),
            services=services,
            **arguments,
        )

    def services_of(self, number: int) -> list[str]:
        answer = self.server.call("pulls.info", repository=self.repository, number=number)
        services: list[str] = answer["pull_request"]["services"]
        return services


@pytest.fixture
def shop(server: LiveServer) -> Monorepo:
    return Monorepo(server)


def test_it_answers_the_services_the_pull_request_has_now(shop: Monorepo) -> None:
    shop.merge(1)
    assert shop.assign(1, [shop.b]) == {"ok": True, "imported": True, "services": [shop.b]}
    assert shop.assign(1, [shop.a]) == {
        "ok": True,
        "imported": True,
        "services": [shop.a, shop.b],
    }


def test_a_pull_request_is_shipped_by_its_services_alone(shop: Monorepo) -> None:
    shop.merge_all([1, 2, 3])
    for number, service in [(1, shop.a), (2, shop.b), (3, shop.a)]:
        shop.assign(number, [service])
    assert shop.shipped(shop.deploy(4, service=shop.a)) == [1, 3]
    assert shop.shipping(2) == []
    assert shop.shipped(shop.deploy(5, service=shop.b)) == [2]


def test_a_pull_request_of_two_services_is_shipped_by_each(shop: Monorepo) -> None:
    shop.merge(1)
    shop.assign(1, [shop.a, shop.b])
    assert shop.shipped(shop.deploy(2, service=shop.a)) == [1]
    assert shop.shipped(shop.deploy(3, service=shop.b)) == [1]
    assert len(shop.shipping(1)) == 2


def test_without_services_the_first_deployment_of_each_service_ships_it(shop: Monorepo) -> None:
    shop.merge(1)
    for service in (shop.a, shop.b):
        assert shop.shipped(shop.deploy(2, service=service)) == [1]


def test_assigning_after_the_deployment_takes_what_is_not_its_own_from_it(shop: Monorepo) -> None:
    shop.merge_all([1, 2])
    deployed = shop.deploy(3, service=shop.a)
    assert shop.shipped(deployed) == [1, 2]
    shop.assign(2, [shop.b])
    assert shop.shipped(deployed) == [1]
    shop.assign(1, [shop.b])
    attribution = shop.info(deployed["reference_id"])["attribution"]
    assert (attribution["status"], attribution["reason"]) == ("pending", "no_pull_requests_yet")


def test_replace_makes_the_services_these_alone(shop: Monorepo) -> None:
    shop.merge(1)
    shop.assign(1, [shop.a])
    assert shop.assign(1, [shop.b], replace=True)["services"] == [shop.b]
    assert shop.services_of(1) == [shop.b]


@pytest.mark.parametrize("yes", [True, "true", "1"])
def test_replacing_by_none_lets_any_service_ship_it_again(shop: Monorepo, yes: object) -> None:
    shop.merge(1)
    shop.assign(1, [shop.b])
    deployed = shop.deploy(2, service=shop.a)
    assert shop.shipped(deployed) == []
    assert shop.assign(1, [], replace=yes)["services"] == []
    assert shop.shipped(deployed) == [1]


def test_repository_and_number_name_a_pull_request_as_well(shop: Monorepo) -> None:
    shop.merge(1)
    answer = shop.server.call(
        "deployments.setPullServices",
        repository=shop.repository.upper(),
        pull_number="1",
        services=[shop.a],
    )
    assert answer["imported"] is True
    assert shop.services_of(1) == [shop.a]


# Before the pull request is imported


def test_an_assignment_by_github_id_waits_for_its_pull_request(shop: Monorepo) -> None:
    waiting = shop.assign(1, [shop.b])
    assert waiting == {"ok": True, "imported": False, "services": [shop.b]}
    deployed = shop.deploy(2, service=shop.a)
    shop.merge(1)
    assert shop.services_of(1) == [shop.b]
    assert shop.shipped(deployed) == []


def test_an_assignment_by_number_waits_for_its_pull_request(shop: Monorepo) -> None:
    answer = shop.server.call(
        "deployments.setPullServices",
        repository=shop.repository,
        pull_number=1,
        services=[shop.a],
    )
    assert answer["imported"] is False
    shop.merge(1)
    assert shop.services_of(1) == [shop.a]


def test_what_waits_is_applied_in_the_order_in_which_it_was_sent(shop: Monorepo) -> None:
    shop.assign(1, [shop.a])
    shop.assign(1, [shop.b], replace=True)
    by_number = {"repository": shop.repository, "pull_number": 1}
    shop.server.call("deployments.setPullServices", **by_number, services=[f"{shop.service}-c"])
    shop.merge(1)
    assert shop.services_of(1) == [shop.b, f"{shop.service}-c"]


# Forms of the arguments


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        (["A", "B"], ["A", "B"]),
        (["A and B"], ["A and B"]),
        (["A", "", " ", None, "B"], ["A", "B"]),
        (["A", "A"], ["A"]),
        ([{"identifier": "A", "name": "The A"}, {"name": "B"}, "C"], ["A", "B", "C"]),
        ("[A B]", ["A", "B"]),
        ("A B", ["A", "B"]),
        ("A,B|C", ["A", "B", "C"]),
        ("['A', \"B\"]", ["A", "B"]),
        ('["A and B", "C"]', ["A and B", "C"]),
        ("[A]", ["A"]),
        ("A\nB", ["A", "B"]),
        ({"identifier": "A"}, ["A"]),
    ],
)
def test_services_may_be_an_array_or_one_text(
    shop: Monorepo, sent: object, names: list[str]
) -> None:
    shop.merge(1)
    assert shop.assign(1, sent)["services"] == names
    assert shop.services_of(1) == names


@pytest.mark.parametrize("sent", [[], [""], "", "[]", "[ ]", ["  "], None])
def test_services_are_required(shop: Monorepo, sent: object) -> None:
    refusal = shop.server.refusal(
        "deployments.setPullServices", github_pull_id=shop.github_id(1), services=sent
    )
    assert refusal.what == (422, "required_params_missing", "services")


@pytest.mark.parametrize("sent", [7, True, [7], [["A"]], 1.5])
def test_services_must_be_names(shop: Monorepo, sent: object) -> None:
    refusal = shop.server.refusal(
        "deployments.setPullServices", github_pull_id=shop.github_id(1), services=sent
    )
    assert refusal.what == (422, "invalid_arguments", "services")


@pytest.mark.parametrize("sent", ["abc", 0, -1, 1.5, True, [1], 2**64, "1.0"])
def test_github_pull_id_must_be_a_whole_number(shop: Monorepo, sent: object) -> None:
    refusal = shop.server.refusal(
        "deployments.setPullServices", github_pull_id=sent, services=[shop.a]
    )
    assert refusal.what == (422, "invalid_arguments", "github_pull_id")


@pytest.mark.parametrize("given", [{}, {"repository": "acme/shop"}, {"pull_number": 1}])
def test_it_asks_for_what_names_the_pull_request(shop: Monorepo, given: dict[str, Any]) -> None:
    refusal = shop.server.refusal("deployments.setPullServices", services=[shop.a], **given)
    assert (refusal.status, refusal.error) == (422, "required_params_missing")
    assert refusal.argument not in given


def test_it_says_repo_not_found_where_create_says_repository_not_found(shop: Monorepo) -> None:
    refusal = shop.server.refusal(
        "deployments.setPullServices", repository="acme/typo", pull_number=1, services=[shop.a]
    )
    assert refusal.what == (422, "repo_not_found", "repository")
    assert "acme/typo" in refusal.message


def test_an_id_that_two_pull_requests_have_is_refused(shop: Monorepo, server: LiveServer) -> None:
    other = Monorepo(server)
    shop.merge(1)
    other.merge(1, source_id=str(shop.github_id(1)))
    refusal = server.refusal(
        "deployments.setPullServices", github_pull_id=shop.github_id(1), services=[shop.a]
    )
    assert refusal.what == (422, "invalid_arguments", "github_pull_id")
