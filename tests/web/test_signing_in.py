"""Signing in, and what a session is good for."""

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import update
from tests.api.tokens import tokens_of
from tests.databases import sqlite_url_of
from tests.server import LiveServer
from tests.shops import Shop
from tests.web.people import Person

from shipmark.application.tokens import create_account, digest, revoke_token, set_account_active
from shipmark.application.writer import transact
from shipmark.storage.database import Database
from shipmark.storage.session_tables import sessions
from shipmark.web.headers import CONTENT_SECURITY_POLICY


def signed_in(person: Person) -> bool:
    """Whether a page is shown, rather than where one signs in."""
    answer = person.get("/deployments")
    assert answer.status_code == 200 or answer.headers["Location"].startswith("/sign-in")
    return answer.status_code == 200


def test_a_page_leads_to_signing_in_and_back(server: LiveServer) -> None:
    with Person(server) as somebody:
        answer = somebody.get("/deployments", service="till", since="2024-01-01")
        assert answer.status_code == 303
        form = somebody.get(answer.headers["Location"])
        assert 'name="next" value="/deployments?service=till&amp;since=2024-01-01"' in form.text
        back = somebody.post(
            "/sign-in", token=server.default_token, next="/deployments?service=till"
        )
        assert (back.status_code, back.headers["Location"]) == (303, "/deployments?service=till")
        assert signed_in(somebody)


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"],
)
def test_one_is_never_led_elsewhere(server: LiveServer, elsewhere: str) -> None:
    with Person(server) as somebody:
        assert f'value="{elsewhere}"' not in somebody.get("/sign-in", next=elsewhere).text
        answer = somebody.post("/sign-in", token=server.default_token, next=elsewhere)
        assert answer.headers["Location"] == "/"


def test_the_cookie_is_no_token_and_no_script_or_other_site_has_it(server: LiveServer) -> None:
    with Person(server) as somebody:
        cookie = somebody.sign_in().headers["Set-Cookie"]
        assert server.default_token not in cookie
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie.split("; ")


def test_behind_tls_the_cookie_is_sent_over_tls_alone(server: LiveServer) -> None:
    with Person(server) as somebody:
        headers = {"X-Forwarded-Proto": "https", "Origin": server.base_url.replace("http", "https")}
        data = {"token": server.default_token}
        cookie = somebody.http.post("/sign-in", data=data, headers=headers).headers["Set-Cookie"]
        assert cookie.startswith("__Host-shipmark=")
        assert "Secure" in cookie.split("; ")


def test_below_a_path_every_link_and_way_back_has_it(tmp_path: Path) -> None:
    url = sqlite_url_of(tmp_path / "below.db")
    base_url = "http://shop.example/ship"
    with LiveServer(url, tmp_path, base_url=base_url) as server, Person(server) as somebody:
        answer = somebody.get("/pulls", author="ines")
        way_back = "/ship/sign-in?next=%2Fship%2Fpulls%3Fauthor%3Dines"
        assert answer.headers["Location"] == way_back
        page = somebody.get("/sign-in", next="/ship/pulls").text
        assert set(re.findall('(?:href|src|action)="(/[a-z]*)', page)) == {"/ship"}
        sent = {"token": server.default_token, "next": "/ship/pulls"}
        from_there = {"Origin": "http://shop.example"}
        answer = somebody.http.post("/sign-in", data=sent, headers=from_there)
        assert answer.headers["Location"] == "/ship/pulls"


def test_tokens_that_are_refused_sign_nobody_in(shop: Shop) -> None:
    tokens = tokens_of(shop)
    with Person(shop.server) as somebody:
        for token, status in [
            ("", 401),
            ("smk_guess", 401),
            (tokens.expired, 401),
            (tokens.revoked, 401),
            (tokens.inactive, 403),
            (shop.server.token("deployments:write"), 403),
        ]:
            somebody.http.headers["X-Forwarded-For"] = f"192.0.2.{len(token)}"
            assert somebody.post("/sign-in", token=token).status_code == status
        assert not signed_in(somebody)
        assert somebody.post("/sign-in", token=tokens.reading).status_code == 303
        assert signed_in(somebody)


def test_attempts_are_bounded_for_the_address_that_fails(server: LiveServer) -> None:
    with Person(server) as somebody:
        somebody.http.headers["X-Forwarded-For"] = f"198.51.100.{id(somebody) % 250}"
        guess = {"token": "smk_guess"}
        tried = [somebody.post("/sign-in", **guess).status_code for _ in range(12)]
        assert tried == [401] * 10 + [429] * 2
        late = somebody.post("/sign-in", token=server.default_token)
        assert (late.status_code, int(late.headers["Retry-After"]) > 0) == (429, True)
    with Person(server) as other:
        assert other.sign_in().status_code == 303


def test_a_session_ends_with_its_token(shop: Shop) -> None:
    token = shop.server.token(name=f"ending-{shop.number}")
    with Person(shop.server) as somebody, closing(Database(shop.server.database_url)) as database:
        somebody.sign_in(token)
        assert signed_in(somebody)
        transact(database, partial(revoke_token, which=f"ending-{shop.number}"))
        assert not signed_in(somebody)


