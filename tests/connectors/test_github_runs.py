"""What may have been a deployment, from GitHub's API, is the same as webhooks tell."""

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.connectors.fake_github import FakeGitHub, graphql_release
from tests.connectors.recorded import octokit
from tests.connectors.talks import all_pages, converse, result

from shipmark.connectors.exchange import Response
from shipmark.connectors.github_runs import (
    deployments_page,
    jobs,
    releases_page,
    runs_page,
    tags_page,
)
from shipmark.connectors.github_webhooks import read_webhook
from shipmark.domain.events import EventSource, SourceEvent

NAME = "org/app"
HOME = f"/repos/{NAME}"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def hours_ago(hours: float) -> str:
    return (NOON - timedelta(hours=hours)).isoformat()


def forge_with(**paths: Any) -> FakeGitHub:
    forge = FakeGitHub(NAME)
    forge.paths = {f"{HOME}{path}": answer for path, answer in paths.items()}
    return forge


def told(event: str, payload: dict[str, Any]) -> list[Any]:
    payload = copy.deepcopy(payload)
    payload["repository"]["full_name"] = NAME
    return read_webhook({"x-github-event": event}, payload)


def recorded_run(**changes: Any) -> dict[str, Any]:
    payload = octokit("workflow_run", "completed")[0]
    home = {"repository": payload["repository"], "head_repository": payload["repository"]}
    return copy.deepcopy(payload["workflow_run"] | home | {"conclusion": "success"}) | changes


def counted(items: list[Any], inside: str | None = None) -> Any:
    """An answer in pages, as GitHub counts them."""

    def answer(request: Any) -> Any:
        size, page = request.query["per_page"], request.query["page"]
        found = items[(page - 1) * size : page * size]
        return {"total_count": len(items), inside: found} if inside else found

    return answer


# Workflow runs and jobs


def test_the_api_tells_the_same_of_a_run_as_the_webhook() -> None:
    run = recorded_run()
    payload = octokit("workflow_run", "completed")[0] | {"workflow_run": run}
    forge = forge_with(**{"/actions/runs": {"workflow_runs": [run]}})
    page = result(runs_page(NAME, since=None, cursor=None), forge)
    assert list(page.facts) == told("workflow_run", payload) != []


def test_runs_come_page_by_page_until_they_are_too_old() -> None:
    runs = [
        recorded_run(id=one, created_at=hours_ago(one), updated_at=hours_ago(one - 0.5))
        for one in range(1, 301)
    ]
    forge = forge_with(**{"/actions/runs": counted(runs, "workflow_runs")})
    assert len(all_pages(lambda at: runs_page(NAME, since=None, cursor=at), forge)) == 300
    since = NOON - timedelta(hours=24)
    page, asked = converse(runs_page(NAME, since=since, cursor=None), forge)
    assert (len(page.facts), page.cursor, len(asked)) == (24, None, 1)
    assert "status" not in asked[0].query


def test_a_run_that_ended_since_is_told_though_it_began_before() -> None:
    run = recorded_run(created_at=hours_ago(5), updated_at=hours_ago(1))
    forge = forge_with(**{"/actions/runs": {"workflow_runs": [run]}})
    page = result(runs_page(NAME, since=NOON - timedelta(hours=2), cursor=None), forge)
    assert len(page.facts) == 1


def test_the_api_tells_the_same_of_a_job_as_the_webhook() -> None:
    payload = octokit("workflow_job", "completed")[0]
    forge = forge_with(**{"/actions/runs/5/jobs": {"jobs": [payload["workflow_job"]]}})
    assert list(result(jobs(NAME, 5), forge)) == told("workflow_job", payload) != []
    assert result(jobs(NAME, 6), forge) == ()


def test_all_jobs_of_a_run_are_told() -> None:
    job = octokit("workflow_job", "completed")[0]["workflow_job"]
    many = [job | {"id": one} for one in range(150)]
    forge = forge_with(**{"/actions/runs/5/jobs": counted(many, "jobs")})
    assert len({event.key for event in result(jobs(NAME, 5), forge)}) == 150


# Deployments


def test_the_api_tells_the_same_of_a_deployment_as_the_webhook() -> None:
    payload = octokit("deployment_status", "created")[0]
    deployment, status = payload["deployment"], payload["deployment_status"]
    path = f"/deployments/{deployment['id']}/statuses"
    later = status | {"id": 1, "created_at": "2026-01-01T00:00:00Z"}
    inactive = later | {"id": 2, "state": "inactive"}
    forge = forge_with(**{"/deployments": [deployment], path: [inactive, later, status]})
    page = result(deployments_page(NAME, since=None, cursor=None), forge)
    assert list(page.facts) == told("deployment_status", payload) != []


