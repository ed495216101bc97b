"""The webhooks of all forges, by the last part of the address to which they are sent.

A reader's facts begin with the repository they are about, by the forge's own id for it, whatever
the event: so an event that arrives before the news of a new name is not taken for that of another
repository.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import parse_qs

from shipmark.application.facts import BranchPush, Fact, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors import (
    azure_devops_webhooks,
    bitbucket_cloud_facts,
    bitbucket_data_center_facts,
    bitbucket_webhooks,
    gitea_facts,
    gitea_webhooks,
    github_facts,
    github_webhooks,
    gitlab_facts,
    gitlab_webhooks,
)
from shipmark.connectors.payloads import EPOCH, UnreadablePayload, Wire, read
from shipmark.domain.events import SourceEvent

FORM = "application/x-www-form-urlencoded"
CONTENT_TYPE = "content-type"


class Read(Protocol):
    def __call__(
        self, headers: Mapping[str, str], payload: Any, *, received_at: datetime | None
    ) -> list[Fact]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """``headers`` are those without which a payload cannot be read, in lower case."""

    is_genuine: Callable[[str, Mapping[str, str], bytes], bool]
    delivery_id: Callable[[Mapping[str, str], bytes], str]
    read: Read
    repository: Callable[[Any], RepositoryFacts | None]
    headers: tuple[str, ...] = ()

    @property
    def kept_headers(self) -> tuple[str, ...]:
        return (CONTENT_TYPE, *self.headers)

    def facts(
        self, headers: Mapping[str, str], body: bytes, *, received_at: datetime | None
    ) -> list[Fact]:
        """All that a delivery says. Raises UnreadablePayload."""
        payload = _payload(headers, body)
        facts = self.read(headers, payload, received_at=received_at)
        if all(isinstance(one, RepositoryFacts) for one in facts):
            return facts
        at = _not_before(facts, received_at)
        if not any(isinstance(one, RepositoryFacts) for one in facts):
            repository = self.repository(payload)
            facts = [repository, *facts] if repository else facts
        return [_dated(one, at) for one in facts]


def _not_before(facts: Iterable[Fact], received_at: datetime | None) -> datetime:
    """The latest instant that a payload tells of: it was sent no earlier.

    When it came says nothing. It may be late, and then the repository has another name or default
    branch meanwhile. A payload that tells no instant takes back nothing that is known.
    """
    told = [at for one in facts for at in _instants(one)]
    return max((at for at in told if received_at is None or at < received_at), default=EPOCH)


def _instants(fact: Fact) -> Iterable[datetime]:
    match fact:
        case PullFacts():
            return [fact.as_of] if fact.as_of else []
        case BranchPush():
            return [one.committed_at for one in fact.commits]
        case SourceEvent():
            return [fact.at]
    return []


def _dated(fact: Fact, at: datetime) -> Fact:
    """A fact about the repository as of then, unless it says itself as of when."""
    if isinstance(fact, RepositoryFacts) and fact.as_of is None:
        return replace(fact, as_of=at)
    return fact


def _payload(headers: Mapping[str, str], body: bytes) -> Any:
    """The JSON of a body, which may come as the field of a form. Raises UnreadablePayload."""
    text = body
    if headers.get(CONTENT_TYPE, "").partition(";")[0].strip().lower() == FORM:
        text = b"".join(parse_qs(body).get(b"payload", []))
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadablePayload(f"The body is not JSON: {error}.") from error


def _at_any_time(reader: Callable[[Mapping[str, str], Any], list[Fact]]) -> Read:
    """A reader that need not be told when its payload came."""

    def read_at(
        headers: Mapping[str, str], payload: Any, *, received_at: datetime | None
    ) -> list[Fact]:
        del received_at
        return reader(headers, payload)

    return read_at


class _GitHub(Wire):
    repository: github_facts.Repository


class _Gitea(Wire):
    repository: gitea_facts.Repository


class _GitLab(Wire):
    project: gitlab_facts.Project


class _Cloud(Wire):
    repository: bitbucket_cloud_facts.Repository


class _Target(Wire, rename="camel"):
    to_ref: bitbucket_data_center_facts.TargetRef


class _DataCenterPull(Wire, rename="camel"):
    pull_request: _Target


class _DataCenter(Wire):
    repository: bitbucket_data_center_facts.Repository


def _bitbucket(payload: Any) -> RepositoryFacts | None:
    if isinstance(payload, dict) and "pullRequest" in payload:
        pull = read(_DataCenterPull, payload).pull_request
        return bitbucket_data_center_facts.repository_facts(pull.to_ref.repository)
    named = payload.get("repository") if isinstance(payload, dict) else None
    if isinstance(named, dict) and "uuid" in named:
        return bitbucket_cloud_facts.repository_facts(read(_Cloud, payload).repository)
    return bitbucket_data_center_facts.repository_facts(read(_DataCenter, payload).repository)


def _gitlab(payload: Any) -> RepositoryFacts | None:
    # Job events of older servers name the project only by its address.
    if not isinstance(payload, dict) or "project" not in payload:
        return None
    return gitlab_facts.repository_facts(read(_GitLab, payload).project)


WEBHOOKS: Mapping[str, Webhook] = {
    "github": Webhook(
        is_genuine=github_webhooks.is_genuine,
        delivery_id=github_webhooks.delivery_id,
        read=_at_any_time(github_webhooks.read_webhook),
        repository=lambda payload: github_facts.repository_facts(read(_GitHub, payload).repository),
        headers=(github_webhooks.EVENT,),
    ),
    "gitlab": Webhook(
        is_genuine=gitlab_webhooks.is_genuine,
        delivery_id=gitlab_webhooks.delivery_id,
        read=gitlab_webhooks.read_webhook,
        repository=_gitlab,
    ),
    "bitbucket": Webhook(
        is_genuine=bitbucket_webhooks.is_genuine,
        delivery_id=bitbucket_webhooks.delivery_id,
        read=bitbucket_webhooks.read_webhook,
        repository=_bitbucket,
        headers=("x-event-key",),
    ),
    "azure-devops": Webhook(
        is_genuine=azure_devops_webhooks.is_genuine,
        delivery_id=azure_devops_webhooks.delivery_id,
        read=_at_any_time(azure_devops_webhooks.read_webhook),
        repository=lambda _: None,
    ),
    "gitea": Webhook(
        is_genuine=gitea_webhooks.is_genuine,
        delivery_id=gitea_webhooks.delivery_id,
        read=gitea_webhooks.read_webhook,
        repository=lambda payload: gitea_facts.repository_facts(read(_Gitea, payload).repository),
        headers=gitea_webhooks.EVENTS,
    ),
}


def secret_setting(forge: str) -> str:
    """The field of the settings that holds a forge's secret."""
    return f"{forge.replace('-', '_')}_webhook_secret"
