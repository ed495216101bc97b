"""Service hooks of Azure DevOps become facts."""

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import sha
from tests.connectors import azure_devops_payloads as given_
from tests.connectors.azure_devops_payloads import BASE, NAME, PROJECT_ID
from tests.connectors.dialogues import an_answer, hold

from shipmark.application.facts import BranchPush, Fact, PushedCommit, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.azure_devops import delivery_id, follow_up, is_genuine, read_webhook
from shipmark.connectors.payloads import UnreadablePayload
from shipmark.domain.events import EventSource, SourceEvent

SECRET = "correct horse: battery"  # noqa: S105
MERGED_AT = datetime(2026, 3, 2, 11, 30, tzinfo=UTC)
PAGE = f"{BASE}/Web%20Team/_git/shop%20api/pullrequest/17"


def basic(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    "headers",
    [
        basic(f":{SECRET}"),
        basic(f"shipmark:{SECRET}"),
        {"authorization": basic(f"x:{SECRET}")["authorization"].replace("Basic", "basic")},
        {"x-shipmark-secret": SECRET},
        {"authorization": f"Bearer {SECRET}"},
        basic("x:wrong") | {"x-shipmark-secret": SECRET},
    ],
)
def test_who_knows_the_secret_is_genuine(headers: dict[str, str]) -> None:
    assert is_genuine(SECRET, headers, b"{}")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic(SECRET),
        basic(f"{SECRET}:"),
        basic("shipmark:wrong"),
        basic(f"shipmark:{SECRET} "),
        {"authorization": "Basic !!!"},
        {"authorization": "Basic ä"},
        {"authorization": f"Digest {SECRET}"},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer \ud800"},
        {"authorization": ""},
        {"x-shipmark-secret": "wrong"},
        {"x-shipmark-secret": ""},
    ],
)
def test_who_does_not_know_it_is_not(headers: dict[str, str]) -> None:
    assert not is_genuine(SECRET, headers, b"{}")


def test_without_a_secret_nobody_is_genuine() -> None:
    assert not is_genuine("", {}, b"")
    assert not is_genuine("", basic(":"), b"")
    assert not is_genuine("", {"x-shipmark-secret": ""}, b"")


def test_a_repeat_of_a_notification_has_its_id_again() -> None:
    body = json.dumps(given_.hook("git.push", {})).encode()
    again = json.dumps(given_.hook("git.push", {"repeated": True})).encode()
    other = json.dumps(given_.hook("git.push", {}, notificationId=6)).encode()
    assert (
        delivery_id({}, body)
        == delivery_id({}, again)
        == f"{'c' * 8}-0000-0000-0000-" + ("000000000003:5")
    )
    assert delivery_id({}, other) != delivery_id({}, body)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"subscriptionId": 1}', b"[" * 9999])
def test_a_notification_without_a_number_is_known_by_its_body(body: bytes) -> None:
    assert delivery_id({}, body) == delivery_id({}, bytes(body))
    assert len(delivery_id({}, body)) == 64
    assert delivery_id({}, body) != delivery_id({}, body + b" ")


def told(kind: str, resource: dict[str, Any]) -> list[Fact]:
    return read_webhook({}, given_.hook(kind, resource))


@pytest.mark.parametrize(
    "kind", ["git.pullrequest.created", "git.pullrequest.updated", "git.pullrequest.merged"]
)
def test_a_completed_pull_request_is_merged(kind: str) -> None:
    repository, pull, event = told(kind, given_.pull())
    assert repository == RepositoryFacts(
        name=NAME,
        source="azure_devops",
        source_id=given_.REPOSITORY_ID,
        as_of=datetime(2026, 3, 2, 11, 30, 5, tzinfo=UTC),
        values={"default_branch": "main"},
    )
    assert pull == PullFacts(
        repository=NAME,
        number=17,
        as_of=datetime(2026, 3, 2, 11, 30, 5, tzinfo=UTC),
        values={
            "base_ref": "main",
            "source_id": "17",
            "title": "Sell shoes",
            "author": "ada@example.com",
            "url": PAGE,
            "head_ref": "feature/shoes",
            "head_sha": sha(1),
            "created_at": datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC),
            "merged_at": MERGED_AT,
            "closed_at": MERGED_AT,
            "merge_commit_sha": sha(3),
        },
    )
    assert event == SourceEvent(
        source=EventSource.MERGED_PULL_REQUEST,
        key=f"azure_devops:{NAME}:pull:17:merged",
        repository=NAME,
        at=MERGED_AT,
        success=True,
        commit_sha=sha(3),
        branch="main",
        pull_number=17,
        url=PAGE,
    )


