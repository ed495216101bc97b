"""The webhooks of Bitbucket Cloud and Data Center become facts; what is not theirs is refused."""

import hmac
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.connectors.bitbucket_payloads import (
    CLOUD,
    CLOUD_HOOKS,
    HEAD,
    HEAD_COMMIT,
    MERGE,
    MERGED_HOOK,
    OLD,
    OPENED_HOOK,
    OTHER,
    PUSH_HOOK,
    RENAMED_HOOK,
    SERVER,
    SERVER_HOOKS,
    SERVER_MERGED_HOOK,
    SERVER_OPENED_HOOK,
    SERVER_PULL,
    SERVER_PUSH_HOOK,
    SERVER_RENAMED_HOOK,
    SERVER_TAG_HOOK,
    STATUS_HOOK,
    TAG_HOOK,
    changed,
)
from tests.connectors.mutations import mutated
from tests.connectors.talks import only

from shipmark.application.facts import BranchPush, PushedCommit, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.bitbucket_data_center_facts import PullRequest, pull_facts
from shipmark.connectors.bitbucket_webhooks import delivery_id, is_genuine, read_webhook
from shipmark.connectors.payloads import UnreadablePayload, read
from shipmark.domain.events import EventSource, SourceEvent

TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)
UPDATED = TEN + timedelta(seconds=1.5)
NOW = TEN + timedelta(seconds=5)
BODY = b'{"test": true}'


def facts(event: str, payload: Any, received_at: datetime | None = NOW) -> list[Any]:
    return read_webhook({"x-event-key": event}, payload, received_at=received_at)


def signature(secret: bytes, body: bytes = BODY) -> str:
    return hmac.new(secret, body, "sha256").hexdigest()


def test_the_signature_tells_bitbucket_from_others() -> None:
    right = signature(b"hush")
    assert is_genuine("hush", {"x-hub-signature": f"sha256={right}"}, BODY)
    others = signature(b"Hush")
    for wrong in (right, f"sha1={right}", f"sha256={others}", "sha256=ü", "sha256=", ""):
        assert not is_genuine("hush", {"x-hub-signature": wrong}, BODY)
    assert not is_genuine("hush", {"x-hub-signature": f"sha256={right}"}, b"{}")
    assert not is_genuine("hush", {}, BODY)
    assert not is_genuine("", {"x-hub-signature": f"sha256={signature(b'')}"}, BODY)


def test_a_repeated_delivery_has_its_id_again() -> None:
    assert delivery_id({"x-request-uuid": "cloud", "x-hook-uuid": "hook"}, BODY) == "cloud"
    assert delivery_id({"x-request-id": "server"}, BODY) == "server"
    assert delivery_id({}, BODY) == delivery_id({}, BODY) != delivery_id({}, b"{}")


def test_other_events_and_tests_of_the_connection_say_nothing() -> None:
    assert facts("diagnostics:ping", {"test": True}) == []
    assert facts("pullrequest:comment_created", MERGED_HOOK) == []
    assert read_webhook({}, MERGED_HOOK) == []


def test_cloud_tells_a_merge_but_neither_its_time_nor_its_commit() -> None:
    certain, guessed = only(facts("pullrequest:fulfilled", MERGED_HOOK), PullFacts)
    assert certain.values == {
        "base_ref": "main",
        "title": "Pay by card",
        "author": "maria",
        "url": "https://bitbucket.example/acme/shop/pull-requests/13",
        "head_ref": "feature",
        "created_at": datetime(2026, 3, 1, 9, 0, 0, 250_000, tzinfo=UTC),
    }
    assert (certain.repository, certain.number, certain.as_of) == (CLOUD, 13, UPDATED)
    assert guessed.only_unknown
    assert guessed.values == {"base_ref": "main", "merged_at": UPDATED, "closed_at": UPDATED}


def test_cloud_tells_the_event_of_a_merge_by_the_part_of_its_sha() -> None:
    (event,) = only(facts("pullrequest:fulfilled", MERGED_HOOK), SourceEvent)
    assert (event.source, event.commit_sha) == (EventSource.MERGED_PULL_REQUEST, MERGE[:12])
    assert event.key == f"bitbucket:{CLOUD}:pull:13:merged"


def test_cloud_may_tell_when_it_was_merged() -> None:
    hook = changed(MERGED_HOOK, pullrequest__closed_on="2026-03-02T10:00:00+00:00")
    (certain,) = only(facts("pullrequest:fulfilled", hook), PullFacts)
    assert certain.values["merged_at"] == certain.values["closed_at"] == TEN


