"""repositories.upsert, repositories.list and services.list."""

from typing import Any

import pytest
from tests.api.pages import all_pages
from tests.server import LiveServer
from tests.shops import Shop


def test_upsert_makes_a_repository_known(server: LiveServer) -> None:
    shop = Shop(server, default_branch=None)
    answer = server.call(
        "repositories.upsert",
        name=shop.repository,
        default_branch="refs/heads/trunk",
        source="github",
        source_id=4711,
    )
    assert answer["repository"] == {
        "id": answer["repository"]["id"],
        "name": shop.repository,
        "default_branch": "trunk",
        "source": "github",
        "source_id": "4711",
        "archived": False,
        "rules_file_error": None,
    }


def test_upsert_changes_what_it_names_and_keeps_the_rest(shop: Shop) -> None:
    def upsert(**facts: Any) -> dict[str, Any]:
        answer = shop.server.call("repositories.upsert", **facts)
        repository: dict[str, Any] = answer["repository"]
        return repository

    before = upsert(name=shop.repository, default_branch="main", source="gitlab")
    after = upsert(name=shop.repository.upper(), default_branch="trunk")
    assert after == before | {"name": shop.repository.upper(), "default_branch": "trunk"}


def test_another_default_branch_moves_what_was_attributed(shop: Shop) -> None:
    shop.merge(1)
    shop.merge(2, base_ref="trunk")
    deployed = shop.deploy(3)
    assert shop.shipped(deployed) == [1]
    shop.server.call("repositories.upsert", name=shop.repository, default_branch="trunk")
    assert shop.shipped(deployed) == [2]


@pytest.mark.parametrize("left_out", ["name", "default_branch"])
def test_upsert_needs_a_name_and_a_default_branch(server: LiveServer, left_out: str) -> None:
    arguments = {"name": "acme/x", "default_branch": "main"}
    del arguments[left_out]
    refusal = server.refusal("repositories.upsert", **arguments)
    assert refusal.what == (422, "required_params_missing", left_out)


@pytest.mark.parametrize("name", [7, True, ["acme/x"], "acme/" + "x" * 300, "acme/\0"])
def test_upsert_refuses_what_is_no_name(server: LiveServer, name: object) -> None:
    refusal = server.refusal("repositories.upsert", name=name, default_branch="main")
    assert refusal.what == (422, "invalid_arguments", "name")


def test_repositories_are_listed_by_name_in_pages(server: LiveServer) -> None:
    shops = [Shop(server) for _ in range(5)]
    found = [
        one["name"]
        for page in all_pages(server, "repositories.list", limit=3)
        for one in page["repositories"]
    ]
    assert len(found) == len(set(found))
    assert found == sorted(found, key=str.casefold)
    assert {shop.repository for shop in shops} <= set(found)


def test_services_are_listed_once_deployed_or_assigned(shop: Shop) -> None:
    deployed, assigned = f"{shop.service}-deployed", f"{shop.service}-assigned"
    shop.deploy(1, service={"identifier": deployed, "name": "Deployed"})
    shop.server.call(
        "deployments.setPullServices",
        repository=shop.repository,
        pull_number=1,
        services=[assigned],
    )
    found = [
        one for page in all_pages(shop.server, "services.list", limit=3) for one in page["services"]
    ]
    names = {one["identifier"]: one["name"] for one in found}
    assert len(names) == len(found)
    assert (names[deployed], names[assigned]) == ("Deployed", assigned)


def test_a_service_keeps_its_name_until_another_is_given(shop: Shop) -> None:
    def name_after(service: object) -> str:
        name: str = shop.info(shop.deploy(service=service)["reference_id"])["service_name"]
        return name

    assert name_after({"identifier": shop.service, "name": "First"}) == "First"
    assert name_after(shop.service) == "First"
    assert name_after({"identifier": shop.service, "name": "Second"}) == "Second"


def test_a_refused_deployment_makes_no_service(shop: Shop) -> None:
    before = all_pages(shop.server, "services.list", limit=1000)
    shop.refused_deploy(service="of a refused deployment", repository="acme/typo")
    shop.refused_deploy(service="of a refused deployment", merge_commit_shas=[shop.sha(9)])
    assert all_pages(shop.server, "services.list", limit=1000) == before


def test_a_cursor_is_good_for_its_own_list_alone(shop: Shop) -> None:
    shop.deploy(1)
    shop.server.call("repositories.upsert", name=f"{shop.repository}-2", default_branch="main")
    cursor = shop.server.call("repositories.list", limit=1)["next_cursor"]
    assert shop.server.call("repositories.list", limit=1, cursor=cursor)["ok"]
    refusal = shop.server.refusal("services.list", cursor=cursor)
    assert refusal.what == (422, "invalid_arguments", "cursor")


@pytest.mark.parametrize("name", ["acme/", "/shop", "acme//shop", "acme/sh\nop"])
def test_a_name_with_an_empty_part_or_several_lines_is_no_repository(
    server: LiveServer, name: str
) -> None:
    refusal = server.refusal("repositories.upsert", name=name, default_branch="main")
    assert refusal.what == (422, "invalid_arguments", "name")
