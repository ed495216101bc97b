"""Whether a pull request is live, as a picture for pages elsewhere."""

from functools import partial

from starlette.responses import Response

from shipmark.application.queries import ReadTransaction
from shipmark.application.tokens import Scope, Token, authenticate
from shipmark.application.whereabouts import Liveness, Verdict, whereabouts
from shipmark.domain.errors import NotFound
from shipmark.domain.model import DEFAULT_ENVIRONMENT
from shipmark.web.templates import environment
from shipmark.web.visit import Visit

READ = (Scope.READ,)
COLOURS = {
    Verdict.LIVE: "#1f7a45",
    Verdict.PARTLY: "#8a5a00",
    Verdict.NOT_YET: "#8a5a00",
    Verdict.NOT_MERGED: "#5f6268",
    Verdict.NOWHERE: "#5f6268",
}
UNKNOWN = "#5f6268"
FRESH = {"Cache-Control": "private, max-age=60"}
CHARACTER = 6.6
"""Pixels that a character takes, about."""

PADDING = 12


async def badge(visit: Visit) -> Response:
    """The badge of a pull request in an environment, or in production; of one service or of all
    it is for."""
    asked, service = visit.query.text("environment"), visit.query.text("service")
    named = asked or DEFAULT_ENVIRONMENT
    if not await _may_look(visit):
        return _picture(named, "no access", UNKNOWN, status=401)
    if visit.query.problems:
        # Of everything it would say something else than what was asked.
        return _picture(named, f"wrong {' and '.join(visit.query.problems)}", UNKNOWN, status=400)
    try:
        found = await visit.read(
            lambda tx: whereabouts(tx, visit.path("repository"), visit.path("number"))
        )
    except NotFound:
        return _picture(named, "unknown", UNKNOWN, status=404)
    liveness = found.liveness(asked, service)
    return _picture(liveness.environment, _told(liveness), COLOURS[liveness.verdict])


async def _may_look(visit: Visit) -> bool:
    """Who is signed in, who has a token in the address, or anyone where badges are public."""
    if visit.site.public_badges or visit.may(READ):
        return True
    secret = visit.query.text("token")
    return secret is not None and await visit.read(partial(_reads, secret=secret))


def _reads(tx: ReadTransaction, secret: str) -> bool:
    token = authenticate(tx, [secret])[secret]
    return isinstance(token, Token) and token.may(READ)


def _told(liveness: Liveness) -> str:
    if liveness.verdict is Verdict.PARTLY:
        return f"live in {liveness.shipped} of {liveness.places}"
    return liveness.verdict


def _picture(left: str, right: str, colour: str, *, status: int = 200) -> Response:
    left = left if len(left) <= 40 else left[:39] + "…"
    text = (
        environment()
        .get_template("badge.svg")
        .render(
            left=left,
            right=right,
            colour=colour,
            left_width=_width(left),
            right_width=_width(right),
        )
    )
    return Response(text, status_code=status, media_type="image/svg+xml", headers=FRESH)


def _width(text: str) -> int:
    return round(len(text) * CHARACTER) + PADDING
