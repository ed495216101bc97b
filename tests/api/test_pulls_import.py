"""pulls.import: facts in, a result for each item out."""

import json
from typing import Any

import httpx
import pytest
from tests.server import LiveServer, refused, succeeded
from tests.shops import Shop, when

FACTS: dict[str, Any] = {
    "source_id": "1497468863",
    "title": "Add a thing",
    "author": "ada",
    "url": "https://github.example/acme/shop/pull/1",
    "head_ref": "add-thing",
    "head_sha": "a" * 40,
    "commit_shas": ["a" * 40, "b" * 40],
    "merge_commit_sha": "c" * 40,
    "created_at": when(-9),
    "first_commit_at": when(-10),
    "ready_for_review_at": when(-8),
    "merged_at": when(1),
    "closed_at": when(1),
    "labels": ["bug", "good first issue"],
    "files": ["api/main.py", "web/index.html"],
}


def stored(shop: Shop, number: int = 1) -> dict[str, Any]:
    answer = shop.server.call("pulls.info", repository=shop.repository, number=number)
    pull: dict[str, Any] = answer["pull_request"]
    return pull


def test_it_stores_every_fact(shop: Shop) -> None:
    facts = FACTS | {"source_id": f"7{shop.number:09}"}
    shop.import_pulls(shop.item(1, **facts))
    expected = {"repository": shop.repository, "number": 1, "base_ref": "main", "services": []}
    assert stored(shop) == expected | facts


def test_it_answers_what_became_of_each(shop: Shop) -> None:
    shop.merge_all([1, 2])
    items = [shop.item(1), shop.item(2, title="New"), shop.item(3), shop.item(3)]
    assert shop.import_pulls(*items) == {
        "ok": True,
        "created": 1,
        "updated": 1,
        "unchanged": 2,
        "failed": 0,
        "results": [
            {"index": 0, "status": "unchanged"},
            {"index": 1, "status": "updated"},
            {"index": 2, "status": "created"},
            {"index": 3, "status": "unchanged"},
        ],
    }


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"number": None}, "required_params_missing", "number"),
        ({"base_ref": ""}, "required_params_missing", "base_ref"),
        ({"repository": None}, "required_params_missing", "repository"),
        ({"repository": "acme/typo"}, "repository_not_found", "acme/typo"),
        ({"number": "one"}, "invalid_arguments", "one"),
        ({"number": 0}, "invalid_arguments", "0"),
        ({"merged_at": "yesterday"}, "invalid_arguments", "yesterday"),
        ({"merge_commit_sha": "xyz"}, "invalid_arguments", "xyz"),
        ({"commit_shas": ["xyz"]}, "invalid_arguments", "xyz"),
        ({"commit_shas": "a"}, "invalid_arguments", "commit_shas"),
        ({"labels": [1]}, "invalid_arguments", "labels"),
        ({"url": "ftp://x"}, "invalid_arguments", "ftp://x"),
        ({"title": 7}, "invalid_arguments", "title"),
    ],
)
def test_a_wrong_item_fails_alone(
    shop: Shop, wrong: dict[str, Any], error: str, words: str
) -> None:
    items = [shop.item(1), shop.item(2) | wrong, shop.item(3)]
    answer = shop.server.call("pulls.import", pulls=items)
    assert (answer["created"], answer["failed"]) == (2, 1)
    failed = answer["results"][1]
    assert (failed["index"], failed["status"], failed["error"]) == (1, "failed", error)
    assert words in failed["message"]
    listed = shop.server.call("pulls.list", repository=shop.repository)["pull_requests"]
    assert {pull["number"] for pull in listed} == {1, 3}


@pytest.mark.parametrize("item", [None, 7, "text", [], [["a"]]])
def test_an_item_that_is_no_object_fails_alone(shop: Shop, item: object) -> None:
    answer = shop.server.call("pulls.import", pulls=[item, shop.item(1)])
    assert [one["status"] for one in answer["results"]] == ["failed", "created"]


def test_an_absent_key_leaves_what_is_stored_and_null_takes_it_away(shop: Shop) -> None:
    facts = {name: value for name, value in FACTS.items() if name != "source_id"}
    shop.import_pulls(shop.item(1, **facts))
    before = stored(shop)
    minimal = {"repository": shop.repository, "number": 1, "base_ref": "main"}
    assert shop.import_pulls(minimal)["unchanged"] == 1
    assert stored(shop) == before
    nothing = dict.fromkeys(facts)
    assert shop.import_pulls(minimal | nothing)["updated"] == 1
    after = stored(shop)
    assert [after[name] for name in ("title", "merged_at", "head_sha")] == [None] * 3
    assert [after[name] for name in ("labels", "files", "commit_shas")] == [[]] * 3


def test_what_means_nothing_is_ignored_and_named(shop: Shop) -> None:
    response = shop.server.send(
        "pulls.import?x=/v1/pulls",
        json={"pulls": [shop.item(1, state="closed"), shop.item(2, state="open")], "page": 1},
    )
    answer = succeeded(response)
    assert answer["created"] == 2
    assert answer["warnings"] == [
        "Unknown argument ignored: page",
        "Unknown key ignored: state",
        "Unknown argument ignored: x",
    ]


