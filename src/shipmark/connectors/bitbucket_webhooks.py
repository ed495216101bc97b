"""Bitbucket's webhooks. Cloud and Data Center share an endpoint and a way to sign; what they send
has little in common."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shipmark.application.facts import Fact
from shipmark.connectors import bitbucket_cloud_webhooks, bitbucket_data_center_webhooks
from shipmark.connectors.signatures import digest, is_signed

SOURCE = "bitbucket"
ALGORITHM = "sha256="


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the one who sent this knows the secret."""
    sent = headers.get("x-hub-signature", "")
    return sent.startswith(ALGORITHM) and is_signed(secret, sent.removeprefix(ALGORITHM), body)


def delivery_id(headers: Mapping[str, str], body: bytes) -> str:
    """What a repeated delivery has again: Cloud and Data Center call it by different names."""
    return headers.get("x-request-uuid") or headers.get("x-request-id") or digest(body)


def read_webhook(
    headers: Mapping[str, str], payload: Any, *, received_at: datetime | None = None
) -> list[Fact]:
    """The facts of a webhook. Raises UnreadablePayload.

    Cloud does not say when something was pushed: ``received_at`` stands for that, or else the
    time of the commit.
    """
    event = headers.get("x-event-key", "")
    if reader := bitbucket_cloud_webhooks.READERS.get(event):
        return reader(payload, received_at)
    if server_reader := bitbucket_data_center_webhooks.READERS.get(event):
        return server_reader(payload)
    return []
