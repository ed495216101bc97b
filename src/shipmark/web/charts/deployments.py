"""Deployments on an axis of time, a row for each environment."""

from collections.abc import Sequence
from datetime import timedelta

from shipmark.application.queries import DeploymentRow
from shipmark.domain.model import Deployment
from shipmark.web.charts.specification import Chart, specification
from shipmark.web.words import count, exact, iso

OUTCOMES = ("succeeded", "rollback", "failed")
ROW, LOW_ROW = 34, 16
MANY = 12
DAYS_ALONE = timedelta(days=6)
"""A longer axis has marks a day or more apart."""


def deployments(newest: Sequence[DeploymentRow], *, title: str, with_service: bool) -> Chart:
    """A mark for each of these deployments, which come newest first, by what became of it. The
    table has a row an environment, the last deployed to first."""
    places: dict[str, list[Deployment]] = {}
    for row in newest:
        places.setdefault(row.deployment.environment, []).append(row.deployment)
    values = [
        {
            "at": iso(row.deployment.deployed_at),
            "environment": row.deployment.environment,
            "outcome": _outcome(row),
            "deployment": row.deployment.reference_id,
            "service": row.service.name,
        }
        for row in newest
    ]
    told = [("deployment", "Deployment"), ("outcome", "Outcome"), ("environment", "Environment")]
    told += [("service", "Service")] if with_service else []
    dates = [row.deployment.deployed_at for row in newest]
    times = "%Y-%m-%d" if max(dates) - min(dates) > DAYS_ALONE else "%m-%d %H:%M"
    colours = {"domain": OUTCOMES, "range": ["var(--series-1)", "var(--series-2)", "var(--bad)"]}
    shapes = {"domain": OUTCOMES, "range": ["circle", "triangle-left", "diamond"]}
    return Chart(
        title=title,
        text=f"{title}: the newest {count(len(newest), 'deployment')} to "
        f"{count(len(places), 'environment')}.",
        specification=specification(
            values,
            height=(ROW if len(places) <= MANY else LOW_ROW) * max(1, len(places)) + 10,
            mark={"type": "point", "filled": True, "size": 44, "opacity": 0.7},
            encoding={
                "x": {"field": "at", "type": "temporal", "title": None, "scale": {"type": "utc"}}
                | {"axis": {"grid": False, "tickCount": 6, "labelOverlap": True, "format": times}},
                "y": {"field": "environment", "type": "nominal", "title": None}
                | {"sort": list(places), "axis": {"grid": True}},
                "color": {"field": "outcome", "type": "nominal", "title": None, "scale": colours},
                "shape": {"field": "outcome", "type": "nominal", "title": None, "scale": shapes},
                "tooltip": [
                    *({"field": field, "type": "nominal", "title": name} for field, name in told),
                    {"field": "at", "type": "temporal", "title": "Deployed (UTC)"}
                    | {"timeUnit": "utcyearmonthdatehoursminutes"},
                ],
            },
        ),
        columns=("Environment", "Deployments", "Failed", "Last deployed"),
        rows=[
            (place, len(each), sum(not one.success for one in each), exact(each[0].deployed_at))
            for place, each in places.items()
        ],
    )


def _outcome(row: DeploymentRow) -> str:
    if not row.deployment.success:
        return "failed"
    return "rollback" if row.rolled_back else "succeeded"
