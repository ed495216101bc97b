"""What an address asks of a page is done, or said: nothing is shown unfiltered as if it were."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shops import Shop
from tests.web.people import Person

from shipmark.web.fields import Fields, names_of, names_text
from shipmark.web.routes import PAGES

ANYTHING = {"/suggestions/{noun}", "/badge/pulls/{repository:path}/{number:int}.svg"}
"""What is asked by a script, or is a picture elsewhere."""

MOST_LINKS = 150


@pytest.fixture
def person(shop: Shop, person: Person) -> Person:
    """Someone who looks at a shop that is deployed to production, and to "eu,west" and staging."""
    shop.merge_all([1, 2], title="Sell apples", author="ines")
    for hours, name, environment in (
        (1.5, "live", "production"),
        (2.5, "west", "eu,west"),
        (2.6, "stage", "staging"),
    ):
        shop.deploy(
            hours,
            reference_id=shop.reference(name),
            environment=environment,
            commit_sha=shop.sha(1),
        )
    shop.server.call(
        "incidents.upsert",
        reference_id=shop.reference("outage"),
        started_at="2024-06-01T13:40:00Z",
        services=[shop.service],
    )
    shop.server.call(
        "rules.upsert",
        name=shop.reference("rule"),
        source="release",
        when={"repository": shop.repository},
        make={"service": shop.service},
    )
    return person


def pages_of(person: Person, shop: Shop) -> list[str]:
    """An address of each page that a reader of a browser comes to."""
    deployment = shop.info(shop.reference("live"))["id"]
    person.get("/incidents", service=shop.service)
    incident = re.findall(r'"/incidents/(\d+)"', person.page.text)[0]
    person.get("/imports")
    upload = person.send_file("/imports", b"deployed_at,service,repository\r\n", kind="deployments")
    of_import = re.findall(r"\d+", upload.headers["Location"])[0]
    ids = {"deployments": str(deployment), "incidents": incident, "imports": of_import}
    found = []
    for page in PAGES:
        if page.changes or page.path in ANYTHING or page.path.startswith("/access"):
            continue
        path = page.path.replace("{id:int}", ids.get(page.path.split("/")[1], ""))
        path = path.replace("{repository:path}/{number:int}", f"{shop.repository}/1")
        path = path.replace("{identifier:path}", shop.service)
        path = path.replace("{name:path}", shop.repository)
        found.append(path.replace("{metric}", "change_failure_rate"))
    return found


def test_no_page_passes_over_a_filter_that_it_does_not_have(person: Person, shop: Shop) -> None:
    for path in pages_of(person, shop):
        assert person.get(path).status_code == 200, path
        assert person.get(path, enviroment="staging").status_code in (400, 404), path
        assert "There is no filter 'enviroment' here; " in person.words, path


def test_what_narrows_nothing_of_what_waits_is_said(person: Person) -> None:
    said = "source, from and to narrow nothing here"
    for query, is_said in (({"source": "demo"}, True), ({"author": "ines"}, False)):
        assert person.get("/metrics/time_waiting", **query).status_code == 200
        assert (said in person.words) is is_said


@pytest.mark.parametrize("path", ["/deployments", "/metrics/change_failure_rate"])
def test_what_is_refused_is_not_offered_as_a_file_without_its_filter(
    person: Person, path: str
) -> None:
    person.get(path)
    assert "as CSV" in person.words
    assert person.get(path, enviroment="staging").status_code == 400
    assert "as CSV" not in person.words


def test_a_blank_filter_and_what_trackers_add_are_no_filters(person: Person) -> None:
    assert person.get("/deployments", enviroment="", utm_source="mail").status_code == 200


def test_a_page_says_which_filters_it_has(person: Person) -> None:
    person.get("/incidents", status="open")
    assert (
        "There is no filter 'status' here; there are service, environment, priority, resolved, "
        "since, until." in person.words
    )
    assert "No incident fits this filter" in person.words
    assert person.get("/imports", state="applied").status_code == 400
    assert "There is no filter 'state' here; this page has none." in person.words


def test_links_on_pages_ask_only_what_pages_know(person: Person, shop: Shop) -> None:
    to_look_at, seen = pages_of(person, shop), set[str]()
    while to_look_at and len(seen) < MOST_LINKS:
        path = to_look_at.pop(0)
        shape = re.sub(r"\d+", "0", re.sub(r"=[^&]*", "=", path))
        if shape in seen:
            continue
        seen.add(shape)
        person.page = person.http.get(path)
        assert person.page.status_code == 200, (path, person.words[:500])
        if "html" in person.page.headers["Content-Type"]:
            to_look_at += [
                unescape(one)
                for one in re.findall(r'<a[^>]* href="([^"#]+)', person.page.text)
                if one.startswith("/") and not one.startswith("/docs")
            ]


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ("/", {"range": "2w"}, "range is '2w'; it must be one of 7d, 30d, 90d, 1y."),
        ("/metrics/lead_time_for_changes", {"range": "2w"}, "range is '2w'; it must be one of"),
        ("/metrics/change_failure_rate/rows.csv", {"range": "2w"}, "range is '2w'"),
        ("/services/{service}", {"range": "2w"}, "range is '2w'"),
        ("/repositories/{repository}", {"range": "2w"}, "range is '2w'"),
        ("/incidents", {"resolved": "open"}, "resolved is 'open'; it must be yes or no."),
        ("/pulls", {"deployed": "maybe"}, "deployed is 'maybe'; it must be yes or no."),
        ("/pulls", {"environment": "staging"}, "environment is 'staging'; it must come with"),
        ("/pulls", {"author": ["ines", "rafael"]}, "author is 'ines' and 'rafael'; it must be one"),
        ("/deployments", {"status": ["none", "pending"]}, "status is 'none' and 'pending'"),
        ("/imports/template.csv", {"kind": "people"}, "kind is 'people'; it must be one of"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_what_would_be_right(
    person: Person, shop: Shop, path: str, query: dict[str, str], said: str
) -> None:
    path = path.format(service=shop.service, repository=shop.repository)
    assert person.get(path, **query).status_code == 400
    assert said in person.words


def test_rows_of_an_import_in_no_such_state_are_none(person: Person, shop: Shop) -> None:
    person.get("/imports")
    upload = person.send_file(
        "/imports", b"deployed_at,service,repository\r\nx,y,z\r\n", kind="deployments"
    )
    path = upload.headers["Location"].partition("?")[0]
    while "Download as CSV" not in person.words:
        person.get(path)
    assert "deployed_at is 'x'" in person.words
    assert person.get(path, state="wrong").status_code == 400
    assert "state is 'wrong'; it must be one of" in person.words
    assert "deployed_at is 'x'" not in person.words


@pytest.mark.parametrize(
    "query",
    [
        {"environment": '"eu,west"'},
        {"environment": ['"eu,west"', "nowhere"]},
        {"environment": 'nowhere, "eu,west"'},
    ],
)
def test_an_environment_with_a_comma_is_found_by_its_name_in_quotes(
    person: Person, shop: Shop, query: dict[str, str]
) -> None:
    person.get("/deployments", repository=shop.repository, **query)
    assert "1 deployment shown" in person.words
    assert shop.reference("west") in person.words
    person.get("/metrics/deployment_frequency", repository=shop.repository, range="", **query)
    assert 'value="' in person.page.text
    assert "eu,west" in unescape(person.page.text.partition('name="environment"')[2][:200])


def test_environments_are_named_with_commas_or_one_by_one(person: Person, shop: Shop) -> None:
    for environments in ("production,staging", ["production", "staging"]):
        person.get("/deployments", repository=shop.repository, environment=environments)
        assert "2 deployments shown" in person.words
        assert 'value="production,staging"' in person.page.text


def test_a_link_to_an_environment_with_a_comma_shows_what_is_there(
    person: Person, shop: Shop
) -> None:
    person.get(f"/services/{shop.service}")
    link = re.findall(r'<a href="([^"]*)">eu,west</a>', person.page.text)
    person.page = person.http.get(unescape(link[0]))
    assert "1 deployment shown" in person.words
    assert shop.reference("west") in person.words


@given(names=st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]))))
def test_names_in_a_list_are_read_as_they_are_written(names: list[str]) -> None:
    names = list(dict.fromkeys(name for one in names if (name := one.strip())))
    assert names_of(names_text(names)) == tuple(names)


def test_several_lines_are_no_list_of_names() -> None:
    fields = Fields([("environment", "a\nb")])
    assert fields.names("environment") == ()
    assert "names with commas between, on one line" in fields.problems["environment"]


def test_a_service_says_where_it_was_never_deployed_to(person: Person, shop: Shop) -> None:
    person.get(f"/services/{shop.service}", ahead="moon", behind="staging")
    assert f"{shop.service} was never deployed to moon." in person.words


def test_a_service_keeps_its_range_when_environments_are_compared_and_the_other_way_round(
    person: Person, shop: Shop
) -> None:
    person.get(f"/services/{shop.service}", range="90d", ahead="staging", behind="eu,west")
    assert '<input type="hidden" name="range" value="90d">' in person.page.text
    link = re.findall(r'<a href="([^"]*)"[^>]*>1 year</a>', person.page.text)[0]
    assert unescape(link).endswith("?range=1y&ahead=staging&behind=eu%2Cwest")


def test_a_metric_of_a_service_that_is_not_there_says_so(person: Person, shop: Shop) -> None:
    for metric in ("change_failure_rate", "time_waiting"):
        assert person.get(f"/metrics/{metric}", service="nobody").status_code == 200
        assert "There is no service 'nobody'." in person.words
        assert "All that merged is deployed" not in person.words
