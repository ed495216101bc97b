"""Which forge serves which repository, who asks it, and what its failures come to."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.builders import Clock
from tests.connectors.giteas import HOME, NAME, FakeGitea, a_pull_request, a_repository
from tests.connectors.giteas import an_api_commit as a_commit
from tests.connectors.http_forge import HTTPForge, answers, hangs_up
from tests.connectors.talks import ok

from shipmark.application.facts import BranchPush, RepositoryFacts
from shipmark.application.forges import ForgeAway, ForgeTrouble
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.exchange import Request, Response
from shipmark.connectors.forge_servers import Access, headers_of, server_of
from shipmark.connectors.forges import Forge, Forges, connect
from shipmark.domain.model import Repository

MERGE = a_commit()["sha"]


def access(source: str, given: str | None = None, **more: Any) -> Access:
    return Access(source=source, token=given, **more)


def gitea() -> FakeGitea:
    return FakeGitea(
        **{
            "/pulls": [a_pull_request(number) for number in range(1, 26)],
            "/commits": [a_commit()],
            "/pulls/3": a_pull_request(3),
            f"/git/commits/{MERGE}": a_commit(),
            f"/commits/{MERGE}/pull": a_pull_request(3),
        }
    )


@pytest.fixture
def server() -> Iterator[HTTPForge]:
    with HTTPForge(gitea(), prefix="/api/v1") as running:
        yield running


def only(forges: Forges) -> Forge:
    (source,) = forges.sources
    found = forges.named(source)
    assert found is not None
    return found


@pytest.fixture
def forge(server: HTTPForge) -> Iterator[Forge]:
    forges = connect([access("gitea", "s3cret", url=server.url)], sleep=lambda _: None)
    yield only(forges)
    forges.close()


def test_a_repository_and_a_commit_are_told(forge: Forge, server: HTTPForge) -> None:
    told = forge.repository(NAME)
    assert told is not None
    assert (told.name, told.source) == (NAME, "gitea")
    assert any(
        isinstance(fact, PullFacts) and fact.number == 3 for fact in forge.commit(NAME, MERGE)
    )
    pull = forge.pull(NAME, 3)
    assert pull is not None
    assert pull.number == 3
    assert forge.pull(NAME, 99) is None
    assert server.asked[0].headers["authorization"] == "token s3cret"


def test_pages_tell_the_repository_its_pull_requests_and_its_branch(forge: Forge) -> None:
    facts: list[Any] = []
    cursors: list[str | None] = [None]
    while len(cursors) == 1 or cursors[-1]:
        page = forge.page(NAME, since=None, cursor=cursors[-1])
        facts += page.facts
        cursors.append(page.cursor)
    assert cursors == [None, "rules", "pulls", "pulls 2", "commits", None]
    kinds = [type(fact) for fact in facts]
    assert kinds.count(RepositoryFacts) == 1
    assert kinds.count(PullFacts) == 25
    assert [fact.branch for fact in facts if isinstance(fact, BranchPush)] == ["main"]


def test_commits_are_asked_for_from_before_the_last_run(forge: Forge, server: HTTPForge) -> None:
    since = datetime(2026, 3, 20, tzinfo=UTC)
    page = forge.page(NAME, since=since, cursor="commits")
    assert [fact.branch for fact in page.facts if isinstance(fact, BranchPush)] == ["main"]
    page = forge.page(NAME, since=since + timedelta(days=30), cursor="commits")
    assert page.facts == ()


def test_commits_of_azure_are_not_taken_for_pushed_ones() -> None:
    asked, _ = server_of("azure_devops", "https://dev.azure.com/acme")
    assert asked.commits_page is None


def test_an_empty_repository_has_no_branch_to_read(forge: Forge, server: HTTPForge) -> None:
    server.answering = FakeGitea(**{"/pulls": []})
    server.answering.paths[HOME] = a_repository(default_branch="")
    assert forge.page(NAME, since=None, cursor="commits").cursor is None


@pytest.mark.parametrize("fault", [hangs_up, answers(503), answers(200, b'{"id": 7')])
def test_a_forge_that_is_down_is_away(forge: Forge, server: HTTPForge, fault: Any) -> None:
    server.faults.extend([fault] * 9)
    with pytest.raises(ForgeAway):
        forge.repository(NAME)


def test_a_limit_says_until_when(forge: Forge, server: HTTPForge) -> None:
    server.faults.append(answers(429, retry_after="3600"))
    with pytest.raises(ForgeAway) as away:
        forge.repository(NAME)
    assert away.value.until is not None


@pytest.mark.parametrize("fault", [answers(403), answers(200, b'{"id": "x"}')])
def test_a_refusal_is_trouble_with_one_repository(
    forge: Forge, server: HTTPForge, fault: Any
) -> None:
    server.faults.append(fault)
    with pytest.raises(ForgeTrouble) as trouble:
        forge.repository(NAME)
    assert not isinstance(trouble.value, ForgeAway)


def test_a_repository_that_is_not_there_cannot_be_paged(forge: Forge) -> None:
    assert forge.repository("org/other") is None
    with pytest.raises(ForgeTrouble, match="gitea has no repository org/other"):
        forge.page("org/other", since=None, cursor=None)


# Whose a repository is


def a_repository_of(source: str | None) -> Repository:
    return Repository(id=1, name="a/b", default_branch=None, source=source)


def test_a_repository_is_served_by_the_forge_it_is_of() -> None:
    both = connect([access("github", "x"), access("gitlab", "y")])
    served = {source: both.serving(a_repository_of(source)) for source in ("GitHub", "gitlab")}
    assert [one and one.source for one in served.values()] == ["github", "gitlab"]
    assert both.serving(a_repository_of("gitea")) is None
    assert both.serving(a_repository_of(None)) is None
    both.close()


def test_where_nothing_is_said_the_only_forge_serves() -> None:
    one = connect([access("github", "x")])
    assert one.serving(a_repository_of(None)) is one.named("github")
    assert one.serving(a_repository_of("gitea")) is None
    assert connect([]).serving(a_repository_of(None)) is None
    one.close()


# Where a forge is, and who asks it


@pytest.mark.parametrize(
    ("source", "path", "authorization", "token"),
    [
        ("github", "/api/v3/repos/a/b", "Bearer t", "t"),
        ("gitlab", "/api/v4/projects/a%2Fb", "Bearer t", "t"),
        ("bitbucket", "/rest/api/1.0/projects/a/repos/b", "Bearer t:u", "t:u"),
        ("azure_devops", "/a/_apis/git/repositories/b", "Basic OnQ=", "t"),
        ("gitea", "/api/v1/repos/a/b", "token t", "t"),
    ],
)
def test_each_forge_is_asked_where_and_as_it_wants(
    source: str, path: str, authorization: str, token: str
) -> None:
    with HTTPForge(lambda _: ok({}, status=404)) as server:
        forges = connect([access(source, token, url=server.url)])
        assert only(forges).repository("a/b") is None
        forges.close()
    assert server.paths() == [path]
    assert server.asked[0].headers["authorization"] == authorization


@pytest.mark.parametrize(
    ("token", "authorization"), [("t", "Bearer t"), ("ann@example.com:t", "Basic ")]
)
def test_bitbucket_cloud_takes_the_token_of_a_repository_or_of_a_person(
    token: str, authorization: str
) -> None:
    asked, server = server_of("bitbucket", "https://bitbucket.org")
    headers = headers_of(access("bitbucket", token), asked)
    assert headers["authorization"].startswith(authorization)
    assert server.address("/2.0/x") == "https://api.bitbucket.org/2.0/x"


def test_without_a_token_nobody_is_said_to_ask() -> None:
    with HTTPForge(lambda _: ok({}, status=404)) as server:
        forges = connect([Access(source="gitlab", url=server.url)])
        assert only(forges).repository("a/b") is None
        forges.close()
    assert "authorization" not in server.asked[0].headers


def test_releases_of_azure_are_on_a_server_of_their_own() -> None:
    address = server_of("azure_devops", "https://dev.azure.com/acme")[1].address
    assert address("/shop/_apis") == "https://dev.azure.com/acme/shop/_apis"
    assert address("https://vsrm.dev.azure.com/acme/x") == "https://vsrm.dev.azure.com/acme/x"
    for other in ("https://vsrm.dev.azure.com/acme.evil/x", "https://evil.example/x"):
        with pytest.raises(ValueError, match="is not a path"):
            address(other)


def test_a_forge_that_is_always_somebodys_own_needs_an_address() -> None:
    with pytest.raises(ValueError, match="needs a URL"):
        connect([access("gitea", "x")])
    with pytest.raises(ValueError, match="no forge"):
        connect([Access(source="sourcehut", url="https://sr.ht")])


# A GitHub App


@pytest.fixture(scope="module")
def key() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class FakeApp:
    """A GitHub with an App that two accounts have installed."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.made = 0

    def __call__(self, request: Request) -> Response:
        match request.path.strip("/").split("/"):
            case ["repos", "ann" | "bob" as owner, _, "installation"]:
                return ok({"id": {"ann": 1, "bob": 2}[owner]})
            case ["app", "installations", number, "access_tokens"]:
                self.made += 1
                expires = self.clock.now + timedelta(hours=1)
                return ok({"token": f"t{number}-{self.made}", "expires_at": expires.isoformat()})
        return ok({}, status=404)


def test_an_app_asks_with_the_token_of_the_installation_that_has_the_repository(
    clock: Clock, key: str
) -> None:
    with HTTPForge(FakeApp(clock), prefix="/api/v3") as server:
        app = access("github", url=server.url, app=("12", key))
        forges = connect([app], clock=clock)
        forge = only(forges)

        def token_for(name: str) -> str:
            forge.repository(name)
            return server.asked[-1].headers["authorization"]

        assert [token_for("ann/a"), token_for("ann/b"), token_for("bob/c")] == [
            "Bearer t1-1",
            "Bearer t1-1",
            "Bearer t2-2",
        ]
        clock.advance(minutes=59, seconds=30)
        assert token_for("ann/a") == "Bearer t1-3"
        with pytest.raises(ForgeTrouble, match="not installed where it could see eve/x"):
            forge.repository("eve/x")
        forges.close()
