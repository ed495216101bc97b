"""The overview, metrics, services, repositories and incidents: what their pages say and link to."""

import csv
import io
import re
from html import unescape

import pytest
from tests.shops import Shop
from tests.web.people import Person

from shipmark.domain.metrics import Metric

TIMES = {"since": "2024-05-25", "until": "2024-06-10"}


@pytest.fixture
def person(shop: Shop, person: Person) -> Person:
    """Someone who looks at a shop: 1 to 4 are in staging and 1 and 2 in production, where the
    second deployment failed; 5 waits everywhere."""
    shop.merge_all(range(1, 6), title="Sell apples", author="ines")
    deploy(shop, 1.5, "first", commit_sha=shop.sha(1))
    deploy(shop, 2.5, "second", commit_sha=shop.sha(2))
    deploy(shop, 4.5, "third", commit_sha=shop.sha(4), success=False)
    deploy(shop, 4.6, "stage", commit_sha=shop.sha(4), environment="staging")
    deploy(shop, 4.7, "waits", commit_sha="abcdef123")
    return person


def deploy(shop: Shop, hours: float, name: str, **arguments: object) -> None:
    shop.deploy(hours, reference_id=shop.reference(name), **arguments)


def tell(shop: Shop, name: str, /, **arguments: object) -> str:
    """Tell of an incident of the shop's service, twenty minutes after the second deployment."""
    reference_id = shop.reference(name)
    shop.server.call(
        "incidents.upsert",
        reference_id=reference_id,
        **{"started_at": "2024-06-01T14:50:00Z", "services": [shop.service]} | arguments,
    )
    return reference_id


def open_incident(person: Person, shop: Shop) -> str:
    """The path of the page of the shop's last incident, which is looked at."""
    person.get("/incidents", service=shop.service)
    path = person.page.text.partition('<th scope="row"><a href="')[2].partition('"')[0]
    assert person.get(path).status_code == 200
    return path


def overview(person: Person, shop: Shop, **query: str) -> str:
    person.get("/", repository=shop.repository, **TIMES | query)
    assert person.page.status_code == 200, person.words
    return person.words


def test_the_overview_tells_each_metric_with_its_n_and_what_it_was(
    person: Person, shop: Shop
) -> None:
    words = overview(person, shop)
    assert "Deployment frequency 1.2 a week 3 deployments before: none" in words
    assert "Lead time for changes 30 min 1 change before: none" in words
    assert "Change failure rate 25 % 4 deployments" in words
    assert "Failed deployment recovery time 12 min 1 recovered failure" in words
    assert "4 deployments to production since 2024-05-25" in words


def test_the_overview_tells_what_waits_and_where(person: Person, shop: Shop) -> None:
    words = overview(person, shop)
    assert f"{shop.service} production 3" in words
    assert f"{shop.service} staging 1" in overview(person, shop, environment="staging")


def test_each_deployment_counts_once_in_the_attribution(person: Person, shop: Shop) -> None:
    words = overview(person, shop).partition(" Attribution ")[2]
    assert words.startswith("Deployments 4 Attributed 2 Pending 1 Show")
    assert "Expired 0 Without pull requests 0 " in words
    assert "Failed, shipping nothing 1 " in words


def test_the_overview_links_to_what_has_no_pull_requests(person: Person, shop: Shop) -> None:
    overview(person, shop)
    for said, name in (("Show pending deployments", "waits"), ("3 are not", "#5")):
        before = person.page.text.partition(f'">{said}</a>')[0]
        path = before.rpartition('href="')[2].replace("&amp;", "&")
        person.get(path)
        assert name in person.words
        overview(person, shop)


def test_an_overview_of_nothing_says_what_to_send(person: Person) -> None:
    person.get("/", since="1999-01-01", until="1999-01-31")
    assert "No deployment to production in this time" in person.words
    assert "curl" in person.words
    person.get("/", service="nobody", **TIMES)
    assert "Show all services and repositories" in person.words


REFUSED_PERIODS = ("before until", "days long", "before the year 9998")


