"""Floor (a): what any server in Python would pay for a create before it touches a database.

It is served by the command `shipmark serve`, with the same middleware, header check, merging,
decoding and answer. Only the token's look-up and everything of storage is left out.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import patch

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shipmark.api.answers import AttributionAnswer
from shipmark.api.arguments import merged
from shipmark.api.asgi import application
from shipmark.api.decoding import decode
from shipmark.api.deployments import CreateAnswer, CreateArguments
from shipmark.api.errors import json_response
from shipmark.app import server
from shipmark.cli import serving
from shipmark.domain.errors import NotAuthed
from shipmark.domain.model import Method, Status

PATH = "/api/deployments.create"

_ids = itertools.count(1_000_000)


async def create(request: Request) -> Response:
    """Answer a create that is right as if it had been stored."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise NotAuthed
    body = await request.body()
    sent = merged(request.scope["query_string"], body, request.headers.get("Content-Type", ""))
    registration = decode(CreateArguments, sent).registration(account_id=1)
    id_ = next(_ids)
    return json_response(
        CreateAnswer(
            id=id_,
            reference_id=registration.reference_id or "",
            url=f"{str(request.base_url).rstrip('/')}/deployments/{id_}",
            attribution=AttributionAnswer(
                status=Status.ATTRIBUTED, method=Method.COMMIT_SHA, pull_requests=1, reason=None
            ),
        )
    )


@asynccontextmanager
async def _nothing(_app: Starlette) -> AsyncIterator[None]:
    yield


def floor() -> Starlette:
    """The real application, in which this create comes before the real one."""
    made = application(_nothing)
    made.router.routes.insert(0, Route(PATH, create, methods=["POST"]))
    return made


if __name__ == "__main__":
    # `serve` looks its application up by this name when it starts.
    with patch.object(server, "create", floor):
        serving.serve()
