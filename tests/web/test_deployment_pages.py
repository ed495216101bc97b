"""The explorer of deployments and its CSV, and a deployment's page."""

import csv
import io
import json
import re

import pytest
from tests.server import succeeded
from tests.shops import Shop, when
from tests.web.people import Person

from shipmark.application.search import MOST_FOUND


@pytest.fixture
def person(shop: Shop, person: Person) -> Person:
    """Someone who looks at a shop in which 1 and 2, then 3 were shipped, after one that failed."""
    shop.merge_all([1, 2, 3], title="Sell apples", author="ines")
    deploy(shop, 2.1, "failed", commit_sha=shop.sha(1), success=False)
    deploy(shop, 2.5, "first", commit_sha=shop.sha(2), metadata={"region": "eu", "try": 7})
    deploy(shop, 3.5, "second", commit_sha=shop.sha(3), source_name="Argo CD")
    deploy(shop, 4, "back", commit_sha=shop.sha(2))
    deploy(shop, 5, "waits", commit_sha="abcdef123", environment="staging")
    return person


def deploy(shop: Shop, hours: float, name: str, **arguments: object) -> None:
    shop.deploy(hours, reference_id=shop.reference(name), **arguments)


def deploy_from_file(shop: Shop, names: list[str]) -> None:
    """Deploy very many at once."""
    rows = (json.dumps(shop.deployment(10, reference_id=shop.reference(name))) for name in names)
    content = "\n".join(rows).encode()
    one = succeeded(shop.server.send("deployments.import", content=content))["import"]
    for state, then in (("validated", "imports.apply"), ("applied", "imports.info")):
        while one["state"] != state:
            one = shop.server.call("imports.info", id=one["id"])["import"]
            assert one["state"] != "failed", one
        shop.server.call(then, id=one["id"])


def found(person: Person, shop: Shop, **query: str) -> list[str]:
    """The names of the deployments that the explorer shows for a query, in its order."""
    person.get("/deployments", **query)
    assert person.page.status_code == 200, person.words
    return re.findall(rf">{shop.repository}/([a-z0-9]+)</a>", person.page.text)


def open_page(person: Person, shop: Shop, name: str) -> str:
    """What the page of a deployment says."""
    person.get(page_of(shop, name))
    assert person.page.status_code == 200
    return person.words


def page_of(shop: Shop, name: str) -> str:
    url: str = shop.info(shop.reference(name))["url"]
    return url.removeprefix(shop.server.base_url)


def test_they_are_shown_newest_first(person: Person, shop: Shop) -> None:
    everything = ["waits", "back", "second", "first", "failed"]
    assert found(person, shop, repository=shop.repository) == everything
    assert found(person, shop, service=shop.service) == everything


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"environment": "staging"}, ["waits"]),
        ({"source": "Argo CD"}, ["second"]),
        ({"success": "no"}, ["failed"]),
        ({"status": "attributed"}, ["second", "first"]),
        ({"since": "2024-06-01T15:30:00Z"}, ["waits", "back", "second"]),
        ({"until": "2024-06-01T15:30"}, ["first", "failed"]),
        ({"since": "2024-06-01", "until": "2024-06-01"}, 5 * ["any"]),
        ({"since": "2024-06-02"}, []),
        ({"status": "pending", "success": "no"}, []),
        ({"service": "nobody's"}, []),
    ],
)
def test_filters_narrow_together(
    person: Person, shop: Shop, query: dict[str, str], names: list[str]
) -> None:
    narrowed = found(person, shop, repository=shop.repository, **query)
    assert len(narrowed) == 5 if "any" in names else narrowed == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{repository}/fir", ["first"]),
        ("{repository}", ["waits", "back", "second", "first", "failed"]),
        ("{sha2}", ["back", "first"]),
        ("{short3}", ["second"]),
        ("#1", ["first"]),
        ("3", ["second"]),
        ("region:eu", ["first"]),
        ("try:7", ["first"]),
        ("region:e", []),
        ("abcdef1", ["waits"]),
        ("nothing of the kind", []),
        ('"quotes\\:%_', []),
    ],
)
def test_a_search_finds_what_is_remembered(
    person: Person, shop: Shop, text: str, names: list[str]
) -> None:
    text = text.format(repository=shop.repository, sha2=shop.sha(2).upper(), short3=shop.sha(3)[:7])
    assert found(person, shop, q=text, repository=shop.repository) == names


