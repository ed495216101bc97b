"""Pages of imports: a file is uploaded, looked at, applied and taken back, over HTTP."""

import csv
import io
import re
import time

import pytest
from tests.conftest import DATABASES
from tests.server import PATIENCE, LiveServer
from tests.shops import Shop, when
from tests.web.people import Person

HEADER = "app,deployed_at,repository,commit_sha,reference_id,success\n"


@pytest.fixture
def server(request: pytest.FixtureRequest) -> LiveServer:
    """What is stored is tested on both databases; of the pages, the main path is."""
    database = getattr(request, "param", "sqlite")
    shared: LiveServer = request.getfixturevalue(f"{database}_server")
    return shared


@pytest.fixture
def person(shop: Shop, person: Person) -> Person:
    """Someone who has a file of a shop that merged 1 to 4 and has deployed 4."""
    shop.merge_all(range(1, 5))
    shop.deploy(9, reference_id=shop.reference("live"), commit_sha=shop.sha(4))
    person.get("/imports")
    return person


def line(shop: Shop, number: int, **cells: str) -> str:
    told = {
        "service": shop.service,
        "deployed_at": when(number + 0.5),
        "repository": shop.repository,
        "commit_sha": shop.sha(number),
        "reference_id": shop.reference(f"old-{number}"),
        "success": "yes",
    } | cells
    return ",".join(told.values()) + "\n"


def upload(person: Person, *lines: str, **fields: str) -> str:
    """The path of the import's page, once it is read."""
    sent = {"kind": "deployments", "map": "service=app"} | fields
    answer = person.send_file("/imports", (HEADER + "".join(lines)).encode(), **sent)
    assert answer.status_code == 303, answer.text
    path: str = answer.headers["Location"].partition("?")[0]
    followed(person, path)
    return path


def followed(person: Person, path: str) -> None:
    """Load the page again until nothing goes on by itself."""
    deadline = time.monotonic() + PATIENCE
    while "data-follow" in person.get(path).text:
        assert '<noscript><meta http-equiv="refresh"' in person.page.text
        assert time.monotonic() < deadline, person.words
        time.sleep(0.05)
    assert person.page.status_code == 200


def do(person: Person, path: str, what: str, **fields: str) -> None:
    """Press a button of the page, and wait until that is done."""
    assert f'action="{path}/{what}"' in person.page.text
    answer = person.post(f"{path}/{what}", **fields)
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, path)
    followed(person, path)


@pytest.mark.parametrize("server", DATABASES, indirect=True)
def test_a_file_is_previewed_applied_and_taken_back(person: Person, shop: Shop) -> None:
    bad = line(shop, 4, reference_id="x", success="?")
    path = upload(person, line(shop, 1), line(shop, 3), bad)
    assert "years.csv" in person.words
    assert "validated 3 rows" in person.words
    do(person, path, "preview")
    assert "New 2 Already there 0 Conflicting 0" in person.words
    assert "Attributions that move 3" in person.words
    move = f"{shop.repository} #2 {shop.service} production {shop.reference('live')}"
    assert f"{move} {shop.reference('old-3')}" in person.words
    assert shop.shipping(2) == [shop.reference("live")]
    do(person, path, "apply")
    assert "applied 3 rows" in person.words
    assert shop.shipping(2) == [shop.reference("old-3")]
    person.get("/deployments", repository=shop.repository)
    assert shop.reference("old-3") in person.words
    person.get(path)
    do(person, path, "undo")
    assert "undone 3 rows" in person.words
    assert shop.shipping(2) == [shop.reference("live")]
    person.get("/imports")
    assert re.search(rf'href="{path}">years.csv', person.page.text)


def test_bad_rows_are_told_with_what_would_be_right(person: Person, shop: Shop) -> None:
    bad = [line(shop, 1, success="=perhaps"), line(shop, 2, deployed_at="yesterday")]
    path = upload(person, *bad, line(shop, 3))
    assert "2 refused" in person.words
    assert "success =perhaps invalid_arguments success is '=perhaps'; it must be" in person.words
    assert "deployed_at yesterday invalid_arguments deployed_at is 'yesterday'" in person.words
    person.get(path, state="ready")
    assert shop.reference("old-3") in person.words
    assert "yesterday" not in person.words
    rows = list(csv.DictReader(io.StringIO(person.get(f"{path}/rows.csv").text)))
    assert [(row["line"], row["column"], row["value"]) for row in rows] == [
        ("2", "success", "'=perhaps"),
        ("3", "deployed_at", "yesterday"),
    ]
    assert "state must be" not in person.words
    assert person.get(path, state="nonsense").status_code == 400
    assert "state is 'nonsense'; it must be one of" in person.words


def test_rows_come_in_pages(person: Person, shop: Shop) -> None:
    path = upload(person, *(line(shop, n, success=f"no{n}") for n in range(60)))
    assert "50 rows shown" in person.words
    (after,) = re.findall(rf'href="{path}\?after=(\d+)" rel="next"', person.page.text)
    person.get(path, after=after)
    assert "10 rows shown" in person.words


