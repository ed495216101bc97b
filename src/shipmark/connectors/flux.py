"""Flux, by its providers ``generic-hmac`` and ``generic``.

An event names the revision of the manifests. What runs is told by annotations on the object
(``event.toolkit.fluxcd.io/image``), which Flux copies into the event's metadata; the alert's own
metadata tells the environment. See `integrations/flux/`.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from shipmark.connectors.payloads import Instant, Text, Wire, read
from shipmark.connectors.shared_secret import knows_secret
from shipmark.connectors.signatures import digest, is_signed
from shipmark.domain.artifacts import ServiceDeployed

SOURCE: Final = "flux"
SIGNATURE_HEADER: Final = "x-signature"
SUCCEEDED: Final = frozenset(
    {"ReconciliationSucceeded", "InstallSucceeded", "UpgradeSucceeded", "RollbackSucceeded"}
)
FAILED: Final = frozenset(
    {
        "ReconciliationFailed",
        "HealthCheckFailed",
        "BuildFailed",
        "InstallFailed",
        "UpgradeFailed",
        "RollbackFailed",
    }
)
DEPLOYING: Final = frozenset({"Kustomization", "HelmRelease"})

_SEPARATORS: Final = re.compile(r"[,\s]+")
_REVISION_DIGEST: Final = re.compile(r"(?:^|@)(sha256:[0-9a-f]{64})$")


class InvolvedObject(Wire):
    kind: Text
    name: Text
    namespace: Text = ""
    uid: Text = ""


class FluxEvent(Wire, rename="camel"):
    involved_object: InvolvedObject
    reason: Text
    timestamp: Instant
    metadata: dict[str, Text] | None = None


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the body is signed with the secret, or else the sender tells the secret.

    Flux signs (with SHA-256, as ``sha256=<hexadecimal>``) under ``generic-hmac``; under ``generic``
    it sends the headers it is given. Where there is a signature, it alone counts.
    """
    if (signature := headers.get(SIGNATURE_HEADER)) is not None:
        kind, _, code = signature.partition("=")
        return kind == "sha256" and is_signed(secret, code, body)
    return knows_secret(secret, headers)


def delivery_id(headers: Mapping[str, str], body: bytes) -> str:  # noqa: ARG001
    """Of the body, which has the event's time in it."""
    return digest(body)


def read_webhook(headers: Mapping[str, str], payload: Any) -> list[ServiceDeployed]:  # noqa: ARG001
    """A reconciliation that ended; nothing for other events. Raises UnreadablePayload."""
    event = read(FluxEvent, payload)
    involved = event.involved_object
    if involved.kind not in DEPLOYING or event.reason not in SUCCEEDED | FAILED:
        return []
    # Older versions leave the API group before the names of metadata.
    metadata = {name.rpartition("/")[2]: value for name, value in (event.metadata or {}).items()}
    owner = involved.uid or f"{involved.namespace}/{involved.name}"
    subject = f"{SOURCE}:{involved.kind}:{owner}"
    success = event.reason in SUCCEEDED
    # Within one second, it may have failed and then succeeded.
    outcome = "succeeded" if success else "failed"
    return [
        ServiceDeployed(
            key=f"{subject}:{event.timestamp.isoformat()}:{outcome}",
            source=SOURCE,
            at=event.timestamp,
            success=success,
            artifacts=_artifacts(metadata),
            service=metadata.get("service") or involved.name,
            environment=metadata.get("environment") or metadata.get("env") or None,
            application=involved.name,
            manifest_revision=metadata.get("revision") or None,
            # A Kustomization tells after each interval how it went, and a failing one at each try.
            subject=subject,
        )
    ]


def _artifacts(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The images told, and the digest of the revision where manifests come as an OCI artifact."""
    images = [
        image
        for name, value in metadata.items()
        if name.startswith("image")
        for image in _SEPARATORS.split(value)
        if image
    ]
    found = _REVISION_DIGEST.search(metadata.get("revision", ""))
    return (*images, *([found[1]] if found else ()))