def test_a_search_that_stops_says_so(shop: Shop, person: Person) -> None:
    deploy_from_file(shop, [f"many{number:03}" for number in range(MOST_FOUND - 1)])
    found(person, shop, q=f"{shop.repository}/many")
    assert "There may be more" not in person.words
    deploy(shop, 10, "many999")
    found(person, shop, q=f"{shop.repository}/many")
    assert "There may be more: each way in which a search looks" in person.words
    assert "stops at 1,000 deployments" in person.words
    found(person, shop, repository=shop.repository)
    assert "There may be more" not in person.words


def test_pages_follow_each_other_without_gap_or_repeat(shop: Shop, person: Person) -> None:
    for number in range(55):
        deploy(shop, 10, f"more{number}", environment="many")
    names = found(person, shop, repository=shop.repository, environment="many")
    assert len(names) == 50
    older = re.findall(r'href="([^"]+)" rel="next"', person.page.text)[0].replace("&amp;", "&")
    person.get(older)
    rest = re.findall(rf">{shop.repository}/([a-z0-9]+)</a>", person.page.text)
    assert len(rest) == 5
    assert len({*names, *rest}) == 55
    assert "Newest" in person.words
    assert "rel=" not in person.page.text.partition("<main")[2]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"since": "yesterday"}, "since is 'yesterday'; it must be a day like 2026-03-12"),
        ({"until": "1066-10-14"}, "in 1990 or later"),
        ({"until": "9999-12-31"}, "until is '9999-12-31'"),
        ({"status": "good"}, "one of attributed, pending, expired, none"),
        ({"success": "perhaps"}, "it must be yes or no"),
        ({"after": "nonsense"}, "as a link to the next page has it"),
        ({"after": "0001-01-01T00:00:00+23:59,x"}, "as a link to the next page has it"),
        ({"service": "x" * 300}, "at most 255 characters"),
        ({"q": "a\0b"}, "without NUL"),
        ({"repository": "no/such"}, "no/such"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(
    person: Person, query: dict[str, str], said: str
) -> None:
    assert person.get("/deployments", **query).status_code == 400
    assert said in person.words
    assert person.http.get("/deployments.csv", params=query).status_code in (200, 400)


@pytest.mark.parametrize("query", ["%ff=%ff", "q=%ff", "since=%F0%9F%9A%80", "&&=&", "a" * 5000])
def test_no_query_string_breaks_a_page(person: Person, query: str) -> None:
    for path in ("/deployments", "/pulls", "/deployments.csv", "/sign-in"):
        assert person.http.get(f"{path}?{query}").status_code in (200, 400)


def test_an_empty_explorer_says_what_to_send(person: Person, shop: Shop) -> None:
    assert found(person, shop, service="nobody") == []
    assert "No deployment fits this filter" in person.words


def test_the_csv_has_all_that_the_filter_has(person: Person, shop: Shop) -> None:
    answer = person.http.get("/deployments.csv", params={"repository": shop.repository})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    names = [row["reference_id"].rpartition("/")[2] for row in rows]
    assert names == ["waits", "back", "second", "first", "failed"]
    assert (rows[3]["pull_requests"], rows[3]["status"]) == ("2", "attributed")
    assert rows[2]["deployed_at"] == when(3.5)


def test_the_csv_marks_what_a_spreadsheet_would_run_as_text(person: Person, shop: Shop) -> None:
    deploy(shop, 9, "sheet", source_name="=1+1", environment="sheet")
    query = {"repository": shop.repository, "environment": "sheet"}
    assert ",'=1+1," in person.http.get("/deployments.csv", params=query).text


def test_a_page_says_what_was_shipped_and_why(person: Person, shop: Shop) -> None:
    words = open_page(person, shop, "first")
    assert f"2 pull requests shipped to {shop.service} in production" in words
    assert "it is the merge commit of #2" in words
    assert "#1 Sell apples ines" in words
    assert "1 h 30 min" in words
    assert "region eu" in words
    assert "/second" in words.partition("Before and after")[2]


def test_names_do_not_turn_the_sentences_that_they_stand_in(person: Person, shop: Shop) -> None:
    deploy(shop, 6, "turned", commit_sha=shop.sha(3), service="shop\u202e-api")
    why = open_page(person, shop, "turned").partition("Why")[2].partition("Facts")[0]
    assert "shop-api" in why
    assert "\u202e" not in why.partition("Pull requests shipped")[0]


def test_a_sentence_that_names_the_first_of_many_says_that_there_are_more(
    person: Person, shop: Shop
) -> None:
    shop.merge_all(range(100, 121), base_ref="next")
    named = [shop.sha(number) for number in range(100, 121)]
    deploy(shop, 130, "twenty", merge_commit_shas=named[:20], repository=None)
    deploy(shop, 131, "more", merge_commit_shas=named, repository=None, environment="staging")
    assert f"{named[19]}." in open_page(person, shop, "twenty")
    assert f"{named[19]}, and more." in open_page(person, shop, "more")


def test_what_waits_is_not_said_to_be_attributed(person: Person, shop: Shop) -> None:
    assert "To be attributed by the commit abcdef123" in open_page(person, shop, "waits")


def test_a_page_draws_the_window_among_those_around_it(person: Person, shop: Shop) -> None:
    open_page(person, shop, "second")
    drawing = person.page.text.partition('<svg class="timeline"')[2].partition("</svg>")[0]
    assert drawing.count('class="window"') == 2
    here = drawing.partition('class="here"')[2]
    assert f"{shop.repository}/second" in here
    assert here.count('class="merge"') == 1


def test_a_failed_deployment_shows_what_it_carried(person: Person, shop: Shop) -> None:
    words = open_page(person, shop, "failed")
    assert "Had it succeeded, it would have shipped: #1" in words


def section(person: Person, name: str) -> str:
    """What a part of the page says."""
    part = person.page.text.partition(f'aria-labelledby="{name}"')[2].partition("</section>")[0]
    return " ".join(re.sub("<[^>]*>", " ", part).split())


def test_what_is_carried_is_told_with_title_author_and_when_it_merged(
    person: Person, shop: Shop
) -> None:
    open_page(person, shop, "failed")
    carried = section(person, "carried")
    assert "#1 Sell apples ines, merged" in carried
    assert "2024-06-01 13:00" in carried
    assert "And more" not in carried


def test_where_more_is_carried_than_is_shown_the_page_says_so(person: Person, shop: Shop) -> None:
    service = f"{shop.service}-long"
    shop.merge_all(range(101, 201), base_ref="long")
    deploy(shop, 300, "all", commit_sha=shop.sha(200), service=service, success=False)
    open_page(person, shop, "all")
    assert "#101 " in section(person, "carried")
    assert "And more" not in section(person, "carried")
    shop.merge(201, base_ref="long")
    deploy(shop, 300, "some", commit_sha=shop.sha(201), service=service, success=False)
    open_page(person, shop, "some")
    assert "#200 " in section(person, "carried")
    assert "#201 " not in section(person, "carried")
    assert "And more: the first 100 are shown." in section(person, "carried")


def test_what_is_carried_of_several_repositories_says_of_which(person: Person, shop: Shop) -> None:
    other = Shop(shop.server)
    other.merge(1, title="Sell pears")
    listed = [other.sha(1), shop.sha(3)]
    deploy(shop, 6, "lists", merge_commit_shas=listed, repository=None, success=False)
    words = open_page(person, shop, "lists")
    assert f"it would have shipped {other.repository}#1, {shop.repository}#3." in words
    carried = section(person, "carried")
    assert f"{other.repository} #1 Sell pears merged" in carried
    assert f"{shop.repository} #3 Sell apples ines, merged" in carried
    for repository, number in ((other.repository, 1), (shop.repository, 3)):
        assert f'href="/pulls/{repository}/{number}"' in person.page.text


def test_where_more_is_taken_back_than_is_shown_the_page_says_so(
    person: Person, shop: Shop
) -> None:
    shop.merge_all(range(101, 203), base_ref="long")
    deploy(shop, 300, "whole", commit_sha=shop.sha(202))
    deploy(shop, 301, "most", commit_sha=shop.sha(102))
    open_page(person, shop, "most")
    assert "And more" not in section(person, "back")
    deploy(shop, 302, "least", commit_sha=shop.sha(101))
    open_page(person, shop, "least")
    assert "#201 " in section(person, "back")
    assert "#202 " not in section(person, "back")
    assert "And more: the first 100 are shown." in section(person, "back")


def test_what_is_left_out_is_told_with_author_and_when_it_merged(
    person: Person, shop: Shop
) -> None:
    shop.merge_all(range(101, 202), base_ref="long", author="rafael", title="Weigh pears")
    for number in range(101, 202):
        shop.server.call(
            "deployments.setPullServices",
            repository=shop.repository,
            pull_number=number,
            services=["scales"],
        )
    deploy(shop, 300, "hundred", commit_sha=shop.sha(200))
    open_page(person, shop, "hundred")
    left = section(person, "left")
    assert "#101 Weigh pears rafael, merged" in left
    assert "belongs to scales" in left
    assert "And more" not in left
    deploy(shop, 300, "all", commit_sha=shop.sha(201), environment="staging")
    open_page(person, shop, "all")
    assert "And more: the first 100 are shown." in section(person, "left")


def test_a_rollback_is_shown_as_one(person: Person, shop: Shop) -> None:
    words = open_page(person, shop, "back")
    assert "rollback" in words
    assert "it deploys less than was deployed before" in words
    taken_back = words.partition("Taken back")[2].partition("Facts")[0]
    assert "#3 Sell apples" in taken_back
    assert "#2" not in taken_back


def test_what_waits_is_retried_with_a_button(person: Person, shop: Shop) -> None:
    assert "Retry attribution" in open_page(person, shop, "waits")
    assert f"What is missing of {shop.repository}, and why" in person.words
    shop.merge(9, merge_commit_sha="abcdef1230".ljust(40, "0"))
    answer = person.post(f"{page_of(shop, 'waits')}/retry")
    assert answer.headers["Location"].endswith("?done=deployment-retried")
    assert "Attribution was tried again." in (
        person.get(answer.headers["Location"]) and person.words
    )
    assert shop.info(shop.reference("waits"))["attribution"]["status"] == "attributed"


def test_editing_takes_what_the_api_takes(person: Person, shop: Shop) -> None:
    person.get(f"{page_of(shop, 'second')}/edit")
    fields = values_of(person.page.text) | {"environment": "canary", "source_name": ""}
    answer = person.post(f"{page_of(shop, 'second')}/edit", **fields, metadata='{"a": 1}')
    assert answer.status_code == 303, answer.text
    changed = shop.info(shop.reference("second"))
    assert (changed["environment"], changed["source_name"]) == ("canary", None)
    assert changed["metadata"] == {"a": 1}
    assert changed["commit_sha"] == shop.sha(3)
    assert changed["attribution"]["pull_requests"] == 3


def test_an_edit_that_is_refused_keeps_what_was_typed(person: Person, shop: Shop) -> None:
    person.get(f"{page_of(shop, 'second')}/edit")
    fields = values_of(person.page.text) | {"commit_sha": "xyz", "environment": "typed"}
    answer = person.post(f"{page_of(shop, 'second')}/edit", **fields)
    assert answer.status_code == 422
    assert "commit_sha is &#39;xyz&#39;" in answer.text
    assert 'value="typed"' in answer.text
    assert shop.info(shop.reference("second"))["environment"] == "production"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("deployed_at", "deployed_at is blank; it must be when it was deployed."),
        ("service", "service is blank; it must be what was deployed."),
        ("environment", "environment is blank; it must be where it was deployed to."),
        ("repository", "repository is blank; it must be named"),
    ],
)
def test_what_a_deployment_cannot_be_without_is_not_taken_away_in_silence(
    person: Person, shop: Shop, name: str, said: str
) -> None:
    before = shop.info(shop.reference("second"))
    person.get(f"{page_of(shop, 'second')}/edit")
    fields = values_of(person.page.text) | {name: " ", "source_name": "Spinnaker"}
    person.page = person.post(f"{page_of(shop, 'second')}/edit", **fields)
    assert person.page.status_code == 400
    assert said in person.words
    assert 'value="Spinnaker"' in person.page.text
    assert shop.info(shop.reference("second")) == before


