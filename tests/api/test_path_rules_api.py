"""path_rules.upsert, path_rules.preview, path_rules.list and path_rules.delete."""

from typing import Any

import pytest
from tests.api.pages import all_pages
from tests.shops import Shop

from shipmark.application.tokens import Scope

RULES = {
    "services": {"billing": ["services/billing/", "!*.md"], "{folder}": "apps/{folder}/"},
    "ignore": ["/docs/"],
    "otherwise": "none",
}


def listed(shop: Shop) -> list[dict[str, Any]]:
    pages = all_pages(shop.server, "path_rules.list", limit=2)
    found = [one for page in pages for one in page["path_rules"]]
    return [one for one in found if one["repository"] == shop.repository]


def of(shop: Shop, number: int) -> list[str]:
    answer = shop.server.call("pulls.info", repository=shop.repository, number=number)
    found: list[str] = answer["pull_request"]["services"]
    return found


def test_rules_are_saved_listed_applied_and_deleted(shop: Shop) -> None:
    shop.merge(1, files=["services/billing/a.py"])
    shop.merge(2, files=["docs/x"])
    previewed = shop.server.call("path_rules.preview", repository=shop.repository, **RULES)
    assert listed(shop) == []
    assert of(shop, 1) == []
    saved = shop.server.call("path_rules.upsert", repository=shop.repository, **RULES)
    assert saved == previewed
    assert (saved["repository"], saved["in_force"]) == (shop.repository, True)
    assert (saved["pull_requests"], saved["reassigned"]) == (2, 2)
    assert saved["changes"][0] == {"number": 1, "before": [], "after": ["billing"]}
    (one,) = listed(shop)
    assert one["services"] == {
        "billing": ["services/billing/", "!*.md"],
        "{folder}": ["apps/{folder}/"],
    }
    assert (one["ignore"], one["otherwise"], one["origin"]) == (["/docs/"], ["none"], "stored")
    assert (of(shop, 1), of(shop, 2)) == (["billing"], ["none"])
    shop.merge(3, files=["apps/web/main.ts"])
    assert of(shop, 3) == ["web"]
    gone = shop.server.call("path_rules.delete", repository=shop.repository)
    assert (gone["deleted"], gone["reassigned"]) == (True, 3)
    assert listed(shop) == []
    assert of(shop, 3) == []
    assert not shop.server.call("path_rules.delete", repository=shop.repository)["deleted"]


@pytest.mark.parametrize(
    ("wrong", "argument"),
    [
        ({"services": ["a"]}, "services"),
        ({"services": {"a": 7}}, "services.a"),
        ({"services": {"a": []}}, "services.a"),
        ({"services": {"a": ["x", "#y"]}}, "services.a[1]"),
        ({"services": {"": ["x"]}}, "services."),
        ({"services": {"a": ["x" * 501]}}, "services.a[0]"),
        ({"services": {"{folder}": ["apps/**/{folder}/"]}}, "services.{folder}[0]"),
        ({"ignore": ["#"]}, "ignore[0]"),
        ({"ignore": 7}, "ignore"),
        ({"otherwise": "x" * 300}, "otherwise"),
    ],
)
def test_what_is_wrong_is_refused_by_its_place(
    shop: Shop, wrong: dict[str, Any], argument: str
) -> None:
    for method in ("path_rules.upsert", "path_rules.preview"):
        refusal = shop.server.refusal(method, **{"repository": shop.repository, **RULES, **wrong})
        assert refusal.what == (422, "invalid_arguments", argument)
    assert listed(shop) == []


def test_an_unknown_repository_is_refused(shop: Shop) -> None:
    for method in ("path_rules.upsert", "path_rules.preview", "path_rules.delete"):
        refusal = shop.server.refusal(method, repository="acme/unheard-of", **RULES)
        assert refusal.what == (422, "repository_not_found", "repository")


def test_path_rules_need_the_scope_of_pull_requests(shop: Shop) -> None:
    token = shop.server.token(Scope.DEPLOYMENTS_WRITE)
    for method in ("path_rules.upsert", "path_rules.preview", "path_rules.delete"):
        sent = shop.server.send(method, json={"repository": shop.repository, **RULES}, token=token)
        assert sent.status_code == 403


FILE = """version: 1
services:
  billing: services/billing/
ignore: ["*.md"]
"""


def test_the_repositorys_own_file_may_be_told(shop: Shop) -> None:
    shop.merge(1, files=["services/billing/a.py", "docs/x"])
    shop.server.call("path_rules.upsert", repository=shop.repository, **RULES)
    told = {"repository": shop.repository, "file": FILE}
    assert shop.server.call("path_rules.preview", **told)["reassigned"] == 0
    assert shop.server.call("path_rules.upsert", **told)["in_force"]
    assert [one["origin"] for one in listed(shop)] == ["file", "stored"]
    shop.merge(2, files=["apps/web/main.ts"])
    assert (of(shop, 1), of(shop, 2)) == (["billing"], [])
    other = shop.server.call(
        "path_rules.upsert", repository=shop.repository, services={"all": "apps/"}
    )
    assert (other["in_force"], other["reassigned"]) == (False, 0)
    gone = shop.server.call("path_rules.delete", repository=shop.repository, origin="file")
    assert (gone["deleted"], gone["in_force"]) == (True, True)
    assert of(shop, 2) == ["all"]


@pytest.mark.parametrize(
    ("file", "line"),
    [("version: 1\nservices:\n  x: '#'\n", 3), ("version: 2", 1), ("{", 1), ("a: &b\nc: *b", 2)],
)
def test_a_file_that_is_wrong_is_refused_by_its_line_and_changes_nothing(
    shop: Shop, file: str, line: int
) -> None:
    shop.merge(1, files=["services/billing/a.py"])
    shop.server.call("path_rules.upsert", repository=shop.repository, file=FILE)
    for method in ("path_rules.upsert", "path_rules.preview"):
        refusal = shop.server.refusal(method, repository=shop.repository, file=file)
        assert refusal.what == (422, "invalid_arguments", "file")
        assert refusal.message.startswith(f".shipmark.yml, line {line}: ")
    assert of(shop, 1) == ["billing"]


def test_rules_or_a_file_are_required_and_not_both(shop: Shop) -> None:
    refusal = shop.server.refusal("path_rules.upsert", repository=shop.repository)
    assert refusal.what == (422, "required_params_missing", "services")
    both = {"repository": shop.repository, **RULES, "file": FILE}
    assert shop.server.refusal("path_rules.upsert", **both).argument == "file"
