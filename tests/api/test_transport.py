"""How arguments travel, and what is answered around the methods."""

import json
import re
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from tests.server import LiveServer, refused, succeeded
from tests.shops import Shop, when

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def form(*pairs: tuple[str, object]) -> bytes:
    return urlencode([(name, str(value)) for name, value in pairs]).encode()


def create(shop: Shop, *pairs: tuple[str, object]) -> dict[str, Any]:
    """Create a deployment by a form that has these pairs; the deployment as stored."""
    given = {name.partition("[")[0] for name, _ in pairs}
    others = [pair for pair in shop.deployment(9).items() if pair[0] not in given]
    body = form(*others, *pairs)
    answer = succeeded(shop.server.send("deployments.create", content=body, headers=FORM))
    return shop.info(answer["reference_id"])


# Bodies


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "nonsense",
        None,
    ],
)
@pytest.mark.parametrize("before", ["", "\n\t ", "\ufeff"])
def test_a_body_that_begins_like_an_object_is_json_whatever_its_content_type(
    shop: Shop, content_type: str | None, before: str
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    body = (before + json.dumps(shop.deployment(1))).encode()
    succeeded(shop.server.send("deployments.create", content=body, headers=headers))


def test_a_form_carries_every_argument_as_text(shop: Shop) -> None:
    shop.merge(1)
    stored = create(
        shop, ("commit_sha", shop.sha(1)), ("success", "no"), ("source_url", ""), ("metadata", "")
    )
    assert stored["commit_sha"] == shop.sha(1)
    assert (stored["success"], stored["source_url"], stored["metadata"]) == (False, None, {})


def test_a_form_without_a_content_type_is_a_form(shop: Shop) -> None:
    body = form(*shop.deployment(1).items())
    succeeded(shop.server.send("deployments.create", content=body))


@pytest.mark.parametrize(
    "names",
    [
        ("merge_commit_shas[]", "merge_commit_shas[]"),
        ("merge_commit_shas", "merge_commit_shas"),
        ("merge_commit_shas", "merge_commit_shas[]"),
    ],
)
def test_a_form_makes_lists_of_brackets_and_of_repeats(shop: Shop, names: tuple[str, str]) -> None:
    shop.merge_all([1, 2])
    stored = create(shop, (names[0], shop.sha(1)), (names[1], shop.sha(2)))
    assert stored["merge_commit_shas"] == [shop.sha(1), shop.sha(2)]


def test_one_element_in_brackets_is_a_list(shop: Shop) -> None:
    shop.merge(1)
    stored = create(shop, ("merge_commit_shas[]", shop.sha(1)))
    assert stored["merge_commit_shas"] == [shop.sha(1)]


def test_a_form_makes_objects_of_keys_in_brackets(shop: Shop) -> None:
    stored = create(shop, ("metadata[version]", "v1"), ("metadata[build-id]", "7"))
    assert stored["metadata"] == {"version": "v1", "build-id": "7"}
    stored = create(shop, ("service[identifier]", shop.service), ("service[name]", "The Service"))
    assert stored["service_name"] == "The Service"


def test_structures_may_stand_in_a_field_as_json(shop: Shop) -> None:
    shop.merge_all([1, 2])
    stored = create(
        shop,
        ("merge_commit_shas", json.dumps([shop.sha(1), shop.sha(2)])),
        ("metadata", json.dumps({"version": "v1", "count": 3})),
        ("service", json.dumps({"identifier": shop.service, "name": "JSON"})),
    )
    assert stored["merge_commit_shas"] == [shop.sha(1), shop.sha(2)]
    assert stored["metadata"] == {"version": "v1", "count": 3}
    assert stored["service_name"] == "JSON"


def test_text_of_every_language_arrives_as_it_was_sent(shop: Shop) -> None:
    name = "żółć 배포 🚀 \u202eabc & = + %"
    for stored in (
        create(shop, ("source_name", name)),
        shop.info(shop.deploy(source_name=name)["reference_id"]),
    ):
        assert stored["source_name"] == name


# The query string


def test_the_query_string_carries_arguments_too(shop: Shop) -> None:
    method = f"deployments.create?{urlencode(shop.deployment(1))}"
    stored = shop.info(succeeded(shop.server.send(method))["reference_id"])
    assert (stored["service"], stored["deployed_at"]) == (shop.service, when(1))


@pytest.mark.parametrize("as_form", [True, False])
def test_where_both_name_an_argument_the_body_wins(shop: Shop, as_form: bool) -> None:
    body: dict[str, Any] = {"data": shop.deployment(1)} if as_form else {"json": shop.deployment(1)}
    method = "deployments.create?" + urlencode({"service": "loses", "environment": "staging"})
    stored = shop.info(succeeded(shop.server.send(method, **body))["reference_id"])
    assert (stored["service"], stored["environment"]) == (shop.service, "staging")


def test_a_client_may_put_its_own_path_into_the_query_string(shop: Shop) -> None:
    for path in ("/api/deployments.create", quote("/v1/deployments?a=b&c", safe="")):
        answer = succeeded(
            shop.server.send(f"deployments.create?x={path}", json=shop.deployment(1))
        )
        assert answer["id"]


def test_unknown_arguments_are_ignored_and_named(shop: Shop) -> None:
    answer = shop.deploy(1, pipeline="build", commit="abcdef0", ref={"a": 1})
    assert answer["warnings"] == [
        "Unknown argument ignored: pipeline",
        "Unknown argument ignored: commit",
        "Unknown argument ignored: ref",
    ]
    assert "warnings" not in shop.deploy(1)


def test_warnings_are_bounded(shop: Shop) -> None:
    answer = shop.deploy(1, **{f"{'x' * 500}{number}": 1 for number in range(100)})
    assert len(answer["warnings"]) == 20
    assert max(map(len, answer["warnings"])) < 150


# Verbs

READS = (
    "deployments.info",
    "deployments.list",
    "deployments.explain",
    "pulls.info",
    "pulls.list",
    "pulls.explain",
    "incidents.info",
    "incidents.list",
    "metrics.get",
    "metrics.rows",
    "repositories.doctor",
    "repositories.list",
    "services.list",
    "rules.list",
    "path_rules.list",
    "imports.template",
    "imports.info",
    "imports.list",
    "imports.rows",
)
WRITES = (
    "deployments.create",
    "deployments.setPullServices",
    "deployments.upsert",
    "deployments.update",
    "deployments.delete",
    "deployments.retry",
    "pulls.import",
    "repositories.upsert",
    "incidents.upsert",
    "incidents.sync",
    "incidents.link",
    "incidents.unlink",
    "incidents.withdraw",
    "incidents.delete",
    "rules.upsert",
    "rules.preview",
    "rules.delete",
    "artifacts.set",
    "path_rules.upsert",
    "path_rules.preview",
    "path_rules.delete",
    "deployments.import",
    "imports.upload",
    "imports.preview",
    "imports.apply",
    "imports.undo",
)


TIME = {"since": "2024-03-01", "until": "2024-03-08"}


def test_the_route_table_holds_these_methods_and_no_more(server: LiveServer) -> None:
    described = server.http.get(f"{server.base_url}/openapi.json").json()
    assert sorted(described["paths"]) == sorted(f"/api/{one}" for one in READS + WRITES)


@pytest.mark.parametrize("method", READS)
def test_a_read_answers_get_and_post_alike(shop: Shop, method: str) -> None:
    shop.merge(1)
    deployed = shop.deploy(2)
    arguments: dict[str, Any] = {
        "deployments.info": {"reference_id": deployed["reference_id"]},
        "deployments.explain": {"id": deployed["id"]},
        "deployments.list": {"repository": shop.repository},
        "pulls.list": {"repository": shop.repository, "deployed": "true"},
        "pulls.info": {"repository": shop.repository, "number": 1},
        "pulls.explain": {"repository": shop.repository, "number": 1},
        "imports.template": {"kind": "pulls"},
        "metrics.get": TIME | {"metric": "change_failure_rate"},
        "metrics.rows": TIME | {"metric": "deployment_frequency"},
    }.get(method, {"limit": 2})
    if method in ("imports.info", "imports.rows"):
        arguments = {"id": a_failed_import(shop.server)}
    if method == "incidents.info":
        arguments = {"reference_id": shop.reference("incident")}
        shop.server.call("incidents.upsert", **arguments, started_at="2024-03-02T10:00:00Z")
    posted = shop.server.call(method, **arguments)
    assert succeeded(shop.server.send(method, verb="GET", params=arguments)) == posted
    assert succeeded(shop.server.send(method, data=arguments)) == posted


def a_failed_import(server: LiveServer) -> int:
    """An import about which nothing changes any more."""
    answer = succeeded(server.send("deployments.import", content=b"no column that is known"))
    import_id: int = answer["import"]["id"]
    while server.call("imports.info", id=import_id)["import"]["state"] != "failed":
        pass
    return import_id


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("verb", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_write_answers_post_alone(server: LiveServer, method: str, verb: str) -> None:
    response = server.send(method, verb=verb)
    refusal = refused(response)
    assert refusal.what == (405, "method_not_allowed", None)
    assert verb in refusal.message
    assert response.headers["Allow"] == "POST"


def test_head_is_answered_without_a_body(server: LiveServer) -> None:
    response = server.send("services.list", verb="HEAD")
    assert (response.status_code, response.content) == (200, b"")
    assert server.send("deployments.create", verb="HEAD").status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/api/deployments.creat",
        "/api/deployments.create/",
        "/api/DEPLOYMENTS.CREATE",
        "/api/",
        "/api",
        "/api//deployments.create",
        "/api/%00",
        "/api/%ff",
        "/api/%F0%9F%9A%80",
        "/favicon.ico",
    ],
)
def test_a_path_with_nothing_at_it_is_an_unknown_method(server: LiveServer, path: str) -> None:
    refusal = refused(server.http.post(server.base_url + path))
    assert refusal.what == (404, "unknown_method", None)
    assert "/docs" in refusal.message


