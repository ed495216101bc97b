"""POST /webhooks/<forge>: what is genuine is stored once and answered at once; nothing else is."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from tests.deliveries import (
    SECRET,
    a_pull_payload,
    as_body,
    github_headers,
    post,
    signature,
)
from tests.server import PATIENCE, LiveServer, refused
from tests.shops import Shop

from shipmark.api.webhooks import LARGEST
from shipmark.storage.database import Database
from shipmark.storage.forge_tables import deliveries

FORGERIES: dict[str, tuple[str, dict[str, str]]] = {
    "github, unsigned": ("github", {"X-GitHub-Event": "ping"}),
    "github, signed with another secret": (
        "github",
        {"X-Hub-Signature-256": signature(b"{}", "another")},
    ),
    "github, of another body": ("github", {"X-Hub-Signature-256": signature(b"[]")}),
    "github, no hexadecimal": ("github", {"X-Hub-Signature-256": "sha256=secret"}),
    "github, with an older algorithm": ("github", {"X-Hub-Signature": signature(b"{}")}),
    "gitlab, without a token": ("gitlab", {"X-Gitlab-Event": "Push Hook"}),
    "gitlab, with another token": ("gitlab", {"X-Gitlab-Token": "another"}),
    "bitbucket, unsigned": ("bitbucket", {"X-Event-Key": "repo:push"}),
    "bitbucket, signed with another secret": (
        "bitbucket",
        {"X-Hub-Signature": signature(b"{}", "another")},
    ),
    "azure, without a secret": ("azure-devops", {}),
    "azure, with another": ("azure-devops", {"Authorization": "Basic dXNlcjphbm90aGVy"}),
}


@contextmanager
def connected(server: LiveServer) -> Iterator[Any]:
    with (
        closing(Database(server.database_url)) as database,
        database.engine.connect() as connection,
    ):
        yield connection


def stored(server: LiveServer) -> int:
    with connected(server) as connection:
        count: int = connection.scalar(select(func.count()).select_from(deliveries))
        return count


def row_of(server: LiveServer, delivery_id: str) -> Any:
    """A delivery, once it waits no longer."""
    deadline = time.monotonic() + PATIENCE
    query = select(deliveries).where(deliveries.c.delivery_id == delivery_id)
    with connected(server) as connection:
        while (row := connection.execute(query).one()).due_at is not None:
            assert time.monotonic() < deadline, row
            connection.rollback()
            time.sleep(0.05)
        return row


@pytest.mark.parametrize("what", FORGERIES)
def test_a_webhook_that_is_not_proven_is_refused_and_stores_nothing(
    server: LiveServer, what: str
) -> None:
    forge, headers = FORGERIES[what]
    before = stored(server)
    refusal = refused(post(server, forge, b"{}", headers))
    assert refusal.what == (401, "invalid_signature", None)
    assert stored(server) == before


@pytest.mark.parametrize("forge", ["gitea", "sourceforge"])
def test_webhooks_of_a_forge_without_a_secret_are_not_taken(server: LiveServer, forge: str) -> None:
    before = stored(server)
    headers = {"X-Gitea-Signature": signature(b"{}", "").removeprefix("sha256=")}
    refusal = refused(post(server, forge, b"{}", headers))
    assert refusal.what == (404, "unknown_method", None)
    assert stored(server) == before


def test_a_genuine_webhook_is_taken_and_its_facts_become_known(shop: Shop) -> None:
    server, delivery_id = shop.server, str(uuid4())
    body = as_body(a_pull_payload(shop.repository, title="Sell pears"))
    response = post(
        server, "github", body, github_headers("pull_request", body, delivery_id=delivery_id)
    )
    assert (response.status_code, response.json()) == (202, {"ok": True})
    row = row_of(server, delivery_id)
    assert (row.body, row.error) == (None, None)
    pull = server.call("pulls.info", repository=shop.repository, number=1)["pull_request"]
    assert (pull["title"], pull["merged_at"]) == ("Sell pears", "2024-06-01T13:00:00Z")


def test_a_repository_nobody_added_becomes_known_by_its_webhook(server: LiveServer) -> None:
    delivery_id = str(uuid4())
    name = f"acme/{delivery_id}"
    body = as_body(a_pull_payload(name))
    headers = github_headers("pull_request", body, delivery_id=delivery_id)
    assert post(server, "github", body, headers).status_code == 202
    row_of(server, delivery_id)
    assert server.call("pulls.info", repository=name, number=1)["ok"]


def test_nothing_that_proves_a_delivery_is_stored(shop: Shop) -> None:
    delivery_id = str(uuid4())
    body = as_body(a_pull_payload(shop.repository))
    headers = github_headers("pull_request", body, delivery_id=delivery_id)
    post(shop.server, "github", body, headers | {"Authorization": "Bearer x", "Cookie": "y"})
    row = row_of(shop.server, delivery_id)
    assert row.headers == '{"content-type": "application/json", "x-github-event": "pull_request"}'


def test_a_replay_is_answered_alike_and_stored_once(shop: Shop) -> None:
    server, delivery_id = shop.server, str(uuid4())
    body = as_body(a_pull_payload(shop.repository))
    headers = github_headers("pull_request", body, delivery_id=delivery_id)
    assert post(server, "github", body, headers).status_code == 202
    before = stored(server)
    assert post(server, "github", body, headers).status_code == 202
    # Nobody signs the id: whoever replays a delivery may make up another.
    replayed = headers | {"X-GitHub-Delivery": str(uuid4())}
    assert post(server, "github", body, replayed).status_code == 202
    assert stored(server) == before


def test_a_delivery_that_cannot_be_read_is_kept_with_the_reason(server: LiveServer) -> None:
    delivery_id = str(uuid4())
    body = as_body({"action": "closed", "id": delivery_id})
    headers = github_headers("pull_request", body, delivery_id=delivery_id)
    assert post(server, "github", body, headers).status_code == 202
    row = row_of(server, delivery_id)
    assert row.body == body
    assert "pull_request" in row.error
    assert row.attempts == 1
    # Sent again, it is read again: it may be another release that reads it.
    assert post(server, "github", body, headers).status_code == 202
    assert "pull_request" in row_of(server, delivery_id).error


def test_a_body_of_a_form_is_read_as_well(shop: Shop) -> None:
    delivery_id = str(uuid4())
    payload = as_body(a_pull_payload(shop.repository, title="By a form")).decode()
    body = urlencode({"payload": payload}).encode()
    headers = github_headers("pull_request", body, delivery_id=delivery_id)
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    assert post(shop.server, "github", body, headers).status_code == 202
    assert row_of(shop.server, delivery_id).error is None
    pull = shop.server.call("pulls.info", repository=shop.repository, number=1)["pull_request"]
    assert pull["title"] == "By a form"


def test_a_webhook_that_is_too_large_is_refused(server: LiveServer) -> None:
    body = b" " * (LARGEST + 1)
    headers = github_headers("ping", body, delivery_id="large")
    assert refused(post(server, "github", body, headers)).what == (413, "payload_too_large", None)


def test_each_forge_takes_what_its_own_secret_proves(server: LiveServer) -> None:
    genuine = {
        "gitlab": {"X-Gitlab-Token": SECRET},
        "bitbucket": {"X-Hub-Signature": signature(b"{}")},
        "azure-devops": {"X-Shipmark-Secret": SECRET},
    }
    for forge, headers in genuine.items():
        assert post(server, forge, b"{}", headers).status_code == 202, forge


def test_webhooks_are_posted(server: LiveServer) -> None:
    response = server.http.get(f"{server.base_url}/webhooks/github")
    assert refused(response).what == (405, "method_not_allowed", None)
