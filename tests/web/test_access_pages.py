"""Pages of tokens and accounts, for those who administer and nobody else."""

import re
from collections.abc import Iterator

import pytest
from tests.conftest import DATABASES
from tests.server import LiveServer
from tests.shops import Shop
from tests.web.people import Person

SECRET = re.compile(r"smk_[0-9a-f]{48}")
CHANGES = ("/access", "/access/tokens/1/revoke", "/access/accounts", "/access/accounts/change")


@pytest.fixture
def server(request: pytest.FixtureRequest) -> LiveServer:
    """What is stored is tested on both databases; of the pages, the main path is."""
    database = getattr(request, "param", "sqlite")
    shared: LiveServer = request.getfixturevalue(f"{database}_server")
    return shared


@pytest.fixture
def admin(server: LiveServer, shop: Shop) -> Iterator[Person]:
    with Person(server) as somebody:
        somebody.sign_in(server.token("admin", name=f"admin-{shop.number}"))
        somebody.get("/access")
        yield somebody


def made(admin: Person, name: str, **fields: str) -> str:
    """The secret of a token that was made with the form."""
    admin.page = admin.post("/access", name=name, **({"read": "yes"} | fields))
    assert admin.page.status_code == 200, admin.words
    (secret,) = SECRET.findall(admin.page.text)
    return str(secret)


def status(server: LiveServer, token: str, method: str = "deployments.list") -> int:
    return server.send(method, token=token, json={}).status_code


@pytest.mark.parametrize("server", DATABASES, indirect=True)
def test_a_secret_is_shown_once_and_kept_nowhere(
    admin: Person, server: LiveServer, shop: Shop
) -> None:
    secret = made(admin, f"ci-{shop.number}", expiry="30")
    assert admin.page.headers["Cache-Control"] == "no-store"
    assert secret not in str(admin.page.url)
    assert status(server, secret) == 200
    assert status(server, secret, "deployments.delete") == 403
    assert not SECRET.search(admin.get("/access").text)
    assert f"ci-{shop.number}" in admin.words
    assert "in 29 d" in admin.words
    assert secret not in server.log


def test_a_token_is_revoked_by_its_id_alone(admin: Person, server: LiveServer) -> None:
    secret = made(admin, "by its id", expiry="never")
    admin.get("/access")
    (id_,) = re.findall(r"by its id <span class=\"sub\">id (\d+)", admin.page.text)
    other = made(admin, id_)
    admin.get("/access")
    assert admin.post(f"/access/tokens/{id_}/revoke").status_code == 303
    assert (status(server, secret), status(server, other)) == (401, 200)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": " "}, "is no name for a token"),
        ({"name": "x" * 101}, "is no name for a token"),
        ({"read": "no"}, "Choose at least one scope"),
        ({"expiry": "yesterday"}, "expiry is 'yesterday'"),
        ({"account": "nobody's"}, "There is no account"),
    ],
)
def test_what_is_wrong_with_a_token_is_said(
    admin: Person, fields: dict[str, str], said: str
) -> None:
    admin.page = admin.post("/access", **({"name": "ci", "read": "yes"} | fields))
    assert admin.page.status_code == 400
    assert said in admin.words
    assert not SECRET.search(admin.page.text)


def test_an_account_is_made_deactivated_and_activated(
    admin: Person, server: LiveServer, shop: Shop
) -> None:
    name = f"team {shop.number}"
    admin.get("/access/accounts")
    assert admin.post("/access/accounts", name=name).status_code == 303
    assert "There is an account" in admin.post("/access/accounts", name=name).text
    secret = made(admin, "theirs", account=name)
    admin.get("/access/accounts")
    for active, answer in (("no", 403), ("yes", 200)):
        changed = admin.post("/access/accounts/change", name=name, active=active)
        assert changed.status_code == 303
        assert status(server, secret) == answer


@pytest.mark.parametrize("active", ["", "maybe", "true"])
def test_an_account_is_changed_by_a_clear_word_alone(
    admin: Person, server: LiveServer, shop: Shop, active: str
) -> None:
    name = f"team {shop.number}"
    admin.get("/access/accounts")
    admin.post("/access/accounts", name=name)
    secret = made(admin, "theirs", account=name)
    admin.get("/access/accounts")
    answer = admin.post("/access/accounts/change", name=name, active=active)
    assert answer.status_code == 422
    assert f"active is &#39;{active}&#39;; it must be yes or no" in answer.text
    assert status(server, secret) == 200


def test_nobody_locks_themselves_out(admin: Person) -> None:
    answer = admin.post("/access/accounts/change", name="default", active="no")
    assert answer.status_code == 422
    assert admin.get("/access/accounts").status_code == 200


@pytest.mark.parametrize("scopes", [("read",), ("read", "deployments:write", "pulls:write")])
def test_nobody_else_sees_or_changes_any_of_it(server: LiveServer, scopes: tuple[str, ...]) -> None:
    with Person(server) as somebody:
        somebody.sign_in(server.token(*scopes))
        assert 'href="/access"' not in somebody.page.text
        for path in ("/access", "/access/accounts"):
            assert somebody.get(path).status_code == 403
        somebody.get("/deployments")
        for path in CHANGES:
            assert somebody.post(path, name="x", read="yes").status_code == 403


def test_without_a_session_or_its_token_nothing_changes(admin: Person, server: LiveServer) -> None:
    for path in CHANGES:
        assert admin.http.post(path, data={"name": "x", "read": "yes"}).status_code == 401
    with Person(server) as nobody:
        answer = nobody.post("/access", name="x", read="yes")
        assert (answer.status_code, answer.headers["Location"]) == (
            303,
            "/sign-in?done=session-over",
        )