# Request ids, health, descriptions


def test_every_answer_has_a_request_id(server: LiveServer) -> None:
    ids = {server.send("services.list").headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


def test_a_sound_request_id_is_kept(server: LiveServer) -> None:
    response = server.send("nothing.here", headers={"X-Request-Id": "build-1791/3"})
    assert response.headers["X-Request-Id"] == "build-1791/3"
    assert response.json()["request_id"] == "build-1791/3"


@pytest.mark.parametrize("sent", ["a b", "", "x" * 129, '"quoted"', b"\xff\xfe"])
def test_an_unsound_request_id_is_replaced(server: LiveServer, sent: str | bytes) -> None:
    raw = sent if isinstance(sent, bytes) else sent.encode()
    response = server.send("services.list", headers=[(b"X-Request-Id", raw)])
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-Id"])


def test_health_is_told_without_a_token(server: LiveServer) -> None:
    assert succeeded(server.http.get(f"{server.base_url}/healthz")) == {"ok": True}
    ready = succeeded(server.http.get(f"{server.base_url}/readyz"))
    assert ready["schema_version"]


def test_the_api_describes_itself(server: LiveServer) -> None:
    response = server.http.get(f"{server.base_url}/openapi.json")
    described = response.json()
    assert described["openapi"] == "3.1.0"
    assert described["servers"] == [{"url": server.base_url}]
    body = described["paths"]["/api/deployments.create"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert schema["required"] == ["deployed_at", "service"]
    assert "integration_branch" in schema["properties"]


def test_the_docs_are_a_page_that_names_every_method(server: LiveServer) -> None:
    response = server.http.get(f"{server.base_url}/docs")
    assert response.headers["Content-Type"].startswith("text/html")
    for method in READS + WRITES:
        assert f'id="{method}"' in response.text


def test_links_have_the_address_that_a_proxy_on_the_same_machine_says(shop: Shop) -> None:
    headers = {"X-Forwarded-Proto": "https", "Host": "deployments.example"}
    response = shop.server.send("deployments.create", json=shop.deployment(1), headers=headers)
    assert succeeded(response)["url"].startswith("https://deployments.example/deployments/")


@pytest.mark.parametrize("host", ["[", "a b", "x" * 300, "::1", "evil.example:99999999", "ü"])
@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/api/services.list", "/nowhere"])
def test_a_nonsensical_host_breaks_nothing(server: LiveServer, host: str, path: str) -> None:
    headers = [
        (b"Host", host.encode()),
        (b"Authorization", f"Bearer {server.default_token}".encode()),
    ]
    response = httpx.get(server.base_url + path, headers=headers, trust_env=False)
    assert response.status_code < 500
