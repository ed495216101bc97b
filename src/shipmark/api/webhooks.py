"""What forges send by themselves: proven, stored, and answered at once. A worker understands it."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shipmark.api.calls import Api
from shipmark.api.endpoint import body_of
from shipmark.api.errors import json_response
from shipmark.domain.errors import InvalidSignature, UnknownMethod

FORGES = ("github", "gitlab", "bitbucket", "azure-devops", "gitea")

LARGEST = 25 * 1024 * 1024
NOT_TAKEN = "Nothing of it is taken; an import from the forge brings what it told."
"""Bytes. GitHub sends nothing larger, and anyone may send this much without a token."""


async def receive(request: Request) -> Response:
    """Store a delivery and answer 202. One that came before is answered alike and stored once."""
    api: Api = request.app.state.api
    forge = request.url.path.rpartition("/")[2]
    hook = api.hooks.get(forge)
    if hook is None:
        setting = f"SHIPMARK_{forge.replace('-', '_').upper()}_WEBHOOK_SECRET"
        raise UnknownMethod(
            f"Webhooks are not taken at {request.url.path} until the server is given their secret, "
            f"with {setting}."
        )
    body = await body_of(request, min(api.largest_body, LARGEST), NOT_TAKEN)
    delivery = hook.delivery(forge, dict(request.headers), body)
    if delivery is None:
        if refused := api.refusals.count(forge):
            await api.write(api.works.note_refusals, (forge, refused))
        raise InvalidSignature
    await api.write(api.works.receive, delivery)
    return json_response({"ok": True}, status=202)


def routes() -> list[Route]:
    return [Route(f"/webhooks/{forge}", receive, methods=["POST"]) for forge in FORGES]
