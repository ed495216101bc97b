"""The API of Bitbucket Data Center is asked for facts, page by page."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.connectors.bitbucket_payloads import (
    HEAD,
    MERGE,
    OLD,
    OTHER,
    SERVER,
    SERVER_HEAD_COMMIT,
    SERVER_MERGE_COMMIT,
    SERVER_MERGED_HOOK,
    SERVER_PULL,
    SERVER_REPOSITORY,
    changed,
)
from tests.connectors.tables import table
from tests.connectors.talks import all_pages, ok, only, result

from shipmark.application.facts import BranchPush, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.bitbucket_data_center import (
    PAGE,
    commit,
    commits_page,
    pull,
    pulls_page,
    repository,
    repository_path,
    runs_page,
)
from shipmark.connectors.bitbucket_webhooks import read_webhook
from shipmark.connectors.exchange import Request, Response
from shipmark.connectors.forge_errors import ForgeNotFound
from shipmark.domain.events import EventSource

ROOT = "/rest/api/1.0/projects/PRJ/repos/shop"
TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)
MAIN = {"id": "refs/heads/main", "displayId": "main", "type": "BRANCH"}


def values(*items: Any, **more: Any) -> dict[str, Any]:
    return {"values": list(items), "isLastPage": True, "start": 0, **more}


FORGE: dict[str, Any] = {
    ROOT: SERVER_REPOSITORY,
    f"{ROOT}/default-branch": MAIN,
    f"{ROOT}/pull-requests": values(SERVER_PULL),
    f"{ROOT}/pull-requests/5": SERVER_PULL,
    f"{ROOT}/pull-requests/5/commits": values(SERVER_HEAD_COMMIT),
    f"{ROOT}/pull-requests/5/changes": values(
        {"path": {"toString": "b.py"}, "srcPath": {"toString": "a.py"}},
        {"path": {"toString": "c.py"}},
    ),
    f"{ROOT}/commits/{HEAD[:7]}": SERVER_HEAD_COMMIT,
    f"{ROOT}/commits/{HEAD}/pull-requests": values(
        SERVER_PULL, changed(SERVER_PULL, id=6, state="OPEN")
    ),
}


def test_a_name_is_a_project_and_a_repository() -> None:
    assert repository_path(SERVER) == ROOT
    assert repository_path("~maria/my repo").endswith("/projects/~maria/repos/my%20repo")


def test_a_repository_tells_its_default_branch() -> None:
    assert result(repository(SERVER), table(FORGE)) == RepositoryFacts(
        name=SERVER,
        source="bitbucket",
        source_id="4",
        archived=False,
        values={"default_branch": "main"},
    )
    assert result(repository("PRJ/none"), table(FORGE)) is None


@pytest.mark.parametrize("status", [204, 404])
def test_an_empty_repository_has_no_default_branch(status: int) -> None:
    found = result(
        repository(SERVER), table({**FORGE, f"{ROOT}/default-branch": Response(status=status)})
    )
    assert found is not None
    assert found.values == {}


def test_a_page_says_the_same_as_the_webhooks() -> None:
    page = result(pulls_page(SERVER, since=None, cursor=None), table(FORGE))
    hook = read_webhook({"x-event-key": "pr:merged"}, SERVER_MERGED_HOOK)
    assert [*page.facts] == hook


def test_pages_go_on_where_the_server_says() -> None:
    def forge(request: Request) -> Response:
        query = request.query
        assert (query["state"], query["order"], query["limit"]) == ("ALL", "OLDEST", PAGE)
        number = int(query["start"]) + 1
        listed = values(changed(SERVER_PULL, id=number))
        more = {"isLastPage": False, "nextPageStart": number} if number < 3 else {}
        return ok({**listed, **more})

    facts = all_pages(lambda cursor: pulls_page(SERVER, since=None, cursor=cursor), forge)
    assert [found.number for found in only(facts, PullFacts)] == [1, 2, 3]


def test_what_has_not_changed_since_is_left_out() -> None:
    since = datetime(2026, 4, 1, tzinfo=UTC)
    assert result(pulls_page(SERVER, since=since, cursor=None), table(FORGE)).facts == ()


def test_pages_of_a_repository_that_is_gone_are_an_error() -> None:
    with pytest.raises(ForgeNotFound):
        result(pulls_page(SERVER, since=None, cursor=None), table({}))


def test_one_pull_request_tells_its_commits_and_files() -> None:
    found = result(pull(SERVER, 5), table(FORGE))
    assert found is not None
    assert found.values["commit_shas"] == {HEAD}
    assert found.values["first_commit_at"] == datetime.fromtimestamp(1772350000, UTC)
    assert found.values["files"] == ("a.py", "b.py", "c.py")
    assert result(pull(SERVER, 6), table(FORGE)) is None


def test_a_commit_is_looked_up_by_the_merged_pull_requests_that_brought_it() -> None:
    facts = result(commit(SERVER, HEAD[:7]), table(FORGE))
    assert [found.number for found in only(facts, PullFacts)] == [5]


@pytest.mark.parametrize(
    ("standing", "told"), [(["fix", "main"], ["main"]), (["fix", "old"], ["fix", "old"])]
)
def test_a_pushed_commit_is_looked_up_by_its_branch(standing: list[str], told: list[str]) -> None:
    found = changed(SERVER_HEAD_COMMIT, id=OTHER)
    forge = {
        **FORGE,
        f"{ROOT}/commits/ddddddd": found,
        f"{ROOT}/commits/{OTHER}/pull-requests": values(),
        f"/rest/branch-utils/1.0/projects/PRJ/repos/shop/branches/info/{OTHER}": values(
            *({"id": f"refs/heads/{name}", "displayId": name} for name in standing)
        ),
    }
    facts = result(commit(SERVER, "ddddddd"), table(forge))
    assert [push.branch for push in only(facts, BranchPush)] == told
    assert result(commit(SERVER, "1234567"), table(forge)) == []


def test_commits_of_a_branch_are_those_of_the_branch_itself() -> None:
    old = changed(SERVER_HEAD_COMMIT, id=OLD, parents=[])
    forge = {
        f"{ROOT}/commits?limit=100&until=refs%2Fheads%2Fmain": values(
            SERVER_MERGE_COMMIT, SERVER_HEAD_COMMIT
        ),
        f"{ROOT}/commits?limit=100&until={OLD}": values(old),
    }
    facts = all_pages(
        lambda cursor: commits_page(SERVER, "main", since=None, cursor=cursor), table(forge)
    )
    assert [one.sha for push in facts for one in push.commits] == [MERGE, OLD]


def test_tags_are_dated_by_their_commits() -> None:
    forge = {
        f"{ROOT}/tags": values({"id": "refs/tags/v2", "displayId": "v2", "latestCommit": MERGE}),
        f"{ROOT}/commits/{MERGE}": SERVER_MERGE_COMMIT,
    }
    (event,) = all_pages(lambda c: runs_page(SERVER, since=None, cursor=c), table(forge))
    assert (event.source, event.tag, event.commit_sha) == (EventSource.TAG, "v2", MERGE)
    assert event.at == TEN
    assert result(runs_page(SERVER, since=datetime.now(UTC), cursor=None), table(forge)).facts == ()
