"""Pages in Chromium: the main paths by clicking, with and without JavaScript, and hostile text."""

from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import update
from tests.server import LiveServer
from tests.shops import Shop
from tests.web.browsers import Window, chromium, window

from shipmark.storage.database import Database
from shipmark.storage.tables import deployments, pulls

HOSTILE = (
    '"\'><b id=hostile>{{ 7 * 7 }}</b><img src=x onerror="window.hostile = 1">'
    "<script>window.hostile = 1</script>"
)
SHOWN = """document.body.innerText
    + [...document.querySelectorAll('input, textarea')].map((field) => field.value).join()"""
HARM = "#hostile, main script, img[onerror], a[href^=javascript]"
PRESS_TWICE = """() => {
    let sent = 0;
    document.addEventListener("submit", (event) => {
        if (!event.defaultPrevented) sent += 1;
        event.preventDefault();
    });
    const button = document.querySelector("main form[method=post] button.primary");
    button.click();
    button.click();
    return sent;
}"""
WIDE = {"width": 1600, "height": 900}
TIMES = "since=2024-05-25&until=2024-06-10"
PHONE = {"width": 390, "height": 800}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def shop(sqlite_server: LiveServer) -> Shop:
    """A shop that shipped ten pull requests to staging, six of them to production."""
    made = Shop(sqlite_server)
    made.merge_all(range(1, 11), title="Sell apples", author="ines", created_at="2024-06-01")
    made.deploy(6.5, reference_id=made.reference("live"), commit_sha=made.sha(6))
    made.deploy(
        10.5, reference_id=made.reference("stage"), commit_sha=made.sha(10), environment="staging"
    )
    made.deploy(11, reference_id=made.reference("broken"), commit_sha=made.sha(10), success=False)
    return made


@pytest.fixture
def opened(browser: Browser, shop: Shop) -> Iterator[Window]:
    with window(browser, shop.server) as one:
        yield one


