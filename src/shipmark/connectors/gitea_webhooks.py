"""What Gitea and Forgejo tell by themselves, in webhooks of type Gitea or Forgejo.

A push tells five of its commits unless the server is set to tell more (`FEED_MAX_COMMIT_NUM`); the
API has them all. Of a tag that is made, there are two events: `create`, which tells of an annotated
tag the SHA of the tag itself, and `push`, which tells the commit. Only `push` is read as an event.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from shipmark.application.facts import Fact, PushedCommit
from shipmark.connectors.branch_pushes import branch_push
from shipmark.connectors.gitea_facts import (
    SOURCE,
    PullRequest,
    Release,
    Repository,
    pull_facts,
    release_event,
    repository_facts,
    tag_event,
)
from shipmark.connectors.payloads import (
    EPOCH,
    SHA,
    Instant,
    Text,
    UnreadablePayload,
    Wire,
    branch_of,
    read,
    tag_of,
)
from shipmark.connectors.pull_events import with_merges
from shipmark.connectors.ref_events import push_event
from shipmark.connectors.signatures import digest, is_signed

SIGNATURES = ("x-forgejo-signature", "x-gitea-signature")
HUB_SIGNATURE = "x-hub-signature-256"
EVENTS = ("x-forgejo-event", "x-gitea-event", "x-github-event")
DELIVERIES = ("x-forgejo-delivery", "x-gitea-delivery", "x-github-delivery")


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the body was signed with the webhook's secret. Header names are lower-case.

    One signature that is right is enough, as servers send the same under several names.
    """
    method, _, hub = headers.get(HUB_SIGNATURE, "").partition("=")
    told = [_first(headers, SIGNATURES), hub if method == "sha256" else None]
    return any(is_signed(secret, signature, body) for signature in told)


def delivery_id(headers: Mapping[str, str], body: bytes) -> str:
    """The server's id of the delivery, which one that is sent again has again."""
    return _first(headers, DELIVERIES) or digest(body)


def read_webhook(
    headers: Mapping[str, str], payload: Any, *, received_at: datetime | None = None
) -> list[Fact]:
    """The facts in a webhook; none where the event says nothing of them. Raises UnreadablePayload.

    The server does not say when something was pushed. ``received_at`` stands for that.
    """
    event = _first(headers, EVENTS)
    if not event:
        raise UnreadablePayload(f"The headers {', '.join(EVENTS)} are missing.")
    reader = READERS.get(event)
    return reader(payload, received_at) if reader else []


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((headers[name] for name in names if headers.get(name)), None)


class PullRequestEvent(Wire):
    pull_request: PullRequest
    repository: Repository


def _pull_request(payload: Any, _: datetime | None) -> list[Fact]:
    event = read(PullRequestEvent, payload)
    return list(with_merges([pull_facts(event.repository.full_name, event.pull_request)], SOURCE))


class PushCommit(Wire):
    """``timestamp`` is when the commit was authored."""

    id: SHA
    timestamp: Instant
    added: tuple[Text, ...] | None = None
    removed: tuple[Text, ...] | None = None
    modified: tuple[Text, ...] | None = None

    @property
    def fact(self) -> PushedCommit:
        files = {*(self.added or ()), *(self.removed or ()), *(self.modified or ())}
        return PushedCommit(
            sha=self.id, committed_at=self.timestamp, files=tuple(sorted(files)) or None
        )


class PushEvent(Wire):
    ref: Text
    before: SHA
    after: SHA
    repository: Repository
    commits: tuple[PushCommit, ...] | None = None
    total_commits: int = 0
    head_commit: PushCommit | None = None


def _push(payload: Any, received_at: datetime | None) -> list[Fact]:
    event = read(PushEvent, payload)
    head, name = event.head_commit, event.repository.full_name
    if not event.after or head is None:
        return []
    # A push does not tell when it was. Its last commit may be much older, as what is merged by a
    # fast-forward is, and the repository is told as it was changed last before the push.
    at = received_at or max(head.timestamp, event.repository.updated_at or EPOCH)
    if tag := tag_of(event.ref):
        return [tag_event(name, tag, head.id, at)]
    branch = branch_of(event.ref)
    if not branch:
        return []
    facts = tuple(one.fact for one in event.commits or ())
    if event.total_commits > len(facts):
        # Only the newest few are told; of what the others changed, nothing is known.
        facts = tuple(replace(one, files=None) for one in facts)
    commits = branch_push(name, branch, facts)
    pushing = push_event(SOURCE, name, branch, at, before=event.before, after=event.after)
    return [*commits, pushing]


class ReleaseEvent(Wire):
    action: Text
    release: Release
    repository: Repository


def _release(payload: Any, _: datetime | None) -> list[Fact]:
    event = read(ReleaseEvent, payload)
    if event.action != "published":
        return []
    found = release_event(event.repository.full_name, event.release)
    return [found] if found else []


class RepositoryEvent(Wire):
    action: Text
    repository: Repository


def _repository(payload: Any, _: datetime | None) -> list[Fact]:
    """A repository was made, or deleted, which is told as archived: what it shipped stays true."""
    event = read(RepositoryEvent, payload)
    deleted = True if event.action == "deleted" else None
    return [repository_facts(event.repository, archived=deleted)]


READERS: Mapping[str, Callable[[Any, datetime | None], list[Fact]]] = {
    "pull_request": _pull_request,
    "push": _push,
    "release": _release,
    "repository": _repository,
}
