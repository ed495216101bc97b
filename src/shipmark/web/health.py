"""What is missing of each repository, and why: what `shipmark doctor` tells, as a page."""

from starlette.responses import Response

from shipmark.application import doctor
from shipmark.application.diagnosis import Diagnosis
from shipmark.application.queries import Page
from shipmark.web.visit import Visit

SHOWN = 50


async def shown(visit: Visit) -> Response:
    """Findings in general, and of one repository or of a page of them."""
    name, after = visit.query.text("repository"), visit.query.text("after")
    page = Page(limit=SHOWN + 1, after=(after,) if after else None)
    setup = visit.site.calls.setup
    found: Diagnosis | None = None
    with visit.query.refusing():
        found = await visit.read(lambda tx: doctor.examine(tx, setup, page, repository=name))
    repositories = found.repositories if found else ()
    return visit.render(
        "health.html",
        found=found,
        repositories=repositories[:SHOWN],
        next=repositories[SHOWN - 1].repository if len(repositories) > SHOWN else None,
    )
