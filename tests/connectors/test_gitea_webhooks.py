"""Webhooks of Gitea and Forgejo are read into facts."""

import copy
import hashlib
import hmac
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.connectors.giteas import COMMIT, a_commit, a_pull_request, a_repository
from tests.connectors.talks import only

from shipmark.application.facts import BranchPush, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.gitea_webhooks import READERS, delivery_id, is_genuine, read_webhook
from shipmark.connectors.payloads import UnreadablePayload
from shipmark.domain.events import EventSource, SourceEvent

ZEROS = "0" * 40
NOW = datetime(2026, 3, 4, 9, tzinfo=UTC)


def facts(event: str, payload: Any, received_at: datetime | None = NOW) -> list[Any]:
    return read_webhook({"x-gitea-event": event}, payload, received_at=received_at)


def a_push(ref: str = "refs/heads/main", **changes: Any) -> dict[str, Any]:
    return {
        "ref": ref,
        "before": "f" * 40,
        "after": COMMIT,
        "commits": [a_commit()],
        "total_commits": 1,
        "head_commit": a_commit(),
        "repository": a_repository(),
    } | changes


def a_release(**changes: Any) -> dict[str, Any]:
    release = {
        "id": 3,
        "tag_name": "v1",
        "target_commitish": "main",
        "html_url": "https://git.example.com/org/app/releases/tag/v1",
        "draft": False,
        "prerelease": False,
        "published_at": "2026-03-01T12:00:00+01:00",
    }
    return {"action": "published", "release": release | changes, "repository": a_repository()}


EVENTS: dict[str, dict[str, Any]] = {
    "pull_request": {
        "action": "closed",
        "number": 5,
        "pull_request": a_pull_request(),
        "repository": a_repository(),
    },
    "push": a_push(),
    "release": a_release(),
    "repository": {"action": "created", "repository": a_repository()},
}


# Signatures


def hexdigest(body: bytes, secret: str = "secret") -> str:  # noqa: S107 - a secret of tests
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("name", ["x-gitea-signature", "x-forgejo-signature"])
def test_a_signature_is_genuine_under_either_name(name: str) -> None:
    assert is_genuine("secret", {name: hexdigest(b"{}")}, b"{}")
    assert not is_genuine("secret", {name: hexdigest(b"{}")}, b"{ }")


def test_the_signature_that_github_has_is_genuine_too() -> None:
    assert is_genuine("secret", {"x-hub-signature-256": "sha256=" + hexdigest(b"{}")}, b"{}")
    assert not is_genuine("secret", {"x-hub-signature-256": "sha1=" + hexdigest(b"{}")}, b"{}")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-gitea-signature": ""},
        {"x-gitea-signature": "ä"},
        {"x-gitea-signature": "sha256=" + "0" * 64},
        {"x-hub-signature-256": hexdigest(b"{}")},
    ],
)
def test_a_signature_that_is_missing_or_malformed_is_not_genuine(headers: dict[str, str]) -> None:
    assert not is_genuine("secret", headers, b"{}")
    assert not is_genuine("", headers, b"{}")


def test_an_empty_signature_of_a_webhook_without_a_secret_is_not_genuine() -> None:
    assert not is_genuine("", {"x-gitea-signature": hexdigest(b"{}", "")}, b"{}")


def test_a_delivery_is_known_by_its_id_or_else_by_its_body() -> None:
    assert delivery_id({"x-gitea-delivery": "f6266f16"}, b"{}") == "f6266f16"
    assert delivery_id({"x-forgejo-delivery": "a", "x-gitea-delivery": "b"}, b"{}") == "a"
    assert delivery_id({}, b"{}") == hashlib.sha256(b"{}").hexdigest()


# Events


@pytest.mark.parametrize("header", ["x-forgejo-event", "x-gitea-event", "x-github-event"])
def test_an_event_is_named_by_any_of_its_headers(header: str) -> None:
    assert read_webhook({header: "repository"}, EVENTS["repository"])


def test_events_that_say_nothing_to_us_are_no_facts() -> None:
    assert facts("issue_comment", {}) == []
    assert facts("create", {"ref": "v1", "ref_type": "tag", "sha": COMMIT}) == []
    with pytest.raises(UnreadablePayload, match="x-gitea-event"):
        read_webhook({}, {})


