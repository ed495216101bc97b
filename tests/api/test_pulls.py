"""pulls.info, list and explain."""

from typing import Any

import pytest
from tests.api.pages import all_pages
from tests.server import LiveServer
from tests.shops import Shop, when

# Info


def test_info_shows_a_pull_request_with_the_deployments_that_ship_it(shop: Shop) -> None:
    shop.merge(1, created_at=when(0))
    first = shop.deploy(3)
    shop.deploy(4)
    second = shop.deploy(5, environment="staging", commit_sha=shop.sha(1))
    answer = shop.server.call("pulls.info", repository=shop.repository, number=1)
    shipping = {one["reference_id"]: one for one in answer["deployments"]}
    assert shipping.keys() == {first["reference_id"], second["reference_id"]}
    assert shipping[second["reference_id"]] == {
        "id": second["id"],
        "reference_id": second["reference_id"],
        "service": shop.service,
        "environment": "staging",
        "deployed_at": when(5),
        "method": "commit_sha",
        "url": second["url"],
        "merge_to_deploy": 4 * 3600.0,
        "open_to_deploy": 5 * 3600.0,
    }


def test_a_pull_request_is_found_by_number_or_by_the_forges_id(shop: Shop) -> None:
    source_id = f"9{shop.number:09}"
    shop.merge(1, source_id=source_id)
    by_number = shop.server.call("pulls.info", repository=shop.repository.upper(), number="1")
    assert shop.server.call("pulls.info", source_id=source_id) == by_number
    assert shop.server.call("pulls.info", source_id=int(source_id)) == by_number


@pytest.mark.parametrize("method", ["pulls.info", "pulls.explain"])
def test_a_pull_request_nobody_knows_is_not_found(shop: Shop, method: str) -> None:
    absent = shop.server.refusal(method, repository=shop.repository, number=7)
    assert (absent.status, absent.error) == (404, "pull_not_found")
    assert "#7" in absent.message
    assert shop.repository in absent.message
    assert shop.server.refusal(method, source_id="nobody's").error == "pull_not_found"
    typo = shop.server.refusal(method, repository="acme/typo", number=7)
    assert typo.what == (422, "repository_not_found", "repository")


@pytest.mark.parametrize(
    ("which", "argument"),
    [({}, "repository"), ({"number": 1}, "repository"), ({"repository": "acme/x"}, "number")],
)
def test_info_asks_for_what_names_the_pull_request(
    server: LiveServer, which: dict[str, Any], argument: str
) -> None:
    refusal = server.refusal("pulls.info", **which)
    assert refusal.what == (422, "required_params_missing", argument)


# List


@pytest.fixture
def many(shop: Shop) -> Shop:
    """1 to 6 merged, two of them at once, one to another branch; 7 is open."""
    shop.import_pulls(
        *(shop.item(number, author="ada") for number in (1, 2, 3)),
        shop.item(4, base_ref="develop"),
        shop.item(5, merged_at=when(6)),
        shop.item(6),
        shop.item(7, merged_at=None, merge_commit_sha=None),
    )
    return shop


def listed(shop: Shop, **filters: Any) -> list[int]:
    answer = shop.server.call("pulls.list", repository=shop.repository, **filters)
    return [pull["number"] for pull in answer["pull_requests"]]


def test_list_answers_the_last_merged_first_and_those_not_merged_last(many: Shop) -> None:
    assert listed(many) == [6, 5, 4, 3, 2, 1, 7]


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({"base_ref": "develop"}, [4]),
        ({"base_ref": "refs/heads/develop"}, [4]),
        ({"author": "ada"}, [3, 2, 1]),
        ({"merged": True}, [6, 5, 4, 3, 2, 1]),
        ({"merged": "false"}, [7]),
        ({"since": when(6)}, [6, 5]),
        ({"until": when(3)}, [2, 1]),
        ({"since": when(2), "until": when(4)}, [3, 2]),
        ({"limit": 1}, [6]),
    ],
)
def test_list_filters(many: Shop, filters: dict[str, Any], numbers: list[int]) -> None:
    assert listed(many, **filters) == numbers


def test_list_pages_without_missing_or_repeating_any(many: Shop) -> None:
    pages = all_pages(many.server, "pulls.list", repository=many.repository, limit=2)
    found = [[pull["number"] for pull in page["pull_requests"]] for page in pages]
    assert found == [[6, 5], [4, 3], [2, 1], [7]]


