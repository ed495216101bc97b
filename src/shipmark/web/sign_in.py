"""Sign in with a token, sign out, and choose light or dark."""

from urllib.parse import urlsplit

from starlette.responses import RedirectResponse, Response

from shipmark.application.sessions import SigningIn
from shipmark.domain.errors import Unauthenticated
from shipmark.web import cookies
from shipmark.web.visit import Visit


async def form(visit: Visit) -> Response:
    """Where one signs in."""
    return _form(visit, back=visit.query.sent.get("next"))


def _form(visit: Visit, *, back: str | None, status: int = 200, message: str = "") -> Response:
    own = own_path(back)
    return visit.render("sign_in.html", status=status, back=own, message=message)


async def sign_in(visit: Visit) -> Response:
    """Exchange a token for a session."""
    back = visit.form.sent.get("next")
    client = visit.request.client
    address = client.host if client else ""
    wait = visit.site.attempts.wait(address)
    if wait:
        message = f"Too many attempts failed. Try again in {wait} seconds."
        answer = _form(visit, back=back, status=429, message=message)
        answer.headers["Retry-After"] = str(wait)
        return answer
    signing_in = SigningIn(
        secret=visit.form.sent.get("token", "").strip(),
        lifetime=visit.site.session_lifetime,
        replaces=cookies.session_secret(visit.request, secure=visit.is_secure),
    )
    try:
        signed_in = await visit.write(visit.site.calls.works.sign_in, signing_in)
    except Unauthenticated as error:
        visit.site.attempts.failed(address)
        status = visit.site.status_of(error)
        return _form(visit, back=back, status=status, message=error.message)
    answer = RedirectResponse(own_path(back) or visit.link("/"), status_code=303)
    cookies.set_session(answer, signed_in, secure=visit.is_secure)
    return answer


async def sign_out(visit: Visit) -> Response:
    """End the session."""
    secret = cookies.session_secret(visit.request, secure=visit.is_secure)
    if secret:
        await visit.write(visit.site.calls.works.sign_out, secret)
    answer = visit.go_to("/sign-in", done="signed-out")
    cookies.forget_session(answer, secure=visit.is_secure)
    return answer


async def choose_theme(visit: Visit) -> Response:
    """Light, dark, or as the system prefers; kept in a cookie."""
    chosen = visit.form.sent.get("theme", "")
    back = own_path(visit.form.sent.get("next"))
    answer = RedirectResponse(back or visit.link("/"), status_code=303)
    cookies.set_theme(
        answer, chosen if chosen in cookies.THEMES else "auto", secure=visit.is_secure
    )
    return answer


def own_path(path: str | None) -> str | None:
    """A path of this server to go on to; None for anything that may lead elsewhere."""
    if not path or not path.startswith("/") or not path.isprintable() or "\\" in path:
        return None
    try:
        parts = urlsplit(path)
    except ValueError:
        return None
    return None if parts.scheme or parts.netloc or path.startswith("//") else path
