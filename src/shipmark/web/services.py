"""Services: the list, and a page for each."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from shipmark.application import activity
from shipmark.application.activity import ServiceView
from shipmark.application.metric_facts import Asked
from shipmark.application.metric_rows import MetricRow, metric_rows
from shipmark.application.metrics import measure
from shipmark.application.queries import DeploymentRow, Page
from shipmark.domain.metrics import Metric
from shipmark.web.asked import RANGES, TIMES, asked, chosen_range
from shipmark.web.charts.deployments import deployments
from shipmark.web.figures import Tile, tiles
from shipmark.web.visit import Visit

PATH = "/services"
SHOWN = 50
FILTERS = (*TIMES, "ahead", "behind")
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
    view, figures, waiting = await visit.read(
        lambda tx: (
            activity.service_view(tx, identifier, ahead=ahead, behind=behind),
            *measured(visit, tx, wanted),
        )
    )
    return visit.render(
        "service.html",
        view=view,
        service=view.service,
        here=f"/services/{identifier}",
        named={"service": identifier},
        chart=await visit.drawn(
            deployments(
                view.deployments,
                title=timeline_title(view.deployments),
                with_service=False,
            )
        )
        if view.deployments
        else None,
        tiles=figures,
        waiting=waiting,
        environments=[(one.environment, one.environment) for one in view.places.shown],
        never=_never(view, ahead, behind),
        range=chosen_range(visit),
        ranges=RANGES,
        filters=visit.query.kept(*TIMES),
        compared=visit.query.kept("ahead", "behind"),
    )


def _never(view: ServiceView, *named: str | None) -> list[str]:
    """Of environments that are named to be compared, those that it was never deployed to."""
    known = {one.environment for one in view.places.shown}
    if view.places.has_more:
        return []
    return [one for one in dict.fromkeys(named) if one is not None and one not in known]


def timeline_title(newest: Sequence[DeploymentRow]) -> str:
    """What a drawing of deployments covers, whatever range the metrics are of."""
    if len(newest) < activity.DRAWN:
        return "Deployments by environment, all there are"
    since = newest[-1].deployment.deployed_at
    return f"Deployments by environment, the newest {len(newest)}, since {since:%Y-%m-%d}"


def measured(visit: Visit, tx: Any, wanted: Asked) -> tuple[list[Tile], list[MetricRow]]:
    """The metrics of one service or repository, and the first pull requests that wait, whenever
    they merged. Of a range that cannot be measured there are none, and the page says why."""
    rules = visit.site.calls.metric_rules
    wanted_metrics = [one for one in Metric if one is not Metric.TIME_WAITING]
    found: list[Tile] = []
    with visit.query.refusing():
        found = tiles(measure(tx, wanted, rules, wanted_metrics))
    ever, page = replace(wanted, since=None, until=None), Page(limit=WAITING)
    return found, metric_rows(tx, ever, rules, Metric.TIME_WAITING, page)
