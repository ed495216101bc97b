"""Pull requests: the list, where each is, and its badge."""

import re
from typing import Any

import pytest
from tests.server import LiveServer
from tests.shops import Shop
from tests.web.people import Person

from shipmark.application.search import MOST_FOUND


@pytest.fixture
def person(shop: Shop, person: Person) -> Person:
    """Someone who looks at a shop that shipped 1 and 2 to production, and 1 to 3 to staging."""
    shop.merge_all([1, 2], title="Sell green apples", author=f"ines{shop.number}")
    shop.merge(3, title="Weigh 100% of PEARS_", author=f"rafael{shop.number}")
    shop.import_pulls(shop.item(4, merged_at=None, title="Noch KEINE Äpfel", merge_commit_sha=None))
    shop.deploy(2.5, reference_id=shop.reference("a"), commit_sha=shop.sha(2))
    shop.deploy(
        3.5, reference_id=shop.reference("b"), commit_sha=shop.sha(3), environment="staging"
    )
    return person


def found(person: Person, shop: Shop, **query: str) -> list[int]:
    """The numbers that the list shows for a query, in its order."""
    person.get("/pulls", repository=shop.repository, **query)
    assert person.page.status_code == 200, person.words
    pattern = rf'/pulls/{re.escape(shop.repository)}/(\d+)">'
    return [int(number) for number in re.findall(pattern, person.page.text)]


def test_a_search_that_stops_says_so(person: Person, shop: Shop) -> None:
    author = f"busy{shop.number}"
    shop.merge_all(range(100, 100 + MOST_FOUND), author=author, title="Tidy up")
    found(person, shop, q="tidy")
    assert "There may be more: each way in which a search looks" in person.words
    assert "stops at 1,000 pull requests" in person.words
    found(person, shop, q=author)
    assert "There may be more" not in person.words
    found(person, shop, author=author)
    assert "There may be more" not in person.words


def page_of(shop: Shop, number: int) -> str:
    return f"/pulls/{shop.repository}/{number}"


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [3, 2, 1, 4]),
        ({"author": "ines{number}"}, [2, 1]),
        ({"deployed": "yes"}, [2, 1]),
        ({"deployed": "no"}, [3]),
        ({"deployed": "yes", "environment": "staging"}, [3, 2, 1]),
        ({"since": "2024-06-01T14:00:00Z", "until": "2024-06-01T15:00:00Z"}, [2]),
        ({"q": "#2"}, [2]),
        ({"q": "apples SELL"}, [2, 1]),
        ({"q": "100% pears_"}, [3]),
        ({"q": "100_"}, []),
        ({"q": "äPFEL keine"}, [4]),
        ({"q": "rafael{number}"}, [3]),
        ({"q": "{sha}"}, [3]),
        ({"q": "apples", "deployed": "no"}, []),
    ],
)
def test_they_are_found_by_filters_and_words(
    person: Person, shop: Shop, query: dict[str, str], numbers: list[int]
) -> None:
    filled = {
        name: text.format(number=shop.number, sha=shop.sha(3)[:9]) for name, text in query.items()
    }
    assert found(person, shop, **filled) == numbers


@pytest.mark.parametrize("query", [{"deployed": "maybe"}, {"after": "x,y"}, {"repository": "no/x"}])
def test_what_cannot_be_is_said(person: Person, query: dict[str, str]) -> None:
    assert person.get("/pulls", **query).status_code == 400
    assert "No pull request fits this filter" in person.words


def test_a_page_says_where_it_is(person: Person, shop: Shop) -> None:
    person.get(page_of(shop, 3))
    assert "production not yet staging live" in person.words
    assert f"{shop.service} production not yet no deployment there has reached it" in person.words
    assert f"{shop.service} staging live {shop.reference('b')}" in person.words
    assert f"Shipped to {shop.service} in staging by" in person.words


def test_it_is_partly_live_where_one_of_its_services_has_it(person: Person, shop: Shop) -> None:
    other = f"{shop.service}-other"
    shop.deploy(1.5, reference_id=shop.reference("c"), commit_sha=shop.sha(1), service=other)
    person.get(page_of(shop, 2))
    assert "production live in 1 of 2" in person.words


def test_a_pull_request_that_is_not_merged_is_shown_as_that(person: Person, shop: Shop) -> None:
    person.get(page_of(shop, 4))
    assert "not merged" in person.words
    assert "no deployment can ship it" in person.words


def test_before_it_is_merged_no_place_is_said_to_be_without_it(person: Person, shop: Shop) -> None:
    person.get(page_of(shop, 4))
    assert "Where it is" not in person.words
    assert "staging" not in person.words.partition("Why")[0]


def test_of_many_environments_the_first_are_told_and_production_before_all(
    person: Person, shop: Shop
) -> None:
    for number in range(12):
        place = f"east-{number:02}"
        name = shop.reference(place)
        shop.deploy(4 + number, reference_id=name, commit_sha=shop.sha(1), environment=place)
    person.get(page_of(shop, 1))
    told = person.words.partition("Where it is")[0].rpartition("apples")[2]
    assert told.split()[:4] == ["production", "live", "east-00", "live"]
    assert "east-06 live and 6 environments more" in told


def test_one_that_nothing_can_have_shipped_says_what_to_send(shop: Shop, person: Person) -> None:
    shop.merge(5, base_ref="release")
    person.get(page_of(shop, 5))
    assert "Nothing was deployed from release yet" in person.words
    assert f"commit_sha={shop.sha(5)}" in person.words