def test_a_pull_request_that_is_no_longer_merged_is_no_longer_shipped(shop: Shop) -> None:
    shop.merge_all([1, 2])
    deployed = shop.deploy(3)
    shop.merge(2, merged_at=None)
    assert shop.shipped(deployed) == [1]


def test_a_retargeted_pull_request_moves_to_its_new_branch(shop: Shop) -> None:
    shop.merge_all([1, 2])
    deployed = shop.deploy(3)
    shop.merge(1, base_ref="develop")
    assert shop.shipped(deployed) == [2]


def test_a_late_pull_request_falls_into_the_window_that_covers_it(shop: Shop) -> None:
    shop.merge_all([1, 3])
    first, second = shop.deploy(1.5), shop.deploy(4)
    shop.merge(2)
    assert (shop.shipped(first), shop.shipped(second)) == ([1], [2, 3])


@pytest.mark.parametrize("by", ["head_sha", "commit_shas"])
def test_a_deployment_waiting_for_a_commit_of_a_pull_request_is_woken(shop: Shop, by: str) -> None:
    deployed = shop.deploy(3, commit_sha=shop.sha(77))
    shop.merge(1, **{by: shop.sha(77) if by == "head_sha" else [shop.sha(76), shop.sha(77)]})
    assert shop.shipped(deployed) == [1]


# NDJSON and other bodies


def post(
    server: LiveServer, body: bytes, content_type: str = "application/x-ndjson"
) -> httpx.Response:
    return server.send("pulls.import", content=body, headers={"Content-Type": content_type})


def test_ndjson_is_one_item_a_line_and_a_broken_line_fails_alone(shop: Shop) -> None:
    lines = [
        json.dumps(shop.item(1)),
        "",
        '{"repository": "broken',
        json.dumps(shop.item(2)),
        "7",
        json.dumps(shop.item(3, number=None)),
    ]
    answer = succeeded(post(shop.server, "\r\n".join(lines).encode()))
    assert [one["status"] for one in answer["results"]] == [
        "created",
        "failed",
        "created",
        "failed",
        "failed",
    ]
    assert [one.get("error") for one in answer["results"]] == [
        None,
        "invalid_json",
        None,
        "invalid_json",
        "required_params_missing",
    ]


@pytest.mark.parametrize(
    "content_type", ["application/x-ndjson; charset=utf-8", "Application/X-NDJSON"]
)
def test_the_content_type_of_ndjson_may_have_parameters(shop: Shop, content_type: str) -> None:
    body = json.dumps(shop.item(1)).encode() + b"\n"
    assert succeeded(post(shop.server, body, content_type))["created"] == 1


def test_line_separators_of_unicode_within_a_title_do_not_end_a_line(shop: Shop) -> None:
    title = "one\u2028two\u0085three\x0bfour\x1cfive"
    body = json.dumps(shop.item(1, title=title), ensure_ascii=False).encode()
    # JSON escapes control characters; the other separators stand as they are.
    assert succeeded(post(shop.server, body))["created"] == 1
    assert stored(shop)["title"] == title


@pytest.mark.parametrize("body", [b"", b"\n \n"])
def test_ndjson_without_a_line_is_refused(server: LiveServer, body: bytes) -> None:
    assert refused(post(server, body)).what == (422, "required_params_missing", "pulls")


@pytest.mark.parametrize(
    ("body", "status", "error", "argument"),
    [
        (b"", 422, "required_params_missing", "pulls"),
        (b"{}", 422, "required_params_missing", "pulls"),
        (b'{"pulls": null}', 422, "required_params_missing", "pulls"),
        (b'{"pulls": {}}', 422, "invalid_arguments", "pulls"),
        (b'{"pulls": "x"}', 422, "invalid_arguments", "pulls"),
        (b'{"pulls": [}', 400, "invalid_json", None),
        (b"[]", 400, "invalid_json", None),
    ],
)
def test_a_body_that_holds_no_array_of_pulls_is_refused(
    server: LiveServer, body: bytes, status: int, error: str, argument: str | None
) -> None:
    refusal = refused(post(server, body, "application/json"))
    assert refusal.what == (status, error, argument)


def test_no_pulls_are_none_imported(server: LiveServer) -> None:
    assert server.call("pulls.import", pulls=[])["results"] == []


def test_thousands_are_imported_at_once(shop: Shop) -> None:
    items = [
        shop.item(number, merge_commit_sha=f"{shop.number:04x}{number:036x}")
        for number in range(1, 3001)
    ]
    assert shop.import_pulls(*items)["created"] == 3000
    assert shop.import_pulls(*items)["unchanged"] == 3000


def test_keys_that_mean_nothing_are_named_once(shop: Shop) -> None:
    items = [shop.item(number, merge_comit_sha="abc1234") for number in (1, 2)]
    assert shop.server.call("pulls.import", pulls=items)["warnings"] == [
        "Unknown key ignored: merge_comit_sha"
    ]
