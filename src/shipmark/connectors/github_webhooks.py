"""What GitHub tells by itself: webhooks of a repository, an organization or a GitHub App.

Of a tag that is made, GitHub sends two events: `create`, which does not name the commit, and
`push`, which does. Only `push` is read as an event, so that what comes of it does not depend on
which arrives first.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from shipmark.application.facts import Fact, RepositoryFacts
from shipmark.connectors.branch_pushes import branch_push
from shipmark.connectors.github_facts import (
    SOURCE,
    Deployment,
    DeploymentStatus,
    PullRequest,
    Release,
    Repository,
    User,
    WorkflowJob,
    WorkflowRun,
    deployment_event,
    job_event,
    pull_facts,
    pushed_commit,
    release_event,
    repository_facts,
    run_event,
    tag_event,
)
from shipmark.connectors.payloads import (
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
from shipmark.domain.events import SourceEvent

SIGNATURE = "x-hub-signature-256"
SIGNED_WITH = "sha256="
EVENT = "x-github-event"
DELIVERY = "x-github-delivery"


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the body was signed with the webhook's secret. Header names are lower-case."""
    method, _, signature = headers.get(SIGNATURE, "").partition("=")
    return f"{method}=" == SIGNED_WITH and is_signed(secret, signature, body)


def delivery_id(headers: Mapping[str, str], body: bytes) -> str:
    """GitHub's id of the delivery, which one that is sent again has again."""
    return headers.get(DELIVERY) or digest(body)


def read_webhook(headers: Mapping[str, str], payload: Any) -> list[Fact]:
    """The facts in a webhook; none where the event says nothing of them.

    Raises UnreadablePayload.
    """
    event = headers.get(EVENT)
    if not event:
        raise UnreadablePayload(f"The header {EVENT} is missing.")
    reader = READERS.get(event)
    return reader(payload) if reader else []


class PullRequestEvent(Wire):
    action: Text
    pull_request: PullRequest
    repository: Repository


def _pull_request(payload: Any) -> list[Fact]:
    event = read(PullRequestEvent, payload)
    pull = pull_facts(event.repository.full_name, event.pull_request, **_review(event))
    return list(with_merges([pull], SOURCE))


def _review(event: PullRequestEvent) -> dict[str, Any]:
    """Since when a pull request is up for review, where this event tells."""
    pull = event.pull_request
    if pull.draft:
        return {"ready_for_review_at": None}
    if event.action == "ready_for_review":
        return {"ready_for_review_at": pull.updated_at}
    return {"ready_for_review_at": pull.created_at} if event.action == "opened" else {}