@pytest.mark.parametrize("path", ["/", *(f"/metrics/{metric}" for metric in Metric)])
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"since": "2024-06-02", "until": "2024-06-01"}, "before until"),
        ({"since": "1990-01-01", "until": "2024-06-01"}, "days long"),
        ({"since": "9999-12-01", "until": "9999-12-31T23:59:59"}, "before the year 9998"),
        ({"until": "0001-01-01"}, "in 1990 or later"),
        ({"since": "tomorrow"}, "since is 'tomorrow'"),
        ({"repository": "no/such"}, "no/such"),
        ({"granularity": "second"}, "one of day, week, month"),
        ({"tz": "Atlantis/Capital"}, "name of a time zone"),
        ({"tz": "../etc/passwd"}, "name of a time zone"),
        ({"unit": "ounce"}, "one of change"),
        ({"start": "never"}, "one of first_commit"),
        ({"include_baseline": "maybe"}, "yes or no"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(
    person: Person, path: str, query: dict[str, str], said: str
) -> None:
    if path == "/metrics/time_waiting" and said in REFUSED_PERIODS:
        said = ""
    assert person.get(path, **query).status_code in (200, 400)
    assert said in person.words


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"since": "2024-06-02", "until": "2024-06-01"}, "before until"),
        ({"since": "1990-01-01", "until": "2024-06-01"}, "days long"),
        ({"since": "9999-12-01", "until": "9999-12-31T23:59:59"}, "before the year 9998"),
        ({"since": "2999-01-01"}, "before until"),
        ({"until": "tomorrow"}, "until is 'tomorrow'"),
    ],
)
def test_a_page_of_one_service_or_repository_says_what_cannot_be_and_shows_the_rest(
    person: Person, shop: Shop, query: dict[str, str], said: str
) -> None:
    for path in (f"/services/{shop.service}", f"/repositories/{shop.repository}"):
        assert person.get(path, **query).status_code == 400
        assert said in person.words
        assert "Waiting for production" in person.words
        assert "#5" in person.words
        unknown = path.replace(shop.service, "nobody").replace(shop.repository, "no/where")
        assert person.get(unknown, **query).status_code == 404


@pytest.mark.parametrize("path", ["/deployments", "/deployments.csv", "/pulls", "/incidents"])
def test_a_range_that_ends_before_it_begins_is_said(person: Person, path: str) -> None:
    assert person.get(path, since="2024-06-02", until="2024-05-31").status_code == 400
    assert "it must be before until, '2024-05-31'" in person.words
    assert person.get(path, since="2024-06-02", until="2024-06-02").status_code == 200


@pytest.mark.parametrize("metric", Metric)
def test_a_metric_tells_what_it_is_and_lists_its_rows(
    person: Person, shop: Shop, metric: Metric
) -> None:
    said = {
        Metric.DEPLOYMENT_FREQUENCY: "Days with a deployment 1 of 17",
        Metric.LEAD_TIME_FOR_CHANGES: "First deployments left out 1",
        Metric.CHANGE_FAILURE_RATE: "– not successful 1",
        Metric.FAILED_DEPLOYMENT_RECOVERY_TIME: "Not recovered 0",
        Metric.DEPLOYMENT_REWORK_RATE: "first success after a failure",
        Metric.TIME_WAITING: "#5 Sell apples",
    }
    person.get(f"/metrics/{metric}", repository=shop.repository, **TIMES)
    assert said[metric] in person.words
    assert "What it is" in person.words
    assert "Rows" in person.words


def test_incidents_that_a_rate_tells_of_are_listed_and_in_the_csv(
    person: Person, shop: Shop
) -> None:
    name = tell(shop, "outage", name="Checkout is down")
    query = {"service": shop.service, **TIMES}
    person.get("/metrics/change_failure_rate", **query)
    assert "Incidents 1" in person.words
    link = re.search(r'<dt>Incidents</dt><dd><a href="([^"#]*)#rows">1</a>', person.page.text)
    assert link
    person.get(unescape(link[1]))
    assert re.search(r'<a href="/incidents/\d+">Checkout is down</a>', person.page.text)
    assert shop.reference("second") not in person.words
    answer = person.http.get(
        "/metrics/change_failure_rate/rows.csv", params=query | {"which": "incidents"}
    )
    assert [row["incidents"] for row in csv.DictReader(io.StringIO(answer.text))] == [name]
    person.get("/metrics/change_failure_rate", **query | {"since": "2024-06-05"}, which="incidents")
    assert "None in this time" in person.words


def test_what_is_not_shipped_is_listed_among_the_rows(person: Person, shop: Shop) -> None:
    query = {"service": shop.service, **TIMES, "which": "unshipped"}
    person.get("/metrics/lead_time_for_changes", **query)
    assert [int(one) for one in re.findall(r'/\d+">#(\d+)</a>', person.page.text)] == [5, 4, 3]
    person.get("/metrics/deployment_frequency", **query)
    assert person.page.status_code == 400
    assert "which is unshipped" in person.words


