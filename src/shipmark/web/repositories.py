"""Repositories: the list, and a page for each."""

from starlette.responses import Response

from shipmark.application import activity
from shipmark.application.queries import Page
from shipmark.domain.errors import RepositoryNotFound, UnknownMethod
from shipmark.web.asked import RANGES, asked, chosen_range
from shipmark.web.charts.deployments import deployments
from shipmark.web.services import measured, timeline_title
from shipmark.web.visit import Visit

PATH = "/repositories"
SHOWN = 50


async def listed(visit: Visit) -> Response:
    """Repositories by name."""
    after = visit.query.text("after")
    page = Page(limit=SHOWN + 1, after=(after,) if after else None)
    found = await visit.read(lambda tx: activity.repositories(tx, page))
    return visit.render(
        "repositories.html",
        rows=found[:SHOWN],
        next=found[SHOWN - 1].repository.name if len(found) > SHOWN else None,
    )


async def shown(visit: Visit) -> Response:
    """A repository: its deployments, how it is doing, what waits, and its last import."""
    name = visit.path("name")
    wanted = asked(visit.query, visit.now, repository=name)
    try:
        view, figures, waiting = await visit.read(
            lambda tx: (activity.repository_view(tx, name), *measured(visit, tx, wanted))
        )
    except RepositoryNotFound as error:
        raise UnknownMethod(error.message) from None
    return visit.render(
        "repository.html",
        view=view,
        repository=view.repository,
        here=f"/repositories/{name}",
        named={"repository": view.repository.name},
        chart=await visit.drawn(
            deployments(
                view.deployments,
                title=timeline_title(view.deployments),
                with_service=True,
            )
        )
        if view.deployments
        else None,
        tiles=figures,
        waiting=waiting,
        range=chosen_range(visit),
        ranges=RANGES,
        filters=visit.query.kept("range", "since", "until"),
    )
