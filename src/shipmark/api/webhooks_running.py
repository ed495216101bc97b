"""The endpoints that deploy systems tell what runs: CDEvents, Argo CD and Flux.

What is told is read and stored before it is answered, so the answer 202 means that it is safe.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shipmark.api.calls import Api
from shipmark.api.endpoint import body_of
from shipmark.api.errors import json_response
from shipmark.domain.artifacts import ServiceDeployed
from shipmark.domain.errors import InvalidJSON, InvalidSignature, UnknownMethod

LARGEST_WEBHOOK = 4 * 1024 * 1024
NOT_TAKEN = "Nothing of it is taken; deployments.create takes what it told."
"""Bytes. What these systems send has some thousand."""


@dataclass(frozen=True, kw_only=True)
class RunningWebhook:
    """How a deploy system's webhooks are told from forged ones, and read.

    ``secret`` None: nobody may send any. ``read`` raises a ShipmarkError for what has not the form
    it should have. Header names are lower-case.
    """

    secret: str | None
    is_genuine: Callable[[str, Mapping[str, str], bytes], bool]
    read: Callable[[Mapping[str, str], Any], Sequence[ServiceDeployed]]


def route(name: str) -> Route:
    """The endpoint of a deploy system."""

    async def endpoint(request: Request) -> Response:
        webhooks: Mapping[str, RunningWebhook] = request.app.state.running_webhooks
        await receive(request.app.state.api, webhooks[name], request)
        return json_response({"ok": True}, status=202)

    return Route(f"/webhooks/{name}", endpoint, methods=["POST"], name=f"webhooks.{name}")


async def receive(api: Api, webhook: RunningWebhook, request: Request) -> None:
    """Check who sends it, read it, and have it recorded."""
    path = request.url.path
    if webhook.secret is None:
        raise UnknownMethod(f"{path} takes nothing until its secret is set; see the settings.")
    body = await body_of(request, min(LARGEST_WEBHOOK, api.largest_body), NOT_TAKEN)
    headers = {name.lower(): value for name, value in request.headers.items()}
    if not webhook.is_genuine(webhook.secret, headers, body):
        raise InvalidSignature(
            f"What was sent to {path} is not signed with the secret that is set here, "
            "or does not tell it. Nothing was stored."
        )
    try:
        payload = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidJSON(f"The body is not valid JSON: {error}.") from None
    told = webhook.read(headers, payload)
    if told:
        await api.write(api.works.record_reports, told)


ROUTES = tuple(route(name) for name in ("cdevents", "argo-cd", "flux"))