def test_a_strict_import_with_bad_rows_is_not_applied(person: Person, shop: Shop) -> None:
    path = upload(person, line(shop, 1), line(shop, 2, success="?"), strict="yes")
    assert f'action="{path}/apply"' not in person.page.text
    assert person.post(f"{path}/apply").status_code == 409
    assert "as a whole or not at all" in person.words


def test_what_was_changed_by_hand_is_kept_listed_and_taken_back_by_force(
    person: Person, shop: Shop
) -> None:
    path = upload(person, line(shop, 1), line(shop, 3))
    do(person, path, "apply")
    kept = shop.reference("old-3")
    shop.server.call("deployments.update", reference_id=kept, environment="staging")
    do(person, path, "undo")
    assert "1 row was changed by hand since, and kept" in person.words
    person.get(path, state="kept")
    assert kept in person.words
    do(person, path, "undo", force="yes")
    assert "undone 2 rows" in person.words
    assert shop.server.refusal("deployments.info", reference_id=kept).status == 404


def test_what_cannot_be_done_now_is_said_on_the_page(person: Person, shop: Shop) -> None:
    path = upload(person, line(shop, 1))
    answer = person.post(f"{path}/undo")
    assert answer.status_code == 409
    assert "there is nothing to undo" in answer.text
    assert "years.csv" in answer.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"map": "app"}, "it must be pairs like"),
        ({"map": "colour=app"}, "map has &#39;colour&#39;; known are"),
        ({"kind": "nonsense"}, "kind is &#39;nonsense&#39;"),
        ({}, "There is no file, or it is empty"),
        ({"filename": ""}, "Choose a file"),
    ],
)
def test_what_is_wrong_with_an_upload_is_said_beside_it(
    person: Person, fields: dict[str, str], said: str
) -> None:
    sent = {"kind": "deployments", "map": "", "filename": "a.csv"} | fields
    answer = person.send_file("/imports", b"" if said.startswith("There") else b"a\n1\n", **sent)
    assert answer.status_code in (400, 422), answer.text
    assert said in answer.text


def test_two_files_at_once_are_refused_and_neither_is_stored(person: Person, shop: Shop) -> None:
    person.get("/imports")
    before = shop.server.call("imports.list")["imports"]
    token = re.findall(r'name="form_token" value="([^"]+)"', person.page.text)[0]
    person.page = person.http.post(
        "/imports",
        data={"form_token": token, "kind": "deployments"},
        files=[("file", ("one.csv", b"a\n1\n")), ("file", ("two.csv", b"b\n2\n"))],
    )
    assert person.page.status_code == 400
    assert "There is a second file, 'two.csv'; send one at a time." in person.words
    shop.merge(1)  # What was begun is given up by now: writes come one after the other.
    assert shop.server.call("imports.list")["imports"] == before


def test_a_form_of_another_site_or_without_its_token_stores_nothing(person: Person) -> None:
    person.page.text.index("form_token")
    without = person.http.post("/imports", data={"kind": "deployments"}, files={"file": b"a\n"})
    assert without.status_code == 401
    person.http.headers["Origin"] = "https://evil.example"
    assert person.send_file("/imports", b"a\n", kind="deployments").status_code == 401


def test_a_file_needs_the_scope_of_its_rows(server: LiveServer) -> None:
    with Person(server) as somebody:
        somebody.sign_in(server.token("read", "pulls:write"))
        somebody.get("/imports")
        assert '<option value="deployments"' not in somebody.page.text
        refused = somebody.send_file("/imports", b"service\na\n", kind="deployments")
        assert refused.status_code == 403
    with Person(server) as somebody:
        somebody.sign_in(server.token("read"))
        somebody.get("/imports")
        assert "multipart" not in somebody.page.text
        assert somebody.send_file("/imports", b"service\na\n", kind="pulls").status_code == 403


def test_there_is_a_template_of_each_kind(person: Person, shop: Shop) -> None:
    for kind in ("deployments", "pulls", "services"):
        answer = person.get("/imports/template.csv", kind=kind)
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{kind}.csv"'
        content = answer.content.replace(b"acme/shop", shop.repository.encode())
        person.get("/imports")
        sent = person.send_file("/imports", content, filename=f"{kind}.csv", kind=kind)
        path = sent.headers["Location"].partition("?")[0]
        followed(person, path)
        # Its row may be there already, or wait for a pull request; it is not refused.
        assert "1 row" in person.words
        assert "Nothing is wrong with any row." in person.words


def test_there_is_no_page_of_an_import_that_there_is_not(person: Person) -> None:
    for path in ("/imports/999999", "/imports/999999/rows.csv", "/imports/99999999999999999999"):
        assert person.get(path).status_code == 404
    person.get("/imports")
    assert person.post("/imports/999999/apply").status_code == 404
