"""The API of Bitbucket Cloud is asked for facts, page by page."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.connectors.bitbucket_payloads import (
    CLOUD,
    HEAD,
    HEAD_COMMIT,
    MERGE,
    MERGE_COMMIT,
    OLD,
    OTHER,
    PULL,
    REPOSITORY,
    STATUS_HOOK,
    changed,
)
from tests.connectors.tables import table
from tests.connectors.talks import all_events, all_pages, converse, ok, only, result

from shipmark.application.facts import BranchPush, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.bitbucket_cloud import (
    PULLS,
    commit,
    commits_page,
    pull,
    pulls_page,
    repository,
)
from shipmark.connectors.bitbucket_limits import limits
from shipmark.connectors.bitbucket_webhooks import read_webhook
from shipmark.connectors.exchange import Request, Response
from shipmark.connectors.forge_errors import ForgeNotFound
from shipmark.connectors.forge_servers import CLOUD_EVENTS
from shipmark.domain.events import SourceEvent

ROOT = f"/2.0/repositories/{CLOUD}"
TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)


def values(*items: Any, **more: Any) -> dict[str, Any]:
    return {"values": list(items), "pagelen": 100, **more}


FORGE: dict[str, Any] = {
    ROOT: {**REPOSITORY, "mainbranch": {"name": "main", "type": "branch"}},
    f"{ROOT}/pullrequests": values(PULL),
    f"{ROOT}/pullrequests/13": PULL,
    f"{ROOT}/pullrequests/13/commits": values(HEAD_COMMIT),
    f"{ROOT}/pullrequests/13/diffstat": values(
        {"old": {"path": "a.py"}, "new": {"path": "b.py"}}, {"old": None, "new": {"path": "c.py"}}
    ),
    f"{ROOT}/commit/{MERGE[:12]}": MERGE_COMMIT,
    f"{ROOT}/commit/{MERGE}": MERGE_COMMIT,
    f"{ROOT}/commit/{HEAD[:7]}": HEAD_COMMIT,
    f"{ROOT}/commit/{HEAD}/pullrequests": values(PULL),
}


def test_a_repository_tells_its_main_branch() -> None:
    assert result(repository(CLOUD), table(FORGE)) == RepositoryFacts(
        name=CLOUD, source="bitbucket", source_id="{2b92}", values={"default_branch": "main"}
    )
    assert result(repository("acme/none"), table(FORGE)) is None
    renamed = table({"/2.0/repositories/acme/till": REPOSITORY})
    found = result(repository("acme/till"), renamed)
    assert found is not None
    assert (found.name, found.former_name) == (CLOUD, "acme/till")


def test_the_whole_sha_of_a_merge_is_looked_up() -> None:
    page, asked = converse(pulls_page(CLOUD, since=None, cursor=None), table(FORGE))
    found, event = page.facts
    assert found.values["merge_commit_sha"] == event.commit_sha == MERGE
    assert found.values["merged_at"] == TEN
    assert len(asked) == 2
    assert page.cursor is None


def test_a_list_says_nothing_else_than_the_webhooks_are_certain_of() -> None:
    (told,) = only(
        result(pulls_page(CLOUD, since=None, cursor=None), table(FORGE)).facts, PullFacts
    )
    headers = {"x-event-key": "pullrequest:fulfilled"}
    hook = read_webhook(headers, {"repository": REPOSITORY, "pullrequest": PULL})
    certain = only(hook, PullFacts)[0]
    assert {name: told.values[name] for name in certain.values} == certain.values
    assert told.as_of == certain.as_of


@pytest.mark.parametrize(
    ("closed_on", "committed", "merged_at"),
    [
        ("2026-03-02T11:00:00+00:00", "2026-03-02T10:00:00+00:00", TEN + timedelta(hours=1)),
        (None, "2026-03-02T10:00:00+00:00", TEN),
        (None, "2020-01-01T00:00:00+00:00", datetime(2026, 3, 1, 9, 0, 0, 250_000, tzinfo=UTC)),
    ],
)
def test_it_was_merged_when_told_or_with_its_commit_but_never_before_it_was_made(
    closed_on: str | None, committed: str, merged_at: datetime
) -> None:
    forge = {
        **FORGE,
        f"{ROOT}/pullrequests/13": changed(PULL, closed_on=closed_on),
        f"{ROOT}/commit/{MERGE[:12]}": changed(MERGE_COMMIT, date=committed),
    }
    found = result(pull(CLOUD, 13), table(forge))
    assert found is not None
    assert found.values["merged_at"] == merged_at


@pytest.mark.parametrize("merge_commit", [None, {"hash": OTHER[:12]}])
def test_one_without_a_merge_commit_is_merged_all_the_same(merge_commit: Any) -> None:
    forge = {**FORGE, f"{ROOT}/pullrequests/13": changed(PULL, merge_commit=merge_commit)}
    found = result(pull(CLOUD, 13), table(forge))
    assert found is not None
    assert found.values["merged_at"] == TEN + timedelta(seconds=1.5)
    assert "merge_commit_sha" not in found.values


def test_one_pull_request_tells_its_commits_and_files() -> None:
    found = result(pull(CLOUD, 13), table(FORGE))
    assert found is not None
    assert found.values["head_sha"] == HEAD
    assert found.values["commit_shas"] == {HEAD}
    assert found.values["first_commit_at"] == datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert found.values["files"] == ("a.py", "b.py", "c.py")
    assert result(pull(CLOUD, 14), table(FORGE)) is None


def test_what_is_gone_with_its_fork_erases_nothing() -> None:
    gone = {k: v for k, v in FORGE.items() if not k.endswith(("/commits", "/diffstat"))}
    found = result(pull(CLOUD, 13), table(gone))
    assert found is not None
    assert not {"commit_shas", "files", "head_sha", "first_commit_at"} & set(found.values)


def test_further_pages_are_asked_of_the_same_server_only() -> None:
    elsewhere = f"https://evil.example{ROOT}/pullrequests/13/commits?page=zz&pagelen=100"
    forge = {
        **FORGE,
        f"{ROOT}/pullrequests/13/commits?page=zz&pagelen=100": values(MERGE_COMMIT),
        f"{ROOT}/pullrequests/13/commits?pagelen=100": values(HEAD_COMMIT, next=elsewhere),
    }
    found, asked = converse(pull(CLOUD, 13), table(forge))
    assert found is not None
    assert found.values["commit_shas"] == {HEAD, MERGE}
    assert {request.path.startswith("/2.0/") for request in asked} == {True}


def test_a_walk_goes_on_from_the_last_change() -> None:
    def forge(request: Request) -> Response:
        wanted = str(request.query["q"])
        assert 'state="MERGED"' in wanted
        start = 1 if "updated_on >=" not in wanted else PULLS
        made = [
            changed(
                PULL,
                id=number,
                state="OPEN",
                merge_commit=None,
                updated_on=(TEN + timedelta(minutes=number)).isoformat(),
            )
            for number in range(start, min(start + PULLS, 71))
        ]
        return ok(values(*made))

    facts = all_pages(lambda cursor: pulls_page(CLOUD, since=None, cursor=cursor), forge)
    assert {found.number for found in facts} == set(range(1, 71))


def test_pages_of_a_repository_that_is_gone_are_an_error() -> None:
    with pytest.raises(ForgeNotFound):
        result(pulls_page(CLOUD, since=None, cursor=None), table({}))


def test_a_commit_is_looked_up_by_the_pull_requests_that_brought_it() -> None:
    (found, event) = result(commit(CLOUD, HEAD[:7]), table(FORGE))
    assert isinstance(found, PullFacts)
    assert isinstance(event, SourceEvent)
    assert found.number == event.pull_number == 13


def test_without_the_app_a_merge_commit_is_looked_up_by_its_message() -> None:
    for status in (202, 404):
        unknown = {f"{ROOT}/commit/{MERGE}/pullrequests": Response(status=status)}
        (found, _) = result(commit(CLOUD, MERGE), table({**FORGE, **unknown}))
        assert found.number == 13


def test_a_message_that_quotes_a_pull_request_does_not_make_its_commit() -> None:
    quoted = {**MERGE_COMMIT, "hash": OTHER, "parents": []}
    forge = {**FORGE, f"{ROOT}/commit/{OTHER}": quoted, f"{ROOT}/commits": values(HEAD_COMMIT)}
    assert result(commit(CLOUD, OTHER), table(forge)) == []


@pytest.mark.parametrize(("left", "branches"), [([], ["main"]), ([HEAD_COMMIT], [])])
def test_a_pushed_commit_stands_on_the_main_branch_or_nowhere(
    left: list[Any], branches: list[str]
) -> None:
    forge = {
        **FORGE,
        f"{ROOT}/commit/{OLD}": changed(HEAD_COMMIT, hash=OLD),
        f"{ROOT}/commits?exclude=main&include={OLD}&pagelen=1": values(*left),
    }
    facts = result(commit(CLOUD, OLD), table(forge))
    assert [push.branch for push in only(facts, BranchPush)] == branches
    assert result(commit(CLOUD, "1234567"), table(forge)) == []


def test_commits_of_a_branch_are_those_of_the_branch_itself() -> None:
    old = changed(HEAD_COMMIT, hash=OLD, parents=[])
    forge = {
        f"{ROOT}/commits/team%2Fmain": values(MERGE_COMMIT, HEAD_COMMIT),
        f"{ROOT}/commits/{OLD}": values(old),
    }
    facts = all_pages(
        lambda cursor: commits_page(CLOUD, "team/main", since=None, cursor=cursor), table(forge)
    )
    assert [one.sha for push in facts for one in push.commits] == [MERGE, OLD]
    page = result(commits_page(CLOUD, "team/main", since=TEN, cursor=OLD), table(forge))
    assert (page.facts, page.cursor) == ((), None)


PIPELINE: dict[str, Any] = {
    "uuid": "{p}",
    "build_number": 4,
    "created_on": "2026-03-02T10:01:00Z",
    "completed_on": "2026-03-02T10:05:00Z",
    "state": {"name": "COMPLETED", "result": {"name": "SUCCESSFUL"}},
    "target": {
        "ref_type": "branch",
        "ref_name": "main",
        "commit": {"hash": MERGE},
        "selector": {"type": "default"},
    },
}
RUNS: dict[str, Any] = {
    f"{ROOT}/pipelines": values(
        PIPELINE,
        changed(
            PIPELINE,
            build_number=5,
            state__result={"name": "FAILED"},
            target__selector={"type": "custom", "pattern": "nightly"},
        ),
        changed(PIPELINE, build_number=6, state={"name": "IN_PROGRESS"}, completed_on=None),
    ),
    f"{ROOT}/environments": values({"uuid": "{e}", "name": "Production"}),
    f"{ROOT}/deployments": values(
        {
            "uuid": "{d}",
            "environment": {"uuid": "{e}"},
            "release": {"name": "#4", "commit": {"hash": MERGE[:12]}},
            "state": {
                "name": "COMPLETED",
                "status": {"name": "SUCCESSFUL"},
                "completion_date": "2026-03-02T10:05:00Z",
            },
        },
        {"uuid": "{f}", "environment": {"uuid": "{e}"}, "state": {"name": "IN_PROGRESS"}},
    ),
    f"{ROOT}/refs/tags": values(
        {"name": "v2", "target": MERGE_COMMIT, "date": "2026-03-02T12:00:00Z"},
        {"name": "v1", "target": MERGE_COMMIT, "date": None},
    ),
}


def test_lists_tell_what_ran_or_was_tagged() -> None:
    facts = all_events(CLOUD_EVENTS, CLOUD, table(RUNS))
    assert [event.key.removeprefix(f"bitbucket:{CLOUD}:") for event in facts] == [
        "pipeline:4:success",
        "pipeline:5:failure",
        "deployment:{d}",
        f"tag:v2:{MERGE}",
        f"tag:v1:{MERGE}",
    ]
    assert facts[1].workflow == "nightly"
    assert (facts[2].environment, facts[2].commit_sha) == ("Production", MERGE[:12])


def test_a_pipeline_says_the_same_as_its_webhook() -> None:
    pipeline = all_events(CLOUD_EVENTS, CLOUD, table(RUNS))[0]
    (hook,) = read_webhook({"x-event-key": "repo:commit_status_updated"}, STATUS_HOOK)
    told = ("source", "key", "repository", "at", "success", "commit_sha", "branch", "workflow")
    assert [getattr(hook, name) for name in told] == [getattr(pipeline, name) for name in told]


def test_limits_are_known_by_refusal_alone() -> None:
    assert (
        limits(Response(status=200, headers={"x-ratelimit-limit": "1000"}), now=TEN).limit == 1000
    )
    refused = limits(Response(status=429, headers={"retry-after": "9"}), now=TEN)
    assert (refused.is_refused, refused.wait_until) == (True, TEN + timedelta(seconds=9))