def test_from_signing_in_to_why_something_was_shipped(opened: Window, shop: Shop) -> None:
    page = opened.page
    page.get_by_label("Repository").fill(shop.repository)
    page.get_by_role("button", name="Show").click()
    assert page.url.endswith(f"/deployments?repository={shop.repository.replace('/', '%2F')}")
    page.get_by_label("Outcome").select_option("Failed")
    page.wait_for_url("**success=no**")
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_label("Outcome").select_option("Succeeded")
    page.wait_for_url("**success=yes**")
    page.get_by_role("link", name=shop.reference("live")).click()
    assert "6 pull requests shipped" in opened.text
    page.get_by_role("link", name="#3", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("#3 Sell apples")
    assert "live" in page.get_by_role("row", name="staging").inner_text()
    page.get_by_role("button", name="Sign out").click()
    assert "You are signed out." in opened.text


def test_names_are_suggested_as_they_are_typed(opened: Window, shop: Shop) -> None:
    page = opened.page
    page.get_by_label("Service").press_sequentially(shop.service[-3:].upper())
    suggested = page.locator(f'#l-service option[value="{shop.service}"]')
    expect(suggested).to_have_count(1)
    opened.open("/")
    page.get_by_role("combobox", name="Environment").fill("production,stag")
    expect(page.locator('#l-environment option[value="production,staging"]')).to_have_count(1)


def test_a_name_with_a_comma_is_suggested_in_quotes(opened: Window, shop: Shop) -> None:
    shop.deploy(12, reference_id=shop.reference("west"), environment="eu,west")
    page = opened.page
    field = page.get_by_role("combobox", name="Environment")
    for typed in ("staging,eu", 'staging,"eu,we'):
        field.fill(typed)
        suggested = page.locator("#l-environment option").first
        expect(suggested).to_have_attribute("value", 'staging,"eu,west"')
    page.get_by_label("Repository").fill(shop.repository)
    field.fill('staging,"eu,west"')
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row")).to_have_count(3)


def test_from_the_overview_to_the_rows_of_a_metric(opened: Window, shop: Shop) -> None:
    page = opened.page
    opened.open(f"/?since=2024-05-25&until=2024-06-10&repository={shop.repository}")
    assert page.locator("svg.trend polyline").count() > 0
    page.get_by_role("link", name="50 %").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Change failure rate")
    page.get_by_label("Each").select_option("Week")
    page.wait_for_url("**granularity=week**")
    page.get_by_role("navigation", name="Metrics").get_by_text("Time waiting").click()
    expect(page.get_by_role("row", name="Sell apples")).to_have_count(4)
    page.get_by_role("link", name=shop.service).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(shop.service)
    table = page.get_by_role("region", name="In staging and not in production, the oldest first")
    expect(table.get_by_role("row")).to_have_count(5)


def test_a_link_of_an_incident_is_corrected_by_clicking(opened: Window, shop: Shop) -> None:
    page = opened.page
    tell_incident(shop, name="Nothing sells")
    opened.open(f"/incidents?service={shop.service}")
    page.get_by_role("link", name="Nothing sells").click()
    page.get_by_text("Unlink…").click()
    page.get_by_role("textbox", name="Why").first.fill("It was the network")
    page.get_by_role("button", name="Unlink").click()
    assert "The link was corrected" in opened.text
    assert "It was the network" in opened.text
    page.get_by_text("Withdraw…").click()
    page.get_by_role("textbox", name="Why").first.fill("It was the deployment.")
    page.get_by_role("button", name="Withdraw", exact=True).click()
    page.wait_for_url("**?done=correction-withdrawn")
    assert "linked by time" in opened.text
    assert "It was the deployment." in opened.text


def test_a_chart_is_drawn_by_the_script_under_our_policy(opened: Window, shop: Shop) -> None:
    opened.open(page_of(shop, "live"))
    drawing = opened.page.locator("figure.chart .drawing")
    assert drawing.locator("path[aria-roledescription=bar]").count() > 1
    assert drawing.get_attribute("aria-label").startswith("From merge to deployment: 6 pull")
    drawing.locator("path[aria-label$='Pull requests: 3']").first.hover()
    expect(opened.page.locator("#vg-tooltip-element")).to_contain_text("Pull requests")


def test_deleting_is_asked_again(opened: Window, shop: Shop) -> None:
    opened.open(page_of(shop, "broken"))
    assert not opened.page.get_by_role("button", name="Delete this deployment").is_visible()
    opened.page.get_by_text("Delete…").click()
    opened.page.get_by_role("button", name="Delete this deployment").click()
    assert "The deployment was deleted." in opened.text


def test_editing_shows_what_changed(opened: Window, shop: Shop) -> None:
    opened.open(page_of(shop, "broken"))
    opened.page.get_by_role("link", name="Edit").click()
    opened.page.get_by_label("Outcome").select_option("Succeeded")
    opened.page.get_by_role("button", name="Save").click()
    assert "The deployment was changed and attributed anew." in opened.text
    assert "4 pull requests shipped" in opened.text


def test_two_who_edit_the_same_do_not_lose_what_the_first_saved(opened: Window, shop: Shop) -> None:
    first, second = opened.page, opened.page.context.new_page()
    for page in (first, second):
        page.goto(f"{page_of(shop, 'broken')}/edit")
    first.get_by_label("Environment").fill("canary")
    first.get_by_role("button", name="Save").click()
    first.get_by_text("The deployment was changed").wait_for()
    second.get_by_label("Outcome").select_option("Succeeded")
    second.get_by_role("button", name="Save").click()
    expect(second.get_by_role("alert")).to_contain_text("Someone changed this deployment")
    expect(second.get_by_label("Environment")).to_have_accessible_description(
        "environment is 'canary' by now."
    )
    second.get_by_label("Environment").fill("canary")
    second.get_by_role("button", name="Save").click()
    second.get_by_text("The deployment was changed").wait_for()
    stored = shop.info(shop.reference("broken"))
    assert (stored["environment"], stored["success"]) == ("canary", True)


def test_a_form_is_sent_once_however_often_its_button_is_pressed(
    opened: Window, shop: Shop
) -> None:
    opened.open(f"{page_of(shop, 'broken')}/edit")
    assert opened.page.evaluate(PRESS_TWICE) == 1


@pytest.mark.parametrize("name", [".", "..", "a/../b", "~..", "%2F", "a?b#c"])
def test_a_service_of_any_name_has_its_page(opened: Window, shop: Shop, name: str) -> None:
    shop.deploy(12, service=name, reference_id=shop.reference(name), commit_sha=shop.sha(10))
    opened.open(f"/deployments?repository={shop.repository}")
    opened.page.get_by_role("table").get_by_role("link", name=name, exact=True).click()
    expect(opened.page.get_by_role("heading", level=1)).to_have_text(name)
    opened.page.get_by_role("button", name="Dark").click()
    expect(opened.page.get_by_role("heading", level=1)).to_have_text(name)


def test_no_table_is_cut_where_there_is_room(browser: Browser, shop: Shop) -> None:
    cut = (
        "[...document.querySelectorAll('.rows')].filter((one) => one.scrollWidth > one.clientWidth)"
    )
    with window(browser, shop.server, viewport={"width": 1024, "height": 768}) as opened:
        for path in (
            page_of(shop, "live"),
            f"/pulls/{shop.repository}/3",
            f"/services/{shop.service}",
            f"/repositories/{shop.repository}",
            f"/deployments?repository={shop.repository}",
        ):
            opened.open(path)
            assert opened.page.evaluate(f"{cut}.length") == 0, path


def test_on_a_phone_filters_that_narrow_nothing_are_folded(browser: Browser, shop: Shop) -> None:
    with window(browser, shop.server, viewport=PHONE) as opened:
        field = opened.page.get_by_label("Repository")
        opened.open("/deployments")
        expect(field).to_be_hidden()
        opened.page.get_by_text("Filters", exact=True).click()
        field.fill(shop.repository)
        opened.page.get_by_role("button", name="Show").click()
        opened.page.wait_for_url("**repository=**")
        expect(field).to_have_value(shop.repository)
        expect(field).to_be_visible()


def test_light_and_dark_stay_chosen(opened: Window) -> None:
    page = opened.page
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Dark").click()
    opened.open("/pulls")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    assert page.get_by_role("button", name="Dark").get_attribute("aria-pressed") == "true"


def test_the_keyboard_skips_to_the_content(opened: Window) -> None:
    page = opened.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


@pytest.mark.parametrize(
    ("colours", "viewport"), [("light", WIDE), ("dark", PHONE)], ids=["wide", "phone"]
)
def test_no_page_keeps_anyone_out(
    browser: Browser, shop: Shop, colours: str, viewport: dict[str, int]
) -> None:
    tell_incident(shop, name="Nothing sells")
    with window(browser, shop.server, color_scheme=colours, viewport=viewport) as opened:
        for path in (
            f"/?{TIMES}&repository={shop.repository}",
            "/?service=nobody",
            f"/metrics/lead_time_for_changes?{TIMES}&include_baseline=yes",
            f"/metrics/change_failure_rate?{TIMES}&repository={shop.repository}",
            f"/metrics/time_waiting?repository={shop.repository}",
            "/services",
            f"/services/{shop.service}?{TIMES}",
            "/repositories",
            "/health",
            f"/repositories/{shop.repository}?{TIMES}",
            "/incidents",
            "/incidents?service=nobody",
            "/incidents/1",
            "/deployments",
            f"/deployments?service=nobody-{shop.number}",
            page_of(shop, "live"),
            page_of(shop, "broken"),
            f"{page_of(shop, 'live')}/edit",
            f"/pulls?repository={shop.repository}",
            f"/pulls/{shop.repository}/3",
            "/sign-in",
        ):
            opened.open(path)
            assert opened.violations() == [], path
            wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            assert not opened.page.evaluate(wider), path


def test_everything_works_without_javascript(browser: Browser, shop: Shop) -> None:
    with window(browser, shop.server, java_script_enabled=False) as opened:
        page = opened.page
        page.get_by_label("Repository").fill(shop.repository)
        page.get_by_label("Outcome").select_option("Succeeded")
        page.get_by_role("button", name="Show").click()
        page.get_by_role("link", name=shop.reference("live")).click()
        expect(page.locator("figure.chart svg path[aria-roledescription=bar]")).not_to_have_count(0)
        page.get_by_text("As a table").click()
        assert page.get_by_role("cell", name="3", exact=True).first.is_visible()
        page.get_by_text("Delete…").click()
        page.get_by_role("button", name="Delete this deployment").click()
        assert "The deployment was deleted." in opened.text
        opened.open(f"/?{TIMES}&repository={shop.repository}")
        expect(page.locator("figure.chart svg path[aria-roledescription=bar]")).not_to_have_count(0)
        page.get_by_role("link", name="Incidents").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Incidents")


def test_what_strangers_write_is_shown_as_text(browser: Browser, shop: Shop) -> None:
    service, script = f"{HOSTILE}{shop.number}", "javascript:window.hostile=1"
    shop.merge(21, base_ref=HOSTILE, title=HOSTILE)
    shop.server.call(
        "deployments.create",
        deployed_at="2024-06-02T13:00:00Z",
        repository=shop.repository,
        commit_sha=shop.sha(21),
        integration_branch=HOSTILE,
        service=service,
        reference_id=f"{HOSTILE}{shop.number}-branch",
    )
    branch = shop.server.call("deployments.info", reference_id=f"{service}-branch")
    shop.merge(
        20,
        title=HOSTILE,
        author=HOSTILE,
        head_ref=HOSTILE,
        labels=[HOSTILE],
        files=[HOSTILE],
    )
    shop.server.call(
        "deployments.create",
        deployed_at="2024-06-02T12:00:00Z",
        repository=shop.repository,
        commit_sha=shop.sha(20),
        service={"identifier": service, "name": HOSTILE},
        environment=HOSTILE,
        reference_id=f"{HOSTILE}{shop.number}",
        source_name=HOSTILE,
        metadata={"key": HOSTILE},
    )
    url = shop.server.call("deployments.info", reference_id=service)["deployment"]["url"]
    with closing(Database(shop.server.database_url)) as database, database.write() as tx:
        # The API takes no such links; what a forge tells may come another way.
        tx.connection.execute(
            update(deployments)
            .where(deployments.c.reference_id == service)
            .values(source_url=script)
        )
        tx.connection.execute(
            update(pulls).where(pulls.c.merge_commit_sha == shop.sha(20)).values(url=script)
        )
    tell_incident(
        shop,
        reference_id=f"{HOSTILE}{shop.number}",
        started_at="2024-06-02T12:10:00Z",
        name=HOSTILE,
        services=[service],
        environment=HOSTILE,
        priority="<b id=hostile>",
        metadata={"key": HOSTILE},
    )
    quoted = quote(service)
    with window(browser, shop.server) as opened:
        opened.open(f"/incidents?service={quoted}")
        incident = opened.page.get_by_role("row").nth(1).get_by_role("link").first
        for path in (
            f"/?{TIMES}&repository={shop.repository}&environment={quote(HOSTILE)}",
            f"/metrics/deployment_frequency?{TIMES}&environment={quote(HOSTILE)}",
            f"/metrics/time_waiting?repository={shop.repository}",
            "/services",
            f"/services/{quoted}",
            f"/incidents?service={quoted}",
            incident.get_attribute("href"),
            f"/repositories/{shop.repository}",
            f"/deployments?repository={shop.repository}",
            url,
            f"{url}/edit",
            branch["deployment"]["url"],
            f"{branch['deployment']['url']}/edit",
            f"/pulls?repository={shop.repository}",
            f"/pulls/{shop.repository}/20",
            f"/pulls/{shop.repository}/21",
            f"/deployments?q={HOSTILE.replace('&', '%26').replace('#', '%23')}",
        ):
            opened.open(path)
            page = opened.page
            assert HOSTILE in page.content().replace("&lt;", "<").replace("&gt;", ">").replace(
                "&quot;", '"'
            ), path
            assert (
                page.locator("#hostile, main script, img[onerror], a[href^=javascript]").count()
                == 0
            )
            assert page.evaluate("window.hostile") is None
        assert opened.page.goto(f"/badge/pulls/{shop.repository}/20.svg").status == 200


def tell_incident(shop: Shop, **arguments: object) -> None:
    """An incident of the shop's service, an hour after the deployment that is live."""
    told = {"started_at": "2024-06-01T19:30:00Z", "services": [shop.service]}
    told["reference_id"] = f"{shop.repository}/incident"
    shop.server.call("incidents.upsert", **told | arguments)


def page_of(shop: Shop, name: str) -> str:
    url: str = shop.info(shop.reference(name))["url"]
    return url
