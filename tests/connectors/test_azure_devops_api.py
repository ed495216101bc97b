"""What the API of Azure DevOps is asked, and what its answers become."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.builders import sha
from tests.connectors import azure_devops_payloads as given_
from tests.connectors.azure_devops_payloads import NAME
from tests.connectors.dialogues import an_answer, hold

from shipmark.application.facts import BranchPush, PushedCommit, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.azure_devops import (
    authorization,
    commit,
    commits_page,
    limits,
    pull,
    pulls_page,
    read_webhook,
    repository,
)
from shipmark.connectors.exchange import Response
from shipmark.connectors.forge_errors import ForgeError, ForgeRefused, ForgeUnavailable, RateLimited
from shipmark.connectors.limits import Limits

PATH = "/Web%20Team/_apis/git/repositories/shop%20api"
DATE = "Mon, 02 Mar 2026 12:00:00 GMT"
AS_OF = datetime(2026, 3, 2, 12, tzinfo=UTC)
SINCE = datetime(2026, 3, 2, tzinfo=UTC)


def test_a_pause_is_told_with_an_answer_and_with_a_refusal() -> None:
    told = an_answer(
        {},
        retry_after="30",
        x_ratelimit_remaining="5",
        x_ratelimit_limit="200",
        x_ratelimit_reset="1772452800",
    )
    assert limits(told, now=AS_OF) == Limits(
        wait_until=AS_OF + timedelta(seconds=30), remaining=5, limit=200, resets_at=AS_OF
    )
    assert limits(an_answer({}), now=AS_OF) == Limits()
    refusal = limits(an_answer(status=429), now=AS_OF, refused=1)
    assert refusal == Limits(wait_until=AS_OF + timedelta(minutes=2), is_refused=True)


def test_a_token_is_the_password_of_nobody() -> None:
    assert authorization("secret") == "Basic OnNlY3JldA=="


def test_a_repository_is_asked_for_by_its_project_and_name() -> None:
    found, (asked,) = hold(repository(NAME), [an_answer(given_.repository(), date=DATE)])
    assert (asked.method, asked.path, asked.query) == ("GET", PATH, {"api-version": "6.0"})
    assert found == RepositoryFacts(
        name=NAME,
        source="azure_devops",
        source_id=given_.REPOSITORY_ID,
        as_of=AS_OF,
        values={"default_branch": "main"},
    )


def test_a_repository_that_there_is_not_is_none() -> None:
    assert hold(repository(NAME), [an_answer(status=404)])[0] is None


def test_a_repository_without_any_branch_has_no_default_one() -> None:
    empty = given_.repository(defaultBranch=None, isDisabled=True)
    found, _ = hold(repository(NAME), [an_answer(empty, date="not a date")])
    assert found is not None
    assert (found.values, found.archived, found.as_of) == ({}, True, None)


def test_completed_pull_requests_come_in_pages() -> None:
    pulls = [given_.pull(pullRequestId=number) for number in range(1, 101)]
    page, (asked,) = hold(
        pulls_page(NAME, since=None, cursor=None), [an_answer({"value": pulls}, date=DATE)]
    )
    assert asked.path == f"{PATH}/pullrequests"
    assert asked.query["searchCriteria.status"] == "completed"
    assert asked.query["$skip"] == 0
    assert page.cursor == "100"
    assert sum(isinstance(fact, PullFacts) for fact in page.facts) == 100
    last, (asked,) = hold(
        pulls_page(NAME, since=None, cursor="100"), [an_answer({"value": pulls[:1]})]
    )
    assert asked.query["$skip"] == 100
    assert last.cursor is None


def test_pull_requests_completed_before_are_left_out_though_a_server_lists_them() -> None:
    pulls = [given_.pull(), given_.pull(pullRequestId=18, closedDate="2026-03-01T00:00:00Z")]
    page, (asked,) = hold(pulls_page(NAME, since=SINCE, cursor=None), [an_answer({"value": pulls})])
    assert asked.query["searchCriteria.minTime"] == "2026-03-02T00:00:00+00:00"
    assert asked.query["searchCriteria.queryTimeRangeType"] == "closed"
    assert {fact.number for fact in page.facts if isinstance(fact, PullFacts)} == {17}


def test_a_listed_pull_request_is_the_same_as_a_notified_one() -> None:
    listed = given_.pull(repository=given_.listed_repository())
    page, _ = hold(pulls_page(NAME, since=None, cursor=None), [an_answer({"value": [listed]})])
    _, pull_, event = read_webhook({}, given_.hook("git.pullrequest.updated", given_.pull()))
    assert isinstance(pull_, PullFacts)
    told, happened = page.facts
    assert isinstance(told, PullFacts)
    assert told.values == pull_.values
    assert happened == event


COMMITS = [given_.commit(1, day=2), given_.commit(5, day=1)]


def of_a_pull(changes: list[dict[str, Any]], **values: Any) -> list[Response]:
    """The answers about a pull request of two commits, in two pages."""
    return [
        an_answer(given_.pull(**values), date=DATE),
        an_answer({"value": COMMITS[:1]}, x_ms_continuationtoken="next"),
        an_answer({"value": COMMITS[1:]}),
        an_answer({"value": [{"id": 1}, {"id": 3}, {"id": 2}]}),
        *(an_answer(one) for one in changes),
    ]


def test_all_of_a_pull_request_is_asked_for() -> None:
    changes = [
        {
            "changeEntries": [
                {"item": {"path": "/src/a.py"}, "changeType": "edit"},
                {"item": {"path": "/src"}, "changeType": "add", "isFolder": True},
                {"item": {"path": "/docs", "isFolder": True}},
                {"item": {"path": "/lib", "gitObjectType": "tree"}},
            ],
            "nextSkip": 4,
            "nextTop": 2000,
        },
        {
            "changeEntries": [{"item": {"path": "/new.py"}, "originalPath": "/old.py"}, {}],
            "nextSkip": 0,
        },
    ]
    found, asked = hold(pull(NAME, 17), of_a_pull(changes))
    assert [one.path.removeprefix(PATH) for one in asked] == [
        "/pullRequests/17",
        "/pullRequests/17/commits",
        "/pullRequests/17/commits",
        "/pullRequests/17/iterations",
        "/pullRequests/17/iterations/3/changes",
        "/pullRequests/17/iterations/3/changes",
    ]
    assert asked[2].query["continuationToken"] == "next"
    assert [one.query["$skip"] for one in asked[4:]] == [0, 4]
    assert found is not None
    assert found.as_of == AS_OF
    assert found.values["commit_shas"] == {sha(1), sha(5)}
    assert found.values["first_commit_at"] == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert found.values["files"] == ("new.py", "old.py", "src", "src/a.py")


def test_a_pull_request_without_commits_has_no_first_one() -> None:
    nothing = an_answer({"value": []})
    found, _ = hold(pull(NAME, 17), [an_answer(given_.pull()), nothing, nothing])
    assert found is not None
    assert found.values["files"] == ()
    assert found.values["commit_shas"] == frozenset()
    assert "first_commit_at" not in found.values


def test_a_pull_request_that_there_is_not_is_none() -> None:
    assert hold(pull(NAME, 17), [an_answer(status=404)])[0] is None


def test_a_commit_leads_to_the_completed_pull_requests_that_brought_it() -> None:
    results = [
        {sha(3): [given_.pull()]},
        {sha(3): [given_.pull(), given_.pull(pullRequestId=18, status="active")]},
    ]
    changes = [{"changeEntries": []}]
    facts, asked = hold(
        commit(NAME, sha(3)[:7]),
        [an_answer(given_.commit(3)), an_answer({"results": results}), *of_a_pull(changes)],
    )
    assert asked[0].path == f"{PATH}/commits/{sha(3)[:7]}"
    assert asked[1].method == "POST"
    assert asked[1].path == f"{PATH}/pullrequestquery"
    assert asked[1].body == {
        "queries": [
            {"type": "lastMergeCommit", "items": [sha(3)]},
            {"type": "commit", "items": [sha(3)]},
        ]
    }
    assert [fact.number for fact in facts if isinstance(fact, PullFacts)] == [17]


@pytest.mark.parametrize("status", [400, 404])
def test_an_unknown_commit_leads_to_nothing(status: int) -> None:
    assert hold(commit(NAME, sha(3)), [an_answer(status=status)])[0] == []


@pytest.mark.parametrize("ancestor", [True, False])
def test_a_commit_without_a_pull_request_may_stand_on_the_default_branch(ancestor: bool) -> None:
    facts, asked = hold(
        commit(NAME, sha(3)),
        [
            an_answer(given_.commit(3)),
            an_answer({"results": [{}, {}]}),
            an_answer(given_.repository()),
            an_answer({"commonCommit": sha(3) if ancestor else sha(2)}),
        ],
    )
    assert asked[3].path == f"{PATH}/diffs/commits"
    pushed = PushedCommit(sha=sha(3), committed_at=datetime(2026, 3, 1, 9, tzinfo=UTC))
    expected = BranchPush(repository=NAME, branch="main", commits=(pushed,))
    assert facts == ([expected] if ancestor else [])


def test_commits_of_a_branch_come_in_pages_from_the_head_it_had() -> None:
    commits = [given_.commit(number) for number in range(1, 101)]
    page, (asked,) = hold(
        commits_page(NAME, "main", since=SINCE, cursor=None), [an_answer({"value": commits})]
    )
    assert asked.query["searchCriteria.itemVersion.version"] == "main"
    assert asked.query["searchCriteria.fromDate"] == "2026-03-02T00:00:00+00:00"
    assert page.cursor == f"{sha(1)}|100"
    (pushed,) = page.facts
    assert isinstance(pushed, BranchPush)
    assert len(pushed.commits) == 100
    last, (asked,) = hold(
        commits_page(NAME, "main", since=None, cursor=page.cursor), [an_answer({"value": []})]
    )
    assert asked.query["searchCriteria.itemVersion.version"] == sha(1)
    assert asked.query["searchCriteria.itemVersion.versionType"] == "commit"
    assert asked.query["searchCriteria.$skip"] == 100
    assert (last.facts, last.cursor) == ((), None)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (Response(status=203, body=b"<html>"), ForgeRefused),
        (Response(status=302), ForgeRefused),
        (Response(status=401), ForgeRefused),
        (Response(status=429), RateLimited),
        (Response(status=503), ForgeUnavailable),
        (Response(status=200, body=b'{"value": ['), ForgeUnavailable),
    ],
)
def test_answers_that_are_none_are_errors(response: Response, kind: type[ForgeError]) -> None:
    for dialogue in (
        repository(NAME),
        pulls_page(NAME, since=None, cursor=None),
        pull(NAME, 17),
        commit(NAME, sha(3)),
    ):
        with pytest.raises(kind):
            hold(dialogue, [response])
