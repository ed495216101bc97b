"""A deployment's page, and what may be done there: retry, edit, delete."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from shipmark.application import report
from shipmark.application.deployment_view import DeploymentView, deployment_view
from shipmark.application.incidents import (
    ExplainedLink,
    incidents_of_deployment,
)
from shipmark.application.queries import DeploymentRow, Page, PullRow, ReadTransaction
from shipmark.application.tokens import Scope
from shipmark.domain.attribution import Window
from shipmark.domain.errors import ChangedMeanwhile, ShipmarkError, Unavailable
from shipmark.domain.incidents import Incident
from shipmark.domain.model import Deployment, Status
from shipmark.web.charts.lead_times import lead_times
from shipmark.web.fields import cursor_text
from shipmark.web.timeline import timeline
from shipmark.web.visit import DrawnChart, Visit
from shipmark.web.words import exact, iso

Incidents = list[tuple[Incident, ExplainedLink]]

SHOWN = 100
WORTH_A_CHART = 5
"""Pull requests that are too few to speak of a distribution."""

DEPLOY = (Scope.DEPLOYMENTS_WRITE,)
EDITED = (
    "deployed_at",
    "service",
    "environment",
    "success",
    "repository",
    "commit_sha",
    "merge_commit_shas",
    "integration_branch",
    "source_name",
    "source_url",
    "metadata",
)
REQUIRED = {
    "deployed_at": "when it was deployed",
    "service": "what was deployed",
    "environment": "where it was deployed to",
    "success": "yes or no",
}
"""What no deployment is without, and so is never taken away by a blank field."""


async def shown(visit: Visit) -> Response:
    """Everything about a deployment."""
    after = visit.query.cursor(int)
    page = Page(limit=SHOWN + 1, after=after)
    view, incidents = await visit.read(lambda tx: _read(visit, tx, page))
    one, pulls = view.reported.row.deployment, view.reported.pulls[:SHOWN]
    return visit.render(
        "deployment.html",
        view=view,
        row=view.reported.row,
        one=one,
        pulls=pulls,
        next=_next(view),
        chart=await _chart(visit, one, pulls),
        timeline=timeline(
            _in_lane(view), one.id, [row.pull.merged_at for row in pulls if row.pull.merged_at]
        ),
        incidents=incidents,
        may_change=visit.may(DEPLOY),
        is_waiting=one.attribution.status in (Status.PENDING, Status.EXPIRED),
    )


def _read(visit: Visit, tx: ReadTransaction, page: Page) -> tuple[DeploymentView, Incidents]:
    view = deployment_view(tx, visit.path("id"), page)
    rules = visit.site.calls.metric_rules
    return view, incidents_of_deployment(tx, view.reported.row, rules)


def _in_lane(view: DeploymentView) -> list[Window]:
    around = view.around
    return [*around.before, around.placed.window, *around.after] if around else []


def _next(view: DeploymentView) -> str | None:
    found = view.reported.pulls
    position = found[SHOWN - 1].pull.position if len(found) > SHOWN else None
    return cursor_text(*position) if position else None


async def _chart(visit: Visit, one: Deployment, pulls: Sequence[PullRow]) -> DrawnChart | None:
    waited: list[timedelta] = [
        one.deployed_at - row.pull.merged_at for row in pulls if row.pull.merged_at
    ]
    if len(waited) < WORTH_A_CHART:
        return None
    return await visit.drawn(lead_times(waited, title="From merge to deployment"))


async def edit(visit: Visit) -> Response:
    """The form with which a deployment is changed."""
    row = await visit.read(lambda tx: report.deployment(tx, visit.path("id"), None))
    return _edit_form(visit, row, _values(row))


async def change(visit: Visit) -> Response:
    """Change a deployment, as `deployments.update` does."""
    row = await visit.read(lambda tx: report.deployment(tx, visit.path("id"), None))
    sent = visit.form.sent
    wanted = _wanted(visit, row.deployment)
    if visit.form.problems:
        return _edit_form(visit, row, sent)
    try:
        patch = visit.site.patch_of(wanted, visit.account_id)
        seen = visit.form.instant("seen")
        await visit.write(visit.site.calls.works.update, replace(patch, seen=seen))
    except Unavailable:
        raise
    except ChangedMeanwhile as error:
        return await _changed_meanwhile(visit, error)
    except ShipmarkError as error:
        visit.form.problems[error.argument or ""] = error.message
        return _edit_form(visit, row, sent, status=visit.site.status_of(error))
    return visit.go_to(_path(row), done="deployment-changed")


def _wanted(visit: Visit, one: Deployment) -> dict[str, Any]:
    """What the form says, as `deployments.update` takes it. A blank field takes away what a
    deployment can be without; any other blank is a problem, so that none is passed over."""
    sent, problems = visit.form.sent, visit.form.problems
    said: dict[str, Any] = {name: sent[name].strip() or None for name in EDITED if name in sent}
    blank = {name for name, text in said.items() if text is None}
    problems |= {
        name: f"{name} is blank; it must be {right}."
        for name, right in REQUIRED.items()
        if name in blank
    }
    keeps_list = bool(one.merge_commit_shas) and not said.get("commit_sha")
    lists = bool(said.get("merge_commit_shas")) or keeps_list
    if "merge_commit_shas" in blank:
        del said["merge_commit_shas"]
        if lists:
            problems["merge_commit_shas"] = (
                "merge_commit_shas is blank; it must name commits, or commit_sha one instead."
            )
    if "repository" in blank and not lists:
        problems["repository"] = (
            "repository is blank; it must be named, as this deployment lists no merge commits."
        )
    return said | {"reference_id": one.reference_id}


async def _changed_meanwhile(visit: Visit, error: ChangedMeanwhile) -> Response:
    """The form again, with what was typed and, where that is something else, what is stored now."""
    row = await visit.read(lambda tx: report.deployment(tx, visit.path("id"), None))
    visit.form.problems[""] = (
        f"Someone changed this deployment on {exact(row.deployment.updated_at)}, after you opened "
        "this form. Nothing of yours is saved. Compare the fields that are marked, then save again."
    )
    now = _values(row)
    for name in EDITED:
        typed = visit.form.sent.get(name, "").strip().replace("\r\n", "\n")
        if typed != now[name]:
            visit.form.problems[name] = f"{name} is '{now[name]}' by now."
    values = visit.form.sent | {"seen": now["seen"]}
    return _edit_form(visit, row, values, status=visit.site.status_of(error))


def _edit_form(
    visit: Visit, row: DeploymentRow, values: dict[str, str], *, status: int = 200
) -> Response:
    return visit.render("deployment_edit.html", status=status, row=row, values=values)


def _values(row: DeploymentRow) -> dict[str, str]:
    one = row.deployment
    return {
        "deployed_at": iso(one.deployed_at),
        "service": row.service.identifier,
        "environment": one.environment,
        "success": "yes" if one.success else "no",
        "repository": row.repository.name if row.repository else "",
        "commit_sha": one.commit_sha or "",
        "merge_commit_shas": " ".join(one.merge_commit_shas),
        "integration_branch": one.integration_branch or "",
        "source_name": one.source_name or "",
        "source_url": one.source_url or "",
        "metadata": one.metadata or "",
        "seen": iso(one.updated_at),
    }


async def retry(visit: Visit) -> Response:
    """Attribute a deployment again, now."""
    registered = await visit.write(visit.site.calls.works.retry, visit.path("id"))
    return visit.go_to(f"/deployments/{registered.deployment.id}", done="deployment-retried")


async def delete(visit: Visit) -> Response:
    """Remove a deployment as if it had never been."""
    row = await visit.read(lambda tx: report.deployment(tx, visit.path("id"), None))
    await visit.write(visit.site.calls.works.delete, row.deployment.reference_id)
    return visit.go_to("/deployments", done="deployment-deleted")


def _path(row: DeploymentRow) -> str:
    return f"/deployments/{row.deployment.id}"