def test_cloud_tells_that_one_is_open_or_declined() -> None:
    (opened,) = only(facts("pullrequest:created", OPENED_HOOK), PullFacts)
    assert opened.values["closed_at"] is None
    assert "merged_at" not in opened.values
    _, declined = only(facts("pullrequest:rejected", OPENED_HOOK), PullFacts)
    assert declined.values == {"base_ref": "main", "closed_at": UPDATED}


def test_the_push_of_a_merge_tells_the_whole_of_its_commit() -> None:
    (merge,) = only(facts("repo:push", PUSH_HOOK), PullFacts)
    assert (merge.number, merge.only_unknown) == (13, True)
    assert merge.values == {"base_ref": "main", "merge_commit_sha": MERGE}


@pytest.mark.parametrize("old", [None, {"target": {"hash": OTHER}}])
def test_a_branch_moved_to_a_merge_elsewhere_is_not_taken_for_one(old: Any) -> None:
    hook = {**PUSH_HOOK, "push": {"changes": [{**PUSH_HOOK["push"]["changes"][0], "old": old}]}}
    assert only(facts("repo:push", hook), PullFacts) == []


def test_a_push_tells_the_commits_of_the_branch_itself() -> None:
    (push,) = only(facts("repo:push", PUSH_HOOK), BranchPush)
    commits = (PushedCommit(sha=MERGE, committed_at=TEN),)
    assert push == BranchPush(repository=CLOUD, branch="main", commits=commits)
    change = PUSH_HOOK["push"]["changes"][0]
    two = {**change["new"]["target"], "message": "Two", "parents": [{"hash": HEAD}]}
    hook = {**PUSH_HOOK, "push": {"changes": [{**change, "new": {**change["new"], "target": two}}]}}
    (push,) = only(facts("repo:push", hook), BranchPush)
    assert [commit.sha for commit in push.commits] == [MERGE, HEAD]


def test_a_push_is_an_event_of_when_it_was_received_or_else_committed() -> None:
    (event,) = only(facts("repo:push", PUSH_HOOK), SourceEvent)
    assert (event.source, event.branch, event.commit_sha) == (EventSource.PUSH, "main", MERGE)
    assert event.at == NOW
    (event,) = only(facts("repo:push", PUSH_HOOK, received_at=None), SourceEvent)
    assert event.at == TEN


def test_a_tag_is_an_event_and_a_deleted_branch_is_none() -> None:
    (event,) = facts("repo:push", TAG_HOOK)
    assert (event.source, event.tag, event.commit_sha) == (EventSource.TAG, "v2", MERGE)
    assert event.at == TEN + timedelta(hours=2)
    deleted = {**PUSH_HOOK, "push": {"changes": [{"old": None, "new": None}]}}
    assert facts("repo:push", deleted) == []


def test_a_commit_that_is_told_without_its_time_is_left_out() -> None:
    change = PUSH_HOOK["push"]["changes"][0]
    bare = [{"hash": HEAD_COMMIT["hash"], "message": "?"}]
    hook = {**PUSH_HOOK, "push": {"changes": [{**change, "commits": bare}]}}
    (push,) = only(facts("repo:push", hook), BranchPush)
    assert [commit.sha for commit in push.commits] == [MERGE]


@pytest.mark.parametrize(
    ("state", "success", "end"),
    [
        ("SUCCESSFUL", True, "success"),
        ("FAILED", False, "failure"),
        ("STOPPED", False, "failure"),
    ],
)
def test_the_status_of_a_pipeline_is_its_end(state: str, success: bool, end: str) -> None:
    hook = changed(STATUS_HOOK, commit_status__state=state)
    (event,) = facts("repo:commit_status_updated", hook)
    assert (event.source, event.success) == (EventSource.BITBUCKET_PIPELINES, success)
    assert event.key == f"bitbucket:{CLOUD}:pipeline:4:{end}"
    assert (event.branch, event.commit_sha) == ("main", MERGE)


def test_a_running_pipeline_and_other_builds_are_no_event() -> None:
    running = changed(STATUS_HOOK, commit_status__state="INPROGRESS")
    other = changed(STATUS_HOOK, commit_status__url="https://ci.example/builds/4")
    assert facts("repo:commit_status_updated", running) == []
    assert facts("repo:commit_status_updated", other) == []


def test_a_repository_of_cloud_that_is_renamed_is_still_the_same() -> None:
    (found,) = facts("repo:updated", RENAMED_HOOK)
    assert isinstance(found, RepositoryFacts)
    assert (found.name, found.former_name, found.source_id) == (CLOUD, "acme/till", "{2b92}")