@given(st.data())
def test_a_payload_that_is_damaged_is_read_or_refused(data: st.DataObject) -> None:
    event = data.draw(st.sampled_from(sorted(READERS)))
    payload = copy.deepcopy(EVENTS[event])
    at: Any = payload
    while isinstance(at, dict):
        key = data.draw(st.sampled_from(sorted(at)))
        if not isinstance(at[key], dict) or data.draw(st.booleans()):
            at[key] = data.draw(st.none() | st.integers() | st.text() | st.just([]) | st.just({}))
            break
        at = at[key]
    with suppress(UnreadablePayload):
        assert isinstance(facts(event, payload), list)


def test_a_merged_pull_request_is_told_and_an_event() -> None:
    pull, event = facts("pull_request", EVENTS["pull_request"])
    merged_at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert pull == PullFacts(
        repository="org/app",
        number=5,
        values={
            "base_ref": "main",
            "source_id": "11",
            "title": "Add a thing",
            "author": "someone",
            "url": "https://git.example.com/org/app/pulls/5",
            "head_ref": "thing",
            "head_sha": "a" * 40,
            "created_at": datetime(2026, 2, 28, 12, tzinfo=UTC),
            "closed_at": merged_at,
            "merged_at": merged_at,
            "merge_commit_sha": COMMIT,
            "labels": ("a", "b"),
        },
        as_of=merged_at,
    )
    assert isinstance(event, SourceEvent)
    assert event.key == "gitea:org/app:pull:5:merged"
    assert (event.branch, event.commit_sha, event.at) == ("main", COMMIT, merged_at)


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({"merged_at": None}, "merge_commit_sha", None),
        ({"merged_at": "0001-01-01T00:00:00Z"}, "merged_at", None),
        ({"user": {"login": "Ghost"}}, "author", None),
        ({"user": None}, "author", None),
        ({"labels": None}, "labels", ()),
        ({"head": {"ref": "thing", "sha": ""}}, "head_sha", None),
    ],
)
def test_what_may_be_missing_is_none(changes: dict[str, Any], name: str, value: Any) -> None:
    payload = EVENTS["pull_request"] | {"pull_request": a_pull_request(**changes)}
    (pull,) = only(facts("pull_request", payload), PullFacts)
    assert pull.values[name] == value


def test_a_head_whose_branch_is_gone_keeps_the_name_it_had() -> None:
    gone = a_pull_request(head={"ref": "refs/pull/5/head", "sha": "a" * 40})
    (pull, _) = facts("pull_request", EVENTS["pull_request"] | {"pull_request": gone})
    assert "head_ref" not in pull.values


def test_a_push_tells_the_commits_and_is_an_event() -> None:
    push, event = facts("push", a_push())
    assert isinstance(push, BranchPush)
    (commit,) = push.commits
    assert (push.branch, commit.sha, commit.files) == ("main", COMMIT, ("a.txt", "b.txt"))
    assert commit.committed_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert (event.source, event.branch, event.commit_sha) == (EventSource.PUSH, "main", COMMIT)


def test_a_push_of_older_commits_was_when_it_was_received() -> None:
    for ref in ("refs/heads/main", "refs/tags/v1"):
        (event,) = only(facts("push", a_push(ref)), SourceEvent)
        assert event.at == NOW
        (event,) = only(facts("push", a_push(ref), received_at=None), SourceEvent)
        assert event.at == datetime(2026, 3, 1, 13, tzinfo=UTC)


def test_a_pushed_tag_is_an_event_with_its_commit() -> None:
    (event,) = facts("push", a_push("refs/tags/v1", after="e" * 40, commits=None))
    assert (event.source, event.tag, event.commit_sha) == (EventSource.TAG, "v1", COMMIT)
    assert event.key == f"gitea:org/app:tag:v1:{COMMIT}"


def test_what_is_deleted_is_no_fact() -> None:
    assert facts("push", a_push(after=ZEROS, commits=[], head_commit=None)) == []


def test_a_release_is_an_event_once_it_is_published() -> None:
    (event,) = facts("release", a_release())
    assert (event.source, event.tag) == (EventSource.RELEASE, "v1")
    assert event.at == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert facts("release", a_release(draft=True)) == []
    assert facts("release", a_release() | {"action": "updated"}) == []


def test_a_repository_is_told() -> None:
    (fact,) = facts("repository", EVENTS["repository"])
    assert fact == RepositoryFacts(
        name="org/app",
        source="gitea",
        source_id="7",
        as_of=datetime(2026, 3, 1, 13, tzinfo=UTC),
        archived=False,
        values={"default_branch": "main"},
    )
    (deleted,) = facts("repository", EVENTS["repository"] | {"action": "deleted"})
    assert deleted.archived is True


def test_the_payloads_here_are_json() -> None:
    assert json.loads(json.dumps(EVENTS)) == EVENTS
