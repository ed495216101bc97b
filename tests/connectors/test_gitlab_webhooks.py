"""GitLab's webhooks become facts; what is not GitLab's is refused."""

import hmac
from base64 import b64encode
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from tests.connectors.gitlab_payloads import (
    DEPLOYMENT,
    DEPLOYMENT_HOOK,
    HEAD,
    HOOKS,
    JOB,
    JOB_HOOK,
    MERGE,
    MERGE_REQUEST,
    MERGED_HOOK,
    NAME,
    OPENED_HOOK,
    PIPELINE,
    PIPELINE_HOOK,
    PUSH_HOOK,
    RELEASE_HOOK,
    RENAMED_HOOK,
    TAG_HOOK,
    ZEROS,
    changed,
)
from tests.connectors.mutations import mutated

from shipmark.application.facts import BranchPush, PushedCommit, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.gitlab_facts import MergeRequest, pull_facts
from shipmark.connectors.gitlab_runs import (
    Deployment,
    Job,
    Pipeline,
    deployment_event,
    job_event,
    pipeline_event,
)
from shipmark.connectors.gitlab_webhooks import delivery_id, is_genuine, read_webhook
from shipmark.connectors.payloads import UnreadablePayload, read
from shipmark.domain.events import EventSource, SourceEvent

TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)
NOW = datetime(2026, 3, 2, 10, 0, 5, tzinfo=UTC)
KEY = b"k" * 32
SIGNING_TOKEN = "whsec_" + b64encode(KEY).decode()
BODY = b'{"object_kind": "push"}'


def facts(payload: Any, kind: type[Any], received_at: datetime | None = NOW) -> list[Any]:
    found = read_webhook({}, payload, received_at=received_at)
    return [fact for fact in found if isinstance(fact, kind)]


def signed(body: bytes = BODY, key: bytes = KEY) -> dict[str, str]:
    told = {"webhook-id": "one", "webhook-timestamp": "1772366400"}
    digest = hmac.digest(key, b"one.1772366400." + body, "sha256")
    return {**told, "webhook-signature": "v1," + b64encode(digest).decode()}


def test_the_secret_token_tells_gitlab_from_others() -> None:
    assert is_genuine("hush", {"x-gitlab-token": "hush"}, BODY)
    assert not is_genuine("hush", {"x-gitlab-token": "Hush"}, BODY)
    assert not is_genuine("hush", {"x-gitlab-token": "hüsh\udcff"}, BODY)
    assert not is_genuine("hush", {}, BODY)
    assert not is_genuine("", {"x-gitlab-token": ""}, BODY)


def test_a_signature_with_the_signing_token_is_as_good() -> None:
    assert is_genuine(SIGNING_TOKEN, signed(), BODY)
    both = {**signed(), "webhook-signature": "v1,AAAA " + signed()["webhook-signature"]}
    assert is_genuine(SIGNING_TOKEN, both, BODY)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(key=b"x" * 32),
        signed(body=b"{}"),
        {**signed(), "webhook-id": "two"},
        {**signed(), "webhook-timestamp": ""},
        {**signed(), "webhook-signature": "ü"},
    ],
)
def test_a_forged_signature_is_refused(headers: dict[str, str]) -> None:
    assert not is_genuine(SIGNING_TOKEN, headers, BODY)
    assert not is_genuine("whsec_", headers, BODY)
    assert not is_genuine("whsec_%%%", headers, BODY)


def test_a_repeated_delivery_has_its_id_again() -> None:
    assert delivery_id({"idempotency-key": "k", "x-gitlab-event-uuid": "u"}, BODY) == "k"
    assert delivery_id({"x-gitlab-event-uuid": "u"}, BODY) == delivery_id({}, BODY)
    assert delivery_id({}, BODY) != delivery_id({}, b"{}")


def test_a_merge_request_says_the_same_as_in_the_api() -> None:
    told, guessed = facts(MERGED_HOOK, PullFacts)
    api = pull_facts(NAME, read(MergeRequest, MERGE_REQUEST))
    assert (told.repository, told.number, told.as_of) == (api.repository, api.number, api.as_of)
    assert {name: api.values[name] for name in told.values} == told.values
    assert set(api.values) - set(told.values) == {"merged_at"}
    assert guessed.only_unknown


