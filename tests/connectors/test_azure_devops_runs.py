"""Runs, releases, pushes and tags of Azure DevOps become events."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.builders import sha
from tests.connectors import azure_devops_payloads as given_
from tests.connectors.azure_devops_payloads import BASE, NAME, PROJECT, PROJECT_ID, record
from tests.connectors.dialogues import an_answer, hold

from shipmark.application.facts import Fact
from shipmark.connectors.azure_devops import deployments_page, follow_up, pushes_page, runs_page
from shipmark.connectors.azure_devops_releases import release_base
from shipmark.connectors.azure_devops_runs import run
from shipmark.domain.events import EventSource, SourceEvent

SINCE = datetime(2026, 3, 2, tzinfo=UTC)


def events(facts: Any) -> list[SourceEvent]:
    found = [fact for fact in facts if isinstance(fact, SourceEvent)]
    assert len(found) == len(list(facts))
    return found


def told(build: dict[str, Any], *records: dict[str, Any]) -> list[SourceEvent]:
    answers = [an_answer(build), an_answer({"records": list(records)})]
    return events(hold(run(PROJECT, 99), answers)[0])


def test_a_finished_run_is_an_event() -> None:
    assert told(given_.build()) == [
        SourceEvent(
            source=EventSource.AZURE_PIPELINES,
            key=f"azure_devops:{NAME}:run:99:success",
            repository=NAME,
            at=datetime(2026, 3, 2, 12, tzinfo=UTC),
            success=True,
            commit_sha=sha(3),
            branch="main",
            workflow="Deploy",
            url=f"{BASE}/_build/results?buildId=99",
        )
    ]


@pytest.mark.parametrize(
    ("result", "success"),
    [("succeeded", True), ("partiallySucceeded", True), ("failed", False), ("canceled", False)],
)
def test_the_result_says_whether_it_succeeded(result: str, success: bool) -> None:
    (event,) = told(given_.build(result=result))
    assert event.success is success


@pytest.mark.parametrize(
    "values",
    [
        {"status": "inProgress", "result": None},
        {"result": "none"},
        {"result": None},
        {"finishTime": None},
        {"finishTime": "0001-01-01T00:00:00"},
    ],
)
def test_a_run_that_is_not_finished_is_no_event(values: dict[str, Any]) -> None:
    assert told(given_.build(**values)) == []


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("refs/heads/a/b", ("a/b", None, None)),
        ("refs/tags/v1", (None, "v1", None)),
        ("refs/pull/17/merge", (None, None, 17)),
        ("refs/pull/x/merge", (None, None, None)),
    ],
)
def test_a_run_is_of_a_branch_a_tag_or_a_pull_request(
    ref: str, expected: tuple[str | None, str | None, int | None]
) -> None:
    (event,) = told(given_.build(sourceBranch=ref))
    assert (event.branch, event.tag, event.pull_number) == expected


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        ({"type": "TfsGit", "name": "x"}, f"{PROJECT}/x"),
        ({"type": "TfsGit", "name": "x", "url": f"{BASE}/Other%20one/_git/x%20y"}, "Other one/x y"),
        ({"type": "GitHub", "id": "acme/shop", "name": "acme/shop"}, "acme/shop"),
        ({"type": "TfsGit"}, None),
        ({"type": "Svn", "name": "x"}, None),
        ({}, None),
    ],
)
def test_a_run_tells_of_the_repository_that_it_built(
    repository: dict[str, Any], name: str | None
) -> None:
    answers = [an_answer(given_.build(repository=repository)), an_answer({"records": []})]
    facts, _ = hold(run(PROJECT, 99), answers if name else answers[:1])
    assert [event.repository for event in events(facts)] == ([name] if name else [])


def test_a_source_that_is_no_commit_is_none() -> None:
    (event,) = told(given_.build(sourceVersion="1234"))
    assert event.commit_sha is None


TIMELINE = [
    record("Stage", "Production"),
    record("Phase", "deploy", "Stage-Production"),
    record("Job", "deploy eu", "Phase-deploy", attempt=2, result="failed"),
    record("Task", "Checkout", "Job-deploy eu"),
    record("Stage", "Later", result="skipped"),
    record("Stage", "Now", state="inProgress", result=None),
    record("Checkpoint", "Approval", "Stage-Production"),
]


def test_the_stages_and_jobs_of_a_run_are_events_of_their_own() -> None:
    _, stage, job = told(given_.build(), *TIMELINE)
    assert (stage.stage, stage.job, stage.success) == ("Production", None, True)
    assert stage.key == f"azure_devops:{NAME}:stage:99:Stage-Production:1"
    assert (job.stage, job.job, job.success) == ("Production", "deploy eu", False)
    assert job.key == f"azure_devops:{NAME}:job:99:Job-deploy eu:2"
    assert job.at == datetime(2026, 3, 2, 11, 59, tzinfo=UTC)


def test_a_run_that_still_goes_on_tells_of_the_stages_that_are_finished() -> None:
    (stage, _) = told(given_.build(status="inProgress", result=None), *TIMELINE)
    assert stage.stage == "Production"


def test_the_stage_of_a_run_that_has_none_is_no_event() -> None:
    implicit = record("Stage", "__default")
    _, job = told(given_.build(), implicit, record("Job", "Job", "Stage-__default"))
    assert (job.stage, job.job) == (None, "Job")


def test_a_timeline_that_goes_in_circles_has_no_stages() -> None:
    _, job = told(given_.build(), record("Job", "a", "Phase-b"), record("Phase", "b", "Phase-b"))
    assert job.stage is None


def test_an_unknown_run_tells_nothing() -> None:
    assert hold(run(PROJECT, 99), [an_answer(status=404)])[0] == []


def test_past_runs_come_in_pages() -> None:
    repository = an_answer(given_.repository())
    page, asked = hold(
        runs_page(NAME, since=SINCE, cursor=None),
        [repository, an_answer({"value": [given_.build()]}, x_ms_continuationtoken="t")],
    )
    assert asked[1].query["repositoryId"] == given_.REPOSITORY_ID
    assert asked[1].query["minTime"] == "2026-03-02T00:00:00+00:00"
    assert page.cursor == f"{given_.REPOSITORY_ID}|t"
    assert events(page.facts) == told(given_.build())
    last, (asked_again,) = hold(
        runs_page(NAME, since=SINCE, cursor=page.cursor), [an_answer({"value": []})]
    )
    assert asked_again.query["continuationToken"] == "t"
    assert last.cursor is None


def test_past_runs_tell_their_stages_where_asked() -> None:
    answers = [
        an_answer(given_.repository()),
        an_answer({"value": [given_.build()]}),
        an_answer({"records": TIMELINE}),
    ]
    page, _ = hold(runs_page(NAME, since=None, cursor=None, stages=True), answers)
    assert events(page.facts) == told(given_.build(), *TIMELINE)


@pytest.mark.parametrize(
    ("base", "releases"),
    [
        ("https://dev.azure.com/acme", "https://vsrm.dev.azure.com/acme"),
        ("https://dev.azure.com/acme/", "https://vsrm.dev.azure.com/acme"),
        ("https://acme.visualstudio.com", "https://acme.vsrm.visualstudio.com"),
        ("https://tfs.example.com/tfs/Main", "https://tfs.example.com/tfs/Main"),
    ],
)
def test_releases_have_a_host_of_their_own(base: str, releases: str) -> None:
    assert release_base(base) == releases


def deployed(*deployments: dict[str, Any], builds: list[Any]) -> list[Fact]:
    page, asked = hold(
        deployments_page(PROJECT, base_url=BASE, since=SINCE, cursor="7"),
        [
            an_answer({"value": list(deployments)}, x_ms_continuationtoken="8"),
            *builds,
        ],
    )
    assert asked[0].path == ("https://vsrm.dev.azure.com/acme/Web%20Team/_apis/release/deployments")
    assert asked[0].query["continuationToken"] == "7"
    assert page.cursor == "8"
    return list(page.facts)


def test_a_deployment_of_a_release_leads_to_the_commit_of_the_run_that_built_it() -> None:
    facts = deployed(given_.deployment(), builds=[an_answer(given_.build())])
    assert facts == [
        SourceEvent(
            source=EventSource.AZURE_PIPELINES,
            key=f"azure_devops:{NAME}:deployment:70",
            repository=NAME,
            at=datetime(2026, 3, 2, 13, tzinfo=UTC),
            success=True,
            commit_sha=sha(3),
            branch="main",
            environment="Production",
            workflow="Shop CD",
            stage="Production",
        )
    ]


def test_a_run_is_asked_for_once_a_page() -> None:
    both = [given_.deployment(), given_.deployment(id=71, deploymentStatus="failed")]
    first, second = events(deployed(*both, builds=[an_answer(given_.build())]))
    assert (first.success, second.success) == (True, False)


def test_a_release_of_a_repository_itself_names_its_commit() -> None:
    git = {
        "type": "Git",
        "isPrimary": True,
        "definitionReference": {
            "project": {"id": PROJECT_ID, "name": PROJECT},
            "definition": {"id": given_.REPOSITORY_ID, "name": "shop api"},
            "version": {"id": sha(3), "name": sha(3)[:8]},
            "branch": {"id": "main", "name": "main"},
        },
    }
    release = {"id": 5, "artifacts": [git]}
    (event,) = events(deployed(given_.deployment(release=release), builds=[]))
    assert (event.repository, event.commit_sha, event.branch) == (NAME, sha(3), "main")


@pytest.mark.parametrize(
    "values",
    [
        {"deploymentStatus": "inProgress"},
        {"deploymentStatus": "notDeployed"},
        {"completedOn": "0001-01-01T00:00:00"},
        {"release": {"id": 5, "artifacts": []}},
        {"release": {"id": 5, "artifacts": [{"type": "Jenkins", "isPrimary": True}]}},
    ],
)
def test_a_deployment_that_shipped_nothing_known_is_no_event(values: dict[str, Any]) -> None:
    assert deployed(given_.deployment(**values), builds=[]) == []


def test_a_run_that_was_deleted_leads_nowhere() -> None:
    assert deployed(given_.deployment(), builds=[an_answer(status=404)]) == []


def test_a_notified_deployment_is_the_same_as_a_listed_one() -> None:
    resource = {
        "environment": {
            "id": 8,
            "definitionEnvironmentId": 3,
            "name": "Production",
            "status": "succeeded",
            "release": {"id": 5, "name": "Release-5"},
        },
        "project": {"id": PROJECT_ID, "name": PROJECT},
    }
    question = follow_up(
        given_.hook("ms.vss-release.deployment-completed-event", resource), base_url=BASE
    )
    assert question is not None
    others = [
        given_.deployment(id=71, release={"id": 6, "artifacts": []}),
        given_.deployment(id=72, releaseEnvironment={"id": 9, "name": "Test"}),
    ]
    facts, asked = hold(
        question,
        [an_answer({"value": [given_.deployment(), *others]}), an_answer(given_.build())],
    )
    assert asked[0].query["definitionEnvironmentId"] == 3
    assert facts == deployed(given_.deployment(), builds=[an_answer(given_.build())])


def test_past_pushes_and_tags_come_in_pages() -> None:
    pushes = [
        given_.push(("refs/heads/main", 3), commits=[]),
        given_.push(("refs/tags/v1", 4), ("refs/tags/gone", 3), ("refs/tags/moved", 1)),
    ]
    for one in pushes:
        del one["repository"]
    tags = [
        {"name": "refs/tags/v1", "objectId": sha(4), "peeledObjectId": sha(3)},
        {"name": "refs/tags/moved", "objectId": sha(2)},
    ]
    page, asked = hold(
        pushes_page(NAME, since=SINCE, cursor="200"),
        [
            an_answer({"value": pushes}),
            an_answer({"value": tags[:1]}, x_ms_continuationtoken="t"),
            an_answer({"value": tags[1:]}),
        ],
    )
    assert asked[0].query["$skip"] == 200
    assert asked[0].query["searchCriteria.includeRefUpdates"] == "true"
    assert asked[1].query["peelTags"] == "true"
    assert [event.key for event in events(page.facts)] == [
        f"azure_devops:{NAME}:push:14:main",
        f"azure_devops:{NAME}:tag:v1:{sha(4)}",
    ]
    assert page.cursor is None


def test_pushes_without_tags_take_one_question() -> None:
    pushes = [given_.push(("refs/heads/main", 3))] * 100
    page, _ = hold(pushes_page(NAME, since=None, cursor=None), [an_answer({"value": pushes})])
    assert page.cursor == "100"
