"""Pull requests from GitHub's API: pages of them, each whole, and the same as webhooks tell."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.connectors.fake_github import FakeGitHub, connection, graphql_pull
from tests.connectors.recorded import octokit
from tests.connectors.talks import all_pages, converse, in_turn, ok, only, result

from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.exchange import Response
from shipmark.connectors.forge_errors import (
    ForgeError,
    ForgeNotFound,
    ForgeRefused,
    ForgeUnavailable,
    RateLimited,
)
from shipmark.connectors.github_pulls import pull, pulls_page
from shipmark.connectors.github_webhooks import read_webhook
from shipmark.domain.events import SourceEvent

NAME = "Codertocat/Hello-World"
MERGED = {
    "merged_at": "2019-05-15T16:00:00Z",
    "closed_at": "2019-05-15T16:00:00Z",
    "merge_commit_sha": "f" * 40,
}
NEWEST = datetime(2026, 3, 1, tzinfo=UTC)


def sha(number: int) -> str:
    return f"{number:040x}"


def rest_pull(number: int = 2, **changes: Any) -> dict[str, Any]:
    recorded = copy.deepcopy(octokit("pull_request", "opened")[0]["pull_request"])
    return recorded | {"number": number, "id": 10**10 + number} | changes


def a_day(number: int) -> str:
    return (NEWEST - timedelta(days=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def github(count: int, **changes: Any) -> FakeGitHub:
    """One with pull requests 1 to ``count``; the higher the number, the longer ago it changed."""
    forge = FakeGitHub(NAME, **changes)
    forge.pulls = [
        graphql_pull(
            rest_pull(number, created_at=a_day(1000 - number), updated_at=a_day(number), **MERGED),
            commits=[{"oid": sha(number), "authoredDate": a_day(number)}],
            files=[f"{number}.txt"],
        )
        for number in range(1, count + 1)
    ]
    return forge


def pages(forge: FakeGitHub, since: datetime | None = None) -> list[Any]:
    return all_pages(lambda cursor: pulls_page(NAME, since=since, cursor=cursor), forge)


# The same as webhooks tell


@pytest.mark.parametrize("changes", [{}, MERGED, {"user": None}, {"draft": True}])
def test_the_api_tells_the_same_as_the_webhook(changes: dict[str, Any]) -> None:
    payloads = [copy.deepcopy(one) for one in octokit("pull_request")]
    for payload in payloads:
        payload["pull_request"] |= changes
        payload["pull_request"].setdefault("draft", False)
        (told, *events) = read_webhook({"x-github-event": "pull_request"}, payload)
        assert isinstance(told, PullFacts)
        forge = FakeGitHub(told.repository)
        forge.pulls = [graphql_pull(payload["pull_request"])]
        page = result(pulls_page(told.repository, since=None, cursor=None), forge)
        (asked,) = only(page.facts, PullFacts)
        shared = {name: asked.values[name] for name in told.values if name in asked.values}
        if payload["action"] == "ready_for_review":
            # The one value that is an event's own, and not in these pull requests.
            del shared["ready_for_review_at"], told.values["ready_for_review_at"]
        assert shared == told.values
        assert (asked.repository, asked.number) == (told.repository, told.number)
        assert asked.as_of == told.as_of
        assert only(page.facts, SourceEvent) == events


def test_a_bot_is_called_as_the_webhook_calls_it() -> None:
    user = {"login": "dependabot[bot]", "type": "Bot"}
    forge = FakeGitHub(NAME)
    forge.pulls = [graphql_pull(rest_pull(user=user))]
    facts = result(pull(NAME, 2), forge)
    assert facts is not None
    assert facts.values["author"] == "dependabot[bot]"


# Whole


def test_a_pull_request_comes_with_its_commits_files_and_labels() -> None:
    forge = github(1)
    found = forge.pulls[0]
    found["labels"] = {"nodes": [{"name": "b"}, {"name": "a"}]}
    found["timelineItems"] = {
        "nodes": [{"__typename": "ReadyForReviewEvent", "createdAt": "2019-05-15T15:30:00Z"}]
    }
    found["commits"] = connection(
        [
            {"commit": {"oid": sha(1), "authoredDate": "2019-05-14T10:00:00+02:00"}},
            {"commit": {"oid": sha(2), "authoredDate": "2019-05-15T10:00:00Z"}},
        ]
    )
    facts, asked = converse(pull(NAME, 1), forge)
    assert facts is not None
    assert len(asked) == 1
    assert facts.values["labels"] == ("a", "b")
    assert facts.values["commit_shas"] == {sha(1), sha(2)}
    assert facts.values["first_commit_at"] == datetime(2019, 5, 14, 8, tzinfo=UTC)
    assert facts.values["files"] == ("1.txt",)
    assert facts.values["ready_for_review_at"] == datetime(2019, 5, 15, 15, 30, tzinfo=UTC)
    assert facts.values["source_id"] == "10000000001"


@pytest.mark.parametrize(("commits", "files"), [(250, 3), (3, 250), (201, 350), (100, 100)])
def test_more_commits_or_files_than_a_page_holds_are_fetched_too(commits: int, files: int) -> None:
    forge = FakeGitHub(NAME)
    forge.pulls = [
        graphql_pull(
            rest_pull(),
            commits=[
                {"oid": sha(one), "authoredDate": a_day(one)} for one in range(1, commits + 1)
            ],
            files=[f"{one}.txt" for one in range(files)],
        )
    ]
    facts, asked = converse(pull(NAME, 2), forge)
    assert facts is not None
    assert len(facts.values["commit_shas"]) == commits
    assert len(facts.values["files"]) == len(set(facts.values["files"])) == files
    assert len(asked) == max(-(-commits // 100), -(-files // 100))


def test_a_number_that_no_pull_request_has_is_none() -> None:
    assert result(pull(NAME, 5), github(1)) is None
    assert result(pull("org/unknown", 1), github(1)) is None
    assert result(pull(NAME, 2**40), github(1)) is None


def test_an_older_server_is_asked_for_an_id_as_it_knows_it() -> None:
    forge = github(1, old=True)
    forge.pulls[0]["databaseId"] = 279147437
    facts, asked = converse(pull(NAME, 1), forge)
    assert facts is not None
    assert facts.values["source_id"] == "279147437"
    assert len(asked) == 2


# Pages


def test_all_pull_requests_come_oldest_first_at_one_call_for_24() -> None:
    forge = github(50)
    page, asked = converse(pulls_page(NAME, since=None, cursor=None), forge)
    assert [pull.number for pull in only(page.facts, PullFacts)] == list(range(1, 25))
    assert len(asked) == 1
    assert [pull.number for pull in only(pages(forge), PullFacts)] == list(range(1, 51))


def test_those_changed_since_come_last_changed_first_and_no_others_are_asked_for() -> None:
    forge = github(50)
    facts = only(pages(forge, NEWEST - timedelta(days=30)), PullFacts)
    assert [pull.number for pull in facts] == list(range(1, 31))
    first, asked = converse(pulls_page(NAME, since=NEWEST - timedelta(days=3), cursor=None), forge)
    assert (len(only(first.facts, PullFacts)), first.cursor, len(asked)) == (3, None, 1)


@given(st.data())
def test_a_backfill_that_is_interrupted_while_pull_requests_change_leaves_none_out(
    data: st.DataObject,
) -> None:
    forge = github(data.draw(st.integers(0, 60), label="pull requests"))
    there = {pull["number"] for pull in forge.pulls}
    seen: set[int] = set()
    cursor: str | None = None
    while True:
        page = result(pulls_page(NAME, since=None, cursor=cursor), forge)
        seen |= {pull.number for pull in only(page.facts, PullFacts)}
        if (cursor := page.cursor) is None:
            break
        for changed in data.draw(st.sets(st.sampled_from(sorted(there)), max_size=3)):
            forge.pulls[changed - 1]["updatedAt"] = a_day(0)
    assert seen == there


def test_merged_pull_requests_come_with_the_event_of_their_merging() -> None:
    facts = pages(github(3))
    assert [type(fact) for fact in facts] == [PullFacts, SourceEvent] * 3


def test_what_is_too_much_for_github_is_asked_for_in_smaller_pages() -> None:
    forge = github(10)
    forge.most_at_once = 7
    page, asked = converse(pulls_page(NAME, since=None, cursor=None), forge)
    assert [request.body["variables"]["first"] for request in asked] == [24, 6]
    assert len(only(page.facts, PullFacts)) == 6
    assert len(only(pages(forge), PullFacts)) == 10


def test_where_github_cannot_tell_files_the_rest_is_told_without_them() -> None:
    forge = github(2)
    forge.manages_files = False
    first, second = only(pages(forge), PullFacts)
    assert "files" not in first.values
    assert first.values["commit_shas"] == {sha(1)}
    assert second.number == 2
    alone = result(pull(NAME, 1), forge)
    assert alone == first


def test_an_unknown_repository_is_said_to_be_unknown() -> None:
    with pytest.raises(ForgeNotFound, match="org/unknown"):
        result(pulls_page("org/unknown", since=None, cursor=None), github(1))


# Errors


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "FORBIDDEN", "message": "Resource not accessible by integration"}, ForgeRefused),
        ({"type": "RATE_LIMITED", "message": "API rate limit exceeded"}, RateLimited),
        ({"message": "Something went wrong while executing your query"}, ForgeUnavailable),
        ({"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Too much"}, ForgeUnavailable),
        ({"message": "Field 'x' is wrong"}, ForgeError),
    ],
)
def test_an_error_of_graphql_is_told_by_its_kind(
    error: dict[str, Any], kind: type[ForgeError]
) -> None:
    answer = ok({"data": None, "errors": [error]})
    with pytest.raises(kind) as raised:
        result(pulls_page(NAME, since=None, cursor=None), lambda _: answer)
    assert error["message"] in raised.value.message


def test_an_answer_that_breaks_off_means_to_try_later() -> None:
    with pytest.raises(ForgeUnavailable):
        result(pull(NAME, 1), in_turn(Response(status=200, body=b'{"data": {"repo')))
    with pytest.raises(ForgeUnavailable):
        result(pull(NAME, 1), lambda _: Response(status=502, body=b"<html>"))