def test_when_it_was_merged_is_guessed_and_gives_way() -> None:
    _, guessed = facts(MERGED_HOOK, PullFacts)
    assert guessed.values == {"base_ref": "main", "merged_at": TEN}
    (event,) = facts(MERGED_HOOK, SourceEvent)
    assert event.source is EventSource.MERGED_PULL_REQUEST
    assert (event.key, event.commit_sha) == (f"gitlab:{NAME}:pull:12:merged", MERGE)


def test_a_later_change_of_a_merged_one_is_not_taken_for_its_merge() -> None:
    labelled = changed(MERGED_HOOK, object_attributes__action="update")
    (told,) = facts(labelled, PullFacts)
    assert "merged_at" not in told.values
    assert facts(labelled, SourceEvent) == []


def test_a_fast_forward_tells_no_merge_commit_and_is_deployed_by_its_head() -> None:
    hook = changed(MERGED_HOOK, object_attributes__merge_commit_sha=None)
    told, _ = facts(hook, PullFacts)
    assert "merge_commit_sha" not in told.values
    assert told.values["head_sha"] == HEAD
    (event,) = facts(hook, SourceEvent)
    assert event.commit_sha == HEAD


def test_an_open_one_is_not_closed_any_more() -> None:
    (told,) = facts(OPENED_HOOK, PullFacts)
    api = pull_facts(NAME, read(MergeRequest, changed(MERGE_REQUEST, state="opened")))
    assert told.values["closed_at"] is None
    assert api.values["closed_at"] is None
    assert "merge_commit_sha" not in told.values | api.values


def test_the_author_is_named_only_when_the_author_did_it() -> None:
    (told,) = facts(changed(OPENED_HOOK, user={"id": 4, "username": "noor"}), PullFacts)
    assert "author" not in told.values
    (told,) = facts(OPENED_HOOK, PullFacts)
    assert told.values["author"] == "maria"


def test_a_push_tells_its_commits_and_the_default_branch() -> None:
    (push,) = facts(PUSH_HOOK, BranchPush)
    assert push == BranchPush(
        repository=NAME,
        branch="main",
        commits=(
            PushedCommit(
                sha=HEAD,
                committed_at=TEN - timedelta(hours=1),
                files=("VERSION", "setup.cfg"),
            ),
            PushedCommit(sha=MERGE, committed_at=TEN, files=("old.txt", "setup.cfg")),
        ),
    )
    (project,) = facts(PUSH_HOOK, RepositoryFacts)
    assert (project.name, project.source_id) == (NAME, "7")
    assert project.values == {"default_branch": "main"}


def test_a_push_is_an_event_of_when_it_was_received_or_else_committed() -> None:
    (event,) = facts(PUSH_HOOK, SourceEvent)
    assert (event.source, event.branch, event.commit_sha) == (EventSource.PUSH, "main", MERGE)
    assert event.at == NOW
    (event,) = facts(PUSH_HOOK, SourceEvent, received_at=None)
    assert event.at == TEN


def test_of_a_push_that_merges_only_the_merge_stands_on_the_branch() -> None:
    message = "Merge branch 'feature' into 'main'\n\nPay by card\n\nSee merge request shop!12"
    commits = [PUSH_HOOK["commits"][0], {**PUSH_HOOK["commits"][1], "message": message}]
    (push,) = facts(changed(PUSH_HOOK, commits=commits), BranchPush)
    assert [commit.sha for commit in push.commits] == [MERGE]


def test_a_deleted_branch_or_tag_is_no_event() -> None:
    for hook in (PUSH_HOOK, TAG_HOOK):
        assert facts(changed(hook, after=ZEROS, commits=[]), SourceEvent) == []
        assert facts(changed(hook, after=ZEROS, commits=[]), BranchPush) == []


def test_a_new_tag_stands_for_a_commit() -> None:
    (event,) = facts(TAG_HOOK, SourceEvent)
    assert (event.source, event.tag, event.commit_sha) == (EventSource.TAG, "v2", MERGE)
    assert event.key == f"gitlab:{NAME}:tag:v2:{MERGE}"
    assert facts(TAG_HOOK, SourceEvent, received_at=None) == []


