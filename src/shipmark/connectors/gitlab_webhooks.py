"""GitLab's webhooks: project hooks, group hooks and system hooks.

They tell less than the API: not when a request was merged, nor the commit that a fast-forward
brought. What can only be guessed from them fills in what is unknown, and gives way to the API.
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from shipmark.application.facts import Fact, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.gitlab_facts import (
    SOURCE,
    AnyMergeRequest,
    HookCommit,
    Person,
    Project,
    common_values,
    known,
    repository_facts,
    to_second,
)
from shipmark.connectors.gitlab_pushes import read_push, read_release, read_tag_push
from shipmark.connectors.gitlab_runs import read_deployment, read_job, read_pipeline
from shipmark.connectors.payloads import SHA, Instant, Text, Wire, read
from shipmark.connectors.pull_events import merged_event
from shipmark.connectors.signatures import digest

SIGNING_PREFIX = "whsec_"
SIGNATURE_VERSION = "v1,"


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether GitLab sent this: it knows the secret token, or has signed with the signing token."""
    if not secret:
        return False
    token = headers.get("x-gitlab-token", "")
    if token and hmac.compare_digest(_bytes(token), _bytes(secret)):
        return True
    return _is_signed(secret, headers, body)


def _is_signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """A signing token is a key in base64. Its signature covers the delivery's id and time too."""
    try:
        key = b64decode(secret.removeprefix(SIGNING_PREFIX), validate=True)
    except (NotBase64, ValueError):
        return False
    told = [headers.get(name, "") for name in ("webhook-id", "webhook-timestamp")]
    if not secret.startswith(SIGNING_PREFIX) or not key or not all(told):
        return False
    signed = _bytes(".".join(told)) + b"." + body
    expected = SIGNATURE_VERSION.encode() + b64encode(hmac.digest(key, signed, "sha256"))
    # While a token is replaced there are two signatures, with a space between them.
    sent = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(_bytes(one), expected) for one in sent)


def _bytes(header: str) -> bytes:
    """As bytes: compare_digest takes no text that is not ASCII, and anyone may send such."""
    return header.encode("utf-8", "replace")


def delivery_id(headers: Mapping[str, str], body: bytes) -> str:
    """What a repeated delivery has again.

    GitLab's event UUID will not do: all webhooks that one request set off share it.
    """
    told = headers.get("webhook-id") or headers.get("idempotency-key")
    return told or digest(body)


class _Kind(Wire):
    object_kind: str | None = None
    event_name: str | None = None


def read_webhook(
    headers: Mapping[str, str],  # noqa: ARG001 - The payload says itself what it is.
    payload: Any,
    *,
    received_at: datetime | None = None,
) -> list[Fact]:
    """The facts of a webhook. Raises UnreadablePayload.

    GitLab does not say when something was pushed. ``received_at`` stands for that; without it
    the time of the commit does, and there is no event of a tag.
    """
    kind = read(_Kind, payload)
    reader = _READERS.get(kind.object_kind or kind.event_name or "")
    return reader(payload, received_at) if reader else []


class _HookRequest(AnyMergeRequest):
    author_id: int | None = None
    url: Text | None = None
    action: str | None = None
    merge_commit_sha: SHA | None = None
    last_commit: HookCommit | None = None


class _Label(Wire):
    title: Text


class _MergeRequestHook(Wire):
    project: Project
    object_attributes: _HookRequest
    user: Person | None = None
    labels: tuple[_Label, ...] | None = None

    @property
    def label_titles(self) -> tuple[str, ...] | None:
        return None if self.labels is None else tuple(sorted(one.title for one in self.labels))


def _merge_request(payload: Any, _: datetime | None) -> list[Fact]:
    hook = read(_MergeRequestHook, payload)
    request, name = hook.object_attributes, hook.project.path_with_namespace
    as_of = to_second(request.updated_at)
    values = {
        **common_values(request),
        "url": request.url,
        "author": _author(hook),
        "head_sha": request.last_commit and request.last_commit.id,
        "labels": hook.label_titles,
    }
    if request.state == "merged":
        values["merge_commit_sha"] = request.merge_commit_sha or None
    facts: list[Fact] = [repository_facts(hook.project, as_of=as_of)]
    facts.append(PullFacts(repository=name, number=request.iid, values=known(values), as_of=as_of))
    return facts + _ending(name, request)


def _author(hook: _MergeRequestHook) -> str | None:
    """The one who did this is named, the author only numbered."""
    doer = hook.user
    is_author = doer is not None and doer.id == hook.object_attributes.author_id is not None
    return doer.username if doer and is_author else None


def _ending(name: str, request: _HookRequest) -> list[Fact]:
    """What merging or closing it tells: that was the last change of the request."""
    field = {"merge": "merged_at", "close": "closed_at"}.get(request.action or "")
    if field is None:
        return []
    at = to_second(request.updated_at)
    ended = PullFacts(
        repository=name,
        number=request.iid,
        values={"base_ref": request.target_branch, field: at},
        only_unknown=True,
        as_of=at,
    )
    # After a fast-forward, the head will do as the commit: it finds the same merge request.
    sha = request.merge_commit_sha or (request.last_commit and request.last_commit.id) or None
    values = known({**ended.values, "merge_commit_sha": sha, "url": request.url})
    event = merged_event(replace(ended, values=values), SOURCE)
    return [ended, replace(event, is_guessed=True)] if event else [ended]


class _MovedHook(Wire):
    project_id: int
    path_with_namespace: Text
    old_path_with_namespace: Text
    updated_at: Instant | None = None


def _moved(payload: Any, _: datetime | None) -> list[Fact]:
    hook = read(_MovedHook, payload)
    return [
        RepositoryFacts(
            name=hook.path_with_namespace,
            source=SOURCE,
            source_id=str(hook.project_id),
            as_of=hook.updated_at,
            former_name=hook.old_path_with_namespace,
        )
    ]


_READERS: dict[str, Callable[[Any, datetime | None], list[Fact]]] = {
    "merge_request": _merge_request,
    "push": read_push,
    "tag_push": read_tag_push,
    "pipeline": read_pipeline,
    "build": read_job,
    "deployment": read_deployment,
    "release": read_release,
    "project_rename": _moved,
    "project_transfer": _moved,
}
