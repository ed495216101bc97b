"""Where one comes to first."""

from starlette.responses import Response

from shipmark.web.visit import Visit


async def home(visit: Visit) -> Response:
    """The deployments, newest first."""
    return visit.go_to("/deployments")