def test_a_repository_is_taken_from_a_deployment_that_lists_merge_commits(
    person: Person, shop: Shop
) -> None:
    deploy(shop, 6, "lists", merge_commit_shas=[shop.sha(3)], environment="canary")
    person.get(f"{page_of(shop, 'lists')}/edit")
    fields = values_of(person.page.text)
    assert fields["repository"] == shop.repository
    answer = person.post(f"{page_of(shop, 'lists')}/edit", **fields | {"repository": ""})
    assert answer.status_code == 303, answer.text
    changed = shop.info(shop.reference("lists"))
    assert (changed["repository"], changed["merge_commit_shas"]) == (None, [shop.sha(3)])
    assert changed["attribution"]["pull_requests"] == 1


def test_a_list_of_merge_commits_gives_way_to_a_commit_alone(person: Person, shop: Shop) -> None:
    deploy(shop, 6, "lists", merge_commit_shas=[shop.sha(3)], environment="canary")
    path = f"{page_of(shop, 'lists')}/edit"
    person.get(path)
    fields = values_of(person.page.text) | {"merge_commit_shas": ""}
    person.page = person.post(path, **fields)
    assert person.page.status_code == 400
    assert (
        "merge_commit_shas is blank; it must name commits, or commit_sha one instead"
        in person.words
    )
    assert person.post(path, **fields | {"commit_sha": shop.sha(2)}).status_code == 303
    changed = shop.info(shop.reference("lists"))
    assert (changed["merge_commit_shas"], changed["commit_sha"]) == ([], shop.sha(2))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("{region: eu}", "metadata is '{region: eu}', which is not valid JSON (JSON is malformed"),
        ("eu", "metadata is 'eu', which is not valid JSON"),
        ("[1]", 'metadata is \'[1]\'; it must be an object, like {"version": "2.4.0"}.'),
    ],
)
def test_metadata_that_cannot_be_is_named_with_what_would_be_right(
    person: Person, shop: Shop, typed: str, said: str
) -> None:
    person.get(f"{page_of(shop, 'second')}/edit")
    fields = values_of(person.page.text) | {"metadata": typed}
    person.page = person.post(f"{page_of(shop, 'second')}/edit", **fields)
    assert person.page.status_code == 422
    assert said in person.words
    assert "it must be an object, like" in person.words


