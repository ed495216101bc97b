"""Repositories and commits from GitHub's API."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.connectors.fake_github import FakeGitHub, graphql_pull
from tests.connectors.recorded import octokit
from tests.connectors.talks import all_pages, converse, only, result

from shipmark.application.facts import BranchPush
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.exchange import Response
from shipmark.connectors.forge_errors import ForgeNotFound, ForgeRefused, ForgeUnavailable
from shipmark.connectors.github import commit, commit_of_tag, commits_page, repository
from shipmark.connectors.github_webhooks import read_webhook
from shipmark.connectors.pages import Page
from shipmark.domain.events import EventSource, SourceEvent

NAME = "Codertocat/Hello-World"
HOME = f"/repos/{NAME}"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def api_commit(sha: str = COMMIT, at: str = "2026-03-01T12:00:00Z") -> dict[str, Any]:
    return {
        "sha": sha,
        "commit": {"committer": {"date": at}, "author": {"date": "2020-01-01T00:00:00Z"}},
        "parents": [],
    }


def created() -> dict[str, Any]:
    """The webhook of a repository that was made."""
    payload = copy.deepcopy(octokit("repository", "created")[0])
    payload["repository"]["full_name"] = NAME
    return payload


def github(**paths: Any) -> FakeGitHub:
    """A GitHub that knows COMMIT, which belongs to no pull request and no branch."""
    forge = FakeGitHub(NAME)
    forge.paths = {
        HOME: created()["repository"],
        f"{HOME}/commits/{COMMIT[:7]}": api_commit(),
        f"{HOME}/commits/{COMMIT}": api_commit(),
        f"{HOME}/commits/{COMMIT}/pulls": [],
        f"{HOME}/compare/{COMMIT}...master": {"status": "diverged"},
        f"{HOME}/commits/{COMMIT}/branches-where-head": [],
    }
    forge.paths |= {f"{HOME}{path}": answer for path, answer in paths.items()}
    return forge


def with_pull(forge: FakeGitHub, **changes: Any) -> FakeGitHub:
    rest = copy.deepcopy(octokit("pull_request", "opened")[0]["pull_request"]) | changes
    inner = [{"oid": COMMIT, "authoredDate": "2026-03-01T10:00:00Z"}]
    forge.pulls = [graphql_pull(rest, commits=inner, files=["a.txt"])]
    forge.paths[f"{HOME}/commits/{COMMIT}/pulls"] = [rest]
    return forge


# Repositories


def test_the_api_tells_the_same_of_a_repository_as_the_webhook() -> None:
    payload = created()
    (told,) = read_webhook({"x-github-event": "repository"}, payload)
    assert result(repository(NAME), github()) == told


def test_a_renamed_repository_is_found_by_its_former_name() -> None:
    forge = FakeGitHub()
    forge.paths["/repos/old/name"] = created()["repository"]
    found = result(repository("old/name"), forge)
    assert found is not None
    assert (found.name, found.former_name) == (NAME, "old/name")


def test_a_repository_that_is_not_shown_is_none() -> None:
    assert result(repository("org/unknown"), github()) is None


@pytest.mark.parametrize(("status", "kind"), [(401, ForgeRefused), (503, ForgeUnavailable)])
def test_an_answer_that_is_none_is_an_error(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        result(repository(NAME), lambda _: Response(status=status))


# Looking up a commit


def test_a_commit_inside_a_merged_pull_request_brings_it_whole() -> None:
    merged = {"merged_at": "2026-03-01T12:00:00Z", "merge_commit_sha": "f" * 40}
    forge = with_pull(github(), **merged)
    facts, asked = converse(commit(NAME, COMMIT[:7]), forge)
    (pull,) = only(facts, PullFacts)
    assert pull.values["commit_shas"] == {COMMIT}
    assert [event.source for event in only(facts, SourceEvent)] == [EventSource.MERGED_PULL_REQUEST]
    assert [request.path for request in asked] == [
        f"{HOME}/commits/{COMMIT[:7]}",
        f"{HOME}/commits/{COMMIT}/pulls",
        "/graphql",
    ]


def test_a_direct_push_is_told_with_the_default_branch_that_holds_it() -> None:
    for status in ("ahead", "identical"):
        forge = github(**{f"/compare/{COMMIT}...master": {"status": status}})
        (push,) = only(result(commit(NAME, COMMIT), forge), BranchPush)
        (pushed,) = push.commits
        assert (push.branch, pushed.sha, pushed.committed_at) == ("master", COMMIT, NOON)


def test_a_commit_off_the_default_branch_is_told_with_the_branches_that_end_in_it() -> None:
    heads = [{"name": "hotfix"}, {"name": "release/1"}]
    forge = github(**{f"/commits/{COMMIT}/branches-where-head": heads})
    pushes = only(result(commit(NAME, COMMIT), forge), BranchPush)
    assert [push.branch for push in pushes] == ["hotfix", "release/1"]


def test_a_commit_of_an_open_pull_request_is_not_told_to_stand_on_its_branch() -> None:
    forge = with_pull(github(**{f"/commits/{COMMIT}/branches-where-head": [{"name": "changes"}]}))
    facts = result(commit(NAME, COMMIT), forge)
    assert [type(fact) for fact in facts] == [PullFacts]


@pytest.mark.parametrize("status", [404, 409, 422])
def test_a_commit_that_github_does_not_know_is_nothing(status: int) -> None:
    forge = github(**{f"/commits/{COMMIT}": Response(status=status)})
    assert result(commit(NAME, COMMIT), forge) == []


def test_a_branch_that_is_called_like_a_commit_is_none() -> None:
    forge = github(**{"/commits/abcdef1": api_commit()})
    assert result(commit(NAME, "abcdef1"), forge) == []


def test_a_commit_without_any_branch_is_nothing() -> None:
    assert result(commit(NAME, COMMIT), github()) == []


# The commits on a branch


def test_commits_come_page_by_page() -> None:
    def answer(request: Any) -> list[Any]:
        assert request.query["sha"] == "main"
        assert request.query["since"] == "2026-03-01T12:00:00Z"
        start = (request.query["page"] - 1) * 100
        return [api_commit(f"{one:040x}") for one in range(start + 1, min(start + 100, 150) + 1)]

    forge = github(**{"/commits": answer})
    pushes = all_pages(lambda at: commits_page(NAME, "main", since=NOON, cursor=at), forge)
    assert [len(push.commits) for push in pushes] == [100, 50]
    assert pushes[0].commits[0].committed_at == NOON


def test_the_api_tells_the_same_commit_as_the_push() -> None:
    payload = next(one for one in octokit("push") if one["ref"] == "refs/heads/master")
    (told, _) = read_webhook({"x-github-event": "push"}, payload)
    (pushed,) = told.commits
    head = payload["head_commit"]
    forge = github(**{"/commits": [api_commit(head["id"], head["timestamp"])]})
    page = result(commits_page(NAME, "master", since=None, cursor=None), forge)
    (asked,) = page.facts[0].commits
    assert (asked.sha, asked.committed_at) == (pushed.sha, pushed.committed_at)


def test_an_empty_repository_has_no_commits() -> None:
    forge = github(**{"/commits": Response(status=409)})
    page = result(commits_page(NAME, "main", since=None, cursor=None), forge)
    assert page == Page(facts=(), cursor=None)


def test_an_unknown_branch_is_said_to_be_unknown() -> None:
    with pytest.raises(ForgeNotFound):
        result(commits_page(NAME, "unknown", since=None, cursor=None), github())


def test_a_tag_leads_to_its_commit() -> None:
    forge = github(**{"/commits/tags/v1%231": api_commit()})
    assert result(commit_of_tag(NAME, "v1#1"), forge) == COMMIT
    assert result(commit_of_tag(NAME, "v2"), forge) is None
