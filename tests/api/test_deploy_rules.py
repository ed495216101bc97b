"""rules.upsert, rules.preview, rules.list and rules.delete."""

from typing import Any

import pytest
from tests.api.pages import all_pages
from tests.server import LiveServer
from tests.shops import Shop

from shipmark.application.tokens import Scope


def a_rule(shop: Shop, /, **values: Any) -> dict[str, Any]:
    """A rule about every run of every workflow of a shop."""
    return {
        "name": shop.reference("deploys"),
        "source": "github_actions",
        "when": {"repository": shop.repository},
        "make": {"service": shop.service},
    } | values


def test_a_rule_is_saved_and_listed_as_it_was_written(shop: Shop) -> None:
    sent = a_rule(
        shop,
        when={"repository": "acme/*", "branch": "exact:what*", "workflow": "regex:v(?P<n>[0-9]+)"},
        make={"service": "{repository_name}-{n}", "environment": "eu"},
        also_failures=True,
    )
    saved = shop.server.call("rules.upsert", **sent)
    assert (saved["created"], saved["kept"], saved["refused"]) == (0, 0, 0)
    assert saved["rule"]["version"] == 1
    assert saved["rule"].items() >= sent.items()
    listed = [
        one for page in all_pages(shop.server, "rules.list", limit=2) for one in page["rules"]
    ]
    assert saved["rule"] in listed
    assert [one["name"] for one in listed] == sorted(one["name"] for one in listed)


def test_a_rule_is_replaced_under_its_name(shop: Shop) -> None:
    first = shop.server.call("rules.upsert", **a_rule(shop))["rule"]
    same = shop.server.call("rules.upsert", **a_rule(shop))["rule"]
    other = shop.server.call("rules.upsert", **a_rule(shop, also_failures="yes"))["rule"]
    assert same == first
    assert (other["id"], other["version"]) == (first["id"], 2)


def test_what_git_puts_before_names_of_branches_and_tags_is_cut_off(shop: Shop) -> None:
    when = {"branch": "glob:refs/heads/release/*", "repository": shop.repository}
    saved = shop.server.call("rules.upsert", **a_rule(shop, when=when))["rule"]
    assert saved["when"] == when | {"branch": "release/*"}
    when = {"tag": "refs/tags/v1", "repository": shop.repository}
    saved = shop.server.call("rules.upsert", **a_rule(shop, source="tag", when=when))["rule"]
    assert saved["when"] == when | {"tag": "v1"}


def test_a_deleted_rule_is_listed_no_more(shop: Shop) -> None:
    name = shop.server.call("rules.upsert", **a_rule(shop))["rule"]["name"]
    assert shop.server.call("rules.delete", name=name)["deleted"]
    assert not shop.server.call("rules.delete", name=name)["deleted"]
    listed = all_pages(shop.server, "rules.list", limit=1000)
    assert name not in [one["name"] for page in listed for one in page["rules"]]


def test_a_preview_stores_nothing(shop: Shop) -> None:
    previewed = shop.server.call("rules.preview", **a_rule(shop))
    assert previewed["events"] == []
    listed = all_pages(shop.server, "rules.list", limit=1000)
    names = [one["name"] for page in listed for one in page["rules"]]
    assert previewed["rule"]["name"] not in names


def test_a_rule_may_be_sent_as_a_form(shop: Shop) -> None:
    data = {
        "name": shop.reference("deploys"),
        "source": "push",
        "when[branch]": "main",
        "make[service]": shop.service,
    }
    saved = shop.server.send("rules.upsert", data=data).json()["rule"]
    assert (saved["when"], saved["make"]) == ({"branch": "main"}, {"service": shop.service})


@pytest.mark.parametrize(
    ("wrong", "argument"),
    [
        ({"source": "svn"}, "source"),
        ({"when": "main"}, "when"),
        ({"when": {"brunch": "main"}}, "when.brunch"),
        ({"when": {"branch": ["main"]}}, "when.branch"),
        ({"when": {"branch": " "}}, "when.branch"),
        ({"when": {"branch": "regex:(?=x)"}}, "when.branch"),
        ({"when": {"branch": "a\0b"}}, "when.branch"),
        ({"source": "push"}, "when.branch"),
        ({"make": {"service": "{nothing}"}}, "make.service"),
        ({"make": {"service": "x", "environment": "{job}"}}, "make.environment"),
        ({"since": "yesterday"}, "since"),
    ],
)
@pytest.mark.parametrize("method", ["rules.upsert", "rules.preview"])
def test_what_is_wrong_is_refused_by_its_name(
    shop: Shop, method: str, wrong: dict[str, Any], argument: str
) -> None:
    refusal = shop.server.refusal(method, **a_rule(shop, **wrong))
    assert refusal.what == (422, "invalid_arguments", argument)


@pytest.mark.parametrize(
    ("left_out", "argument"),
    [("name", "name"), ("source", "source"), ("make", "make")],
)
def test_what_a_rule_needs_is_required(shop: Shop, left_out: str, argument: str) -> None:
    sent = a_rule(shop)
    del sent[left_out]
    refusal = shop.server.refusal("rules.upsert", **sent)
    assert refusal.what == (422, "required_params_missing", argument)


def test_a_rule_must_make_a_service(shop: Shop) -> None:
    refusal = shop.server.refusal("rules.upsert", **a_rule(shop, make={"environment": "eu"}))
    assert refusal.what == (422, "required_params_missing", "make.service")


def test_rules_need_the_scope_of_deployments(server: LiveServer) -> None:
    shop = Shop(server)
    for method in ("rules.upsert", "rules.preview", "rules.delete"):
        sent = server.send(method, json=a_rule(shop), token=server.token(Scope.PULLS_WRITE))
        assert sent.status_code == 403