@pytest.mark.parametrize("typed", ["", "xyz"], ids=["at once", "after a refusal"])
def test_an_edit_of_what_someone_else_changed_meanwhile_is_shown_first(
    person: Person, shop: Shop, typed: str
) -> None:
    path = f"{page_of(shop, 'second')}/edit"
    person.get(path)
    fields = values_of(person.page.text) | {"seen": person.seen(), "source_name": "Spinnaker"}
    shop.server.call(
        "deployments.update", reference_id=shop.reference("second"), environment="canary"
    )
    if typed:
        person.page = person.post(path, **fields | {"commit_sha": typed})
        assert person.page.status_code == 422
        fields["seen"] = person.seen()
    person.page = person.post(path, **fields)
    assert person.page.status_code == 409
    assert "Someone changed this deployment" in person.words
    assert "environment is 'canary' by now." in person.words
    assert 'value="Spinnaker"' in person.page.text
    assert shop.info(shop.reference("second"))["environment"] == "canary"
    again = person.post(path, **fields | {"seen": person.seen(), "environment": "canary"})
    assert again.status_code == 303
    changed = shop.info(shop.reference("second"))
    assert (changed["environment"], changed["source_name"]) == ("canary", "Spinnaker")


def values_of(page: str) -> dict[str, str]:
    """What the fields of a form hold."""
    return dict(re.findall(r'<input id="f-\w+" name="(\w+)" type="\w+" value="([^"]*)"', page))