@pytest.mark.parametrize("status", ["active", "abandoned", "notSet"])
def test_a_merge_commit_of_a_pull_request_that_is_not_completed_is_only_a_trial(
    status: str,
) -> None:
    closed = "2026-03-02T11:30:00Z" if status == "abandoned" else "0001-01-01T00:00:00"
    _, pull = told("git.pullrequest.merged", given_.pull(status=status, closedDate=closed))
    assert isinstance(pull, PullFacts)
    assert pull.values["merged_at"] is None
    assert pull.values["closed_at"] == (MERGED_AT if status == "abandoned" else None)
    assert "merge_commit_sha" not in pull.values


def test_labels_are_told_where_the_notification_has_them() -> None:
    labels = [{"name": "shop"}, {"name": "old", "active": False}]
    _, pull, _ = told("git.pullrequest.updated", given_.pull(labels=labels))
    assert isinstance(pull, PullFacts)
    assert pull.values["labels"] == ("shop",)


@pytest.mark.parametrize(
    ("url", "page"),
    [
        (f"{BASE}/_apis/git/repositories/1", PAGE),
        (f"{BASE}/{PROJECT_ID}/_apis/git/repositories/1", PAGE),
        (f"{BASE}/Web%20Team/_apis/git/repositories/1", PAGE),
        (
            "https://tfs.example.com/tfs/Main/_apis/git/repositories/1",
            "https://tfs.example.com/tfs/Main/Web%20Team/_git/shop%20api/pullrequest/17",
        ),
        ("", None),
    ],
)
def test_the_page_is_the_same_whatever_form_the_url_has(url: str, page: str | None) -> None:
    pull = given_.pull(repository=given_.repository(url=url))
    _, facts, _ = told("git.pullrequest.updated", pull)
    assert isinstance(facts, PullFacts)
    assert facts.values.get("url") == page


def test_a_push_puts_its_commits_on_the_branch() -> None:
    commits = [given_.commit(3, day=2), given_.commit(2, day=1)]
    repository, pushed, event = told(
        "git.push", given_.push(("refs/heads/a/b", 3), commits=commits)
    )
    assert isinstance(repository, RepositoryFacts)
    assert pushed == BranchPush(
        repository=NAME,
        branch="a/b",
        commits=(
            PushedCommit(sha=sha(3), committed_at=datetime(2026, 3, 2, 9, tzinfo=UTC)),
            PushedCommit(sha=sha(2), committed_at=datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ),
    )
    assert event == SourceEvent(
        source=EventSource.PUSH,
        key=f"azure_devops:{NAME}:push:14:a/b",
        repository=NAME,
        at=datetime(2026, 3, 2, 11, 30, 1, 500000, tzinfo=UTC),
        success=True,
        commit_sha=sha(3),
        branch="a/b",
    )


def test_of_a_push_to_several_branches_only_the_heads_are_sure() -> None:
    commits = [given_.commit(3), given_.commit(2), given_.commit(1)]
    push = given_.push(("refs/heads/a", 3), ("refs/heads/b", 1), commits=commits)
    pushes = [fact for fact in told("git.push", push) if isinstance(fact, BranchPush)]
    assert [(one.branch, [commit.sha for commit in one.commits]) for one in pushes] == [
        ("a", [sha(3)]),
        ("b", [sha(1)]),
    ]


@pytest.mark.parametrize("update", [("refs/heads/a", 0), ("refs/tags/v1", 3), ("refs/notes/x", 3)])
def test_what_is_no_push_to_a_branch_puts_nothing_on_one(update: tuple[str, int]) -> None:
    assert len(told("git.push", given_.push(update))) == 1


def test_tags_of_a_push_are_asked_for_because_only_the_api_tells_their_commits() -> None:
    push = given_.push(("refs/tags/v1.0", 4), ("refs/heads/main", 3))
    question = follow_up(given_.hook("git.push", push), base_url=BASE)
    assert question is not None
    ref = {"name": "refs/tags/v1.0", "objectId": sha(4), "peeledObjectId": sha(3)}
    facts, asked = hold(question, [an_answer({"value": [ref]})])
    assert asked[0].query["filter"] == "tags/v1.0"
    assert facts == [
        SourceEvent(
            source=EventSource.TAG,
            key=f"azure_devops:{NAME}:tag:v1.0:{sha(4)}",
            repository=NAME,
            at=datetime(2026, 3, 2, 11, 30, 1, 500000, tzinfo=UTC),
            success=True,
            commit_sha=sha(3),
            tag="v1.0",
        )
    ]


def test_a_push_without_tags_says_everything_by_itself() -> None:
    hook = given_.hook("git.push", given_.push(("refs/heads/main", 3)))
    assert follow_up(hook, base_url=BASE) is None
    assert follow_up(given_.hook("git.pullrequest.updated", given_.pull()), base_url=BASE) is None
    assert follow_up(given_.hook("workitem.created", {}), base_url=BASE) is None


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("build.complete", {"id": 99}),
        ("ms.vss-pipelines.run-state-changed-event", {"run": {"id": 99}}),
        ("ms.vss-pipelines.stage-state-changed-event", {"run": {"id": 99}, "stage": {}}),
        ("ms.vss-pipelines.job-state-changed-event", {"run": {"id": 99}, "job": {}}),
    ],
)
def test_runs_are_asked_for_because_notifications_do_not_name_their_commit(
    kind: str, resource: dict[str, Any]
) -> None:
    assert told(kind, resource) == []
    question = follow_up(given_.hook(kind, resource), base_url=BASE)
    assert question is not None
    facts, asked = hold(question, [an_answer(given_.build()), an_answer(status=204)])
    assert asked[0].path == f"/{PROJECT_ID}/_apis/build/builds/99"
    assert [fact.key for fact in facts if isinstance(fact, SourceEvent)] == [
        f"azure_devops:{NAME}:run:99:success"
    ]


