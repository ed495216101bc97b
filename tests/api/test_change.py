"""deployments.upsert, update, delete and retry."""

from typing import Any

import pytest
from tests.shops import Shop, when


@pytest.fixture
def x(shop: Shop) -> str:
    """The reference_id of the deployment that is changed."""
    return shop.reference("x")


# Upsert


def test_upsert_registers_a_deployment_that_is_new(shop: Shop, x: str) -> None:
    shop.merge(1)
    answer = shop.server.call("deployments.upsert", **shop.deployment(2, reference_id=x))
    assert answer["attribution"]["pull_requests"] == 1
    assert shop.info(x)["id"] == answer["id"]


def test_upsert_changes_what_it_names_and_nothing_else(shop: Shop, x: str) -> None:
    created = shop.deploy(
        2, reference_id=x, source_name="argoCD", metadata={"version": "1"}, commit_sha=shop.sha(1)
    )
    before = shop.info(x)
    answer = shop.server.call("deployments.upsert", reference_id=x, metadata={"version": "2"})
    after = shop.info(x)
    assert answer["id"] == created["id"]
    changed = {name for name in before if before[name] != after[name]}
    assert {"metadata"} <= changed <= {"metadata", "updated_at", "attribution"}
    assert after["metadata"] == {"version": "2"}


@pytest.mark.parametrize(
    ("left_out", "argument"),
    [("deployed_at", "deployed_at"), ("service", "service"), ("repository", "repository")],
)
def test_upsert_of_a_new_deployment_needs_what_create_needs(
    shop: Shop, x: str, left_out: str, argument: str
) -> None:
    arguments = shop.deployment(2, reference_id=x, **{left_out: None})
    refusal = shop.server.refusal("deployments.upsert", **arguments)
    assert refusal.what == (422, "required_params_missing", argument)


def test_upsert_and_update_need_a_reference_id(shop: Shop) -> None:
    for method in ("deployments.upsert", "deployments.update", "deployments.delete"):
        refusal = shop.server.refusal(method, **shop.deployment(2))
        assert refusal.what == (422, "required_params_missing", "reference_id")


def test_an_upserted_deployment_is_the_same_when_created_again(shop: Shop, x: str) -> None:
    answer = shop.server.call("deployments.upsert", **shop.deployment(2, reference_id=x))
    assert shop.deploy(2, reference_id=x)["id"] == answer["id"]


# Update


def test_update_of_a_deployment_nobody_knows_is_refused(shop: Shop, x: str) -> None:
    refusal = shop.server.refusal("deployments.update", reference_id=x, success=False)
    assert refusal.what == (404, "deployment_not_found", "reference_id")
    assert x in refusal.message


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"source_url": "https://ci.example/2"}, {"source_url": "https://ci.example/2"}),
        ({"source_name": "jenkins"}, {"source_name": "jenkins"}),
        ({"environment": "staging"}, {"environment": "staging"}),
        ({"success": "no"}, {"success": False}),
        ({"deployed_at": 1717257600}, {"deployed_at": when(4)}),
        ({"metadata": {}}, {"metadata": {}}),
        ({"service": {"identifier": "s", "name": "S"}}, {"service": "s", "service_name": "S"}),
        ({"commit_sha": "ABCDEF0"}, {"commit_sha": "abcdef0", "merge_commit_shas": []}),
    ],
)
def test_update_changes_any_argument(
    shop: Shop, x: str, change: dict[str, Any], shown: dict[str, Any]
) -> None:
    shop.deploy(2, reference_id=x, metadata={"a": 1})
    before = shop.info(x)
    shop.server.call("deployments.update", reference_id=x, **change)
    after = shop.info(x)
    assert {name: after[name] for name in shown} == shown
    untouched = before.keys() - shown.keys() - {"updated_at", "attribution", "service_name"}
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("source_url", None),
        ("source_name", None),
        ("metadata", {}),
        ("integration_branch", None),
    ],
)
def test_null_takes_an_argument_away(shop: Shop, x: str, name: str, left: object) -> None:
    shop.deploy(
        2,
        reference_id=x,
        source_url="https://ci.example/1",
        source_name="argoCD",
        metadata={"version": "1"},
        commit_sha=shop.sha(1),
        integration_branch="develop",
    )
    before = shop.info(x)
    shop.server.call("deployments.update", reference_id=x, **{name: None})
    after = shop.info(x)
    assert after[name] == left
    others = before.keys() - {name, "updated_at", "attribution"}
    assert {one: after[one] for one in others} == {one: before[one] for one in others}


