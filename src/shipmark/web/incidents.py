"""Incidents: the list, and a page for each, where its links are corrected."""

from typing import Any

from starlette.responses import Response

from shipmark.application.incident_corrections import CorrectionDraft
from shipmark.application.incident_ports import IncidentFilter
from shipmark.application.incidents import (
    ExplainedIncident,
    explain_incidents,
    incident_view,
    incidents,
)
from shipmark.application.queries import Page
from shipmark.application.tokens import Scope
from shipmark.domain.errors import DeploymentNotFound, InvalidArgument
from shipmark.web.asked import unknown_service
from shipmark.web.fields import Fields, cursor_text
from shipmark.web.visit import Visit

PATH = "/incidents"
SHOWN = 50
DEPLOY = (Scope.DEPLOYMENTS_WRITE,)
FILTERS = ("service", "environment", "priority", "resolved", "since", "until")
SAYS = {"yes": True, "no": False, "withdraw": None}
"""What a form says of a link: that there is one, that there is none, or that the rules decide."""

STATES = (("", "Any"), ("no", "Open"), ("yes", "Resolved"))


async def listed(visit: Visit) -> Response:
    """Incidents, the last started first."""
    fields = visit.query
    wanted, service = _filter(fields), fields.text("service")
    page = Page(limit=SHOWN + 1, after=fields.cursor(str))

    def read(tx: Any) -> list[ExplainedIncident]:
        found = incidents(tx, wanted, page, service=service)
        return explain_incidents(tx, [one.incident for one in found], visit.site.calls.metric_rules)

    found = [] if fields.problems else await visit.read(read)
    return visit.render(
        "incidents.html",
        rows=found[:SHOWN],
        next=_next(found),
        unknown=None if found else await unknown_service(visit),
        filters=fields.kept(*FILTERS),
        states=STATES,
    )


def _filter(fields: Fields) -> IncidentFilter:
    since, until = fields.times()
    return IncidentFilter(
        environment=fields.text("environment"),
        priority=fields.text("priority"),
        resolved=fields.flag("resolved"),
        since=since,
        until=until,
    )


def _next(found: list[ExplainedIncident]) -> str | None:
    if len(found) <= SHOWN:
        return None
    last = found[SHOWN - 1].row.incident
    return cursor_text(last.started_at, last.reference_id)


async def shown(visit: Visit) -> Response:
    """An incident, and the deployments that it is linked to, with why."""
    return await _page(visit)


async def _page(visit: Visit, *, status: int = 200) -> Response:
    rules = visit.site.calls.metric_rules
    found = await visit.read(lambda tx: incident_view(tx, visit.path("id"), rules))
    return visit.render(
        "incident.html",
        status=status,
        found=found,
        one=found.row.incident,
        services=found.row.services,
        may_change=visit.may(DEPLOY),
        within=rules.incident_within,
    )


async def correct(visit: Visit) -> Response:
    """Say by hand that it is, or is not, linked to a deployment, or take that back; and why."""
    id_, form = visit.path("id"), visit.form
    reason, named, says = form.text("reason"), form.text("deployment"), form.text("linked")
    if says not in SAYS:
        form.problems["linked"] = f"linked is '{says or ''}'; it must be one of {', '.join(SAYS)}."
    if reason is None:
        form.problems.setdefault("reason", "Say why: it is kept with your name.")
    if named is None:
        form.problems.setdefault("deployment", "Name a deployment by its reference_id.")
    if form.problems or named is None or says is None:
        return await _page(visit, status=400)
    rules = visit.site.calls.metric_rules
    found = await visit.read(lambda tx: incident_view(tx, id_, rules))
    account, token = visit.caller
    draft = CorrectionDraft(
        reference_id=found.row.incident.reference_id,
        deployment_reference_id=named,
        is_linked=SAYS[says],
        reason=reason,
        account=account,
        token=token,
    )
    try:
        await visit.write(visit.site.calls.works.correct_link, draft)
    except (DeploymentNotFound, InvalidArgument) as error:
        form.problems["deployment"] = error.message
        return await _page(visit, status=400)
    done = "correction-withdrawn" if SAYS[says] is None else "link-corrected"
    return visit.go_to(f"/incidents/{id_}", done=done)
