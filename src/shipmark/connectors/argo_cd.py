"""Argo CD, by the notification that `integrations/argo-cd/notifications.yaml` makes it send.

The revision that Argo CD synced is of the repository of manifests. The application's commit is
found through the images that run, which the notification therefore lists.
"""

from collections.abc import Mapping
from typing import Any, Final

from shipmark.connectors.payloads import Instant, Text, Wire, read, told
from shipmark.connectors.shared_secret import knows_secret
from shipmark.connectors.signatures import digest
from shipmark.domain.artifacts import ServiceDeployed

SOURCE: Final = "argo_cd"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = frozenset({"Failed", "Error"})


class Notification(Wire):
    """What the template fills in. Go's templates say null for what an application lacks."""

    application: Text
    phase: Text
    started_at: Text
    finished_at: Instant | None = None
    uid: Text | None = None
    namespace: Text | None = None
    service: Text | None = None
    environment: Text | None = None
    repository: Text | None = None
    revision: Text | None = None
    images: tuple[Text, ...] | None = None
    url: Text | None = None


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:  # noqa: ARG001
    """Whether the sender knows the secret. Argo CD signs nothing."""
    return knows_secret(secret, headers)


def delivery_id(headers: Mapping[str, str], body: bytes) -> str:  # noqa: ARG001
    """Of the body, since Argo CD has no ids: the same sync of the same application."""
    return digest(body)


def read_webhook(headers: Mapping[str, str], payload: Any) -> list[ServiceDeployed]:  # noqa: ARG001
    """A sync that ended; nothing while it goes on. Raises UnreadablePayload."""
    sync = read(Notification, payload)
    at = told(sync.finished_at)
    if at is None or sync.phase not in FAILED | {SUCCEEDED}:
        return []
    subject = f"{SOURCE}:{sync.uid or f'{sync.namespace}/{sync.application}'}"
    return [
        ServiceDeployed(
            key=f"{subject}:{sync.started_at}",
            source=SOURCE,
            at=at,
            success=sync.phase == SUCCEEDED,
            artifacts=sync.images or (),
            service=sync.service or sync.application,
            environment=sync.environment or None,
            application=sync.application,
            manifest_repository=sync.repository or None,
            manifest_revision=sync.revision or None,
            # Without argocdUrl in the ConfigMap's context, the template makes no URL of it.
            url=sync.url if (sync.url or "").startswith(("https://", "http://")) else None,
            # Healing itself, Argo CD syncs the same again and again.
            subject=subject,
        )
    ]
