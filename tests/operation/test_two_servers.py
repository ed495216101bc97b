"""Two servers and two workers on one PostgreSQL, writing to the same lanes at once.

Everything each thread does commutes with what the others do, so that there is one right end.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Event

import pytest
from sqlalchemy import make_url, text
from tests.builders import at
from tests.operation.expectations import (
    as_arguments,
    as_item,
    expected_of,
    merged_pulls,
    random_deployments,
    shown_by,
)
from tests.reference_model import Deployment, Facts, Pull
from tests.server import LiveServer, Process, environment, shipmark

from shipmark.storage.database import Database

REPOSITORIES = ("acme/shop", "acme/site")
THREADS = 6
PATIENCE = 60
"""Seconds that the workers have for what two servers stored past each other."""
WAIT = {"unknown_merge_commits": "wait", "first_retry_after": "1s"}

Action = Callable[[LiveServer], None]


@pytest.fixture(params=["read committed", "serializable"])
def database_url(empty_postgresql_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A database that `shipmark migrate` prepared, whose transactions are of one kind."""
    name = make_url(empty_postgresql_url).database
    setting = f"ALTER DATABASE \"{name}\" SET default_transaction_isolation TO '{request.param}'"
    with closing(Database(empty_postgresql_url)) as database, database.engine.begin() as connection:
        connection.execute(text(setting))
    done = shipmark("migrate", environment=environment(empty_postgresql_url, tmp_path))
    assert done.returncode == 0, done.stderr
    return empty_postgresql_url


@pytest.fixture
def servers(database_url: str, tmp_path: Path) -> Iterator[tuple[LiveServer, LiveServer]]:
    """Two servers that leave retrying to two workers beside them."""
    workers = [
        Process("worker", environment=environment(database_url, tmp_path, **WAIT)) for _ in range(2)
    ]
    servers = [LiveServer(database_url, tmp_path, "--no-worker", **WAIT) for _ in range(2)]
    with ExitStack() as running:
        for one in (*workers, *servers):
            running.callback(one.close)
        with ThreadPoolExecutor() as starting:
            list(starting.map(lambda one: one.start(), (*workers, *servers)))
        yield servers[0], servers[1]
        for one in (*servers, *workers):
            one.stop()


class Work:
    """Things to do at once, each list in its order, and the facts that come out of them."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.facts = Facts()
        self.lists: list[list[Action]] = []
        for place, repository in enumerate(REPOSITORIES):
            pulls = [
                replace(one, source_id=str(1000 * (place + 1) + one.number))
                for one in merged_pulls(16, repository)
            ]
            deployments = list(random_deployments(40, 16, random, repository))
            self.facts.default_branches[repository] = "main"
            self.facts.pulls |= {one.key: one for one in pulls}
            self.lists += [
                *(self.import_pull(one) for one in pulls),
                *(self.assign(one) for one in pulls[::3]),
                *(self.register(one) for one in deployments),
            ]

    def import_pull(self, pull: Pull) -> list[Action]:
        """Imported twice: without its merge commit at first."""
        item = as_item(pull)
        first = item | {"merge_commit_sha": None, "title": "Not merged yet", "merged_at": None}

        def importing(what: object) -> Action:
            return lambda server: check(server, "pulls.import", pulls=[what])

        return [importing(first), importing(item)]

    def assign(self, pull: Pull) -> list[Action]:
        """Services by both names of a pull request, whether or not it is imported by then."""
        self.facts.services[pull.key] = frozenset({"api", "web"})

        def assigning(service: str, **which: object) -> Action:
            return lambda server: check(
                server, "deployments.setPullServices", services=[service], **which
            )

        return [
            assigning("api", github_pull_id=pull.source_id),
            assigning("web", repository=pull.repository, pull_number=pull.number),
        ]

    def register(self, deployment: Deployment) -> list[Action]:
        """Registered, and for some then changed or deleted."""
        arguments = as_arguments(deployment)
        which = {"reference_id": deployment.reference_id}
        actions: list[Action] = [
            lambda server: check(server, "deployments.create", **arguments),
        ]
        choice = self.random.randrange(5)
        if choice == 0:
            actions.append(lambda server: check(server, "deployments.delete", **which))
            return actions
        if choice == 1:
            moved = self.random.randint(1, 20)
            deployment = replace(deployment, deployed_at=at(moved), environment="staging")
            change = which | {"deployed_at": at(moved).isoformat(), "environment": "staging"}
            actions.append(lambda server: check(server, "deployments.update", **change))
        elif choice == 2:
            self.lists += [list(actions), list(actions)]
        self.facts.deployments[deployment.reference_id] = deployment
        return actions

    def do(self, servers: tuple[LiveServer, LiveServer]) -> None:
        """Do it all: each list in its order, the lists at once, each step on either server."""
        self.random.shuffle(self.lists)
        chosen = [
            [(self.random.choice(servers), action) for action in actions] for actions in self.lists
        ]

        def do_list(steps: list[tuple[LiveServer, Action]]) -> None:
            for server, action in steps:
                action(server)

        with ThreadPoolExecutor(THREADS) as threads, reading(servers[0]):
            list(threads.map(do_list, chosen))


@contextmanager
def reading(server: LiveServer) -> Iterator[None]:
    """While this lasts, someone reads all the time, and is never refused."""
    done = Event()

    def read() -> None:
        while not done.is_set():
            server.call("deployments.list", limit=50)
            server.call("pulls.list", deployed=False)

    with ThreadPoolExecutor(1) as reader:
        reads = reader.submit(read)
        try:
            yield
        finally:
            done.set()
        reads.result()


def check(server: LiveServer, method: str, /, **arguments: object) -> None:
    """Call a method as clients do: 503 says that nothing was stored, and it is sent again."""
    for _ in range(20):
        response = server.send(method, json=arguments)
        if response.status_code != 503:
            break
        time.sleep(0.5)
    answer = response.json()
    assert (response.status_code, answer.get("failed", 0)) == (200, 0), response.text


def test_the_end_is_what_the_definition_says(servers: tuple[LiveServer, LiveServer]) -> None:
    for repository in REPOSITORIES:
        servers[0].call("repositories.upsert", name=repository, default_branch="main")
    work = Work(Random(1))  # noqa: S311 - no secret
    work.do(servers)
    expected = expected_of(work.facts)
    assert {status for status, *_ in expected.values()} == {"attributed", "waiting", "none"}
    deadline = time.monotonic() + PATIENCE
    while shown_by(servers[1]) != expected and time.monotonic() < deadline:
        time.sleep(0.5)
    assert shown_by(servers[0]) == expected
    assert shown_by(servers[1]) == expected