def test_data_center_tells_all_of_a_merge() -> None:
    pull, event = facts("pr:merged", SERVER_MERGED_HOOK)
    assert pull.values == {
        "base_ref": "main",
        "title": "Pay by card",
        "author": "maria",
        "url": "https://git.example/projects/PRJ/repos/shop/pull-requests/5",
        "head_ref": "feature",
        "head_sha": HEAD,
        "created_at": datetime(2026, 3, 1, 9, 0, 0, 250_000, tzinfo=UTC),
        "closed_at": UPDATED,
        "merged_at": UPDATED,
        "merge_commit_sha": MERGE,
    }
    assert (pull.repository, pull.number, pull.as_of) == (SERVER, 5, UPDATED)
    assert event.key == f"bitbucket:{SERVER}:pull:5:merged"
    assert pull == pull_facts(read(PullRequest, SERVER_PULL))


def test_data_center_may_write_instants_as_text() -> None:
    hook = changed(
        SERVER_MERGED_HOOK,
        pullRequest__createdDate="2026-03-01T09:00:00.250Z",
        pullRequest__updatedDate="2026-03-02T10:00:01.500Z",
        pullRequest__closedDate="2026-03-02T10:00:01.500Z",
    )
    assert facts("pr:merged", hook) == facts("pr:merged", SERVER_MERGED_HOOK)


def test_data_center_tells_that_one_is_open_or_declined() -> None:
    (opened,) = facts("pr:opened", SERVER_OPENED_HOOK)
    assert opened.values["closed_at"] is None
    assert not {"merged_at", "merge_commit_sha", "url"} & set(opened.values)
    declined = changed(SERVER_MERGED_HOOK, pullRequest__state="DECLINED")
    (found,) = facts("pr:declined", declined)
    assert found.values["closed_at"] == UPDATED
    assert not {"merged_at", "merge_commit_sha"} & set(found.values)


def test_a_push_to_data_center_tells_the_commits_of_the_branch_itself() -> None:
    push, event = facts("repo:refs_changed", SERVER_PUSH_HOOK)
    commits = (PushedCommit(sha=MERGE, committed_at=TEN),)
    assert push == BranchPush(repository=SERVER, branch="main", commits=commits)
    assert (event.source, event.branch, event.commit_sha) == (EventSource.PUSH, "main", MERGE)
    assert event.at == TEN + timedelta(seconds=2)


def test_old_servers_tell_no_commits_of_a_push() -> None:
    hook = {**SERVER_PUSH_HOOK, "toCommit": None, "commits": []}
    (event,) = facts("repo:refs_changed", hook)
    assert event.commit_sha == MERGE


def test_a_tag_of_data_center_stands_for_a_commit() -> None:
    (event,) = facts("repo:refs_changed", SERVER_TAG_HOOK)
    assert (event.source, event.tag, event.commit_sha) == (EventSource.TAG, "v2", MERGE)
    deleted = changed(SERVER_TAG_HOOK, changes__0__type="DELETE")
    assert facts("repo:refs_changed", deleted) == []


def test_a_repository_of_data_center_that_is_renamed_is_still_the_same() -> None:
    (found,) = facts("repo:modified", SERVER_RENAMED_HOOK)
    assert (found.name, found.former_name, found.source_id) == (SERVER, "PRJ/till", "4")
    assert found.archived is False


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UnreadablePayload, match=r"pullRequest\.toRef"):
        facts("pr:merged", changed(SERVER_MERGED_HOOK, pullRequest__toRef=None))
    hook = changed(MERGED_HOOK, pullrequest__destination={"branch": None})
    with pytest.raises(UnreadablePayload, match=r"pullrequest\.destination\.branch"):
        facts("pullrequest:fulfilled", hook)


HOOKS = CLOUD_HOOKS | SERVER_HOOKS


@given(st.data())
def test_nothing_but_its_own_refusal_comes_of_a_mangled_webhook(data: st.DataObject) -> None:
    event = data.draw(st.sampled_from(sorted(HOOKS)))
    payload = data.draw(mutated([HOOKS[event], TAG_HOOK, SERVER_TAG_HOOK]))
    with suppress(UnreadablePayload):
        facts(event, payload)


def test_no_payload_here_was_changed_by_a_test() -> None:
    assert PUSH_HOOK["push"]["changes"][0]["old"]["target"]["hash"] == OLD
