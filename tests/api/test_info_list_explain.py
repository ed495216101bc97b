"""deployments.info, list and explain."""

from typing import Any

import pytest
from tests.api.pages import all_pages
from tests.builders import at
from tests.server import LiveServer
from tests.shops import Shop, when

# Info


def test_info_shows_the_deployment_with_its_pull_requests(shop: Shop) -> None:
    shop.merge(1, title="Add a thing", author="ada", created_at=when(0), url="https://x.example/1")
    answer = shop.deploy(3, reference_id=shop.reference("x"))
    found = shop.server.call("deployments.info", id=answer["id"])
    assert found["pull_requests"] == [
        {
            "repository": shop.repository,
            "number": 1,
            "title": "Add a thing",
            "author": "ada",
            "url": "https://x.example/1",
            "base_ref": "main",
            "merge_commit_sha": shop.sha(1),
            "merged_at": when(1),
            "merge_to_deploy": 2 * 3600.0,
            "open_to_deploy": 3 * 3600.0,
        }
    ]
    assert found["next_cursor"] is None
    deployment = found["deployment"]
    assert deployment["id"] == answer["id"]
    assert deployment["url"] == answer["url"]
    attribution = deployment["attribution"]
    assert attribution["attributed_at"].endswith("Z")
    assert attribution["next_attempt_at"] is None


def test_info_takes_either_id(shop: Shop) -> None:
    answer = shop.deploy(reference_id=shop.reference("x"))
    by_id = shop.server.call("deployments.info", id=answer["id"])
    assert shop.server.call("deployments.info", id=str(answer["id"])) == by_id
    assert shop.server.call("deployments.info", reference_id=shop.reference("x")) == by_id


def test_info_pages_its_pull_requests_in_the_order_of_their_merging(shop: Shop) -> None:
    shop.import_pulls(*(shop.item(n, merged_at=when(n // 3)) for n in range(1, 12)))
    answer = shop.deploy(9)
    pages = [
        [pull["number"] for pull in page["pull_requests"]]
        for page in all_pages(
            shop.server, "deployments.info", reference_id=answer["reference_id"], limit=4
        )
    ]
    assert pages == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11]]


@pytest.mark.parametrize("method", ["info", "explain"])
def test_a_deployment_nobody_knows_is_not_found(server: LiveServer, method: str) -> None:
    by_reference = server.refusal(f"deployments.{method}", reference_id="nobody's")
    assert by_reference.what == (404, "deployment_not_found", "reference_id")
    assert "nobody's" in by_reference.message
    assert server.refusal(f"deployments.{method}", id=10**15).what == (
        404,
        "deployment_not_found",
        "id",
    )
    neither = server.refusal(f"deployments.{method}")
    assert neither.what == (422, "required_params_missing", "reference_id")


# List


@pytest.fixture
def many(shop: Shop) -> list[str]:
    """Deployments at the hours 1 to 6, the last two at the same instant; their reference_ids."""
    shop.merge(1)
    references = [shop.reference(number) for number in range(1, 7)]
    others: list[dict[str, Any]] = [
        {"source_name": "argoCD"},
        {"success": False},
        {"environment": "staging"},
        {"commit_sha": shop.sha(99)},
        {"service": f"{shop.service}-b"},
        {"deployed_at": when(5)},
    ]
    for hours, (reference_id, other) in enumerate(zip(references, others, strict=True), start=1):
        shop.deploy(hours, reference_id=reference_id, **other)
    return references


def listed(shop: Shop, **filters: Any) -> list[str]:
    answer = shop.server.call("deployments.list", **{"repository": shop.repository} | filters)
    return [one["reference_id"] for one in answer["deployments"]]


def test_list_answers_newest_first(shop: Shop, many: list[str]) -> None:
    assert listed(shop) == many[::-1]


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({"source_name": "argoCD"}, [1]),
        ({"success": False}, [2]),
        ({"success": "true"}, [6, 5, 4, 3, 1]),
        ({"environment": "staging"}, [3]),
        ({"status": "pending"}, [6, 4]),
        ({"status": "none"}, [2]),
        ({"status": "expired"}, []),
        ({"since": when(5)}, [6, 5]),
        ({"until": when(2)}, [1]),
        ({"since": at(2).timestamp(), "until": int(at(4).timestamp() * 1000)}, [3, 2]),
        ({"service": "nobody's"}, []),
        ({"environment": "staging", "success": False}, []),
        ({"limit": 2}, [6, 5]),
    ],
)
def test_list_filters(
    shop: Shop, many: list[str], filters: dict[str, Any], numbers: list[int]
) -> None:
    assert listed(shop, **filters) == [many[number - 1] for number in numbers]


def test_list_filters_by_service_and_by_repository_in_any_case(shop: Shop, many: list[str]) -> None:
    assert listed(shop, service=f"{shop.service}-b") == [many[4]]
    assert listed(shop, repository=shop.repository.upper()) == many[::-1]


def test_list_pages_without_missing_or_repeating_any(shop: Shop, many: list[str]) -> None:
    pages = all_pages(shop.server, "deployments.list", repository=shop.repository, limit=4)
    found = [[one["reference_id"] for one in page["deployments"]] for page in pages]
    assert found == [many[:1:-1], many[1::-1]]


