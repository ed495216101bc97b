"""What clients of this API send and expect today, whoever wrote them."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from tests.server import LiveServer, refused, succeeded
from tests.shops import Shop, when


def test_1_a_success_is_exactly_200_and_an_object_with_ok_true(shop: Shop) -> None:
    shop.merge(1)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("deployments.create", shop.deployment(2, reference_id=shop.reference("x"))),
        (
            "deployments.setPullServices",
            {"repository": shop.repository, "pull_number": 1, "services": [shop.service]},
        ),
        ("deployments.upsert", {"reference_id": shop.reference("x"), "source_name": "ci"}),
        ("deployments.update", {"reference_id": shop.reference("x"), "source_name": "ci"}),
        ("deployments.delete", {"reference_id": shop.reference("x")}),
        ("pulls.import", {"pulls": [shop.item(1), {"broken": True}]}),
    ]
    for method, arguments in calls:
        response = shop.server.send(method, json=arguments)
        assert response.status_code == 200
        assert response.json()["ok"] is True


def test_1_the_id_is_at_the_top_where_there_is_no_data(shop: Shop) -> None:
    answer = shop.deploy()
    found = answer.get("data", {}).get("id") or answer["id"]
    assert shop.server.call("deployments.info", id=found)["deployment"]["id"] == found


@pytest.mark.parametrize(
    ("status", "path", "token", "body"),
    [
        (400, "/api/deployments.create", "right", b"{"),
        (401, "/api/deployments.create", None, b"{}"),
        (401, "/api/deployments.create", "wrong", b"{}"),
        (404, "/api/deployments.register", "right", b"{}"),
        (404, "/anything/else", None, b""),
        (422, "/api/deployments.create", "right", b"{}"),
    ],
)
def test_2_an_error_is_400_or_above_and_json_with_ok_error_and_message(
    server: LiveServer, status: int, path: str, token: str | None, body: bytes
) -> None:
    secret = server.default_token if token == "right" else token  # noqa: S105 - a word for one
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    response = server.http.post(server.base_url + path, content=body, headers=headers)
    assert refused(response).status == status


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (1717250400, "2024-06-01T14:00:00Z"),
        ("1717250400", "2024-06-01T14:00:00Z"),
        (1717250400000, "2024-06-01T14:00:00Z"),
        ("1717250400000", "2024-06-01T14:00:00Z"),
        ("2025-01-01T12:05:00", "2025-01-01T12:05:00Z"),
        ("2026-03-12T10:00:00Z", "2026-03-12T10:00:00Z"),
    ],
)
def test_3_deployed_at_comes_in_six_ways(shop: Shop, sent: object, stored: str) -> None:
    answer = shop.deploy(deployed_at=sent)
    assert shop.info(answer["reference_id"])["deployed_at"] == stored


def test_4_ids_and_numbers_of_pull_requests_come_as_digits(shop: Shop) -> None:
    source_id = 3 * 10**10 + shop.number
    shop.merge(1, source_id=source_id)
    for which in (
        {"github_pull_id": str(source_id)},
        {"repository": shop.repository, "pull_number": "1"},
    ):
        answer = shop.server.call("deployments.setPullServices", **which, services=[shop.service])
        assert answer["imported"] is True


@pytest.mark.parametrize(
    "service", ["api", {"identifier": "api"}, {"identifier": "api", "name": "API"}, {"name": "api"}]
)
def test_5_services_come_as_text_and_as_objects(shop: Shop, service: object) -> None:
    assert shop.info(shop.deploy(service=service)["reference_id"])["service"] == "api"
    answer = shop.server.call(
        "deployments.setPullServices",
        repository=shop.repository,
        pull_number=1,
        services=[service, "other"],
    )
    assert answer["services"] == ["api", "other"]


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ("[svc_a svc_b]", ["svc_a", "svc_b"]),
        (["", "svc_a"], ["svc_a"]),
        (["service a", "service b"], ["service a", "service b"]),
    ],
)
def test_6_services_come_as_one_text_with_blanks_and_with_spaces(
    shop: Shop, sent: object, names: list[str]
) -> None:
    answer = shop.server.call(
        "deployments.setPullServices", repository=shop.repository, pull_number=1, services=sent
    )
    assert answer["services"] == names


def test_6_nothing_but_blanks_is_no_service(shop: Shop) -> None:
    refusal = shop.server.refusal(
        "deployments.setPullServices", repository=shop.repository, pull_number=1, services=[""]
    )
    assert refusal.what == (422, "required_params_missing", "services")


def test_7_arguments_come_as_json_as_a_form_and_in_the_query_string(shop: Shop) -> None:
    arguments = shop.deployment(1, reference_id=shop.reference("x"))
    sent: list[tuple[str, dict[str, Any]]] = [
        ("", {"json": arguments}),
        ("", {"data": arguments}),
        ("?" + urlencode(arguments), {}),
        ("?x=/v1/deployments", {"json": arguments}),
        ("?unknown=1&also=2", {"json": arguments | {"unknown": [1]}}),
    ]
    ids = {
        succeeded(shop.server.send("deployments.create" + query, **body))["id"]
        for query, body in sent
    }
    assert len(ids) == 1


def test_8_metadata_has_numbers_and_source_url_may_be_blank(shop: Shop) -> None:
    answer = shop.deploy(metadata={"build": 1791, "seconds": 12.5}, source_url="")
    stored = shop.info(answer["reference_id"])
    assert stored["metadata"] == {"build": 1791, "seconds": 12.5}
    assert stored["source_url"] is None


def test_9_what_is_repeated_is_stored_once(shop: Shop) -> None:
    arguments = shop.deployment(1, reference_id=shop.reference("x"))
    answers = [shop.server.call("deployments.create", **arguments) for _ in range(5)]
    assert answers == [answers[0]] * 5
    listed = shop.server.call("deployments.list", repository=shop.repository)
    assert len(listed["deployments"]) == 1


def test_9_a_client_that_hangs_up_before_the_answer_may_repeat(shop: Shop) -> None:
    arguments = shop.deployment(1, reference_id=shop.reference("x"))
    body = json.dumps(arguments).encode()
    head = (
        "POST /api/deployments.create HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {shop.server.default_token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    address = httpx.URL(shop.server.base_url)
    with socket.create_connection((address.host, address.port)) as connection:
        connection.sendall(head.encode() + body)
    shop.server.call("deployments.create", **arguments)
    listed = shop.server.call("deployments.list", repository=shop.repository)
    assert len(listed["deployments"]) == 1


def test_9_what_is_sent_at_the_same_moment_is_stored_once(shop: Shop) -> None:
    same = shop.deployment(1, reference_id=shop.reference("x"))
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda _: shop.server.call("deployments.create", **same), range(24))
        )
    assert answers == [answers[0]] * 24
    listed = shop.server.call("deployments.list", repository=shop.repository)
    assert len(listed["deployments"]) == 1


def test_9_of_different_values_at_the_same_moment_one_is_stored(shop: Shop) -> None:
    def create(number: int) -> int:
        arguments = shop.deployment(number % 3, reference_id=shop.reference("x"))
        return shop.server.send("deployments.create", json=arguments).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(threads.map(create, range(24)))
    assert statuses == [200] * 8 + [409] * 16


def test_10_a_commit_of_a_pull_request_stands_for_it(shop: Shop) -> None:
    shop.merge(1)
    shop.merge(2, head_sha=shop.sha(102), commit_shas=[shop.sha(101), shop.sha(102)])
    for number in (101, 102):
        service = f"{shop.service}-{number}"
        answer = shop.deploy(3, service=service, commit_sha=shop.sha(number))
        assert shop.shipped(answer) == [1, 2]


def test_10_a_commit_of_no_pull_request_is_taken_and_waits(shop: Shop) -> None:
    shop.merge(1)
    attribution = shop.deploy(3, commit_sha=shop.sha(200))["attribution"]
    assert (attribution["status"], attribution["reason"]) == ("pending", "commit_not_imported")


def test_11_environment_and_success_are_understood(shop: Shop) -> None:
    answer = shop.deploy(environment="staging", success=False)
    stored = shop.info(answer["reference_id"])
    assert (stored["environment"], stored["success"]) == ("staging", False)


def test_11_a_commit_needs_no_repository_if_one_alone_has_it(shop: Shop) -> None:
    shop.merge(1)
    payload = {"deployed_at": when(2), "service": shop.service, "commit_sha": shop.sha(1)}
    response = shop.server.send("deployments.create", content=json.dumps(payload).encode())
    assert shop.shipped(succeeded(response)) == [1]
    assert shop.refused_deploy(repository=None, commit_sha=shop.sha(2)).what == (
        422,
        "required_params_missing",
        "repository",
    )
