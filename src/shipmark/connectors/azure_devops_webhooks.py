"""Service hooks of Azure DevOps.

They carry no signature: what proves them genuine is a secret that they are set up to send, as the
password of basic authentication or in a header. Events of pipelines, releases and tags name
neither repository nor commit, so `follow_up` asks the API about them.
"""

import json
from collections.abc import Mapping
from typing import Any

from shipmark.application.facts import Fact
from shipmark.connectors.azure_devops_facts import (
    SOURCE,
    PullWire,
    PushWire,
    Reference,
    RepositoryWire,
    branch_pushes,
    pull_facts,
    push_events,
    repository_facts,
)
from shipmark.connectors.azure_devops_pushes import tags_of_push
from shipmark.connectors.azure_devops_releases import release_deployment
from shipmark.connectors.azure_devops_runs import run
from shipmark.connectors.exchange import Dialogue
from shipmark.connectors.payloads import Instant, Text, Wire, read, tag_of, told
from shipmark.connectors.pull_events import with_merges
from shipmark.connectors.shared_secret import knows_secret
from shipmark.connectors.signatures import digest

PULLS = {"git.pullrequest.created", "git.pullrequest.updated", "git.pullrequest.merged"}
PUSH = "git.push"
BUILD = "build.complete"
RUNS = {
    "ms.vss-pipelines.run-state-changed-event",
    "ms.vss-pipelines.stage-state-changed-event",
    "ms.vss-pipelines.job-state-changed-event",
}
DEPLOYMENT = "ms.vss-release.deployment-completed-event"


class Containers(Wire):
    project: Reference = Reference()


class Envelope(Wire, rename="camel"):
    event_type: Text
    created_date: Instant | None = None
    resource_containers: Containers = Containers()


class PullHook(Wire):
    resource: PullWire


class PushHook(Wire):
    resource: PushWire


class RepositoryResource(Wire):
    repository: RepositoryWire


class RepositoryHook(Wire):
    """Whose push it was: past pushes, which the API lists, do not say so."""

    resource: RepositoryResource


class Numbered(Wire):
    id: int


class BuildHook(Wire):
    resource: Numbered


class RunResource(Wire):
    run: Numbered


class RunHook(Wire):
    resource: RunResource


class EnvironmentWire(Wire, rename="camel"):
    id: int
    definition_environment_id: int
    release: Numbered


class DeploymentResource(Wire):
    environment: EnvironmentWire
    project: Reference = Reference()


class DeploymentHook(Wire):
    resource: DeploymentResource


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:  # noqa: ARG001
    """Whether the sender knows the secret, by basic authentication or by a header."""
    return knows_secret(secret, headers)


def delivery_id(headers: Mapping[str, str], body: bytes) -> str:  # noqa: ARG001
    """The subscription's number of this notification, which a repeat of it has again."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if isinstance(payload, dict):
        subscription, number = payload.get("subscriptionId"), payload.get("notificationId")
        if isinstance(subscription, str) and isinstance(number, int) and subscription:
            return f"{subscription}:{number}"[:255]
    return digest(body)


def read_webhook(headers: Mapping[str, str], payload: Any) -> list[Fact]:  # noqa: ARG001
    """What a notification says by itself; nothing for one that needs a `follow_up`.

    Raises UnreadablePayload.
    """
    envelope = read(Envelope, payload)
    as_of = told(envelope.created_date)
    if envelope.event_type in PULLS:
        pull = read(PullHook, payload).resource
        return [
            repository_facts(pull.repository, as_of=as_of),
            *with_merges([pull_facts(pull, as_of=as_of)], SOURCE),
        ]
    if envelope.event_type == PUSH:
        push = read(PushHook, payload).resource
        repository = read(RepositoryHook, payload).resource.repository
        name = repository.full_name
        return [
            repository_facts(repository, as_of=as_of),
            *branch_pushes(name, push),
            *push_events(name, push),
        ]
    return []


def follow_up(payload: Any, *, base_url: str) -> Dialogue[list[Fact]] | None:
    """What to ask the API so that a notification says everything; None: it already does.

    ``base_url`` is the organisation's or collection's. Raises UnreadablePayload.
    """
    envelope = read(Envelope, payload)
    kind, project = envelope.event_type, envelope.resource_containers.project.id
    if kind == PUSH:
        push = read(PushHook, payload).resource
        repository = read(RepositoryHook, payload).resource.repository
        tagged = any(tag_of(update.name) for update in push.ref_updates)
        return tags_of_push(repository.full_name, push) if tagged else None
    if kind == DEPLOYMENT:
        resource = read(DeploymentHook, payload).resource
        owner = resource.project.name or project
        if not owner:
            return None
        return release_deployment(
            owner,
            base_url=base_url,
            release_id=resource.environment.release.id,
            environment_id=resource.environment.id,
            definition_environment_id=resource.environment.definition_environment_id,
        )
    if not project:
        return None
    if kind == BUILD:
        return run(project, read(BuildHook, payload).resource.id)
    return run(project, read(RunHook, payload).resource.run.id) if kind in RUNS else None
