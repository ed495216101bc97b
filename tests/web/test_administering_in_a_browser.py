"""Imports, rules and access in Chromium: by clicking, with and without JavaScript."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.server import LiveServer
from tests.shops import Shop, when
from tests.web.browsers import Window, chromium, window
from tests.web.test_in_a_browser import HARM, HOSTILE, PHONE, WIDE

SLOWLY = 30_000
"""Milliseconds that work in the background may take on a busy machine."""

WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
DROP = """(form, text) => {
    const carried = new DataTransfer();
    carried.items.add(new File([text], "dropped.csv", { type: "text/csv" }));
    const told = (name) => new DragEvent(name, { dataTransfer: carried, bubbles: true });
    form.dispatchEvent(told("dragover"));
    form.dispatchEvent(told("drop"));
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def shop(sqlite_server: LiveServer) -> Shop:
    made = Shop(sqlite_server)
    made.merge_all(range(1, 4), files=["apps/web/main.ts"])
    made.deploy(9, reference_id=made.reference("live"), commit_sha=made.sha(3))
    return made


def lines(shop: Shop) -> str:
    """A file: the first is right, the second not."""
    rows = [
        f"{shop.service},{when(1.5)},{shop.repository},{shop.sha(1)},{shop.reference('old')}",
        f"{shop.service},yesterday,{shop.repository},{shop.sha(1)},{shop.reference('bad')}",
    ]
    return "\n".join(["app,deployed_at,repository,commit_sha,reference_id", *rows, ""])


@pytest.fixture
def file(shop: Shop, tmp_path: Path) -> Path:
    path = tmp_path / "years.csv"
    path.write_text(lines(shop), "utf-8")
    return path


def stands_at(page: Page, state: str) -> None:
    expect(page.locator(".verdict .pill")).to_have_text(state, timeout=SLOWLY)


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no script"])
def test_a_file_is_uploaded_previewed_applied_seen_and_taken_back(
    browser: Browser, shop: Shop, file: Path, scripts: bool
) -> None:
    with window(browser, shop.server, java_script_enabled=scripts) as opened:
        page = opened.page
        page.get_by_role("link", name="Imports").click()
        page.get_by_label("Columns", exact=True).fill("service=app")
        page.get_by_label("File: drop it here").set_input_files(file)
        page.get_by_role("button", name="Upload").click()
        stands_at(page, "validated")
        row = page.get_by_role("row", name="deployed_at")
        expect(row).to_contain_text("deployed_at is 'yesterday'; it must be", timeout=SLOWLY)
        address = page.url
        page.get_by_role("button", name="Preview").click()
        moves = page.get_by_role("region", name="Attributions that would move")
        expect(moves.get_by_role("row", name="#1")).to_contain_text(
            f"{shop.reference('live')}", timeout=SLOWLY
        )
        page.get_by_role("button", name="Apply 1 row").click()
        stands_at(page, "applied")
        address = page.url
        page.get_by_role("link", name="Deployments", exact=True).click()
        page.get_by_label("Repository").fill(shop.repository)
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("link", name=shop.reference("old"))).to_be_visible()
        page.goto(address)
        page.get_by_text("Undo…").click()
        page.get_by_role("button", name="Undo this import").click()
        stands_at(page, "undone")
        assert shop.shipping(1) == [shop.reference("live")]


def test_a_file_is_dropped_on_the_form(browser: Browser, shop: Shop) -> None:
    with window(browser, shop.server) as opened:
        page = opened.page
        opened.open("/imports")
        page.locator("form[enctype]").evaluate(DROP, lines(shop))
        page.get_by_label("Columns", exact=True).fill("service=app")
        page.get_by_role("button", name="Upload").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("dropped.csv")
        stands_at(page, "validated")


def test_a_rule_is_tried_and_saved(browser: Browser, shop: Shop) -> None:
    name = shop.reference("deploys")
    with window(browser, shop.server) as opened:
        page = opened.page
        page.get_by_role("link", name="Rules").click()
        page.get_by_role("link", name="New deploy rule").click()
        page.get_by_label("Name").fill(name)
        page.get_by_label("Of what kind of event").select_option("Tags")
        page.get_by_label("Repository").fill(shop.repository)
        page.get_by_label("Service").fill("{repository_name}")
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_role("heading", name="Preview: nothing is saved")).to_be_visible()
        page.get_by_role("button", name="Save").click()
        assert "The rule was saved." in opened.text
        page.get_by_role("link", name=name, exact=True).click()
        page.get_by_text("Delete…").click()
        page.get_by_role("button", name="Delete this rule").click()
        assert name not in opened.text


@pytest.fixture
def admin(shop: Shop) -> LiveServer:
    """The server, as somebody sees it who administers."""
    server = LiveServer(shop.server.database_url, Path())
    server.base_url = shop.server.base_url
    server.default_token = shop.server.token("admin")
    return server


