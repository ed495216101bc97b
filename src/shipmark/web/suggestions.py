"""Names for a field in which one is being typed."""

from functools import partial

from starlette.responses import JSONResponse, Response

from shipmark.application.queries import Named
from shipmark.application.search import suggested
from shipmark.domain.errors import UnknownMethod
from shipmark.web.visit import Visit


async def listed(visit: Visit) -> Response:
    """The first names that hold what ``q`` says. Raises UnknownMethod for what has no names."""
    asked = visit.path("noun")
    if asked not in list(Named):
        raise UnknownMethod(f"Names are suggested of a {', '.join(Named)}; not of a {asked}.")
    part = visit.query.text("q") or ""
    return JSONResponse(await visit.read(partial(suggested, noun=Named(asked), part=part)))
