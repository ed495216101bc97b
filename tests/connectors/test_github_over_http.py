"""GitHub over real HTTP: as a GitHub App, in pages of GraphQL, with limits and what is kept."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.builders import Clock
from tests.connectors.fake_github import FakeGitHub, graphql_pull
from tests.connectors.http_forge import HTTPForge, answers
from tests.connectors.recorded import octokit
from tests.connectors.talks import ok

from shipmark.application.forges import ForgeAway
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.exchange import Request, Response
from shipmark.connectors.forge_servers import Access
from shipmark.connectors.forges import Forge, connect

NAME = "Codertocat/Hello-World"
HOME = f"/repos/{NAME}"


class Server:
    """A GitHub Enterprise Server with an App: its addresses around a FakeGitHub."""

    def __init__(self, clock: Clock, count: int) -> None:
        self.clock = clock
        self.github = FakeGitHub(NAME)
        opened = octokit("pull_request", "opened")[0]
        self.github.pulls = [
            graphql_pull(opened["pull_request"] | {"number": number, "id": number})
            for number in range(1, count + 1)
        ]
        self.github.paths[HOME] = opened["repository"]
        self.github.paths[f"{HOME}/installation"] = {"id": 5}
        self.github.paths[f"{HOME}/commits"] = []

    def __call__(self, request: Request) -> Response:
        if request.path == "/api/v3/app/installations/5/access_tokens":
            expires = self.clock.now + timedelta(hours=1)
            return ok({"token": "ghs_s3cret", "expires_at": expires.isoformat()})
        path = request.path.removeprefix("/api").removeprefix("/v3")
        return self.github(replace(request, path=path))


@pytest.fixture
def server(clock: Clock) -> Iterator[HTTPForge]:
    with HTTPForge(Server(clock, 60)) as running:
        yield running


@pytest.fixture
def forge(server: HTTPForge, clock: Clock) -> Iterator[Forge]:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    access = Access(source="github", url=server.url, app=("12", key))
    forges = connect([access], clock=clock, sleep=lambda _: None)
    found = forges.named("github")
    assert found is not None
    yield found
    forges.close()


def numbers(page: Any) -> list[int]:
    return [fact.number for fact in page.facts if isinstance(fact, PullFacts)]


def test_an_app_reads_all_pages_with_its_installations_token(
    forge: Forge, server: HTTPForge
) -> None:
    found: list[int] = []
    cursors: list[str | None] = [None]
    while len(cursors) == 1 or cursors[-1]:
        page = forge.page(NAME, since=None, cursor=cursors[-1])
        found += numbers(page)
        cursors.append(page.cursor)
    assert found == list(range(1, 61))
    queries = [one for one in server.asked if one.path == "/api/graphql"]
    assert len(queries) == 3
    assert {one.headers["authorization"] for one in queries} == {"Bearer ghs_s3cret"}
    tokens = [path for path in server.paths() if path.endswith("/access_tokens")]
    assert len(tokens) == 1


def test_a_repository_that_has_not_changed_is_answered_with_304(
    forge: Forge, server: HTTPForge
) -> None:
    first = forge.repository(NAME)
    assert forge.repository(NAME) == first
    assert server.not_modified == 1


def test_a_budget_that_is_spent_is_not_overdrawn(
    forge: Forge, server: HTTPForge, clock: Clock
) -> None:
    page = forge.page(NAME, since=None, cursor="pulls")
    until = clock.now.replace(microsecond=0) + timedelta(minutes=40)
    spent = {
        "x_ratelimit_remaining": "0",
        "x_ratelimit_limit": "5000",
        "x_ratelimit_reset": str(int(until.timestamp())),
    }
    server.faults.append(answers(403, b'{"message": "API rate limit exceeded"}', **spent))
    asked = len(server.asked)
    for _ in range(2):
        with pytest.raises(ForgeAway) as away:
            forge.page(NAME, since=None, cursor=page.cursor)
        assert away.value.until == until
    assert len(server.asked) == asked + 1
    assert forge.budget() == "0 of 5000"
    clock.now = until
    assert numbers(forge.page(NAME, since=None, cursor=page.cursor)) == list(range(25, 49))


def test_a_secondary_limit_is_one_too(forge: Forge, server: HTTPForge, clock: Clock) -> None:
    forge.repository(NAME)
    body = b'{"message": "You have exceeded a secondary rate limit. Please wait."}'
    server.faults.append(answers(403, body, retry_after="120"))
    with pytest.raises(ForgeAway) as away:
        forge.page(NAME, since=None, cursor="pulls")
    assert away.value.until == clock.now + timedelta(minutes=2)
