"""A server that is killed or stopped under load loses nothing that it answered with 200."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from random import Random

import httpx
import pytest
from tests.operation.conftest import Serve
from tests.operation.expectations import (
    REPOSITORY,
    as_arguments,
    as_item,
    expected_of,
    facts_of,
    merged_pulls,
    random_deployments,
    shown_by,
    stored_by,
)
from tests.reference_model import Deployment
from tests.server import LiveServer

THREADS = 8
PULLS = merged_pulls(24)


class Load:
    """Deployments to register from many threads at once, and what was answered to each."""

    def __init__(self, server: LiveServer, deployments: Iterable[Deployment]) -> None:
        self.server = server
        self.deployments = list(deployments)
        self.ids: dict[str, int] = {}
        self.refused: dict[str, int] = {}
        self.unanswered: set[str] = set()
        self._lock = threading.Lock()

    def send(self, *, after: int = -1, then: Callable[[], None] = lambda: None) -> None:
        """Send those that were not answered with 200 yet; ``after`` so many do something."""
        enough = len(self.ids) + after

        def register(one: Deployment) -> None:
            try:
                response = self.server.send("deployments.create", json=as_arguments(one))
            except httpx.TransportError:
                self.unanswered.add(one.reference_id)
                return
            with self._lock:
                if response.status_code == 200:
                    self.ids[one.reference_id] = response.json()["id"]
                    self.unanswered.discard(one.reference_id)
                else:
                    self.refused[one.reference_id] = response.status_code
                if len(self.ids) == enough:
                    then()

        waiting = [one for one in self.deployments if one.reference_id not in self.ids]
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(register, waiting))

    def stored(self, ids: Iterable[str]) -> list[Deployment]:
        wanted = set(ids)
        return [one for one in self.deployments if one.reference_id in wanted]


@pytest.fixture
def load(serve: Serve) -> Load:
    server = serve()
    server.call("repositories.upsert", name=REPOSITORY, default_branch="main")
    server.call("pulls.import", pulls=[as_item(pull) for pull in PULLS])
    deployments = random_deployments(240, len(PULLS), Random(7))  # noqa: S311 - no secret
    return Load(server, deployments)


def test_what_was_answered_before_a_kill_is_there_once_and_attributed_right(load: Load) -> None:
    server = load.server
    for _ in range(2):
        load.send(after=50, then=server.kill)
        assert load.unanswered
        server.start()
        stored = stored_by(server)
        assert load.ids.items() <= stored.items()
        assert stored.keys() <= load.ids.keys() | load.unanswered
        assert shown_by(server) == expected_of(facts_of(PULLS, load.stored(stored)))
    before = dict(load.ids)
    load.ids.clear()
    load.send()
    assert len(load.ids) == len(load.deployments)
    assert load.ids.items() >= before.items()
    assert shown_by(server) == expected_of(facts_of(PULLS, load.deployments))


def test_a_graceful_stop_answers_and_stores_or_refuses_and_does_not(load: Load) -> None:
    server = load.server
    load.send(after=50, then=server.terminate)
    server.wait()
    assert len(load.ids) < len(load.deployments)
    assert set(load.refused.values()) <= {503}
    server.start()
    assert stored_by(server) == load.ids
    assert shown_by(server) == expected_of(facts_of(PULLS, load.stored(load.ids)))