def test_pipelines_and_deployments_say_the_same_as_in_the_api() -> None:
    assert facts(PIPELINE_HOOK, SourceEvent) == pipeline_event(NAME, read(Pipeline, PIPELINE))
    (api,) = deployment_event(NAME, read(Deployment, DEPLOYMENT))
    assert facts(DEPLOYMENT_HOOK, SourceEvent) == [replace(api, job=None, is_guessed=True)]


def test_a_job_says_its_environment_besides() -> None:
    (hook,) = facts(JOB_HOOK, SourceEvent)
    (api,) = job_event(NAME, read(Job, JOB))
    assert hook.environment == "production"
    assert (hook.key, hook.at, hook.job, hook.stage, hook.workflow, hook.url) == (
        api.key,
        api.at,
        api.job,
        api.stage,
        api.workflow,
        api.url,
    )
    assert facts(changed(JOB_HOOK, project=None), SourceEvent) == [hook]


@pytest.mark.parametrize(
    ("status", "success"), [("success", True), ("failed", False), ("canceled", False)]
)
def test_what_ended_is_a_success_or_not(status: str, success: bool) -> None:
    (event,) = facts(changed(PIPELINE_HOOK, object_attributes__status=status), SourceEvent)
    assert event.success is success
    (event,) = facts(changed(JOB_HOOK, build_status=status), SourceEvent)
    assert event.success is success
    (event,) = facts(changed(DEPLOYMENT_HOOK, status=status), SourceEvent)
    assert event.success is success


@pytest.mark.parametrize("status", ["running", "created", "skipped", "manual", "blocked"])
def test_what_has_not_ended_is_no_event(status: str) -> None:
    assert facts(changed(PIPELINE_HOOK, object_attributes__status=status), SourceEvent) == []
    assert facts(changed(JOB_HOOK, build_status=status), SourceEvent) == []
    assert facts(changed(DEPLOYMENT_HOOK, status=status), SourceEvent) == []


def test_a_pipeline_that_is_run_again_ends_again() -> None:
    failed = changed(PIPELINE_HOOK, object_attributes__status="failed")
    (first,), (second,) = facts(failed, SourceEvent), facts(PIPELINE_HOOK, SourceEvent)
    assert first.key != second.key


def test_the_pipeline_of_a_merge_request_runs_on_no_branch() -> None:
    hook = changed(PIPELINE_HOOK, object_attributes__source="merge_request_event")
    (event,) = facts(hook, SourceEvent)
    assert event.branch is None
    (event,) = job_event(NAME, read(Job, changed(JOB, ref="refs/merge-requests/12/head")))
    assert event.branch is None


def test_a_deployment_without_an_address_has_the_short_sha() -> None:
    (event,) = facts(changed(DEPLOYMENT_HOOK, commit_url=None), SourceEvent)
    assert event.commit_sha == MERGE[:8]


def test_a_release_is_an_event_once() -> None:
    (event,) = facts(RELEASE_HOOK, SourceEvent)
    assert (event.source, event.tag, event.commit_sha) == (EventSource.RELEASE, "v2", MERGE)
    assert facts(changed(RELEASE_HOOK, action="update"), SourceEvent) == []


def test_a_project_that_is_renamed_or_moved_is_still_the_same() -> None:
    (project,) = facts(RENAMED_HOOK, RepositoryFacts)
    assert (project.name, project.former_name) == (NAME, "shop/web/till")
    assert project.source_id == "7"
    assert facts(changed(RENAMED_HOOK, event_name="project_transfer"), RepositoryFacts) == [project]


def test_other_events_say_nothing() -> None:
    assert read_webhook({}, {"object_kind": "issue"}) == []
    assert read_webhook({}, {"event_name": "user_create"}) == []
    assert read_webhook({}, {}) == []


def test_what_is_missing_is_named() -> None:
    hook = changed(MERGED_HOOK, object_attributes__target_branch=None)
    with pytest.raises(UnreadablePayload, match=r"object_attributes\.target_branch"):
        read_webhook({}, hook)


@given(mutated(HOOKS))
def test_nothing_but_its_own_refusal_comes_of_a_mangled_webhook(payload: Any) -> None:
    with suppress(UnreadablePayload):
        read_webhook({}, payload, received_at=NOW)