class PushCommit(Wire):
    id: SHA
    timestamp: Instant
    added: tuple[Text, ...] = ()
    removed: tuple[Text, ...] = ()
    modified: tuple[Text, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(sorted({*self.added, *self.removed, *self.modified}))


class PushEvent(Wire):
    ref: Text
    before: SHA
    after: SHA
    repository: Repository
    commits: tuple[PushCommit, ...] = ()
    forced: bool = False
    head_commit: PushCommit | None = None


def _push(payload: Any) -> list[Fact]:
    event = read(PushEvent, payload)
    head, name = event.head_commit, event.repository.full_name
    if not event.after or head is None:
        return []
    at = event.repository.pushed_at or head.timestamp
    if tag := tag_of(event.ref):
        # An annotated tag has a SHA of its own; the commit is the one at its end.
        return [tag_event(name, tag, head.id, at)]
    branch = branch_of(event.ref)
    if not branch:
        return []
    pushed = push_event(SOURCE, name, branch, at, before=event.before, after=event.after)
    return [*_commits(event, branch), pushed]


def _commits(event: PushEvent, branch: str) -> list[Fact]:
    """The commits that the branch got. The head of a new branch may be an old commit of another
    one, and then it is not among them: it is not this branch's own."""
    # What was taken off a branch by force is not among the files.
    commits = tuple(
        pushed_commit(one.id, one.timestamp, None if event.forced else one.files)
        for one in event.commits
    )
    name = event.repository.full_name
    return branch_push(name, branch, commits)


class Workflow(Wire):
    name: Text | None = None


class DeploymentStatusEvent(Wire):
    deployment_status: DeploymentStatus
    deployment: Deployment
    repository: Repository
    workflow: Workflow | None = None


def _deployment_status(payload: Any) -> list[Fact]:
    event = read(DeploymentStatusEvent, payload)
    name, workflow = event.repository.full_name, event.workflow.name if event.workflow else None
    return _any(deployment_event(name, event.deployment, event.deployment_status, workflow))


class WorkflowRunEvent(Wire):
    action: Text
    workflow_run: WorkflowRun
    repository: Repository


def _workflow_run(payload: Any) -> list[Fact]:
    event = read(WorkflowRunEvent, payload)
    if event.action != "completed":
        return []
    repository = event.repository
    return _any(run_event(repository.full_name, event.workflow_run, repository.id))


class WorkflowJobEvent(Wire):
    action: Text
    workflow_job: WorkflowJob
    repository: Repository


def _workflow_job(payload: Any) -> list[Fact]:
    event = read(WorkflowJobEvent, payload)
    if event.action != "completed":
        return []
    return _any(job_event(event.repository.full_name, event.workflow_job))


class ReleaseEvent(Wire):
    action: Text
    release: Release
    repository: Repository


def _release(payload: Any) -> list[Fact]:
    """Of one release, GitHub sends `published` and one or more others; it is one event."""
    event = read(ReleaseEvent, payload)
    if event.action != "published":
        return []
    return _any(release_event(event.repository.full_name, event.release))


def _any(event: SourceEvent | None) -> list[Fact]:
    return [event] if event else []


class FormerName(Wire):
    value: Text = msgspec.field(name="from")


class Renaming(Wire):
    name: FormerName


class FormerAccount(Wire):
    user: User | None = None
    organization: User | None = None


class Moving(Wire):
    account: FormerAccount = msgspec.field(name="from")


class Changes(Wire):
    repository: Renaming | None = None
    owner: Moving | None = None


class RepositoryEvent(Wire):
    action: Text
    repository: Repository
    changes: Changes = Changes()


def _repository(payload: Any) -> list[Fact]:
    """A repository was made, renamed, changed, transferred, archived or deleted.

    One that is deleted is told as archived: what it shipped stays true.
    """
    event = read(RepositoryEvent, payload)
    archived = {"archived": True, "unarchived": False, "deleted": True}.get(event.action)
    return [repository_facts(event.repository, former_name=_former_name(event), archived=archived)]


def _former_name(event: RepositoryEvent) -> str | None:
    owner, _, name = event.repository.full_name.partition("/")
    renaming, moving = event.changes.repository, event.changes.owner
    if renaming:
        return f"{owner}/{renaming.name.value}"
    account = moving and (moving.account.organization or moving.account.user)
    return f"{account.login}/{name}" if account else None


class InstallationEvent(Wire):
    action: Text
    repositories: tuple[Repository, ...] = ()
    repositories_added: tuple[Repository, ...] = ()


def _installation(payload: Any) -> list[Fact]:
    """A GitHub App got repositories to see. Of those it may see no more, nothing is known."""
    event = read(InstallationEvent, payload)
    lost = event.action in {"deleted", "suspend"}
    seen = () if lost else (*event.repositories, *event.repositories_added)
    facts: list[RepositoryFacts] = [repository_facts(one) for one in seen]
    return [*facts]


READERS: Mapping[str, Callable[[Any], list[Fact]]] = {
    "pull_request": _pull_request,
    "push": _push,
    "deployment_status": _deployment_status,
    "workflow_run": _workflow_run,
    "workflow_job": _workflow_job,
    "release": _release,
    "repository": _repository,
    "installation": _installation,
    "installation_repositories": _installation,
}