def test_a_run_of_no_project_is_not_asked_for() -> None:
    hook = given_.hook("build.complete", {"id": 99}, resourceContainers={})
    assert follow_up(hook, base_url=BASE) is None


def test_other_notifications_say_nothing() -> None:
    assert told("workitem.created", {}) == []


@pytest.mark.parametrize(
    ("kind", "resource", "path"),
    [
        ("git.push", {}, "pushId"),
        ("git.pullrequest.updated", given_.pull(pullRequestId="x"), "$.resource.pullRequestId"),
        ("git.pullrequest.updated", given_.pull(repository=None), "$.resource.repository"),
        ("git.pullrequest.updated", given_.pull(closedDate="soon"), "$.resource.closedDate"),
    ],
)
def test_a_notification_that_cannot_be_read_is_refused_with_the_place(
    kind: str, resource: dict[str, Any], path: str
) -> None:
    with pytest.raises(UnreadablePayload) as refusal:
        told(kind, resource)
    assert path in refusal.value.message


HOOKS = [
    given_.hook("git.push", given_.push(("refs/heads/main", 3), ("refs/tags/v1", 3))),
    given_.hook("git.pullrequest.updated", given_.pull(labels=[{"name": "x"}])),
    given_.hook("build.complete", {"id": 99}),
    given_.hook(
        "ms.vss-release.deployment-completed-event",
        {"environment": {"id": 8, "definitionEnvironmentId": 3, "release": {"id": 5}}},
    ),
]
ODD = st.sampled_from([None, True, 0, -1, 10**40, 1.5, "", "x", "\ud800", "0" * 40, [], {}, [None]])


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(value, dict | list):
        return [path]
    below = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(found for key, one in below for found in _paths(one, (*path, key)))]


@given(st.sampled_from(HOOKS), st.data())
def test_nothing_but_a_refusal_comes_of_a_notification_that_is_changed(
    hook: dict[str, Any], data: st.DataObject
) -> None:
    changed = {"": json.loads(json.dumps(hook))}
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = ("", *data.draw(st.sampled_from(_paths(changed[""]))))
        place: Any = changed
        for step in way:
            place = place[step]
        place[last] = json.loads(json.dumps(data.draw(ODD)))
    with suppress(UnreadablePayload):
        read_webhook({}, changed[""])
    with suppress(UnreadablePayload):
        follow_up(changed[""], base_url=BASE)
    delivery_id({}, json.dumps(changed[""]).encode())