def test_list_shows_what_is_merged_and_not_yet_deployed(many: Shop) -> None:
    assert listed(many, deployed=False) == [6, 5, 4, 3, 2, 1]
    many.deploy(3)
    assert listed(many, deployed=False) == [6, 5, 4]
    assert listed(many, deployed="true") == [3, 2, 1]
    assert listed(many, deployed=False, environment="staging") == [6, 5, 4, 3, 2, 1]
    many.deploy(7, merge_commit_shas=[many.sha(6)])
    assert listed(many, deployed=False) == [5, 4]
    many.deploy(8, success=False)
    assert listed(many, deployed=False) == [5, 4]


def test_what_is_not_deployed_can_be_asked_of_one_service(many: Shop) -> None:
    other = f"{many.service}-b"
    many.server.call(
        "deployments.setPullServices",
        repository=many.repository,
        pull_number=2,
        services=[other],
    )
    many.deploy(9, commit_sha=many.sha(3))
    # 4 was merged to a branch that the service is not deployed from; the other is from none yet.
    assert listed(many, deployed=False, service=many.service) == [6, 5]
    assert listed(many, deployed=False, service=many.service, environment="staging") == []
    assert listed(many, deployed=False, service=other) == [2]
    assert listed(many, deployed=False) == [6, 5, 4, 2]
    assert listed(many, service=other) == [2]
    many.deploy(9, commit_sha=many.sha(1), service=other)
    assert listed(many, deployed=False, service=other) == [6, 5, 3, 2]


def test_what_is_not_deployed_comes_in_pages_too(many: Shop) -> None:
    many.deploy(3)
    pages = all_pages(
        many.server, "pulls.list", repository=many.repository, deployed=False, limit=2
    )
    found = [[pull["number"] for pull in page["pull_requests"]] for page in pages]
    assert found == [[6, 5], [4]]


def test_a_list_shows_what_info_shows(many: Shop) -> None:
    answer = many.server.call("pulls.list", repository=many.repository)
    for pull in answer["pull_requests"]:
        info = many.server.call("pulls.info", repository=many.repository, number=pull["number"])
        assert info["pull_request"] == pull


@pytest.mark.parametrize("filters", [{"deployed": "maybe"}, {"limit": 0}, {"cursor": "x"}])
def test_list_refuses_filters_that_mean_nothing(
    server: LiveServer, filters: dict[str, Any]
) -> None:
    (argument,) = filters
    assert server.refusal("pulls.list", **filters).what == (422, "invalid_arguments", argument)


# Explain


def explained(shop: Shop, number: int) -> dict[str, Any]:
    answer = shop.server.call("pulls.explain", repository=shop.repository, number=number)
    assert answer["pull_request"]["number"] == number
    explanation: dict[str, Any] = answer["explanation"]
    return explanation


def test_explain_says_of_each_service_and_environment_what_ships_it_or_why_not(
    shop: Shop,
) -> None:
    other = f"{shop.service}-b"
    shop.merge_all([1, 2])
    shop.server.call(
        "deployments.setPullServices",
        repository=shop.repository,
        pull_number=2,
        services=[shop.service],
    )
    shop.deploy(3, reference_id=shop.reference("x"))
    shop.deploy(4, service=other)
    shop.deploy(5, environment="staging", commit_sha=shop.sha(1))
    targets = {
        (one["service"], one["environment"]): (one["shipped_by"], one["reason"])
        for one in explained(shop, 2)["targets"]
    }
    assert targets == {
        (shop.service, "production"): (shop.reference("x"), None),
        (shop.service, "staging"): (None, "not_deployed_yet"),
        (other, "production"): (None, "assigned_to_other_services"),
    }


def test_explain_says_that_a_pull_request_is_not_merged(shop: Shop) -> None:
    shop.merge(1, merged_at=None, merge_commit_sha=None)
    explanation = explained(shop, 1)
    assert explanation["merged"] is False
    assert explanation["words"] == ["#1 is not merged, so no deployment can ship it."]


def test_explain_says_that_nothing_was_deployed_yet(shop: Shop) -> None:
    shop.merge(1)
    assert "Nothing was deployed from main" in explained(shop, 1)["words"][-1]


def test_a_place_of_which_all_deployments_are_gone_has_never_been(shop: Shop) -> None:
    shop.merge(1)
    shop.deploy(2, reference_id=shop.reference("right"))
    shop.deploy(2, reference_id=shop.reference("typo"), environment="prodution")
    shop.deploy(2, reference_id=shop.reference("moved"), environment="staging")
    places = {one["environment"] for one in explained(shop, 1)["targets"]}
    assert places == {"production", "prodution", "staging"}
    shop.server.call("deployments.delete", reference_id=shop.reference("typo"))
    shop.server.call(
        "deployments.update", reference_id=shop.reference("moved"), environment="production"
    )
    places = {one["environment"] for one in explained(shop, 1)["targets"]}
    assert places == {"production"}
