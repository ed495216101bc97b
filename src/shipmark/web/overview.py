"""Where one comes to first: how delivery is doing, what waits, and what has no explanation yet."""

from functools import partial

from starlette.responses import Response

from shipmark.application.overview import Overview, overview
from shipmark.domain.metrics import Waiting
from shipmark.domain.model import DEFAULT_ENVIRONMENT
from shipmark.web.asked import (
    FILTERS,
    PLACES,
    RANGES,
    asked,
    chosen_range,
    times_of,
    unknown_service,
    unshipped,
)
from shipmark.web.charts.distribution import distribution
from shipmark.web.charts.over_time import columns_over_time
from shipmark.web.fields import names_text
from shipmark.web.figures import tiles
from shipmark.web.visit import DrawnChart, Visit
from shipmark.web.words import count

PATH = "/"
MOST_LANES = 10


async def home(visit: Visit) -> Response:
    """The metrics, deployments a day, lead times, what waits, and the health of attribution."""
    wanted = asked(visit.query, visit.now)
    found: Overview | None = None
    if not visit.query.problems:
        with visit.query.refusing():
            rules = visit.site.calls.metric_rules
            found = await visit.read(partial(overview, asked=wanted, rules=rules))
    return visit.render(
        "overview.html",
        found=found,
        tiles=tiles(found.measurement) if found else (),
        charts=await _charts(visit, found) if found else (),
        waiting=_waiting(found) if found else (),
        unknown=None if found and found.services else await unknown_service(visit),
        ranges=RANGES,
        range=chosen_range(visit),
        filters=visit.query.kept(*FILTERS),
        places=visit.query.kept(*PLACES),
        rows_of=_rows_of(visit, found) if found else {},
    )


async def _charts(visit: Visit, found: Overview) -> list[DrawnChart]:
    drawn = []
    if found.services:
        total = sum(sum(one.deployments) for one in found.services)
        title = "Deployments by service"
        chart = columns_over_time(
            found.buckets,
            {one.service: one.deployments for one in found.services},
            title=title,
            text=f"{count(total, 'deployment')} of {count(len(found.services), 'service')}.",
            amount="Deployments",
            kind="Service",
        )
        drawn.append(await visit.drawn(chart))
    if any(one.n for one in found.lead_times):
        chart = distribution(found.lead_times, title="From merge to deployment", noun="change")
        drawn.append(await visit.drawn(chart))
    return drawn


def _waiting(found: Overview) -> list[Waiting]:
    """Where most waits."""
    waiting = found.measurement.time_waiting or ()
    return sorted(waiting, key=lambda one: -one.n)[:MOST_LANES]


def _rows_of(visit: Visit, found: Overview) -> dict[str, str]:
    """The addresses of the deployments and pull requests behind the health of attribution."""
    period, said = found.measurement.period, visit.query.kept(*PLACES)
    times = times_of(visit, period)
    # Deployments that name no environment are those of all, unlike metrics.
    said["environment"] = names_text(found.measurement.environments) or DEFAULT_ENVIRONMENT
    return {
        "all": visit.link("/deployments", **said, **times),
        "pending": visit.link("/deployments", **said, **times, status="pending"),
        "expired": visit.link("/deployments", **said, **times, status="expired"),
        "none": visit.link("/deployments", **said, **times, status="none", success="yes"),
        "failed": visit.link("/deployments", **said, **times, status="none", success="no"),
        "unshipped": unshipped(visit, period),
    }