def test_a_list_shows_what_info_shows(shop: Shop, many: list[str]) -> None:
    for one in shop.server.call("deployments.list", repository=shop.repository)["deployments"]:
        assert one == shop.info(one["reference_id"])


@pytest.mark.parametrize(
    ("filters", "error", "argument"),
    [
        ({"limit": 0}, "invalid_arguments", "limit"),
        ({"limit": 1001}, "invalid_arguments", "limit"),
        ({"limit": "many"}, "invalid_arguments", "limit"),
        ({"cursor": "nonsense"}, "invalid_arguments", "cursor"),
        ({"cursor": "WzEsMl0="}, "invalid_arguments", "cursor"),
        ({"status": "done"}, "invalid_arguments", "status"),
        ({"success": "maybe"}, "invalid_arguments", "success"),
        ({"since": "then"}, "invalid_arguments", "since"),
        ({"repository": "acme/typo"}, "repository_not_found", "repository"),
    ],
)
def test_list_refuses_filters_that_mean_nothing(
    server: LiveServer, filters: dict[str, Any], error: str, argument: str
) -> None:
    refusal = server.refusal("deployments.list", **filters)
    assert refusal.what == (422, error, argument)
    assert str(filters[argument]) in refusal.message


# Explain


def explained(shop: Shop, reference_id: str) -> dict[str, Any]:
    answer = shop.server.call("deployments.explain", reference_id=reference_id)
    assert answer["deployment"] == shop.info(reference_id)
    explanation: dict[str, Any] = answer["explanation"]
    assert explanation["words"]
    return explanation


def test_explain_names_the_match_and_the_window(shop: Shop) -> None:
    shop.merge_all([1, 2])
    first = shop.deploy(1.5, commit_sha=shop.sha(1))
    second = shop.deploy(3, commit_sha=shop.sha(2)[:9])
    explanation = explained(shop, second["reference_id"])
    assert explanation["method"] == "commit_sha"
    assert explanation["matched"] == {
        "rule": "merge_commit",
        "sha": shop.sha(2),
        "repository": shop.repository,
        "branch": "main",
        "at": when(2),
        "pull_request": 2,
    }
    assert explanation["window"] == {
        "repository": shop.repository,
        "branch": "main",
        "opened": {"at": when(1), "number": 1},
        "opened_by": first["reference_id"],
        "reached": {"at": when(2), "number": 2},
        "baseline": False,
    }
    assert explained(shop, first["reference_id"])["window"]["baseline"] is True


def test_explain_names_what_was_left_out_and_why(shop: Shop) -> None:
    shop.merge_all([1, 2, 3])
    shop.server.call(
        "deployments.setPullServices",
        repository=shop.repository,
        pull_number=2,
        services=[f"{shop.service}-b"],
    )
    shop.deploy(3.5, merge_commit_shas=[shop.sha(3)], reference_id=shop.reference("list"))
    deployed = shop.deploy(4)
    left_out = explained(shop, deployed["reference_id"])["left_out"]
    assert [(one["number"], one["reason"]) for one in left_out] == [
        (2, "assigned_to_other_services"),
        (3, "listed_by_earlier_deployment"),
    ]
    assert left_out[0]["services"] == [f"{shop.service}-b"]
    assert left_out[1]["listed_by"] == shop.reference("list")


def test_explain_shows_what_a_failed_deployment_carried(shop: Shop) -> None:
    shop.merge_all([1, 2])
    deployed = shop.deploy(3, success=False)
    assert explained(shop, deployed["reference_id"])["carried"] == [1, 2]


def test_explain_says_what_a_deployment_waits_for(shop: Shop) -> None:
    deployed = shop.deploy(3, commit_sha=shop.sha(7))
    explanation = explained(shop, deployed["reference_id"])
    assert (explanation["status"], explanation["reason"]) == ("pending", "commit_not_imported")
    assert explanation["matched"] is None
    assert "no imported pull request or commit has the commit yet" in explanation["words"][-1]


def test_explain_shows_the_candidates_of_an_ambiguous_commit(shop: Shop) -> None:
    shop.merge(1, merge_commit_sha=shop.sha(1)[:7] + "a" * 33)
    shop.merge(2, merge_commit_sha=shop.sha(1)[:7] + "b" * 33)
    deployed = shop.deploy(3, commit_sha=shop.sha(1)[:7])
    explanation = explained(shop, deployed["reference_id"])
    assert explanation["reason"] == "ambiguous_commit"
    assert {one["pull_request"] for one in explanation["candidates"]} == {1, 2}


def test_explain_shows_what_each_listed_commit_is(shop: Shop) -> None:
    shop.merge_all([1, 2], commit_shas=[])
    shop.merge(3, head_sha=shop.sha(4))
    deployed = shop.deploy(9, merge_commit_shas=[shop.sha(2), shop.sha(4)])
    assert explained(shop, deployed["reference_id"])["listed"] == [
        {"sha": shop.sha(2), "pull_requests": [2], "reason": None},
        {"sha": shop.sha(4), "pull_requests": [], "reason": "no_pull_requests_yet"},
    ]
