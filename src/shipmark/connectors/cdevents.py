"""CDEvents about services, in CloudEvents of the structured, the binary or the batched form.

The types are ``dev.cdevents.service.deployed``, ``.upgraded`` and ``.rolledback``, of any version.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from shipmark.connectors.payloads import Instant, Text, UnreadablePayload, Wire, read
from shipmark.connectors.shared_secret import knows_secret
from shipmark.connectors.signatures import digest
from shipmark.domain.artifacts import ServiceDeployed

SOURCE: Final = "cdevents"
STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"

_DEPLOYED: Final = re.compile(r"dev\.cdevents\.service\.(deployed|upgraded|rolledback)(\.|$)")
LONGEST_ID: Final = 255


class CloudEvent(Wire):
    """The envelope of the structured form."""

    id: Text
    source: Text
    type: Text
    data: Any = None


class Context(Wire):
    id: Text
    source: Text
    type: Text
    timestamp: Instant


class Environment(Wire):
    id: Text


class Content(Wire, rename="camel"):
    artifact_id: Text | None = None
    environment: Environment | None = None


class Subject(Wire):
    id: Text
    content: Content = Content()


class CDEvent(Wire):
    context: Context
    subject: Subject


class TypedContext(Wire):
    type: Text


class Typed(Wire):
    """Any CDEvent."""

    context: TypedContext


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:  # noqa: ARG001
    """Whether the sender knows the secret. CloudEvents are not signed."""
    return knows_secret(secret, headers)


def delivery_id(headers: Mapping[str, str], body: bytes) -> str:
    """The event's own id, which is unique for its source, where the headers tell both."""
    source, event = headers.get("ce-source"), headers.get("ce-id")
    told = f"{source} {event}" if source and event else ""
    return told if 0 < len(told) <= LONGEST_ID else digest(body)


def read_webhook(headers: Mapping[str, str], payload: Any) -> list[ServiceDeployed]:
    """What an event says of services; nothing for events about anything else.

    Raises UnreadablePayload.
    """
    form = headers.get("content-type", "").partition(";")[0].strip().lower()
    if form == BATCHED:
        if not isinstance(payload, list):
            raise UnreadablePayload("The payload cannot be read: a batch must be a list.")
        return [fact for one in payload for fact in _structured(one)]
    if form == STRUCTURED or (isinstance(payload, dict) and "specversion" in payload):
        return _structured(payload)
    # The binary form has the envelope in headers; some senders leave it out altogether.
    return _deployed(headers.get("ce-type"), payload)


def _structured(payload: Any) -> list[ServiceDeployed]:
    envelope = read(CloudEvent, payload)
    return _deployed(envelope.type, envelope.data)


def _deployed(kind: str | None, data: Any) -> list[ServiceDeployed]:
    kind = kind or read(Typed, data).context.type
    if not _DEPLOYED.match(kind):
        return []
    event = read(CDEvent, data)
    content = event.subject.content
    return [
        ServiceDeployed(
            key=f"{SOURCE}:{event.context.source}:{event.context.id}",
            source=SOURCE,
            at=event.context.timestamp,
            success=True,
            artifacts=(content.artifact_id,) if content.artifact_id else (),
            service=event.subject.id or None,
            environment=(content.environment and content.environment.id) or None,
        )
    ]
