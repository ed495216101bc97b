"""From one line of the route table to an HTTP endpoint.

Checks run in this order: token, account, scope, parsing, required arguments, the form of each
argument. Look-ups come last, in the use case.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_type_hints

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from shipmark.api.answers import Answer
from shipmark.api.arguments import merged
from shipmark.api.auth import authorise
from shipmark.api.calls import Api, Call
from shipmark.api.decoding import Arguments, decode, forms, unknown, warnings
from shipmark.api.errors import json_response
from shipmark.api.tables import AnswerFormat, csv_response
from shipmark.application.tokens import Scope
from shipmark.domain.errors import InvalidJSON, PayloadTooLarge

Table = tuple[Iterable[Mapping[str, Any]], Iterable[str]]


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method of the API: its name, who may call it, what it takes and what it answers."""

    name: str
    handler: Callable[[Call, Any], Awaitable[Answer]]
    takes: type[Arguments]
    answers: type[Answer]
    scopes: Collection[Scope]
    reads: bool = False
    streams: bool = False
    documents: type[Arguments]
    as_table: Callable[[Any], Table] | None = None

    @property
    def path(self) -> str:
        return f"/api/{self.name}"

    @property
    def verbs(self) -> list[str]:
        """Reads answer GET and POST, writes POST alone."""
        return ["GET", "POST"] if self.reads else ["POST"]

    def route(self) -> Route:
        """The Starlette route of this method."""

        async def endpoint(request: Request) -> Response:
            return await self.respond(request)

        return Route(self.path, endpoint, methods=self.verbs, name=self.name)

    async def respond(self, request: Request) -> Response:
        """Authorise, parse, call, answer."""
        api: Api = request.app.state.api
        caller = await authorise(api, request.headers.get("Authorization"), self.scopes)
        body = b"" if self.streams else await body_of(request, api.largest_body)
        content_type = request.headers.get("Content-Type", "")
        call = Call(
            api=api,
            caller=caller,
            base_url=address_of(request),
            content_type=content_type,
            body=body,
            stream=request.stream(),
        )
        # A method that takes no arguments reads the body itself.
        parsed = body if forms(self.takes) else b""
        sent = merged(request.scope["query_string"], parsed, content_type)
        arguments = decode(self.takes, sent)
        answer = await self.handler(call, arguments)
        if self.as_table is not None and getattr(arguments, "format", None) is AnswerFormat.CSV:
            next_cursor = getattr(answer, "next_cursor", None)
            return csv_response(*self.as_table(answer), name=self.name, next_cursor=next_cursor)
        told = warnings(unknown(self.takes, sent))
        if told:
            answer = msgspec.structs.replace(answer, warnings=[*(answer.warnings or ()), *told])
        return json_response(answer)


def method(
    name: str,
    handler: Callable[[Call, Any], Awaitable[Answer]],
    *,
    scopes: Collection[Scope],
    reads: bool = False,
    streams: bool = False,
    documents: type[Arguments] | None = None,
    as_table: Callable[[Any], Table] | None = None,
) -> Method:
    """A line of the route table; what it takes and answers stands in the handler's signature.

    ``documents`` is what a handler takes that reads the body itself. ``streams``: it reads the body
    as it comes, however large, and its arguments stand in the query string. ``as_table`` is for one
    that takes a ``format``: the answer as rows and the names of their columns.
    """
    hints = get_type_hints(handler)
    answers = hints.pop("return")
    takes = next(kind for kind in hints.values() if kind is not Call)
    return Method(
        name=name,
        handler=handler,
        takes=takes,
        answers=answers,
        scopes=scopes,
        reads=reads,
        streams=streams,
        documents=documents or takes,
        as_table=as_table,
    )


def address_of(request: Request) -> str:
    """The address at which the client reaches this server, without a slash at the end."""
    api: Api = request.app.state.api
    scope = request.scope
    host = request.headers.get("Host", "")
    return api.base_url or _address(scope["scheme"], host, scope["server"], scope["root_path"])


@lru_cache(1024)
def _address(scheme: str, host: str, server: tuple[str, int] | None, root_path: str) -> str:
    """What Starlette takes the address to be; it takes long to find out, and is asked often."""
    headers = [(b"host", host.encode("latin-1"))] if host else []
    scope = {
        "type": "http",
        "scheme": scheme,
        "headers": headers,
        "server": server,
        "path": "/",
        "root_path": root_path,
        "query_string": b"",
    }
    return str(Request(scope).base_url).rstrip("/")


SPLIT = "Send it in several requests, or let the server take more with SHIPMARK_MAX_BODY_BYTES."


async def body_of(request: Request, most: int, instead: str = SPLIT) -> bytes:
    """The whole body, unless it is larger than ``most`` bytes: then ``instead`` is what to do."""
    body = bytearray()
    announced = request.headers.get("Content-Length", "")
    if announced.isdigit() and int(announced) > most:
        raise _too_large(most, instead)
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise _too_large(most, instead)
    except ClientDisconnect:
        raise InvalidJSON("The connection was closed before the body was complete.") from None
    return bytes(body)


def _too_large(most: int, instead: str) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {most} bytes. {instead}")
