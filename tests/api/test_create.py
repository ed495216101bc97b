"""deployments.create: what it takes, what it answers, and what it attributes at once."""

from typing import Any
from uuid import UUID

import pytest
from tests.server import LiveServer
from tests.shops import Shop, when

# What it answers


def test_it_answers_the_deployment_and_how_its_attribution_went(shop: Shop) -> None:
    shop.merge_all([1, 2])
    answer = shop.deploy(3, reference_id=shop.reference("a"))
    assert answer == {
        "ok": True,
        "id": answer["id"],
        "reference_id": shop.reference("a"),
        "url": f"{shop.server.base_url}/deployments/{answer['id']}",
        "attribution": {
            "status": "attributed",
            "method": "deployed_at",
            "pull_requests": 2,
            "reason": None,
        },
    }


def test_it_generates_a_uuid_when_there_is_no_reference_id(shop: Shop) -> None:
    first, second = shop.deploy(), shop.deploy()
    assert first["reference_id"] != second["reference_id"]
    assert str(UUID(first["reference_id"])) == first["reference_id"]


def test_it_stores_every_argument(shop: Shop) -> None:
    arguments = {
        "reference_id": shop.reference("all"),
        "source_url": "https://ci.example/build/1791",
        "source_name": "argoCD",
        "metadata": {"version": "v1.11.23", "count": 3, "nested": {"any": [None, 1.5]}},
        "environment": "staging",
        "success": False,
        "commit_sha": shop.sha(1),
        "integration_branch": "develop",
    }
    shop.deploy(2, **arguments)
    stored = shop.info(shop.reference("all"))
    assert {name: stored[name] for name in arguments} == arguments
    assert (stored["service"], stored["service_name"]) == (shop.service, shop.service)
    assert stored["repository"] == shop.repository
    assert stored["deployed_at"] == when(2)
    assert stored["merge_commit_shas"] == []


def test_it_fills_in_defaults(shop: Shop) -> None:
    stored = shop.info(shop.deploy()["reference_id"])
    assert stored["environment"] == "production"
    assert stored["success"] is True
    assert stored["metadata"] == {}
    absent = ("commit_sha", "integration_branch", "source_url", "source_name")
    assert [stored[name] for name in absent] == [None] * 4


# The four ways to say what was deployed


def test_a_repository_alone_ships_what_was_merged_to_its_default_branch_by_then(
    shop: Shop,
) -> None:
    shop.merge_all([1, 2, 4])
    shop.merge(3, base_ref="develop")
    assert shop.shipped(shop.deploy(3.5)) == [1, 2]


def test_a_commit_ships_its_pull_request_and_all_before_it_on_its_branch(shop: Shop) -> None:
    shop.merge_all([1, 2, 3])
    shop.merge_all([4, 5], base_ref="release")
    assert shop.shipped(shop.deploy(9, commit_sha=shop.sha(2))) == [1, 2]
    assert shop.shipped(shop.deploy(10, commit_sha=shop.sha(4))) == [4]


def test_an_integration_branch_ships_what_was_merged_to_it_and_not_the_match(shop: Shop) -> None:
    shop.merge_all([1, 2, 4], base_ref="develop")
    shop.merge(3, base_ref="main")
    answer = shop.deploy(5, commit_sha=shop.sha(3), integration_branch="develop")
    assert answer["attribution"]["method"] == "integration_branch"
    assert shop.shipped(answer) == [1, 2]


def test_merge_commit_shas_ship_exactly_their_pull_requests(shop: Shop) -> None:
    shop.merge_all([1, 2, 3, 4])
    shop.merge(5, base_ref="release")
    answer = shop.deploy(9, merge_commit_shas=[shop.sha(2), shop.sha(5)], repository=None)
    assert answer["attribution"]["method"] == "merge_commit_shas"
    assert shop.shipped(answer) == [2, 5]


def test_a_commit_of_one_known_repository_needs_no_repository(shop: Shop) -> None:
    shop.merge_all([1, 2])
    answer = shop.deploy(3, commit_sha=shop.sha(2), repository=None)
    assert shop.shipped(answer) == [1, 2]
    assert shop.info(answer["reference_id"])["repository"] == shop.repository


# Environments, failures, rollbacks


def test_environments_are_independent(shop: Shop) -> None:
    shop.merge_all([1, 2])
    for environment in ("staging", "production"):
        assert shop.shipped(shop.deploy(3, environment=environment)) == [1, 2]


def test_a_failed_deployment_ships_nothing_and_uses_nothing_up(shop: Shop) -> None:
    shop.merge(1)
    failed = shop.deploy(2, success=False)
    assert failed["attribution"] == {
        "status": "none",
        "method": "deployed_at",
        "pull_requests": 0,
        "reason": "failed",
    }
    assert shop.shipped(shop.deploy(3)) == [1]


def test_a_redeploy_and_a_rollback_ship_nothing_and_say_so(shop: Shop) -> None:
    shop.merge_all([1, 2])
    shop.deploy(3, commit_sha=shop.sha(2))
    again = shop.deploy(4, commit_sha=shop.sha(2))["attribution"]
    back = shop.deploy(5, commit_sha=shop.sha(1))["attribution"]
    assert (again["status"], again["reason"]) == ("none", "redeploy")
    assert (back["status"], back["reason"]) == ("none", "rollback")