def test_a_commit_that_is_taken_away_leaves_the_time(shop: Shop, x: str) -> None:
    shop.merge_all([1, 2])
    deployed = shop.deploy(3, reference_id=x, commit_sha=shop.sha(1))
    answer = shop.server.call("deployments.update", reference_id=x, commit_sha=None)
    assert answer["attribution"]["method"] == "deployed_at"
    assert shop.shipped(deployed) == [1, 2]


def test_null_counts_as_absent_for_what_a_deployment_cannot_be_without(shop: Shop, x: str) -> None:
    shop.deploy(2, reference_id=x)
    before = shop.info(x)
    nothing = dict.fromkeys(("deployed_at", "service", "repository", "environment", "success"))
    shop.server.call("deployments.update", reference_id=x, **nothing)
    assert shop.info(x) == before


def test_null_takes_the_repository_from_a_deployment_that_lists_merge_commits(
    shop: Shop, x: str
) -> None:
    shop.merge(1)
    deployed = shop.deploy(2, reference_id=x, merge_commit_shas=[shop.sha(1)])
    shop.server.call("deployments.update", reference_id=x, repository=None)
    assert shop.info(x)["repository"] is None
    assert shop.shipped(deployed) == [1]
    shop.server.call("deployments.update", reference_id=x, repository=shop.repository)
    shop.server.call("deployments.update", reference_id=x, repository=None, commit_sha=shop.sha(1))
    assert shop.info(x)["repository"] == shop.repository


def test_a_commit_clears_the_list_and_a_list_clears_the_commit(shop: Shop, x: str) -> None:
    shop.merge_all([1, 2, 3])
    shop.merge(4, base_ref="develop")
    deployed = shop.deploy(5, reference_id=x, merge_commit_shas=[shop.sha(3)])
    shop.server.call("deployments.update", reference_id=x, commit_sha=shop.sha(2))
    assert shop.info(x)["merge_commit_shas"] == []
    assert shop.shipped(deployed) == [1, 2]
    shop.server.call("deployments.update", reference_id=x, integration_branch="develop")
    assert shop.shipped(deployed) == []
    shop.server.call("deployments.update", reference_id=x, merge_commit_shas=[shop.sha(3)])
    stored = shop.info(x)
    assert (stored["commit_sha"], stored["integration_branch"]) == (None, None)
    assert shop.shipped(deployed) == [3]


def test_moving_a_deployment_in_time_moves_what_its_neighbours_ship(shop: Shop) -> None:
    shop.merge_all([1, 2, 3, 4])
    first, second = shop.deploy(2.5, reference_id=shop.reference(1)), shop.deploy(4.5)
    assert (shop.shipped(first), shop.shipped(second)) == ([1, 2], [3, 4])
    shop.server.call(
        "deployments.update", reference_id=first["reference_id"], deployed_at=when(3.5)
    )
    assert (shop.shipped(first), shop.shipped(second)) == ([1, 2, 3], [4])


def test_a_deployment_told_to_have_failed_gives_up_what_it_shipped(shop: Shop) -> None:
    shop.merge_all([1, 3])
    first, second = shop.deploy(2), shop.deploy(4)
    answer = shop.server.call(
        "deployments.update", reference_id=first["reference_id"], success=False
    )
    assert answer["attribution"]["reason"] == "failed"
    assert (shop.shipped(first), shop.shipped(second)) == ([], [1, 3])


@pytest.mark.parametrize(
    ("change", "error", "argument"),
    [
        ({"commit_sha": "xyz"}, "commit_sha_invalid", "commit_sha"),
        ({"merge_commit_shas": []}, "merge_commit_shas_blank", "merge_commit_shas"),
        ({"metadata": [1]}, "metadata_invalid", "metadata"),
        ({"repository": "acme/typo"}, "repository_not_found", "repository"),
        ({"integration_branch": "develop"}, "required_params_missing", "commit_sha"),
        ({"merge_commit_shas": ["abcdef0"]}, "merge_commit_shas_not_found", "merge_commit_shas"),
        (
            {"commit_sha": "abcdef0", "integration_branch": "main"},
            "integration_branch_not_valid",
            "integration_branch",
        ),
        (
            {"commit_sha": "abcdef0", "merge_commit_shas": ["abcdef0"]},
            "ambiguous_commit_sha_arguments",
            "merge_commit_shas",
        ),
    ],
)
def test_a_change_that_create_would_refuse_is_refused_and_changes_nothing(
    shop: Shop, x: str, change: dict[str, Any], error: str, argument: str
) -> None:
    shop.merge(1)
    shop.deploy(2, reference_id=x)
    before = shop.info(x)
    refusal = shop.server.refusal("deployments.update", reference_id=x, **change)
    assert refusal.what == (422, error, argument)
    assert shop.info(x) == before