def test_lead_times_of_first_deployments_alone_say_how_to_count_them(
    person: Person, shop: Shop
) -> None:
    path = "/metrics/lead_time_for_changes"
    until = "2024-06-01T14:00:00Z"
    person.get(path, repository=shop.repository, since=TIMES["since"], until=until)
    assert "1 first deployment of a service to an environment counted for nothing" in person.words
    link = re.search(r'<a href="([^"]*)">Count first deployments, too', person.page.text)
    assert link
    person.get(unescape(link[1]))
    assert "n 1 " in person.words


def test_all_parameters_of_a_metric_are_fields(person: Person, shop: Shop) -> None:
    query = {"repository": shop.repository, "include_baseline": "yes", "unit": "pull_request"}
    person.get("/metrics/lead_time_for_changes", **TIMES, **query)
    assert "n 2 Median 30 min" in person.words
    query |= {"author": "nobody", "granularity": "month", "tz": "Europe/Berlin", "start": "opened"}
    person.get("/metrics/lead_time_for_changes", **TIMES, **query)
    assert "Nothing to measure here" in person.words


def test_rows_follow_each_other_over_pages_and_all_are_in_the_csv(
    person: Person, shop: Shop
) -> None:
    for number in range(55):
        deploy(shop, 10 + number / 60, f"more{number}", commit_sha=shop.sha(4))
    query = {"service": shop.service, **TIMES}
    person.get("/metrics/deployment_frequency", **query)
    assert "50 rows shown" in person.words
    more = person.page.text.partition('" rel="next"')[0].rpartition('href="')[2]
    person.get(more.replace("&amp;", "&"))
    assert "8 rows shown" in person.words
    answer = person.http.get("/metrics/deployment_frequency/rows.csv", params=query)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 58
    assert {row["service"] for row in rows} == {shop.service}
    assert person.get("/metrics/deployment_frequency", after="x").status_code == 400
    assert person.get("/metrics/nonsense").status_code == 404


def test_a_service_shows_its_environments_and_what_is_between_them(
    person: Person, shop: Shop
) -> None:
    person.get(f"/services/{shop.service}", **TIMES)
    words = person.words
    assert "Change failure rate 25 %" in words
    between = words.partition("In staging and not in production")[2].partition("Waiting")[0]
    assert ("#3" in between, "#4" in between) == (True, True)
    assert ("#2" in between, "#5" in between) == (False, False)
    assert "#5 Sell apples" in words.partition("Waiting for production")[2]
    person.get(f"/services/{shop.service}", ahead="production", behind="staging")
    assert "Nothing is in production that is not in staging." in person.words
    assert person.get("/services/nobody").status_code == 404


def test_what_an_environment_never_had_and_what_was_listed_for_one_are_between_them(
    person: Person, shop: Shop
) -> None:
    deploy(shop, 6, "moon", merge_commit_shas=[shop.sha(5)], environment="moon")
    person.get(f"/services/{shop.service}", ahead="moon", behind="staging")
    between = person.words.partition("In moon and not in staging")[2].partition("Waiting")[0]
    assert ("#4" in between, "#5" in between) == (False, True)
    person.get(f"/services/{shop.service}", ahead="staging", behind="moon")
    between = person.words.partition("In staging and not in moon")[2].partition("Waiting")[0]
    assert [f"#{number}" in between for number in range(1, 6)] == [True] * 4 + [False]


def test_a_repository_shows_its_import_and_what_waits(person: Person, shop: Shop) -> None:
    person.get(f"/repositories/{shop.repository}")
    assert f"shipmark import forge {shop.repository}" in person.words
    assert "#5 Sell apples" in person.words
    assert "Default branch main" in person.words


def test_what_is_missing_of_a_repository_is_said_with_what_would_mend_it(
    person: Person, shop: Shop
) -> None:
    empty = f"{shop.repository}-unheard-of"
    shop.server.call("repositories.upsert", name=empty, default_branch="main")
    person.get("/health", repository=empty)
    assert "No pull request and no commit of it was ever received." in person.words
    assert "<code>shipmark import forge</code>" in person.page.text
    assert person.get("/health", repository="acme/typo").status_code == 400
    assert "Show all repositories" in person.words
    assert "acme/typo" in person.words


@pytest.mark.parametrize("path", ["/services", "/repositories"])
def test_lists_lead_to_pages(person: Person, shop: Shop, path: str) -> None:
    name = shop.service if path == "/services" else shop.repository
    before = name[:-1]
    person.get(path, after=before)
    assert f'href="{path}/{name}"' in person.page.text