def test_only_deployments_that_changed_since_are_asked_for_their_statuses() -> None:
    deployment = octokit("deployment_status", "created")[0]["deployment"]
    listed = [
        deployment | {"id": 1, "created_at": hours_ago(1), "updated_at": hours_ago(1)},
        deployment | {"id": 2, "created_at": hours_ago(9), "updated_at": hours_ago(1)},
        deployment | {"id": 3, "created_at": hours_ago(9), "updated_at": hours_ago(8)},
        deployment | {"id": 4, "created_at": hours_ago(90), "updated_at": hours_ago(1)},
    ]
    forge = forge_with(**{"/deployments": listed})
    page, asked = converse(
        deployments_page(NAME, since=NOON - timedelta(hours=2), cursor=None), forge
    )
    assert [request.path.split("/")[-2] for request in asked[1:]] == ["1", "2"]
    assert page.cursor is None


# Releases and tags


def test_the_api_tells_the_same_of_a_release_as_the_webhook_and_its_commit() -> None:
    payload = octokit("release", "published")[0]
    draft = payload["release"] | {"id": 1, "draft": True, "published_at": None}
    forge = FakeGitHub(NAME)
    forge.releases = [graphql_release(draft, None), graphql_release(payload["release"], COMMIT)]
    page = result(releases_page(NAME, since=None, cursor=None), forge)
    (by_webhook,) = told("release", payload)
    assert list(page.facts) == [replace(by_webhook, commit_sha=COMMIT, is_guessed=False)]
    assert by_webhook.commit_sha is None
    assert result(releases_page(NAME, since=NOON, cursor=None), forge).facts == ()


def test_a_release_whose_tag_is_gone_has_no_commit() -> None:
    release = octokit("release", "published")[0]["release"]
    forge = FakeGitHub(NAME)
    forge.releases = [graphql_release(release | {"id": one}, None) for one in range(1, 151)]
    facts = all_pages(lambda at: releases_page(NAME, since=None, cursor=at), forge)
    assert {one.commit_sha for one in facts} == {None}
    assert len({one.key for one in facts}) == 150


def test_tags_are_told_with_their_commits() -> None:
    forge = FakeGitHub(NAME)
    commit = {"__typename": "Commit", "oid": COMMIT, "committedDate": hours_ago(3)}
    annotated = {"__typename": "Tag", "oid": "f" * 40, "tagger": {"date": hours_ago(1)}}
    tree = {"__typename": "Tree", "oid": "e" * 40}
    forge.tags = [
        {"name": "v2", "target": annotated | {"target": commit}},
        {"name": "v1", "target": commit},
        {"name": "odd", "target": tree},
        {"name": "very-odd", "target": annotated | {"target": tree}},
    ]
    facts = all_pages(lambda at: tags_page(NAME, since=None, cursor=at), forge)
    assert [(one.tag, one.commit_sha, one.at) for one in facts] == [
        ("v2", COMMIT, NOON - timedelta(hours=1)),
        ("v1", COMMIT, NOON - timedelta(hours=3)),
    ]


def test_a_tag_has_the_same_key_as_when_it_was_pushed() -> None:
    payload = next(one for one in octokit("push") if one["created"] and "tags" in one["ref"])
    forge = FakeGitHub(NAME)
    commit = {"__typename": "Commit", "committedDate": hours_ago(0)}
    commit["oid"] = payload["head_commit"]["id"]
    forge.tags = [{"name": "simple-tag", "target": commit}]
    (asked,) = all_pages(lambda at: tags_page(NAME, since=None, cursor=at), forge)
    (pushed,) = told("push", payload)
    assert isinstance(asked, SourceEvent)
    assert (asked.key, asked.source) == (pushed.key, EventSource.TAG)


def test_tags_stop_where_their_commits_are_too_old() -> None:
    forge = FakeGitHub(NAME)
    forge.tags = [
        {
            "name": f"v{one}",
            "target": {
                "__typename": "Commit",
                "oid": f"{one:040x}",
                "committedDate": hours_ago(one),
            },
        }
        for one in range(1, 251)
    ]
    assert len(all_pages(lambda at: tags_page(NAME, since=None, cursor=at), forge)) == 250
    page = result(tags_page(NAME, since=NOON - timedelta(hours=10), cursor=None), forge)
    assert (len(page.facts), page.cursor) == (10, None)


def test_a_run_whose_jobs_are_gone_has_none() -> None:
    forge = forge_with(**{"/actions/runs/5/jobs": Response(status=410)})
    assert result(jobs(NAME, 5), forge) == ()