def test_deleting_leaves_the_rest_as_if_it_had_never_been(person: Person, shop: Shop) -> None:
    open_page(person, shop, "first")
    answer = person.post(f"{page_of(shop, 'first')}/delete")
    assert answer.headers["Location"] == "/deployments?done=deployment-deleted"
    assert shop.info(shop.reference("second"))["attribution"]["pull_requests"] == 3


def test_who_may_only_read_has_no_buttons_and_changes_nothing(person: Person, shop: Shop) -> None:
    page = page_of(shop, "waits")
    with Person(shop.server) as reader:
        reader.sign_in(shop.server.token("read"))
        reader.get(page)
        assert not {"Edit", "Retry attribution", "Delete…"} & set(reader.words.split())
        assert "Retry" not in reader.words
        for action in ("retry", "delete", "edit"):
            assert reader.post(f"{page}/{action}").status_code == 403
        assert reader.get(f"{page}/edit").status_code == 403
    assert shop.info(shop.reference("waits"))["attribution"]["status"] == "pending"


@pytest.mark.parametrize("number", ["0", "123456789", "9" * 25])
def test_a_deployment_that_is_not_there_is_said_so(person: Person, number: str) -> None:
    assert person.get(f"/deployments/{number}").status_code == 404


def test_a_page_of_many_pull_requests_has_more_pages(person: Person, shop: Shop) -> None:
    shop.merge_all(range(100, 221))
    deploy(shop, 400, "large", commit_sha=shop.sha(220), service=f"{shop.service}-large")
    assert "100 pull requests shown" in open_page(person, shop, "large")
    more = re.findall(r'href="([^"]+)" rel="next"', person.page.text)[0].replace("&amp;", "&")
    person.get(more)
    assert "24 pull requests shown" in person.words
    assert "<figure" in person.page.text