def test_a_token_is_made_and_revoked(browser: Browser, shop: Shop, admin: LiveServer) -> None:
    name = f"ci-{shop.number}"
    with window(browser, admin) as opened:
        page = opened.page
        page.get_by_role("link", name="Access").click()
        page.get_by_label("What it is for").fill(name)
        page.get_by_role("button", name="Make it").click()
        expect(page.get_by_role("status", name="The new token")).to_contain_text("smk_")
        page.get_by_text(f"Revoke… {name}").click()
        page.get_by_role("button", name=f"Revoke {name}").click()
        assert "The token was revoked." in opened.text
        assert "smk_" not in page.content()


PAGES = (
    "/imports",
    "/rules",
    "/rules/edit",
    "/rules/paths",
    "/rules/paths/edit",
    "/access",
    "/access/accounts",
)


def a_previewed_import(shop: Shop, opened: Window) -> str:
    """The address of an import's page that shows all it can."""
    content = lines(shop).replace("app", "<b id=hostile>").encode()
    told = {"filename": f"{HOSTILE}.csv", "map": '{"service": "<b id=hostile>"}'}
    answer = shop.server.send("deployments.import", content=content, params=told).json()
    address = f"/imports/{answer['import']['id']}"
    opened.open(address)
    stands_at(opened.page, "validated")
    opened.page.get_by_role("button", name="Preview").click()
    heading = opened.page.get_by_role("heading", name="What applying it would do")
    expect(heading).to_be_visible(timeout=SLOWLY)
    return address


@pytest.mark.parametrize(
    ("colours", "viewport"), [("light", WIDE), ("dark", PHONE)], ids=["wide", "phone"]
)
def test_no_page_keeps_anyone_out(
    browser: Browser, shop: Shop, admin: LiveServer, colours: str, viewport: dict[str, int]
) -> None:
    rules = {"repository": shop.repository, "services": {HOSTILE: ["apps/web/"]}}
    shop.server.call("path_rules.upsert", **rules)
    name = f"{HOSTILE}{shop.number}"
    make = {"service": HOSTILE, "environment": HOSTILE, "integration_branch": HOSTILE}
    when_ = {"repository": HOSTILE, "branch": "x" * 200}
    shop.server.call("rules.upsert", name=name, source="push", when=when_, make=make)
    account = f'<b id=hostile>"{{{{ 7 * 7 }}}}</b>{colours}'
    with window(browser, admin) as opened:
        opened.open("/access/accounts")
        opened.page.get_by_label("Name").fill(account)
        opened.page.get_by_role("button", name="Make it").click()
        assert account in opened.text
    shop.server.token("read", name="<b id=hostile>", account=account)
    with window(browser, admin, color_scheme=colours, viewport=viewport) as opened:
        address = a_previewed_import(shop, opened)
        edits = f"/rules/paths/edit?repository={shop.repository}"
        rule = f"/rules/edit?name={quote(name)}"
        for path in (*PAGES, address, f"{address}?state=ready", edits, rule):
            opened.open(path)
            assert opened.violations() == [], path
            assert not opened.page.evaluate(WIDER), path
            assert opened.page.locator(HARM).count() == 0, path
            assert opened.page.evaluate("window.hostile") is None


@pytest.mark.parametrize("width", [700, 1100, 1225, 1260])
def test_sections_have_a_row_of_their_own_where_they_need_it(
    browser: Browser, admin: LiveServer, width: int
) -> None:
    with window(browser, admin, viewport={"width": width, "height": 768}) as opened:
        opened.open("/imports")
        name = opened.page.get_by_role("link", name="Shipmark").bounding_box()
        last = opened.page.get_by_role("button", name="Sign out").bounding_box()
        assert name
        assert last
        assert abs(name["y"] + name["height"] / 2 - last["y"] - last["height"] / 2) < 8


def test_what_a_file_says_is_shown_as_text(browser: Browser, shop: Shop) -> None:
    cell = HOSTILE.replace('"', '""')
    bad = f'service,repository,deployed_at\nshop,{shop.repository},"{cell}"\n'
    told = {"filename": f"{HOSTILE}.csv"}
    content = bad.encode()
    answer = shop.server.send("deployments.import", content=content, params=told).json()
    with window(browser, shop.server) as opened:
        opened.open(f"/imports/{answer['import']['id']}")
        expect(opened.page.get_by_role("row", name="deployed_at")).to_contain_text(
            HOSTILE[:40], timeout=SLOWLY
        )
        for path in (opened.page.url, "/imports"):
            opened.open(path)
            assert HOSTILE[:40] in opened.text
            assert opened.page.locator(HARM).count() == 0
            assert opened.page.evaluate("window.hostile") is None