def test_an_incident_says_why_it_is_linked(person: Person, shop: Shop) -> None:
    tell(shop, "outage", name="Nothing sells", priority="P1")
    open_incident(person, shop)
    assert "Nothing sells" in person.words
    assert "started 20 minutes after this deployment to production" in person.words
    url = shop.info(shop.reference("second"))["url"].removeprefix(shop.server.base_url)
    person.get(url)
    assert "Nothing sells open It is of the service" in person.words


def test_a_link_is_corrected_by_hand_with_a_reason(person: Person, shop: Shop) -> None:
    tell(shop, "outage")
    path = open_incident(person, shop)
    second = shop.reference("second")
    refused = person.post(f"{path}/links", deployment=second, linked="no")
    assert (refused.status_code, "Say why" in refused.text) == (400, True)
    refused = person.post(f"{path}/links", deployment="no such", linked="yes", reason="x")
    assert (refused.status_code, "no such" in refused.text) == (400, True)
    done = person.post(f"{path}/links", deployment=second, linked="no", reason="It was the network")
    person.get(done.headers["Location"])
    assert "The link was corrected" in person.words
    assert "It was unlinked by hand" in person.words
    assert "It was the network" in person.words
    person.post(f"{path}/links", deployment=second, linked="yes", reason="It was not")
    person.get(path)
    assert "It was linked by hand" in person.words


def test_a_correction_is_withdrawn_with_a_reason(person: Person, shop: Shop) -> None:
    tell(shop, "outage")
    path = open_incident(person, shop)
    assert "Withdraw" not in person.words
    second = shop.reference("second")
    person.post(f"{path}/links", deployment=second, linked="no", reason="It was the network")
    person.get(path)
    assert "Withdraw…" in person.words
    refused = person.post(f"{path}/links", deployment=second, linked="withdraw")
    assert (refused.status_code, "Say why" in refused.text) == (400, True)
    done = person.post(f"{path}/links", deployment=second, linked="withdraw", reason="It was not")
    person.get(done.headers["Location"])
    assert "What was said by hand is withdrawn, and the rules decide again." in person.words
    assert "linked by time" in person.words
    assert f"{second} was unlinked by hand. Withdrawn by default with the token" in person.words
    assert "It was not" in person.words
    assert "It was the network" not in person.words
    refused = person.post(
        f"{path}/links", deployment=shop.reference("first"), linked="withdraw", reason="x"
    )
    assert (refused.status_code, "it must be a deployment that was" in refused.text) == (400, True)
    refused = person.post(f"{path}/links", deployment=second, linked="maybe", reason="x")
    assert (refused.status_code, "one of yes, no, withdraw" in refused.text) == (400, True)


def test_correcting_needs_the_scope_of_the_api(person: Person, shop: Shop) -> None:
    tell(shop, "outage")
    path = open_incident(person, shop)
    with Person(shop.server) as reader:
        reader.sign_in(shop.server.token("read"))
        reader.get(path)
        assert "Link a deployment by hand" not in reader.words
        fields = {"deployment": shop.reference("first"), "linked": "yes", "reason": "x"}
        assert reader.post(f"{path}/links", **fields).status_code == 403


def test_incidents_are_narrowed_by_filters(person: Person, shop: Shop) -> None:
    tell(shop, "first-outage", priority="P1", name="One")
    tell(shop, "other-outage", priority="P2", name="Two", resolved_at="2024-06-01T15:00:00Z")
    for query, names in (
        ({"priority": "P1"}, {"One"}),
        ({"resolved": "yes"}, {"Two"}),
        ({"resolved": "no"}, {"One"}),
        ({"since": "2024-06-02"}, set()),
        ({}, {"One", "Two"}),
    ):
        person.get("/incidents", service=shop.service, **query)
        assert {name for name in ("One", "Two") if f">{name}<" in person.page.text} == names
    assert person.get("/incidents", since="x").status_code == 400
    assert person.get("/incidents/999999999").status_code == 404


@pytest.mark.parametrize("path", ["/", "/deployments", "/pulls", "/incidents"])
def test_a_filter_that_names_no_service_says_so(person: Person, shop: Shop, path: str) -> None:
    assert person.get(path, service="nobody").status_code == 200
    assert "There is no service 'nobody'." in person.words
    person.get(path, service=shop.service, since="1999-01-01", until="1999-01-02")
    assert "There is no service" not in person.words
