"""The ASGI application: the methods, the operator's endpoints, and errors in one shape."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from shipmark.api import import_downloads, openapi, webhooks, webhooks_running
from shipmark.api.calls import Api
from shipmark.api.endpoint import address_of
from shipmark.api.errors import error_response, json_response
from shipmark.api.middleware import RequestId
from shipmark.api.routes import METHODS
from shipmark.domain.errors import (
    InvalidJSON,
    MethodNotAllowed,
    ShipmarkError,
    Unavailable,
    UnknownMethod,
)

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]
RefusalPage = Callable[[Request, ShipmarkError], Awaitable[Response]]


def application(
    lifespan: Lifespan,
    *,
    pages: Sequence[BaseRoute] = (),
    refusal_page: RefusalPage | None = None,
) -> Starlette:
    """The application. ``lifespan`` puts the `Api` into ``state.api`` and takes it down again.

    ``refusal_page`` tells people who look for a page what is not there.
    """
    app = Starlette(
        routes=[
            *(method.route() for method in METHODS),
            *webhooks_running.ROUTES,
            *webhooks.routes(),
            *import_downloads.ROUTES,
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/openapi.json", openapi_json),
            Route("/docs", docs),
            *pages,
        ],
        exception_handlers={
            ShipmarkError: refused,
            HTTPException: partial(refused_by_http, refusal_page=refusal_page),
        },
        lifespan=lifespan,
    )
    # A redirect would be neither success nor error: clients that post do not follow it.
    app.router.redirect_slashes = False
    app.add_middleware(RequestId)
    return app


async def healthz(_request: Request) -> Response:
    """The process answers."""
    return json_response({"ok": True})


async def readyz(request: Request) -> Response:
    """The database is there and its schema is the one this release needs."""
    api: Api = request.app.state.api
    version = await api.in_thread(api.schema_version)
    if version != api.newest_version:
        raise Unavailable(
            f"The database's schema is at version {version or 'none'}, this release needs "
            f"{api.newest_version}. Run: shipmark migrate"
        )
    return json_response({"ok": True, "schema_version": version})


async def openapi_json(request: Request) -> Response:
    """The description of the API."""
    return json_response(openapi.document(address_of(request)))


async def docs(request: Request) -> Response:
    """The same description, to read."""
    return HTMLResponse(openapi.page(openapi.document(address_of(request))))


async def refused(request: Request, error: Exception) -> Response:
    """A refusal in its shape."""
    assert isinstance(error, ShipmarkError)  # noqa: S101 - it is registered for these alone
    return error_response(error, request.state.request_id)


async def refused_by_http(
    request: Request, error: Exception, *, refusal_page: RefusalPage | None
) -> Response:
    """What Starlette refuses (no such path, wrong verb), in the same shape, or as a page."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these alone
    path = request.url.path
    refusal: ShipmarkError
    if error.status_code == 404:
        refusal = UnknownMethod(f"There is nothing at {path}. The methods are listed at /docs.")
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "POST")
        refusal = MethodNotAllowed(f"{path} does not answer {request.method}; use {allowed}.")
    else:
        refusal = InvalidJSON(error.detail)
    looks_at_pages = "text/html" in request.headers.get("Accept", "")
    if refusal_page is not None and looks_at_pages and not path.startswith("/api"):
        return await refusal_page(request, refusal)
    return error_response(refusal, request.state.request_id, dict(error.headers or {}))
