"""The cookies of pages: who is signed in, and light or dark."""

from starlette.requests import Request
from starlette.responses import Response

from shipmark.application.sessions import SignedIn

THEME = "shipmark_theme"
THEMES = ("auto", "light", "dark")
YEAR = 365 * 24 * 3600


def _session_name(*, secure: bool) -> str:
    # Browsers take the prefix for a promise that no other host has set it.
    return "__Host-shipmark" if secure else "shipmark_session"


def session_secret(request: Request, *, secure: bool) -> str | None:
    """The secret of the session's cookie."""
    return request.cookies.get(_session_name(secure=secure))


def set_session(response: Response, signed_in: SignedIn, *, secure: bool) -> None:
    """Give a browser its session. Scripts cannot read it; other sites cannot send it in a form."""
    response.set_cookie(
        _session_name(secure=secure),
        signed_in.secret,
        expires=signed_in.session.expires_at,
        httponly=True,
        samesite="lax",
        secure=secure,
    )


def forget_session(response: Response, *, secure: bool) -> None:
    response.delete_cookie(
        _session_name(secure=secure), httponly=True, samesite="lax", secure=secure
    )


def theme(request: Request) -> str:
    """light, dark, or auto for what the system prefers."""
    chosen = request.cookies.get(THEME, "")
    return chosen if chosen in THEMES else "auto"


def set_theme(response: Response, chosen: str, *, secure: bool) -> None:
    response.set_cookie(THEME, chosen, max_age=YEAR, httponly=True, samesite="lax", secure=secure)
