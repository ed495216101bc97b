"""repositories.doctor, and the commits and rules that deployments.info and .list tell."""

import time
from typing import Any
from uuid import uuid4

from tests.api.pages import all_pages
from tests.deliveries import SECRET, as_body, github_headers, post
from tests.server import PATIENCE, LiveServer
from tests.shops import Shop, when


def a_push(shop: Shop, *numbers: int) -> dict[str, Any]:
    """The webhook of a push to main, as GitHub sends it."""
    commits = [
        {"id": shop.sha(number), "timestamp": when(number), "distinct": True} for number in numbers
    ]
    return {
        "ref": "refs/heads/main",
        "before": "0" * 40,
        "after": commits[-1]["id"],
        "created": False,
        "deleted": False,
        "forced": False,
        "commits": commits,
        "head_commit": commits[-1],
        "repository": {
            "id": 900_000 + shop.number,
            "full_name": shop.repository,
            "default_branch": "main",
        },
    }


def deliver(shop: Shop, payload: dict[str, Any]) -> None:
    body = as_body(payload)
    headers = github_headers("push", body, delivery_id=str(uuid4()))
    assert post(shop.server, "github", body, headers).status_code == 202
    deadline = time.monotonic() + PATIENCE
    while not any(one["via"] == "webhook" for one in diagnosed(shop)["received"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def diagnosed(shop: Shop) -> dict[str, Any]:
    answer = shop.server.call("repositories.doctor", repository=shop.repository)
    (one,) = answer["repositories"]
    assert answer["healthy"] == (not answer["findings"] and not one["findings"])
    found: dict[str, Any] = one
    return found


def test_a_trunk_told_by_webhooks_gives_deployments_their_commits(shop: Shop) -> None:
    deliver(shop, a_push(shop, *range(1, 8)))
    first = shop.deploy(10, commit_sha=shop.sha(5), reference_id=shop.reference("a"))
    second = shop.deploy(11, commit_sha=shop.sha(7), reference_id=shop.reference("b"))
    assert second["attribution"]["reason"] == "no_pull_requests_yet"
    shown: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = {"commits_cursor": cursor} if cursor else {}
        answer = shop.server.call(
            "deployments.info", reference_id=first["reference_id"], limit=2, **page
        )
        shown += answer["commits"]
        if (cursor := answer["next_commits_cursor"]) is None:
            break
    assert [one["sha"] for one in shown] == [shop.sha(number) for number in range(1, 6)]
    assert shown[0] == {
        "repository": shop.repository,
        "branch": "main",
        "sha": shop.sha(1),
        "committed_at": when(1),
        "pull_request": None,
        "commit_to_deploy": 9 * 3600.0,
    }
    answer = shop.server.call("deployments.info", reference_id=second["reference_id"])
    assert [one["sha"] for one in answer["commits"]] == [shop.sha(6), shop.sha(7)]
    explained = shop.server.call("deployments.explain", reference_id=second["reference_id"])
    assert explained["explanation"]["direct_commits"] == {"count": 2, "more": False}
    assert "It reached 2 commits without a pull request." in explained["explanation"]["words"]


def test_what_is_missing_of_a_repository_is_told(shop: Shop) -> None:
    found = diagnosed(shop)
    assert "No pull request and no commit" in found["findings"][0]["what"]
    shop.merge(1)
    found = diagnosed(shop)
    assert [one["kind"] for one in found["received"]] == ["pull_requests"]
    assert "Pull requests arrive, and no deployments" in found["findings"][0]["what"]


def test_all_repositories_come_in_pages(server: LiveServer) -> None:
    shops = [Shop(server) for _ in range(3)]
    pages = all_pages(server, "repositories.doctor", limit=2)
    names = [one["repository"] for page in pages for one in page["repositories"]]
    assert len(names) == len(set(names))
    assert {shop.repository for shop in shops} <= set(names)


def test_a_webhook_with_another_secret_is_counted(server: LiveServer) -> None:
    body = as_body({})
    headers = github_headers("ping", body, delivery_id=str(uuid4()), secret="another " + SECRET)
    assert post(server, "github", body, headers).status_code == 401
    forges = server.call("repositories.doctor", limit=1)["forges"]
    (github,) = (one for one in forges if one["setup"]["source"] == "github")
    assert github["refused"]["refused"] >= 1


def test_inferred_deployments_tell_the_rule_that_made_them(shop: Shop) -> None:
    answer = shop.deploy(1, reference_id=shop.reference("own"))
    assert shop.info(answer["reference_id"])["rule"] is None
    listed = shop.server.call("deployments.list", rule="no such rule")
    assert listed["deployments"] == []
