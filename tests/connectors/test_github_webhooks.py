"""GitHub's webhooks, as GitHub sent them to others, are read into facts."""

import copy
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.connectors.recorded import octokit, octokit_events
from tests.connectors.talks import only

from shipmark.application.facts import BranchPush, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.github_webhooks import (
    READERS,
    delivery_id,
    is_genuine,
    read_webhook,
)
from shipmark.connectors.payloads import UnreadablePayload
from shipmark.domain.events import EventSource, SourceEvent

SECRET = "It's a Secret to Everybody"  # noqa: S105 - as in GitHub's documentation
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def facts(event: str, payload: Any) -> list[Any]:
    return read_webhook({"x-github-event": event}, payload)


def changed(payload: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy; ``pull_request__draft=True`` changes a field of a field."""
    new = copy.deepcopy(payload)
    for path, value in changes.items():
        *above, last = path.split("__")
        at = new
        for name in above:
            at = at[name]
        at[last] = value
    return new


def opened() -> dict[str, Any]:
    return octokit("pull_request", "opened")[0]


# Signatures


def signature(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {
        "x-hub-signature-256": "sha256="
        + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    }


def test_githubs_own_example_of_a_signature_is_genuine() -> None:
    header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert is_genuine(SECRET, {"x-hub-signature-256": header}, b"Hello, World!")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-hub-signature-256": ""},
        {"x-hub-signature-256": "sha256="},
        {"x-hub-signature-256": "sha1=" + "0" * 40},
        {"x-hub-signature-256": "sha256=" + "0" * 64},
        {"x-hub-signature-256": "sha256=ä\udcff"},
        {"x-hub-signature": "sha1=abc"},
    ],
)
def test_a_signature_that_is_wrong_missing_or_malformed_is_not_genuine(
    headers: dict[str, str],
) -> None:
    assert not is_genuine(SECRET, headers, b"{}")


def test_a_body_that_was_changed_is_not_genuine() -> None:
    assert is_genuine(SECRET, signature(b"{}"), b"{}")
    assert not is_genuine(SECRET, signature(b"{}"), b"{ }")
    assert not is_genuine("another", signature(b"{}"), b"{}")


def test_no_secret_makes_nothing_genuine() -> None:
    assert not is_genuine("", signature(b"{}", ""), b"{}")


def test_a_delivery_is_known_by_its_id_or_else_by_its_body() -> None:
    assert delivery_id({"x-github-delivery": "72d3162e"}, b"{}") == "72d3162e"
    assert delivery_id({}, b"{}") == hashlib.sha256(b"{}").hexdigest()


# All events


def test_everything_that_was_recorded_can_be_read() -> None:
    for event in octokit_events():
        for payload in octokit(event):
            assert bool(facts(event, payload)) <= (event in READERS)


def test_events_that_say_nothing_to_us_are_no_facts() -> None:
    assert facts("ping", octokit("ping")[0]) == []
    assert facts("star", octokit("star")[0]) == []
    assert facts("something_new", {"action": "done"}) == []


def test_an_event_without_its_name_is_refused() -> None:
    with pytest.raises(UnreadablePayload, match="x-github-event"):
        read_webhook({}, {})


@given(st.data())
def test_a_payload_that_is_damaged_is_read_or_refused(data: st.DataObject) -> None:
    event = data.draw(st.sampled_from(sorted(READERS)))
    payload = copy.deepcopy(data.draw(st.sampled_from(octokit(event))))
    for _ in range(data.draw(st.integers(1, 4))):
        _damage(data, payload)
    try:
        assert isinstance(facts(event, payload), list)
    except UnreadablePayload as refused:
        assert "`$" in refused.message  # noqa: PT017


def _damage(data: st.DataObject, payload: Any) -> None:
    """Replace something, at any depth, by something else."""
    at = payload
    while True:
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        below = at[key]
        if not below or not isinstance(below, dict | list) or data.draw(st.integers(0, 3)) == 0:
            break
        at = below
    at[key] = data.draw(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.just([])
        | st.just({})
    )


# Pull requests


def test_a_pull_request_is_told_with_all_that_the_event_knows() -> None:
    (pull,) = facts("pull_request", opened())
    assert pull == PullFacts(
        repository="Codertocat/Hello-World",
        number=2,
        values={
            "base_ref": "master",
            "source_id": "279147437",
            "title": "Update the README with new information.",
            "author": "Codertocat",
            "url": "https://github.com/Codertocat/Hello-World/pull/2",
            "head_ref": "changes",
            "head_sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821",
            "created_at": datetime(2019, 5, 15, 15, 20, 33, tzinfo=UTC),
            "closed_at": None,
            "merged_at": None,
            "merge_commit_sha": None,
            "labels": (),
            "ready_for_review_at": datetime(2019, 5, 15, 15, 20, 33, tzinfo=UTC),
        },
        as_of=datetime(2019, 5, 15, 15, 20, 33, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "action", ["assigned", "labeled", "reopened", "synchronize", "unlabeled", "closed"]
)
def test_every_action_tells_the_pull_request(action: str) -> None:
    for payload in octokit("pull_request", action):
        (pull,) = only(facts("pull_request", payload), PullFacts)
        assert pull.values["base_ref"]
        assert pull.as_of is not None


def merged(payload: dict[str, Any]) -> dict[str, Any]:
    return changed(
        payload,
        action="closed",
        pull_request__merged=True,
        pull_request__merged_at="2019-05-15T16:00:00Z",
        pull_request__closed_at="2019-05-15T16:00:00Z",
        pull_request__merge_commit_sha=COMMIT,
    )


def test_a_merged_pull_request_is_an_event_too() -> None:
    pull, event = facts("pull_request", merged(opened()))
    assert pull.values["merge_commit_sha"] == COMMIT
    assert event == SourceEvent(
        source=EventSource.MERGED_PULL_REQUEST,
        key="github:Codertocat/Hello-World:pull:2:merged",
        repository="Codertocat/Hello-World",
        at=datetime(2019, 5, 15, 16, tzinfo=UTC),
        success=True,
        commit_sha=COMMIT,
        branch="master",
        pull_number=2,
        url="https://github.com/Codertocat/Hello-World/pull/2",
    )


def test_the_merge_that_github_only_tried_is_no_merge_commit() -> None:
    tried = changed(opened(), pull_request__merge_commit_sha=COMMIT)
    (pull,) = facts("pull_request", tried)
    assert pull.values["merge_commit_sha"] is None


def test_a_pull_request_is_ready_for_review_since_it_was_said_to_be() -> None:
    (ready,) = facts("pull_request", octokit("pull_request", "ready_for_review")[0])
    assert ready.values["ready_for_review_at"] == ready.as_of
    (draft,) = facts("pull_request", octokit("pull_request", "converted_to_draft")[0])
    assert draft.values["ready_for_review_at"] is None
    (closed,) = facts("pull_request", octokit("pull_request", "closed")[0])
    assert "ready_for_review_at" not in closed.values


@pytest.mark.parametrize("user", [None, {"login": "ghost"}])
def test_who_has_left_is_no_author(user: dict[str, str] | None) -> None:
    (pull,) = facts("pull_request", changed(opened(), pull_request__user=user))
    assert pull.values["author"] is None


# Pushes


def branch_push() -> dict[str, Any]:
    return next(one for one in octokit("push") if one["ref"] == "refs/heads/master")


def tag_push() -> dict[str, Any]:
    return next(one for one in octokit("push") if one["created"] and "refs/tags/" in one["ref"])


def test_a_push_tells_the_commits_that_the_branch_got() -> None:
    push, event = facts("push", branch_push())
    assert isinstance(push, BranchPush)
    assert (push.repository, push.branch) == ("Codertocat/Hello-World", "master")
    (commit,) = push.commits
    assert commit.sha == "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
    assert commit.committed_at == datetime(2019, 5, 15, 15, 19, 25, tzinfo=UTC)
    assert commit.files
    assert (event.source, event.branch, event.success) == (EventSource.PUSH, "master", True)
    assert event.commit_sha == commit.sha
    assert event.at == datetime(2019, 5, 15, 15, 20, 57, tzinfo=UTC)


def test_a_new_branch_at_an_old_commit_has_got_no_commit() -> None:
    (event,) = facts("push", changed(branch_push(), commits=[], ref="refs/heads/new"))
    assert event.branch == "new"


def test_a_push_back_to_a_commit_is_another_event() -> None:
    (_, first) = facts("push", branch_push())
    (_, again) = facts("push", changed(branch_push(), before=COMMIT))
    assert first.key != again.key


def test_a_pushed_tag_is_an_event_with_its_commit() -> None:
    payload = changed(tag_push(), after=COMMIT)
    (event,) = facts("push", payload)
    assert event.source is EventSource.TAG
    assert (event.tag, event.branch) == ("simple-tag", None)
    assert event.commit_sha == payload["head_commit"]["id"] != COMMIT
    assert facts("create", octokit("create")[0]) == []


def test_what_is_deleted_is_no_fact() -> None:
    deletions = [payload for payload in octokit("push") if payload["deleted"]]
    assert deletions
    for payload in deletions:
        assert facts("push", payload) == []


# Runs, jobs, deployments, releases


def run_completed(**changes: Any) -> dict[str, Any]:
    payload = octokit("workflow_run", "completed")[0]
    home = {"head_repository": payload["repository"]}
    payload = changed(payload, workflow_run=payload["workflow_run"] | home)
    return changed(payload, **{f"workflow_run__{name}": new for name, new in changes.items()})


def test_a_completed_run_is_an_event() -> None:
    payload = run_completed(conclusion="success", run_attempt=2)
    run = payload["workflow_run"]
    (event,) = facts("workflow_run", payload)
    assert event == SourceEvent(
        source=EventSource.GITHUB_ACTIONS,
        key=f"github:{payload['repository']['full_name']}:run:{run['id']}:2",
        repository=payload["repository"]["full_name"],
        at=datetime.fromisoformat(run["updated_at"]),
        success=True,
        commit_sha=run["head_sha"],
        branch=run["head_branch"],
        workflow=run["name"],
        url=run["html_url"],
    )


@pytest.mark.parametrize("conclusion", ["failure", "timed_out", "cancelled", "startup_failure"])
def test_a_run_that_did_not_succeed_failed(conclusion: str) -> None:
    (event,) = facts("workflow_run", run_completed(conclusion=conclusion))
    assert event.success is False


@pytest.mark.parametrize("conclusion", ["skipped", "neutral", "action_required", None])
def test_a_run_that_did_nothing_is_no_event(conclusion: str | None) -> None:
    assert facts("workflow_run", run_completed(conclusion=conclusion)) == []


def test_a_run_that_goes_on_is_no_event() -> None:
    assert facts("workflow_run", octokit("workflow_run", "requested")[0]) == []


def test_a_run_for_the_branch_of_a_fork_is_no_event_of_ours() -> None:
    theirs = run_completed()["repository"] | {"id": 1, "full_name": "someone/app"}
    assert facts("workflow_run", run_completed(head_repository=theirs)) == []
    assert facts("workflow_run", run_completed(head_repository=None)) == []


def test_a_completed_job_is_an_event() -> None:
    payload = octokit("workflow_job", "completed")[0]
    job = payload["workflow_job"]
    (event,) = facts("workflow_job", payload)
    assert event.key == f"github:{payload['repository']['full_name']}:job:{job['id']}"
    assert (event.job, event.workflow) == (job["name"], job.get("workflow_name"))
    assert event.success is (job["conclusion"] == "success")
    assert facts("workflow_job", octokit("workflow_job", "queued")[0]) == []


def test_a_deployment_that_succeeds_is_an_event() -> None:
    payload = octokit("deployment_status", "created")[0]
    (event,) = facts("deployment_status", payload)
    assert event.source is EventSource.GITHUB_DEPLOYMENTS
    assert event.key == "github:Codertocat/Hello-World:deployment:145988746:success"
    assert (event.environment, event.branch, event.success) == ("production", "master", True)
    assert event.commit_sha == "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"
    assert event.at == datetime(2019, 5, 15, 15, 20, 55, tzinfo=UTC)


@pytest.mark.parametrize("state", ["in_progress", "queued", "pending", "waiting", "inactive"])
def test_a_deployment_that_goes_on_or_is_over_is_no_event(state: str) -> None:
    payload = octokit("deployment_status")[0]
    assert facts("deployment_status", changed(payload, deployment_status__state=state)) == []


def test_a_deployment_that_fails_and_then_succeeds_is_two_events() -> None:
    payload = octokit("deployment_status")[0]
    keys = {
        facts("deployment_status", changed(payload, deployment_status__state=state))[0].key
        for state in ("error", "failure", "success")
    }
    assert len(keys) == 2


def test_a_release_is_one_event_whatever_else_is_said_of_it() -> None:
    published = octokit("release", "published")[0]
    (event,) = facts("release", published)
    assert (event.source, event.tag) == (EventSource.RELEASE, published["release"]["tag_name"])
    for action in ("created", "released", "edited", "deleted", "prereleased"):
        for payload in octokit("release", action):
            assert facts("release", payload) == []
    assert facts("release", changed(published, release__draft=True)) == []


# Repositories


def test_a_renamed_repository_tells_its_former_name() -> None:
    payload = octokit("repository", "renamed")[0]
    (fact,) = facts("repository", payload)
    former = payload["changes"]["repository"]["name"]["from"]
    assert isinstance(fact, RepositoryFacts)
    assert fact.former_name == f"{payload['repository']['owner']['login']}/{former}"
    assert fact.source_id == str(payload["repository"]["id"])


def test_a_transferred_repository_tells_its_former_name() -> None:
    for payload in octokit("repository", "transferred"):
        (fact,) = facts("repository", payload)
        owner, _, name = fact.former_name.partition("/")
        assert name == payload["repository"]["name"]
        assert owner in json.dumps(payload["changes"])


def test_a_repository_tells_its_default_branch_and_whether_it_is_archived() -> None:
    (fact,) = facts("repository", octokit("repository", "edited")[0])
    assert fact.values["default_branch"]
    created = octokit("repository", "created")[0]
    assert facts("repository", changed(created, action="archived"))[0].archived is True
    assert facts("repository", changed(created, action="unarchived"))[0].archived is False
    assert facts("repository", octokit("repository", "deleted")[0])[0].archived is True


def test_an_installation_tells_the_repositories_it_may_see() -> None:
    payload = octokit("installation", "created")[0]
    seen = facts("installation", payload)
    assert [one.name for one in seen] == [one["full_name"] for one in payload["repositories"]]
    added = octokit("installation_repositories", "added")[0]
    assert [one.name for one in facts("installation_repositories", added)] == [
        one["full_name"] for one in added["repositories_added"]
    ]
    assert facts("installation", octokit("installation", "deleted")[0]) == []
