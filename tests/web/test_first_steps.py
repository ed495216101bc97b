"""A server with nothing in it: what its pages say to send is taken as it stands."""

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest
from tests.builders import sha
from tests.databases import sqlite_url_of
from tests.server import LiveServer
from tests.web.people import Person

CALL = re.compile(r"<pre>(curl [^<]*)</pre>")
PATHS = ("/", "/deployments", "/pulls", "/services", "/repositories", "/incidents", "/rules")


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Person]:
    """Someone who has just started a server."""
    with (
        LiveServer(sqlite_url_of(tmp_path / "shipmark.db"), tmp_path) as server,
        Person(server) as person,
    ):
        person.sign_in()
        yield person


def calls_on(page: str) -> list[tuple[str, list[str]]]:
    """The methods that a page says to call with curl, and what of each."""
    calls = []
    for call in CALL.findall(page):
        typed = unescape(call)
        for asked, answer in {
            "$(git rev-parse HEAD)": sha(1),
            "$(date +%s)": f"{datetime.now(UTC).timestamp():.0f}",
            '"SHA"': f'"{sha(2)}"',
        }.items():
            typed = typed.replace(asked, answer)
        words = shlex.split(typed)
        said = [words[place + 1] for place, word in enumerate(words) if word == "-d"]
        calls.append((words[1].rpartition("/")[2], said))
    return calls


@pytest.mark.parametrize("path", PATHS)
def test_what_an_empty_page_says_to_send_is_taken(newcomer: Person, path: str) -> None:
    calls = calls_on(newcomer.get(path).text)
    if path == "/services":
        calls = calls_on(newcomer.get("/repositories").text) + calls
    assert calls
    for method, said in calls:
        answer = newcomer.http.post(
            f"/api/{method}",
            content="&".join(said),
            headers={
                "Authorization": f"Bearer {newcomer.server.default_token}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        assert answer.json()["ok"] is True, (method, answer.text)
        assert answer.json().get("failed", 0) == 0, answer.text
    assert "yet" not in newcomer.get(path).text.partition("<h2")[2].partition("</h2>")[0]


def test_where_nothing_is_of_late_the_newest_deployment_is_named(newcomer: Person) -> None:
    call = newcomer.server.call
    call("repositories.upsert", name="acme/shop", default_branch="main")
    call(
        "deployments.create",
        repository="acme/shop",
        service="checkout",
        environment="staging",
        reference_id="checkout-1",
        deployed_at="2024-03-01",
    )
    newcomer.get("/")
    assert "The newest deployment there is: checkout-1 of checkout to staging" in newcomer.words
    newcomer.get("/", service="nobody")
    assert "There is no service 'nobody'." in newcomer.words
