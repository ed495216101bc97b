"""What the API of Gitea and Forgejo tells is the same as webhooks tell."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.connectors.giteas import (
    COMMIT,
    NAME,
    FakeGitea,
    a_commit,
    a_pull_request,
    a_repository,
    an_api_commit,
)
from tests.connectors.talks import all_pages, converse, ok, only, result

from shipmark.application.facts import BranchPush
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.exchange import Request, Response
from shipmark.connectors.forge_errors import ForgeNotFound, ForgeUnavailable
from shipmark.connectors.gitea import (
    address,
    bearer,
    commit,
    commit_of_tag,
    commits_page,
    pull,
    pulls_page,
    releases_page,
    repository,
    tags_page,
)
from shipmark.connectors.gitea_webhooks import read_webhook
from shipmark.domain.events import EventSource, SourceEvent

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def told(event: str, **payload: Any) -> list[Any]:
    return read_webhook({"x-gitea-event": event}, {"repository": a_repository()} | payload)


def hours_ago(hours: int) -> str:
    return (NOON - timedelta(hours=hours)).isoformat()


def whole(**paths: Any) -> FakeGitea:
    """One with pull request 5, of two commits and two files."""
    commits = [an_api_commit("c" * 40, "2026-02-27T12:00:00+01:00"), an_api_commit("a" * 40)]
    files = [{"filename": "b.txt", "status": "changed"}, {"filename": "a.txt", "status": "added"}]
    there = {"/pulls": [a_pull_request()], "/pulls/5": a_pull_request()}
    there |= {"/pulls/5/commits": commits, "/pulls/5/files": files}
    return FakeGitea(**there | paths)


@pytest.mark.parametrize(
    "server",
    ["https://git.example.com", "https://git.example.com/", "https://git.example.com/api/v1"],
)
def test_the_api_of_a_server_is_found(server: str) -> None:
    assert address(server, "/repos/org/app") == "https://git.example.com/api/v1/repos/org/app"
    assert bearer("abc") == {"authorization": "token abc"}
    with pytest.raises(ValueError, match="not a path"):
        address(server, "https://elsewhere.example.com/")


def test_the_api_tells_the_same_of_a_repository_as_the_webhook() -> None:
    (fact,) = told("repository", action="created")
    assert result(repository(NAME), FakeGitea()) == fact
    assert result(repository("org/unknown"), FakeGitea()) is None


def test_a_renamed_repository_tells_its_former_name() -> None:
    forge = FakeGitea()
    forge.paths["/repos/org/old"] = a_repository()
    found = result(repository("org/old"), forge)
    assert found is not None
    assert (found.name, found.former_name) == (NAME, "org/old")


# Pull requests


def test_the_api_tells_the_same_of_a_pull_request_as_the_webhook_and_more() -> None:
    (fact, event) = told("pull_request", action="closed", pull_request=a_pull_request())
    page = result(pulls_page(NAME, since=None, cursor=None), whole())
    asked, merged = page.facts
    assert isinstance(asked, PullFacts)
    assert {name: asked.values[name] for name in fact.values} == fact.values
    assert asked.as_of == fact.as_of
    assert merged == event
    assert asked.values["commit_shas"] == {"c" * 40, "a" * 40}
    assert asked.values["first_commit_at"] == datetime(2026, 2, 27, 11, tzinfo=UTC)
    assert asked.values["files"] == ("a.txt", "b.txt")
    assert result(pull(NAME, 5), whole()) == asked
    assert result(pull(NAME, 6), whole()) is None


def test_an_open_pull_request_costs_no_call_of_its_own() -> None:
    forge = FakeGitea(**{"/pulls": [a_pull_request(merged_at=None)]})
    page, asked = converse(pulls_page(NAME, since=None, cursor=None), forge)
    assert (len(page.facts), len(asked)) == (1, 1)


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("most", [50, 20, 7])
def test_all_pull_requests_come_however_few_a_server_gives_out_at_once(
    most: int, links: bool
) -> None:
    pulls = [a_pull_request(number, merged_at=None) for number in range(1, 64)]
    forge = FakeGitea(most, links=links, **{"/pulls": pulls})
    facts = all_pages(lambda at: pulls_page(NAME, since=None, cursor=at), forge)
    assert [fact.number for fact in facts] == list(range(1, 64))


def test_all_are_asked_for_oldest_first_and_news_last_changed_first() -> None:
    pulls = [
        a_pull_request(number, merged_at=None, updated_at=hours_ago(number))
        for number in range(1, 64)
    ]
    forge = FakeGitea(**{"/pulls": pulls})
    page, asked = converse(pulls_page(NAME, since=NOON - timedelta(hours=3), cursor=None), forge)
    assert ([fact.number for fact in only(page.facts, PullFacts)], page.cursor) == ([1, 2, 3], None)
    assert asked[0].query["sort"] == "recentupdate"
    _, asked = converse(pulls_page(NAME, since=None, cursor=None), forge)
    assert asked[0].query["sort"] == "oldest"


def test_many_commits_and_files_are_all_fetched() -> None:
    commits = [an_api_commit(f"{one:040x}") for one in range(1, 121)]
    files = [{"filename": f"{one}.txt"} for one in range(75)]
    forge = whole(**{"/pulls/5/commits": commits, "/pulls/5/files": files})
    facts = result(pull(NAME, 5), forge)
    assert facts is not None
    assert (len(facts.values["commit_shas"]), len(facts.values["files"])) == (120, 75)


def test_a_server_that_knows_no_pages_of_commits_is_asked_twice_at_most() -> None:
    def unpaged(request: Request) -> Response:
        if request.path.endswith("/commits"):
            return ok([an_api_commit(), an_api_commit("a" * 40)])
        return forge(request)

    forge = whole()
    facts, asked = converse(pull(NAME, 5), unpaged)
    assert facts is not None
    assert facts.values["commit_shas"] == {COMMIT, "a" * 40}
    assert sum(request.path.endswith("/commits") for request in asked) == 2


# Commits


def test_a_merge_commit_brings_its_pull_request_whole() -> None:
    there = {f"/git/commits/{COMMIT[:7]}": an_api_commit()}
    forge = whole(**there, **{f"/commits/{COMMIT}/pull": a_pull_request()})
    facts = result(commit(NAME, COMMIT[:7]), forge)
    assert facts == list(result(pulls_page(NAME, since=None, cursor=None), forge).facts)


def test_a_direct_push_is_told_with_the_default_branch_that_holds_it() -> None:
    there: dict[str, Any] = {f"/git/commits/{COMMIT}": an_api_commit()}
    compared = f"/compare/main...{COMMIT}"
    forge = FakeGitea(**there, **{compared: {"total_commits": 0}})
    (push,) = only(result(commit(NAME, COMMIT), forge), BranchPush)
    assert (push.branch, push.commits[0].sha, push.commits[0].committed_at) == (
        "main",
        COMMIT,
        NOON,
    )
    elsewhere = FakeGitea(**there, **{compared: {"total_commits": 2}})
    assert result(commit(NAME, COMMIT), elsewhere) == []


@pytest.mark.parametrize("status", [404, 409, 422])
def test_a_commit_that_is_not_known_is_nothing(status: int) -> None:
    forge = FakeGitea(**{f"/git/commits/{COMMIT}": Response(status=status)})
    assert result(commit(NAME, COMMIT), forge) == []
    assert (
        result(commit(NAME, "abcdef1"), FakeGitea(**{"/git/commits/abcdef1": an_api_commit()}))
        == []
    )


def test_the_api_tells_the_same_commit_as_the_push() -> None:
    push = {"ref": "refs/heads/main", "before": "f" * 40, "after": COMMIT}
    (fact, _) = told("push", **push, commits=[a_commit()], head_commit=a_commit())
    page = result(
        commits_page(NAME, "main", since=None, cursor=None),
        FakeGitea(**{"/commits": [an_api_commit()]}),
    )
    (asked,) = only(page.facts, BranchPush)
    assert asked.commits[0].committed_at == fact.commits[0].committed_at == NOON


def test_commits_stop_where_they_are_too_old() -> None:
    commits = [an_api_commit(f"{one:040x}", hours_ago(one)) for one in range(1, 201)]
    forge = FakeGitea(**{"/commits": commits})
    since = NOON - timedelta(hours=60)
    pushes = all_pages(lambda at: commits_page(NAME, "main", since=since, cursor=at), forge)
    assert [len(push.commits) for push in pushes] == [50, 10]
    everything = all_pages(lambda at: commits_page(NAME, "main", since=None, cursor=at), forge)
    assert sum(len(push.commits) for push in everything) == 200


def test_an_empty_repository_has_no_commits_and_an_unknown_branch_is_an_error() -> None:
    empty = FakeGitea(**{"/commits": Response(status=409)})
    assert result(commits_page(NAME, "main", since=None, cursor=None), empty).facts == ()
    with pytest.raises(ForgeNotFound):
        result(commits_page(NAME, "main", since=None, cursor=None), FakeGitea())


# Releases and tags


def test_the_api_tells_the_same_of_a_release_as_the_webhook_and_its_commit() -> None:
    release = {"id": 3, "tag_name": "v1", "published_at": "2026-03-01T12:00:00Z"}
    releases = [release, release | {"id": 4, "draft": True}, release | {"id": 5, "tag_name": "v2"}]
    tag = {"name": "v1", "id": "e" * 40, "commit": {"sha": COMMIT}}
    forge = FakeGitea(**{"/releases": releases, "/tags/v1": tag})
    of_tag, of_none = result(releases_page(NAME, since=None, cursor=None), forge).facts
    (by_webhook,) = told("release", action="published", release=release)
    assert isinstance(of_none, SourceEvent)
    assert (by_webhook.commit_sha, by_webhook.is_guessed) == (None, True)
    assert of_tag == replace(by_webhook, commit_sha=COMMIT, is_guessed=False)
    assert (of_none.tag, of_none.commit_sha) == ("v2", None)


def test_tags_are_told_with_their_commits_under_the_same_key_as_when_pushed() -> None:
    tag = {"name": "v1", "id": "e" * 40, "commit": {"sha": COMMIT, "created": hours_ago(0)}}
    forge = FakeGitea(**{"/tags": [tag], "/tags/v1": tag})
    (asked,) = result(tags_page(NAME, since=None, cursor=None), forge).facts
    push = {"ref": "refs/tags/v1", "before": "0" * 40, "after": "e" * 40}
    (pushed,) = told("push", **push, head_commit=a_commit())
    assert isinstance(asked, SourceEvent)
    assert (asked.key, asked.source, asked.commit_sha) == (pushed.key, EventSource.TAG, COMMIT)
    assert result(tags_page(NAME, since=NOON + timedelta(hours=1), cursor=None), forge).facts == ()
    assert result(commit_of_tag(NAME, "v1"), forge) == COMMIT
    assert result(commit_of_tag(NAME, "v2"), forge) is None


def test_an_answer_that_breaks_off_means_to_try_later() -> None:
    with pytest.raises(ForgeUnavailable):
        result(pull(NAME, 5), lambda _: Response(status=200, body=b'{"id": 5'))