@pytest.mark.parametrize("path", ["no/such/1", "{repository}/999", "{repository}/" + "9" * 25])
def test_one_that_is_not_there_is_said_so(person: Person, shop: Shop, path: str) -> None:
    path = path.format(repository=shop.repository)
    assert person.get(f"/pulls/{path}").status_code == 404
    assert person.get(f"/badge/pulls/{path}.svg").status_code == 404


# Badges


def badge(person: Person, shop: Shop, number: int, **query: str) -> str:
    """What the badge of a pull request says."""
    answer = person.http.get(f"/badge/pulls/{shop.repository}/{number}.svg", params=query)
    assert answer.headers["Content-Type"] == "image/svg+xml"
    return re.findall("<title>(.*)</title>", answer.text)[0]


def test_a_badge_says_whether_it_is_live(person: Person, shop: Shop) -> None:
    assert badge(person, shop, 1) == "production: live"
    assert badge(person, shop, 3) == "production: not yet"
    assert badge(person, shop, 3, environment="staging") == "staging: live"
    assert badge(person, shop, 4) == "production: not merged"
    assert badge(person, shop, 1, environment="moon") == "moon: never deployed"
    assert badge(person, shop, 1, service=shop.service) == "production: live"
    assert badge(person, shop, 1, service="other") == "production: never deployed"


@pytest.mark.parametrize("query", [{"service": "a" * 300}, {"service": ["a", "b"]}])
def test_a_badge_of_a_filter_that_cannot_be_says_so(
    person: Person, shop: Shop, query: dict[str, Any]
) -> None:
    answer = person.http.get(f"/badge/pulls/{shop.repository}/1.svg", params=query)
    assert answer.status_code == 400
    assert "production: wrong service" in answer.text


@pytest.fixture
def elsewhere(shop: Shop) -> Shop:
    """A shop whose production is called otherwise: 1 is in prod-eu and prod-us, 2 in prod-eu."""
    other = Shop(shop.server)
    other.merge_all([1, 2, 3])
    other.deploy(2.5, commit_sha=other.sha(2), environment="prod-eu")
    return other


def test_production_is_what_metrics_take_for_it(person: Person, elsewhere: Shop) -> None:
    assert badge(person, elsewhere, 1) == "prod-eu: live"
    assert badge(person, elsewhere, 3) == "prod-eu: not yet"
    assert badge(person, elsewhere, 1, environment="production") == "production: never deployed"
    assert found(person, elsewhere, deployed="no") == [3]
    assert found(person, elsewhere, deployed="yes") == [2, 1]


def test_of_several_productions_it_is_live_in_all_that_its_branch_is_deployed_to(
    person: Person, elsewhere: Shop
) -> None:
    elsewhere.deploy(3.5, commit_sha=elsewhere.sha(1), environment="prod-us")
    elsewhere.deploy(3.6, commit_sha=elsewhere.sha(3), environment="staging")
    elsewhere.merge(9, base_ref="other")
    elsewhere.deploy(9.5, commit_sha=elsewhere.sha(9), environment="prod-other")
    assert badge(person, elsewhere, 1) == "production: live"
    assert badge(person, elsewhere, 2) == "production: live in 1 of 2"
    assert badge(person, elsewhere, 3) == "production: not yet"
    assert badge(person, elsewhere, 2, environment="prod-us") == "prod-us: not yet"
    assert found(person, elsewhere, deployed="no") == [3]
    assert found(person, elsewhere, deployed="no", environment="prod-us,prod-eu") == [9, 3]
    person.get(page_of(elsewhere, 2))
    assert "prod-eu live prod-us not yet staging live" in person.words


def test_a_badge_is_text_whatever_its_address_says(person: Person, shop: Shop) -> None:
    said = badge(person, shop, 1, environment="<script>alert(1)</script>")
    assert said == "&lt;script&gt;alert(1)&lt;/script&gt;: never deployed"


def test_repositories_may_have_more_slashes_and_blanks(shop: Shop, person: Person) -> None:
    name = f"Fruit Platform/apples {shop.number}/till"
    shop.server.call("repositories.upsert", name=name, default_branch="main")
    shop.import_pulls(shop.item(7, repository=name, merge_commit_sha=shop.sha(77)))
    assert person.get(f"/pulls/{name}/7").status_code == 200
    shown = re.findall(r'<img src="(/badge/[^"]+)"', person.page.text)[0]
    assert "never deployed" in person.http.get(shown).text


def test_without_a_session_a_badge_needs_a_token_that_reads(shop: Shop, person: Person) -> None:
    path = f"/badge/pulls/{shop.repository}/1.svg"
    with Person(shop.server) as stranger:
        answers = [
            stranger.get(path),
            stranger.get(path, token="smk_guess"),  # noqa: S106
            stranger.get(path, token=shop.server.token("deployments:write")),
        ]
        for answer in answers:
            assert (answer.status_code, "no access" in answer.text) == (401, True)
        assert "live" in stranger.get(path, token=shop.server.token("read")).text


def test_badges_can_be_made_public(sqlite_server: LiveServer, tmp_path) -> None:
    url = f"sqlite:///{tmp_path / 'public.db'}"
    with LiveServer(url, tmp_path, public_badges="yes") as server, Person(server) as stranger:
        shop = Shop(server)
        shop.merge(1)
        shop.deploy(2, commit_sha=shop.sha(1))
        assert "production: live" in stranger.get(f"/badge/pulls/{shop.repository}/1.svg").text
        assert stranger.get(f"/pulls/{shop.repository}/1").status_code == 303
