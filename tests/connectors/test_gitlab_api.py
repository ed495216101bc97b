"""GitLab's API is asked for facts, page by page."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.connectors.gitlab_payloads import (
    DEPLOYMENT,
    HEAD,
    JOB,
    MERGE,
    MERGE_REQUEST,
    NAME,
    OTHER,
    PIPELINE,
    PROJECT,
    RELEASE,
    SQUASHED,
    changed,
)
from tests.connectors.tables import table
from tests.connectors.talks import all_events, all_pages, converse, ok, only, result

from shipmark.application.facts import BranchPush, PushedCommit, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.exchange import Request, Response
from shipmark.connectors.forge_errors import ForgeNotFound, ForgeRefused, ForgeUnavailable
from shipmark.connectors.forge_servers import GITLAB_EVENTS
from shipmark.connectors.gitlab import PAGE, commit, commits_page, pull, pulls_page, repository
from shipmark.connectors.gitlab_facts import MergeRequest, landed_as
from shipmark.connectors.gitlab_limits import limits
from shipmark.connectors.gitlab_run_pages import deployments_page, pipelines_page
from shipmark.connectors.payloads import UnreadablePayload, read
from shipmark.domain.events import EventSource, SourceEvent

ROOT = "/api/v4/projects/shop%2Fweb%2Fcheckout"
REQUESTS = f"{ROOT}/merge_requests"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_commit(sha: str, *, hours: int = 0) -> dict[str, Any]:
    at = NOON + timedelta(hours=hours)
    return {
        "id": sha,
        "authored_date": (at - timedelta(minutes=30)).isoformat(),
        "committed_date": at.isoformat(),
        "parent_ids": [],
    }


FORGE: dict[str, Any] = {
    ROOT: PROJECT,
    f"{REQUESTS}/12": MERGE_REQUEST,
    f"{REQUESTS}/12/commits": [a_commit(HEAD, hours=1), a_commit(OTHER)],
    f"{REQUESTS}/12/diffs": [
        {"old_path": "a.py", "new_path": "b.py"},
        {"old_path": "c.py", "new_path": "c.py"},
    ],
}


def test_nested_groups_are_one_segment_of_the_path() -> None:
    found = result(repository(NAME), table(FORGE))
    assert found == RepositoryFacts(
        name=NAME, source="gitlab", source_id="7", values={"default_branch": "main"}
    )


def test_a_project_found_by_its_former_name_has_moved() -> None:
    found = result(repository("shop/till"), table({"/api/v4/projects/shop%2Ftill": PROJECT}))
    assert found is not None
    assert (found.name, found.former_name) == (NAME, "shop/till")


def test_an_unknown_project_is_none_and_a_forbidden_one_an_error() -> None:
    assert result(repository("no/where"), table({})) is None
    refusing = table({ROOT: Response(status=403, body=b'{"error": "insufficient_scope"}')})
    with pytest.raises(ForgeRefused, match="insufficient_scope"):
        result(repository(NAME), refusing)


@pytest.mark.parametrize(
    ("merge", "squash", "landed"),
    [
        (MERGE, None, MERGE),
        (MERGE, SQUASHED, MERGE),
        (None, SQUASHED, SQUASHED),
        (None, None, HEAD),
    ],
)
def test_what_landed_is_the_merge_the_squash_or_the_head(
    merge: str | None, squash: str | None, landed: str
) -> None:
    request = changed(MERGE_REQUEST, merge_commit_sha=merge, squash_commit_sha=squash)
    assert landed_as(read(MergeRequest, request)) == landed


def test_one_merge_request_tells_its_commits_and_files() -> None:
    forge = {**FORGE, f"{REQUESTS}/12": changed(MERGE_REQUEST, squash_commit_sha=SQUASHED)}
    found = result(pull(NAME, 12), table(forge))
    assert found is not None
    assert found.values["commit_shas"] == {HEAD, OTHER, SQUASHED}
    assert found.values["first_commit_at"] == NOON - timedelta(minutes=30)
    assert found.values["files"] == ("a.py", "b.py", "c.py")
    assert found.values["merged_at"] == datetime(2026, 3, 2, 10, 0, 0, 750_000, tzinfo=UTC)
    assert result(pull(NAME, 99), table(forge)) is None


def test_all_pages_of_commits_are_read_as_the_headers_tell() -> None:
    forge = {
        **FORGE,
        f"{REQUESTS}/12/commits?page=1&per_page=100": ok([a_commit(HEAD)], **{"x-next-page": "2"}),
        f"{REQUESTS}/12/commits?page=2&per_page=100": ok([a_commit(OTHER)], **{"x-next-page": ""}),
    }
    found = result(pull(NAME, 12), table(forge))
    assert found is not None
    assert found.values["commit_shas"] == {HEAD, OTHER}


class History:
    """Merge requests as GitLab lists them: by their last change, at or after an instant."""

    def __init__(self, changes: list[datetime]) -> None:
        self.requests = [
            changed(MERGE_REQUEST, iid=number, id=number, updated_at=at.isoformat())
            for number, at in enumerate(changes, start=1)
        ]

    def __call__(self, request: Request) -> Response:
        query = request.query
        assert query["order_by"] == "updated_at"
        assert query["sort"] == "asc"
        after = datetime.fromisoformat(str(query.get("updated_after", NOON.isoformat())))
        listed = sorted(
            (datetime.fromisoformat(one["updated_at"]), one["iid"]) for one in self.requests
        )
        numbers = [number for at, number in listed if at >= after]
        start = (int(query["page"]) - 1) * PAGE
        return ok([self.requests[number - 1] for number in numbers[start : start + PAGE]])

    def touch(self, number: int, at: datetime) -> None:
        self.requests[number - 1]["updated_at"] = at.isoformat()


def numbers(facts: list[Any]) -> set[int]:
    return {pull.number for pull in only(facts, PullFacts)}


def test_a_walk_takes_all_in_and_ends() -> None:
    forge = History([NOON + timedelta(minutes=minute) for minute in range(250)])
    facts = all_pages(lambda cursor: pulls_page(NAME, since=None, cursor=cursor), forge)
    assert numbers(facts) == set(range(1, 251))
    assert len(only(facts, SourceEvent)) >= 250


def test_more_than_a_page_may_have_changed_at_one_instant() -> None:
    forge = History([NOON] * 350 + [NOON + timedelta(minutes=1)])
    facts = all_pages(lambda cursor: pulls_page(NAME, since=None, cursor=cursor), forge)
    assert numbers(facts) == set(range(1, 352))


def test_what_changes_during_a_walk_hides_nothing_else() -> None:
    forge = History([NOON + timedelta(minutes=minute) for minute in range(250)])
    first = result(pulls_page(NAME, since=None, cursor=None), forge)
    for number in range(1, 51):
        forge.touch(number, NOON + timedelta(days=1))
    rest: list[Any] = []
    cursor = first.cursor
    while cursor is not None:
        page = result(pulls_page(NAME, since=None, cursor=cursor), forge)
        rest += page.facts
        cursor = page.cursor
    assert numbers(rest) >= set(range(101, 251)) | set(range(1, 51))


def test_a_walk_begins_where_it_is_told_and_asks_for_nothing_before() -> None:
    forge = History([NOON + timedelta(minutes=minute) for minute in range(150)])
    since = NOON + timedelta(minutes=100)
    page, asked = converse(pulls_page(NAME, since=since, cursor=None), forge)
    assert numbers(list(page.facts)) == set(range(101, 151))
    assert page.cursor is None
    assert len(asked) == 1


def test_a_cursor_that_is_none_is_refused() -> None:
    for page in (pulls_page, pipelines_page, deployments_page):
        with pytest.raises(UnreadablePayload, match="no cursor"):
            result(page(NAME, since=None, cursor="nonsense"), table({}))


def test_pages_of_a_project_that_is_gone_are_an_error() -> None:
    with pytest.raises(ForgeNotFound):
        result(pulls_page(NAME, since=None, cursor=None), table({}))


def test_an_answer_that_breaks_off_means_to_try_later() -> None:
    broken = table({ROOT: Response(status=200, body=b'{"id": 7, "pa')})
    with pytest.raises(ForgeUnavailable):
        result(repository(NAME), broken)


def commits_at(sha: str, short: str) -> dict[str, Any]:
    path = f"{ROOT}/repository/commits"
    return {f"{path}/{short}": a_commit(sha), f"{path}/{sha}": a_commit(sha)}


def test_a_commit_is_looked_up_by_the_merged_requests_that_brought_it() -> None:
    forge = {
        **FORGE,
        **commits_at(OTHER, OTHER[:7]),
        f"{ROOT}/repository/commits/{OTHER}/merge_requests": [
            MERGE_REQUEST,
            changed(MERGE_REQUEST, iid=13, state="closed"),
        ],
    }
    facts = result(commit(NAME, OTHER[:7]), table(forge))
    (found,) = only(facts, PullFacts)
    assert (found.number, OTHER in found.values["commit_shas"]) == (12, True)


@pytest.mark.parametrize(
    ("standing", "told"),
    [(["feature", "main"], ["main"]), (["hotfix", "release"], ["hotfix", "release"]), ([], [])],
)
def test_a_pushed_commit_is_looked_up_by_its_branch(standing: list[str], told: list[str]) -> None:
    forge = {
        **FORGE,
        **commits_at(OTHER, "ddddddd"),
        f"{ROOT}/repository/commits/{OTHER}/merge_requests": [],
        f"{ROOT}/repository/commits/{OTHER}/refs": [
            {"type": "branch", "name": n} for n in standing
        ],
    }
    facts = result(commit(NAME, "ddddddd"), table(forge))
    commits = (PushedCommit(sha=OTHER, committed_at=NOON),)
    assert facts == [BranchPush(repository=NAME, branch=b, commits=commits) for b in told]


def test_an_unknown_commit_is_nothing() -> None:
    assert result(commit(NAME, "1234567"), table(FORGE)) == []


def test_commits_of_a_branch_are_those_of_the_branch_itself() -> None:
    def forge(request: Request) -> Response:
        assert request.query["first_parent"] == "true"
        assert request.query["ref_name"] == "main"
        page = int(request.query["page"])
        return ok([a_commit(f"{page:040x}")], **{"x-next-page": "2" if page == 1 else ""})

    facts = all_pages(lambda cursor: commits_page(NAME, "main", since=NOON, cursor=cursor), forge)
    assert [push.commits[0].sha for push in only(facts, BranchPush)] == [
        f"{n:040x}" for n in (1, 2)
    ]


RUNS: dict[str, Any] = {
    f"{ROOT}/pipelines": [PIPELINE, changed(PIPELINE, id=32, status="running")],
    f"{ROOT}/pipelines/31": PIPELINE,
    f"{ROOT}/jobs": [JOB, changed(JOB, id=89, status="manual", finished_at=None)],
    f"{ROOT}/deployments": [DEPLOYMENT, changed(DEPLOYMENT, id=16, deployable=None)],
    f"{ROOT}/releases": [RELEASE, changed(RELEASE, upcoming_release=True)],
    f"{ROOT}/repository/tags": [
        {"name": "v2", "commit": RELEASE["commit"], "created_at": "2026-03-02T12:00:00Z"},
        {"name": "v1", "commit": RELEASE["commit"], "created_at": None},
    ],
}


def test_lists_tell_what_ran_was_released_or_tagged() -> None:
    facts = all_events(GITLAB_EVENTS, NAME, table(RUNS))
    assert [(event.source, event.key.removeprefix(f"gitlab:{NAME}:")) for event in facts] == [
        (EventSource.GITLAB_PIPELINES, "pipeline:31:success"),
        (EventSource.GITLAB_PIPELINES, "job:88"),
        (EventSource.GITLAB_DEPLOYMENTS, "deployment:15:success"),
        # The job that deployed, once more: here its environment is known.
        (EventSource.GITLAB_PIPELINES, "job:88"),
        (EventSource.GITLAB_DEPLOYMENTS, "deployment:16:success"),
        (EventSource.RELEASE, "release:v2"),
        (EventSource.TAG, f"tag:v2:{MERGE}"),
        (EventSource.TAG, f"tag:v1:{MERGE}"),
    ]
    assert {event.commit_sha for event in facts} == {MERGE}
    assert facts[-1].at == datetime(2026, 3, 2, 10, tzinfo=UTC)


def test_runs_before_the_beginning_are_left_out() -> None:
    since = datetime(2027, 1, 1, tzinfo=UTC)
    facts = all_events(GITLAB_EVENTS, NAME, table(RUNS), since=since)
    assert [e for e in facts if e.source in {EventSource.RELEASE, EventSource.TAG}] == []


def test_limits_are_told_by_headers_or_else_doubled() -> None:
    headers = {
        "ratelimit-remaining": "0",
        "ratelimit-limit": "600",
        "ratelimit-reset": "1772366400",
    }
    told = limits(Response(status=200, headers=headers), now=NOON)
    assert (told.remaining, told.limit, told.wait_until) == (0, 600, NOON)
    assert not told.is_refused
    asked_again = limits(Response(status=429, headers={"retry-after": "30"}), now=NOON)
    assert asked_again.wait_until == NOON + timedelta(seconds=30)
    waits = [limits(Response(status=429), now=NOON, refused=n).wait_until for n in (0, 1)]
    assert waits == [NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)]