def test_an_update_that_changes_nothing_changes_nothing(shop: Shop, x: str) -> None:
    shop.deploy(2, reference_id=x)
    before = shop.info(x)
    shop.server.call("deployments.update", reference_id=x, deployed_at=when(2), success=True)
    assert shop.info(x) == before


# Delete


def test_a_deleted_deployment_is_as_if_it_had_never_been(shop: Shop, x: str) -> None:
    shop.merge_all([1, 3])
    shop.deploy(2, reference_id=x)
    later = shop.deploy(4)
    assert shop.server.call("deployments.delete", reference_id=x) == {"ok": True, "deleted": True}
    assert shop.shipped(later) == [1, 3]
    refusal = shop.server.refusal("deployments.info", reference_id=x)
    assert refusal.what == (404, "deployment_not_found", "reference_id")


def test_deleting_what_is_gone_is_fine(shop: Shop, x: str) -> None:
    shop.deploy(2, reference_id=x)
    assert shop.server.call("deployments.delete", reference_id=x)["deleted"] is True
    assert shop.server.call("deployments.delete", reference_id=x)["deleted"] is False


def test_a_deleted_reference_id_may_be_used_again(shop: Shop, x: str) -> None:
    shop.deploy(2, reference_id=x)
    shop.server.call("deployments.delete", reference_id=x)
    assert shop.deploy(3, reference_id=x, environment="staging")["reference_id"] == x


# Retry


def test_retry_starts_the_time_of_retries_anew(shop: Shop, x: str) -> None:
    shop.deploy(2, reference_id=x, commit_sha=shop.sha(1))
    before = shop.info(x)["attribution"]
    answer = shop.server.call("deployments.retry", reference_id=x)
    after = shop.info(x)["attribution"]
    assert (answer["attribution"]["status"], after["status"]) == ("pending", "pending")
    assert after["retried_until"] > before["retried_until"]
    assert after["next_attempt_at"] > before["next_attempt_at"]


def test_retry_takes_either_id_and_leaves_what_is_attributed_as_it_is(shop: Shop, x: str) -> None:
    shop.merge(1)
    answer = shop.deploy(2, reference_id=x)
    before = shop.info(x)
    assert shop.server.call("deployments.retry", id=answer["id"]) == answer
    assert shop.server.call("deployments.retry", reference_id=x) == answer
    assert shop.info(x) == before


@pytest.mark.parametrize(
    ("which", "status", "error", "argument"),
    [
        ({"id": 10**15}, 404, "deployment_not_found", "id"),
        ({"reference_id": "nobody's"}, 404, "deployment_not_found", "reference_id"),
        ({}, 422, "required_params_missing", "reference_id"),
        ({"id": "x"}, 422, "invalid_arguments", "id"),
    ],
)
def test_retry_refuses_what_it_cannot_find(
    shop: Shop, which: dict[str, Any], status: int, error: str, argument: str
) -> None:
    assert shop.server.refusal("deployments.retry", **which).what == (status, error, argument)


# Taking values away


def test_null_takes_away_what_a_deployment_can_be_without(shop: Shop, x: str) -> None:
    shop.deploy(
        2,
        reference_id=x,
        source_url="https://ci.example/1",
        source_name="argoCD",
        metadata={"version": "1"},
    )
    taken = {"source_url": None, "source_name": None, "metadata": None}
    shop.server.call("deployments.update", reference_id=x, **taken)
    after = shop.info(x)
    assert (after["source_url"], after["source_name"], after["metadata"]) == (None, None, {})


def test_null_takes_a_commit_away_so_that_the_time_of_the_deployment_counts(
    shop: Shop, x: str
) -> None:
    shop.merge(1)
    shop.merge(2)
    shop.deploy(3, reference_id=x, commit_sha=shop.sha(1))
    answer = shop.server.call("deployments.update", reference_id=x, commit_sha=None)
    assert (answer["attribution"]["method"], answer["attribution"]["pull_requests"]) == (
        "deployed_at",
        2,
    )


def test_null_does_not_take_away_what_every_deployment_has(shop: Shop, x: str) -> None:
    shop.deploy(2, reference_id=x)
    before = shop.info(x)
    shop.server.call("deployments.update", reference_id=x, service=None, deployed_at=None)
    assert shop.info(x) == before
