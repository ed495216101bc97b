"""From one line of the page table to an HTTP endpoint.

Checks run in this order: who is signed in, that a change comes from a form of ours, scopes. Then
the handler reads the fields.
"""

from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from hmac import compare_digest
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from shipmark.application.sessions import Renewal, find_session
from shipmark.application.tokens import Scope
from shipmark.domain.errors import (
    InvalidAuth,
    InvalidSignature,
    MissingScope,
    PayloadTooLarge,
    ShipmarkError,
    Unavailable,
)
from shipmark.web import cookies
from shipmark.web.fields import Fields
from shipmark.web.file_form import FileForm
from shipmark.web.headers import PRIVATE, SECURITY
from shipmark.web.site import Site
from shipmark.web.visit import Visit

Handler = Callable[[Visit], Awaitable[Response]]

LARGEST_FORM = 512 * 1024
MOST_FIELDS = 100
RENEWED_EVERY = timedelta(hours=1)
FORM_TOKEN = "form_token"  # noqa: S105 - the name of a field


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page: its path, who may see it (anyone, without scopes), and what makes it. With
    ``takes_file`` the form that it is posted ends with a file. ``knows`` are the fields that its
    address may have; None: any."""

    path: str
    handler: Handler
    scopes: Collection[Scope]
    changes: bool
    takes_file: bool
    knows: Collection[str] | None

    def route(self) -> Route:
        """The Starlette route of this page."""
        return Route(self.path, self.answer, methods=["POST"] if self.changes else ["GET"])

    async def answer(self, request: Request) -> Response:
        """Find out who asks, check, call, answer."""
        visit = await begin(request)
        try:
            if self.changes:
                visit = await self._filled(visit)
                check_form(visit)
            if self.scopes and visit.session is None:
                response = _to_sign_in(visit, back=not self.changes)
            else:
                self._check_scopes(visit)
                if not self.changes and self.knows is not None:
                    visit.query.expect(self.knows)
                response = await self.handler(visit)
        except ShipmarkError as error:
            response = refusal(visit, error)
        await _renew(visit, response)
        return finished(response)

    async def _filled(self, visit: Visit) -> Visit:
        if not self.takes_file:
            return replace(visit, form=Fields(await _form(visit.request)))
        file = FileForm(visit.request.headers.get("Content-Type", ""), visit.request.stream())
        fields = Fields(list((await file.fields()).items()))
        return replace(visit, form=fields, file=file)

    def _check_scopes(self, visit: Visit) -> None:
        if self.scopes and not visit.may(self.scopes):
            raise MissingScope(
                f"This needs a token of the scope {' or '.join(self.scopes)}. You are signed in "
                "with one that does not have it."
            )


def page(
    path: str,
    handler: Handler,
    *,
    scopes: Collection[Scope] = (),
    changes: bool = False,
    takes_file: bool = False,
    knows: Collection[str] | None = (),
) -> Page:
    """A line of the page table. ``changes``: it is posted a form; ``takes_file``: with a file;
    ``knows``: the fields that its address may have, or None for any."""
    return Page(
        path=path,
        handler=handler,
        scopes=scopes,
        changes=changes,
        takes_file=takes_file,
        knows=knows,
    )


async def begin(request: Request) -> Visit:
    """The visit that a request is."""
    site: Site = request.app.state.site
    base_url, root_path = site.calls.base_url, request.scope["root_path"]
    address = base_url or _own_origin(request) + root_path
    secret = cookies.session_secret(request, secure=address.startswith("https:"))
    session = await site.calls.read(partial(find_session, secret=secret)) if secret else None
    return Visit(
        site=site,
        request=request,
        session=session,
        query=Fields(_decoded(request.scope["query_string"])),
        form=Fields(),
        address=address,
        prefix=urlsplit(base_url).path if base_url else root_path,
    )


def _decoded(encoded: bytes) -> list[tuple[str, str]]:
    text = encoded.decode("latin-1")
    return parse_qsl(text, keep_blank_values=True, errors="replace")[:MOST_FIELDS]


async def _form(request: Request) -> list[tuple[str, str]]:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_FORM:
                raise PayloadTooLarge(f"A form may have {LARGEST_FORM // 1024} KiB at most.")
    except ClientDisconnect:
        raise PayloadTooLarge("The connection was closed before the form was complete.") from None
    return _decoded(bytes(body))


def check_form(visit: Visit) -> None:
    """That a form is one of ours. Raises InvalidSignature.

    Browsers say where a form comes from; one of a session has the session's token in it as well.
    """
    origin = visit.request.headers.get("Origin")
    base_url = visit.site.calls.base_url
    own = {_own_origin(visit.request), _origin(base_url) if base_url else ""}
    if origin is not None and origin not in own:
        raise InvalidSignature(f"This form comes from {origin[:100]}, which is not this server.")
    if visit.session is not None:
        sent = visit.form.sent.pop(FORM_TOKEN, "")
        if not compare_digest(sent.encode(), visit.session.form_token.encode()):
            raise InvalidSignature("This form is out of date. Load its page again and resend it.")


def _own_origin(request: Request) -> str:
    return f"{request.scope['scheme']}://{request.headers.get('Host', '')}"


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _to_sign_in(visit: Visit, *, back: bool) -> Response:
    if back:
        return visit.go_to("/sign-in", next=visit.own_path)
    return visit.go_to("/sign-in", done="session-over")


def refusal(visit: Visit, error: ShipmarkError) -> Response:
    """A page that says what is wrong."""
    status = visit.site.status_of(error)
    return visit.render("refusal.html", status=status, message=error.message)


async def refusal_page(request: Request, error: ShipmarkError) -> Response:
    """A page that says what is wrong, where no page was asked for that there is."""
    return finished(refusal(await begin(request), error))


async def _renew(visit: Visit, response: Response) -> None:
    """Change the cookie from time to time: one that was stolen is not good for long."""
    session = visit.session
    if session is None or "set-cookie" in response.headers:
        return
    if visit.now - session.renewed_at < RENEWED_EVERY:
        return
    secret = cookies.session_secret(visit.request, secure=visit.is_secure) or ""
    with suppress(InvalidAuth, Unavailable):
        renewed = await visit.write(visit.site.calls.works.renew_session, Renewal(secret=secret))
        cookies.set_session(response, renewed, secure=visit.is_secure)


def finished(response: Response) -> Response:
    """The response with the headers of every page."""
    for name, value in SECURITY.items():
        response.headers[name] = value
    for name, value in PRIVATE.items():
        response.headers.setdefault(name, value)
    return response
