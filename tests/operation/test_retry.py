"""A deployment that waits: retried, expired, brought back, and started anew."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.operation.conftest import Serve
from tests.server import Process, environment
from tests.shops import Shop

SETTINGS = {"retry_for": "4s", "first_retry_after": "1s"}
Attribution = dict[str, Any]


@pytest.fixture(params=["in the server", "beside it"])
def shop(
    request: pytest.FixtureRequest, serve: Serve, database_url: str, tmp_path: Path
) -> Iterator[Shop]:
    """A shop on a server whose retries take seconds, done by itself or by another process."""
    if request.param == "in the server":
        yield Shop(serve(**SETTINGS))
        return
    with Process("worker", environment=environment(database_url, tmp_path, **SETTINGS)):
        yield Shop(serve("--no-worker", **SETTINGS))


def watch(
    shop: Shop, name: str, until: Callable[[Attribution], bool], seconds: float = 30
) -> Attribution:
    """Look at a deployment's attribution again and again until it is so."""
    deadline = time.monotonic() + seconds
    while True:
        attribution: Attribution = shop.info(name)["attribution"]
        if until(attribution) or time.monotonic() > deadline:
            assert until(attribution), attribution
            return attribution
        time.sleep(0.1)


def is_expired(attribution: Attribution) -> bool:
    return bool(attribution["status"] == "expired")


def test_a_deployment_waits_expires_and_comes_back(shop: Shop) -> None:
    first = shop.deploy(1, reference_id="imported late", commit_sha=shop.sha(1))
    shop.deploy(2, reference_id="started anew", commit_sha=shop.sha(2))
    assert first["attribution"]["status"] == "pending"
    waiting = shop.info("imported late")["attribution"]
    assert waiting["next_attempt_at"] <= waiting["retried_until"]

    retried = watch(shop, "imported late", lambda now: now["attempts"] > waiting["attempts"])
    assert (retried["status"], retried["reason"]) == ("pending", "commit_not_imported")
    assert retried["next_attempt_at"] > waiting["next_attempt_at"]

    expired = watch(shop, "imported late", is_expired)
    assert expired["reason"] == "commit_not_imported"
    assert expired["next_attempt_at"] is None
    assert expired["attempts"] >= 2

    shop.merge(1)
    brought_back = shop.info("imported late")["attribution"]
    assert (brought_back["status"], brought_back["pull_requests"]) == ("attributed", 1)

    expired = watch(shop, "started anew", is_expired)
    answer = shop.server.call("deployments.retry", reference_id="started anew")
    assert answer["attribution"]["status"] == "pending"
    anew = shop.info("started anew")["attribution"]
    assert (anew["status"], anew["attempts"]) == ("pending", 0)
    assert anew["retried_until"] > expired["retried_until"]
    watch(shop, "started anew", lambda now: now["status"] == "pending" and now["attempts"] >= 1)
    shop.merge(2)
    assert shop.info("started anew")["attribution"]["status"] == "attributed"


def test_without_any_worker_nothing_is_retried_and_an_import_still_wakes(serve: Serve) -> None:
    shop = Shop(serve("--no-worker", **SETTINGS))
    shop.deploy(1, reference_id="x", commit_sha=shop.sha(1))
    time.sleep(2)
    assert shop.info("x")["attribution"]["attempts"] == 0
    shop.merge(1)
    assert shop.info("x")["attribution"]["status"] == "attributed"