def test_deployments_told_newest_first_ship_the_same(shop: Shop) -> None:
    shop.merge_all([1, 2, 3, 4, 5])
    newer = shop.deploy(6, commit_sha=shop.sha(5))
    assert shop.shipped(newer) == [1, 2, 3, 4, 5]
    older = shop.deploy(5.5, commit_sha=shop.sha(2))
    assert (shop.shipped(older), shop.shipped(newer)) == ([1, 2], [3, 4, 5])


# Waiting for what is not imported yet


def test_a_commit_that_is_not_imported_waits_and_says_for_what(shop: Shop) -> None:
    answer = shop.deploy(3, commit_sha=shop.sha(2))
    assert answer["attribution"] == {
        "status": "pending",
        "method": "commit_sha",
        "pull_requests": 0,
        "reason": "commit_not_imported",
    }
    shop.merge_all([1, 2])
    assert shop.shipped(answer) == [1, 2]
    assert shop.info(answer["reference_id"])["attribution"]["status"] == "attributed"


def test_a_short_sha_that_fits_two_pull_requests_waits_and_says_so(shop: Shop) -> None:
    shop.merge(1, merge_commit_sha=shop.sha(1)[:7] + "a" * 33)
    shop.merge(2, merge_commit_sha=shop.sha(1)[:7] + "b" * 33)
    answer = shop.deploy(3, commit_sha=shop.sha(1)[:7])["attribution"]
    assert (answer["status"], answer["reason"]) == ("pending", "ambiguous_commit")


def test_a_window_without_pull_requests_waits_for_them(shop: Shop) -> None:
    answer = shop.deploy(3)
    assert answer["attribution"]["reason"] == "no_pull_requests_yet"
    shop.merge(1)
    assert shop.shipped(answer) == [1]


def test_a_repository_without_a_default_branch_waits_for_it(server: LiveServer) -> None:
    shop = Shop(server)
    shop.merge(1, base_ref="trunk")
    answer = shop.deploy(3)
    assert answer["attribution"]["status"] == "pending"
    server.call("repositories.upsert", name=shop.repository, default_branch="trunk")
    assert shop.shipped(answer) == [1]


# Sent again


def test_the_same_reference_id_with_the_same_values_answers_the_same(shop: Shop) -> None:
    shop.merge(1)
    arguments = {"reference_id": shop.reference("x"), "commit_sha": shop.sha(1)}
    first = shop.deploy(2, **arguments)
    assert shop.deploy(2, **arguments) == first
    listed = shop.server.call("deployments.list", repository=shop.repository)
    assert len(listed["deployments"]) == 1


@pytest.mark.parametrize(
    "spelling",
    [
        {"deployed_at": "2024-06-01T16:00:00+02:00"},
        {"deployed_at": 1717250400000},
        {"environment": "production", "success": "yes", "source_url": "", "metadata": None},
        {"metadata": "{}"},
        {"metadata": {}},
        {"unknown": "ignored"},
    ],
)
def test_other_spellings_of_the_same_values_are_the_same(
    shop: Shop, spelling: dict[str, Any]
) -> None:
    first = shop.deploy(2, reference_id=shop.reference("x"))
    again = shop.deploy(2, **{"reference_id": shop.reference("x")} | spelling)
    assert again["id"] == first["id"]


def test_repository_commit_and_metadata_are_the_same_in_another_spelling(shop: Shop) -> None:
    arguments = {
        "reference_id": shop.reference("x"),
        "commit_sha": shop.sha(1),
        "metadata": {"a": 1, "b": {"c": 2, "d": 3}},
    }
    first = shop.deploy(2, **arguments)
    respelled = {
        "commit_sha": shop.sha(1).upper(),
        "metadata": {"b": {"d": 3, "c": 2}, "a": 1},
        "repository": shop.repository.upper(),
        "service": {"identifier": shop.service},
    }
    assert shop.deploy(2, **arguments | respelled)["id"] == first["id"]


@pytest.mark.parametrize(
    "change",
    [
        {"deployed_at": when(3)},
        {"service": "another"},
        {"environment": "staging"},
        {"success": False},
        {"source_url": "https://ci.example/1"},
        {"source_name": "argoCD"},
        {"metadata": {"version": "2"}},
        {"commit_sha": "abcdef0"},
        {"commit_sha": "abcdef0", "integration_branch": "develop"},
    ],
)
def test_the_same_reference_id_with_other_values_is_refused(
    shop: Shop, change: dict[str, Any]
) -> None:
    first = shop.deploy(2, reference_id=shop.reference("x"))
    before = shop.info(first["reference_id"])
    refusal = shop.refused_deploy(2, **{"reference_id": shop.reference("x")} | change)
    assert refusal.what == (409, "reference_id_exists", "reference_id")
    assert shop.reference("x") in refusal.message
    assert shop.info(first["reference_id"]) == before


# Trying it out


def test_a_dry_run_answers_what_would_be_shipped_and_stores_nothing(shop: Shop) -> None:
    shop.merge_all([1, 2])
    services = shop.server.call("services.list", limit=1000)
    answer = shop.deploy(3, dry_run=True, service=f"{shop.service} of a dry run")
    assert (answer["id"], answer["url"], answer["dry_run"]) == (None, None, True)
    assert answer["attribution"]["status"] == "attributed"
    assert [pull["number"] for pull in answer["would_ship"]] == [1, 2]
    assert shop.server.call("services.list", limit=1000) == services
    listed = shop.server.call("deployments.list", repository=shop.repository)
    assert listed["deployments"] == []
    assert shop.shipped(shop.deploy(3)) == [1, 2]