def test_who_sends_a_form_when_the_session_is_over_is_told_that_nothing_was_changed(
    shop: Shop,
) -> None:
    shop.deploy(1, reference_id=shop.reference("live"))
    page = shop.info(shop.reference("live"))["url"].removeprefix(shop.server.base_url)
    with Person(shop.server) as somebody:
        somebody.sign_in()
        somebody.get(f"{page}/edit")
        somebody.http.cookies.clear()
        answer = somebody.post(f"{page}/edit", environment="canary")
        somebody.get(answer.headers["Location"])
        assert "Your session is over. Nothing was changed" in somebody.words
    assert shop.info(shop.reference("live"))["environment"] == "production"


def test_a_session_ends_with_its_account(shop: Shop) -> None:
    name = f"leaving-{shop.number}"
    with Person(shop.server) as somebody, closing(Database(shop.server.database_url)) as database:
        transact(database, partial(create_account, name=name))
        somebody.sign_in(shop.server.token("read", account=name))
        assert signed_in(somebody)
        transact(database, partial(set_account_active, name=name, active=False))
        assert not signed_in(somebody)


def test_signing_out_ends_the_session_for_whoever_has_the_cookie(person: Person) -> None:
    cookies = dict(person.http.cookies)
    assert person.post("/sign-out").status_code == 303
    person.http.cookies.update(cookies)
    assert not signed_in(person)


def test_signing_in_again_ends_the_session_before(person: Person) -> None:
    before = dict(person.http.cookies)
    person.sign_in()
    person.http.cookies.clear()
    person.http.cookies.update(before)
    assert not signed_in(person)


def test_a_form_of_another_site_is_refused(person: Person) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}):
        answer = person.http.post("/sign-out", headers=headers, data={"form_token": "x"})
        assert answer.status_code == 401
    assert person.http.post("/sign-out").status_code == 401
    assert person.http.post("/sign-out", data={"form_token": "ü" * 9}).status_code == 401
    assert signed_in(person)


def test_the_cookie_changes_every_hour_of_use(person: Person) -> None:
    before = dict(person.http.cookies)
    with closing(Database(person.server.database_url)) as database, database.write() as tx:
        now = datetime.now(UTC)
        own = sessions.c.digest.in_([digest(secret) for secret in before.values()])
        earlier = update(sessions).where(own).values(renewed_at=now - timedelta(hours=2))
        tx.connection.execute(earlier)
    person.get("/deployments")
    after = dict(person.http.cookies)
    assert after != before
    assert person.post("/theme", theme="dark", next="/pulls").status_code == 303
    assert dict(person.http.cookies).items() > after.items()
    person.http.cookies.clear()
    person.http.cookies.update(before)
    assert signed_in(person)


def test_light_and_dark_are_chosen_with_a_form(server: LiveServer) -> None:
    with Person(server) as somebody:
        assert 'data-theme="auto"' in somebody.get("/sign-in").text
        somebody.post("/theme", theme="dark", next="/sign-in")
        assert 'data-theme="dark"' in somebody.get("/sign-in").text
        somebody.post("/theme", theme="<b>", next="/sign-in")
        assert 'data-theme="auto"' in somebody.get("/sign-in").text


@pytest.mark.parametrize("path", ["/sign-in", "/deployments", "/nowhere"])
def test_every_page_tells_browsers_to_load_and_run_nothing_else(person: Person, path: str) -> None:
    headers = person.http.get(path, headers={"Accept": "text/html"}).headers
    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("host", ["[", "a b", "x" * 300, "::1", "evil.example:99999999"])
@pytest.mark.parametrize("path", ["/sign-in", "/deployments", "/nowhere"])
def test_a_nonsensical_host_breaks_nothing(person: Person, host: str, path: str) -> None:
    assert person.http.get(path, headers={"Host": host, "Accept": "text/html"}).status_code < 500


def test_what_is_not_there_is_said_on_a_page(person: Person) -> None:
    answer = person.http.get("/nowhere", headers={"Accept": "text/html,*/*"})
    assert (answer.status_code, "There is nothing at /nowhere" in answer.text) == (404, True)


def test_files_are_kept_for_ever_under_names_of_their_content(server: LiveServer) -> None:
    with Person(server) as somebody:
        page = somebody.get("/sign-in").text
        names = [part.split('"')[0] for part in page.split('"/static/')[1:]]
        assert {name.rpartition(".")[2] for name in names} == {"css", "js", "svg"}
        for name in names:
            plain = somebody.http.get(f"/static/{name}", headers={"Accept-Encoding": "identity"})
            file = somebody.http.get(f"/static/{name}")
            assert file.headers["Content-Encoding"] == "gzip"
            assert file.content == plain.content
            assert "immutable" in file.headers["Cache-Control"]
        assert somebody.http.get("/static/app.css").status_code == 404
