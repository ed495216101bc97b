"""Services: the list, and a page for each."""

from typing import Any

from starlette.responses import Response

from shipmark.application import activity, metrics
from shipmark.application.metric_facts import Asked, Facts
from shipmark.application.metric_rows import MetricRow, rows_of
from shipmark.application.metrics import Measurement
from shipmark.application.queries import Page
from shipmark.domain.metrics import Metric
from shipmark.web.asked import RANGES, asked, chosen_range
from shipmark.web.charts.deployments import deployments
from shipmark.web.figures import tiles
from shipmark.web.visit import Visit

PATH = "/services"
SHOWN = 50
WAITING = 10


async def listed(visit: Visit) -> Response:
    """Services by identifier."""
    after = visit.query.text("after")
    page = Page(limit=SHOWN + 1, after=(after,) if after else None)
    found = await visit.read(lambda tx: activity.services(tx, page))
    return visit.render(
        "services.html",
        rows=found[:SHOWN],
        next=found[SHOWN - 1].service.identifier if len(found) > SHOWN else None,
    )


async def shown(visit: Visit) -> Response:
    """A service: where it is deployed, how it is doing, and what is on its way."""
    identifier = visit.path("identifier")
    ahead, behind = visit.query.text("ahead"), visit.query.text("behind")
    wanted = asked(visit.query, visit.now, service=identifier)
    view, measurement, waiting = await visit.read(
        lambda tx: (
            activity.service_view(tx, identifier, ahead=ahead, behind=behind),
            *measured(visit, tx, wanted),
        )
    )
    title = "Deployments by environment"
    return visit.render(
        "service.html",
        view=view,
        service=view.service,
        here=f"/services/{identifier}",
        named={"service": identifier},
        chart=await visit.drawn(
            deployments(view.deployments, view.places, title=title, with_service=False)
        )
        if view.deployments
        else None,
        tiles=tiles(measurement),
        waiting=waiting,
        environments=[(one.environment, one.environment) for one in view.places],
        range=chosen_range(visit),
        ranges=RANGES,
        filters=visit.query.kept("range", "since", "until"),
    )


def measured(visit: Visit, tx: Any, wanted: Asked) -> tuple[Measurement, list[MetricRow]]:
    """The metrics of one service or repository, and the first pull requests that wait."""
    facts = Facts(tx, wanted, visit.site.calls.metric_rules)
    wanted_metrics = [one for one in Metric if one is not Metric.TIME_WAITING]
    waiting = rows_of(facts, Metric.TIME_WAITING, Page(limit=WAITING))
    return metrics.measured(facts, wanted_metrics), waiting
