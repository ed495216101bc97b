"""The links of an overview: what each leads to is what it counts."""

import re
from html import unescape

import pytest
from tests.shops import Shop
from tests.web.people import Person

TIMES = {"since": "2024-05-25", "until": "2024-06-10"}


@pytest.fixture
def person(shop: Shop, person: Person) -> Person:
    """Someone who looks at a shop of which 1 is in prod-eu and 2 in prod-us, where a deployment
    waits for its commit; and 1 to 3 are in staging, where another waits."""
    shop.merge_all(range(1, 5), title="Sell apples")
    deploy(shop, 1.5, "eu", commit_sha=shop.sha(1), environment="prod-eu")
    deploy(shop, 2.5, "us", commit_sha=shop.sha(2), environment="prod-us")
    deploy(shop, 2.6, "us-waits", commit_sha="abcdef123", environment="prod-us")
    deploy(shop, 3.5, "stage", commit_sha=shop.sha(3), environment="staging")
    deploy(shop, 3.6, "stage-waits", commit_sha="abcdef124", environment="staging")
    return person


def deploy(shop: Shop, hours: float, name: str, **arguments: object) -> None:
    shop.deploy(hours, reference_id=shop.reference(name), **arguments)


def overview(person: Person, shop: Shop, **query: str) -> None:
    person.get("/", repository=shop.repository, **TIMES | query)
    assert person.page.status_code == 200, person.words


def follow(person: Person, said: str, panel: str = "health") -> list[str]:
    """The names of what the page shows that a link of the attribution leads to."""
    text = person.page.text.partition(f'id="{panel}"')[2]
    link = re.search(rf'<a href="([^"]*)">{said}</a>', text)
    assert link, text
    person.get(unescape(link[1]))
    assert person.page.status_code == 200, person.words
    rows = person.page.text.partition("<tbody>")[2].partition("</tbody>")[0]
    return re.findall(r'<th scope="row"[^>]*><a [^>]*>(?:[^<]*/)?([^</ ]+)[^<]*</a>', rows)


@pytest.mark.parametrize(
    ("environment", "all_", "pending", "unshipped"),
    [
        (None, ["us-waits", "us", "eu"], ["us-waits"], ["#4", "#3"]),
        ("prod-eu,prod-us", ["us-waits", "us", "eu"], ["us-waits"], ["#4", "#3"]),
        ("prod-eu", ["eu"], [], ["#4", "#3", "#2"]),
        (
            "prod-us, staging",
            ["stage-waits", "stage", "us-waits", "us"],
            ["stage-waits", "us-waits"],
            ["#4"],
        ),
    ],
)
def test_the_attribution_leads_to_the_rows_that_it_counts(
    person: Person,
    shop: Shop,
    environment: str | None,
    all_: list[str],
    pending: list[str],
    unshipped: list[str],
) -> None:
    query = {"environment": environment} if environment else {}
    for narrowed in ({}, {"service": shop.service}):
        for said, names in (
            (str(len(all_)), all_),
            ("Show pending deployments", pending),
            (f"{len(unshipped)} (?:are|is) not", unshipped),
        ):
            overview(person, shop, **query, **narrowed)
            if names:
                assert follow(person, said) == names


@pytest.mark.parametrize(("environment", "rows"), [("", ["#4", "#3"]), ("prod-us,staging", ["#4"])])
def test_the_page_of_lead_times_leads_to_what_is_not_shipped(
    person: Person, shop: Shop, environment: str, rows: list[str]
) -> None:
    query = {"repository": shop.repository, "environment": environment, **TIMES}
    person.get("/metrics/lead_time_for_changes", **query)
    assert follow(person, str(len(rows)), panel="figures") == rows


def test_where_nothing_was_deployed_its_link_shows_nothing(person: Person, shop: Shop) -> None:
    times = {"since": "2024-06-01T15:00:00Z"}
    overview(person, shop, **times)
    assert follow(person, "0") == []


def test_what_is_not_shipped_of_a_service_is_of_where_it_is_deployed_from(
    person: Person, shop: Shop
) -> None:
    other = Shop(shop.server)
    other.merge_all(range(1, 8))
    other.deploy(3, commit_sha=other.sha(2))
    shop.merge(9, base_ref="develop")
    person.get("/", service=shop.service, **TIMES)
    assert follow(person, "2 are not") == ["#4", "#3"]
    other.server.call(
        "deployments.setPullServices",
        repository=other.repository,
        pull_number=7,
        services=[shop.service],
    )
    person.get("/", service=shop.service, **TIMES)
    assert follow(person, "3 are not") == ["#7", "#4", "#3"]


def test_a_branch_of_which_all_deployments_are_gone_is_not_deployed_from_any_more(
    person: Person, shop: Shop
) -> None:
    shop.merge(9, base_ref="develop")
    deploy(shop, 9.5, "wrong", commit_sha=shop.sha(9))
    shop.merge(10, base_ref="develop")
    shop.server.call("deployments.delete", reference_id=shop.reference("wrong"))
    person.get("/", service=shop.service, **TIMES)
    assert follow(person, "2 are not") == ["#4", "#3"]


def test_deployments_of_a_repository_are_also_those_that_list_its_pull_requests(
    person: Person, shop: Shop
) -> None:
    deploy(shop, 4.5, "list", merge_commit_shas=[shop.sha(4)], repository=None)
    other = Shop(shop.server)
    other.merge(1)
    name = other.reference("list")
    other.deploy(4.6, merge_commit_shas=[other.sha(1)], repository=None, reference_id=name)
    overview(person, shop)
    assert follow(person, "4") == ["list", "us-waits", "us", "eu"]
    overview(person, shop, environment="production")
    assert follow(person, "1") == ["list"]


def test_pages_of_a_repository_have_both_kinds_in_their_order(person: Person, shop: Shop) -> None:
    for hours, name in ((2.55, "list-2"), (4.5, "list-1"), (1.1, "list-3")):
        deploy(shop, hours, name, merge_commit_shas=[shop.sha(4)], repository=None)
    names: list[str] = []
    cursor = None
    while cursor or not names:
        page = shop.server.call(
            "deployments.list", repository=shop.repository, limit=2, cursor=cursor
        )
        names += [one["reference_id"] for one in page["deployments"]]
        cursor = page["next_cursor"]
    everything = ("list-1", "stage-waits", "stage", "us-waits", "list-2", "us", "eu", "list-3")
    assert names == [shop.reference(name) for name in everything]
