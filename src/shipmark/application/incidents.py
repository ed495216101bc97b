"""Incidents: recorded, corrected, and linked to deployments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from shipmark.application.incident_ports import IncidentFilter
from shipmark.application.metric_facts import MetricRules
from shipmark.application.ports import Transaction
from shipmark.application.queries import DeploymentRow, Page, ReadTransaction
from shipmark.application.report import deployment, id_of_service
from shipmark.domain.errors import IncidentNotFound, InvalidArgument
from shipmark.domain.failures import Deployed, Place, followed
from shipmark.domain.incidents import Correction, Happened, Incident, Linked, LinkKind, corrected
from shipmark.domain.periods import microseconds

ServiceName = tuple[str, str | None]

MOST_OF_DEPLOYMENT = 50
MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentDraft:
    """An incident as told: what is absent of ``values`` stays, what is None is taken away.

    ``services`` (identifier, display name if given apart) become the incident's; None: they stay.
    """

    reference_id: str
    started_at: datetime
    values: Mapping[str, Any]
    services: tuple[ServiceName, ...] | None = None
    account_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionDraft:
    """That an incident is, or is not, linked to a deployment; who says so, and why."""

    reference_id: str
    deployment_reference_id: str
    is_linked: bool
    reason: str | None
    account: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRow:
    """An incident with the names of its services."""

    incident: Incident
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedLink:
    """A deployment that an incident is, or was by hand taken not to be, linked to.

    ``kind`` is None for one that was unlinked. ``why`` says it in words.
    """

    row: DeploymentRow
    kind: LinkKind | None
    why: str
    correction: Correction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedIncident:
    """An incident with its links. ``named_unknown`` is whether it names a deployment that is not
    registered."""

    row: IncidentRow
    links: tuple[ExplainedLink, ...]
    named_unknown: bool


def upsert_incident(tx: Transaction, draft: IncidentDraft) -> Incident:
    """Record an incident, or change the one with its reference_id.

    Raises InvalidArgument for one that would be resolved before it started.
    """
    before = tx.incidents.claim(draft.reference_id, draft.started_at)
    after = replace(before, started_at=draft.started_at, **draft.values)
    if after.resolved_at is not None and after.resolved_at < after.started_at:
        raise InvalidArgument(
            f"resolved_at is {after.resolved_at.isoformat()}, which is before started_at, "
            f"{after.started_at.isoformat()}.",
            argument="resolved_at",
        )
    if draft.services is not None:
        ids = tx.services.find_or_add(dict(draft.services)).values()
        after = replace(after, service_ids=tuple(sorted(ids)))
        tx.incidents.set_services(after.id, after.service_ids)
    if after != before:
        after = replace(after, updated_at=tx.now, account_id=draft.account_id)
        tx.incidents.save(after)
    return after


def delete_incident(tx: Transaction, reference_id: str) -> bool:
    """Remove an incident with all that was corrected of it; whether there was one."""
    found = tx.incidents.by_reference_id(reference_id)
    if found is not None:
        tx.incidents.delete(found.id)
    return found is not None


def correct_link(tx: ReadTransaction, draft: CorrectionDraft) -> Incident:
    """Say by hand that an incident is or is not linked to a deployment.

    Raises IncidentNotFound and DeploymentNotFound.
    """
    found = incident(tx, draft.reference_id)
    deployment(tx, None, draft.deployment_reference_id)
    tx.incidents.correct(
        found.id,
        Correction(
            deployment_reference_id=draft.deployment_reference_id,
            is_linked=draft.is_linked,
            reason=draft.reason,
            account=draft.account,
            token=draft.token,
            made_at=tx.now,
        ),
    )
    return found


def incident(tx: ReadTransaction, reference_id: str) -> Incident:
    """Raises IncidentNotFound."""
    found = tx.incidents.by_reference_id(reference_id)
    if found is None:
        raise IncidentNotFound(
            f"There is no incident with reference_id '{reference_id}'.", argument="reference_id"
        )
    return found


def incidents(
    tx: ReadTransaction, filter_: IncidentFilter, page: Page, *, service: str | None = None
) -> list[IncidentRow]:
    """Incidents, the last started first. A service nobody knows has none."""
    if service is not None:
        filter_ = replace(filter_, service_id=id_of_service(tx, service))
    after = None if page.after is None else (page.after[0], page.after[1])
    return _rows(tx, tx.incidents.page(filter_, after=after, limit=page.limit))


def _rows(tx: ReadTransaction, found: Sequence[Incident]) -> list[IncidentRow]:
    named = tx.services.get({id_ for one in found for id_ in one.service_ids})
    return [
        IncidentRow(
            incident=one,
            services=tuple(sorted(named[id_].identifier for id_ in one.service_ids)),
        )
        for one in found
    ]


def incident_view(tx: ReadTransaction, id_: int, rules: MetricRules) -> ExplainedIncident:
    """An incident by its id, as it is explained. Raises IncidentNotFound."""
    found = tx.incidents.get({id_})
    if id_ not in found:
        raise IncidentNotFound(f"There is no incident with id {id_}.", argument="id")
    return explain_incidents(tx, [found[id_]], rules)[0]


def incidents_of_deployment(
    tx: ReadTransaction, row: DeploymentRow, rules: MetricRules
) -> list[tuple[IncidentRow, ExplainedLink]]:
    """The incidents that are, or by hand were taken not to be, linked to a deployment, and why."""
    one = row.deployment
    followed_by = IncidentFilter(
        service_id=one.service_id,
        since=one.deployed_at,
        until=one.deployed_at + rules.incident_within + MOMENT,
    )
    found = tx.incidents.get(tx.incidents.about(one.reference_id, MOST_OF_DEPLOYMENT))
    for each in tx.incidents.page(followed_by, after=None, limit=MOST_OF_DEPLOYMENT):
        found[each.id] = each
    explained = explain_incidents(tx, list(found.values()), rules, only=row) if found else []
    return [(each.row, link) for each in explained for link in each.links]


def explained_incident(
    tx: ReadTransaction, reference_id: str, rules: MetricRules
) -> ExplainedIncident:
    """An incident with the deployments it is linked to. Raises IncidentNotFound."""
    return explain_incidents(tx, [incident(tx, reference_id)], rules)[0]


def explain_incidents(
    tx: ReadTransaction,
    found: Sequence[Incident],
    rules: MetricRules,
    *,
    only: DeploymentRow | None = None,
) -> list[ExplainedIncident]:
    """Incidents with the deployments they are linked to, or with one of them, and why."""
    ids = {one.id for one in found}
    suspects = tx.incidents.suspects(found, within=rules.incident_within)
    places: dict[Place, list[Deployed]] = {}
    for suspect in suspects:
        places.setdefault(suspect.place, []).append(suspect)
    by_rules = followed(places, {}, _happened(found), rules.within)
    told = tx.incidents.told(ids)
    links = corrected(by_rules, told)
    corrections = tx.incidents.corrections(ids)
    unlinked = {(one.deployment_id, one.incident_id) for one in told if one.says == "unlinked"}
    pairs = {(d, i): link for d, linked in links.items() for i, link in linked.items()}
    wanted = sorted({*pairs, *unlinked})
    if only is not None:
        wanted = [pair for pair in wanted if pair[0] == only.deployment.id]
        rows = {only.deployment.id: only}
    else:
        linked_to = sorted({deployment for deployment, _ in wanted})
        rows = {one.deployment.id: one for one in tx.reports.deployments_by_id(linked_to)}
    explained = []
    for row in _rows(tx, found):
        made = {one.deployment_reference_id: one for one in corrections.get(row.incident.id, ())}
        of_this = [
            _explain(row, rows[d], pairs.get((d, i)), made.get(rows[d].deployment.reference_id))
            for d, i in wanted
            if i == row.incident.id
        ]
        named = row.incident.deployment_reference_id
        known = {one.row.deployment.reference_id for one in of_this}
        explained.append(
            ExplainedIncident(
                row=row,
                links=tuple(sorted(of_this, key=lambda one: one.row.deployment.order)),
                named_unknown=named is not None and named not in known,
            )
        )
    return explained


def _happened(found: Sequence[Incident]) -> list[Happened]:
    return [
        Happened(
            one.id,
            microseconds(one.started_at),
            None if one.resolved_at is None else microseconds(one.resolved_at),
            one.environment,
            service_id,
            one.deployment_reference_id is not None,
        )
        for one in found
        for service_id in one.service_ids
    ]


def _explain(
    of: IncidentRow, row: DeploymentRow, link: Linked | None, correction: Correction | None
) -> ExplainedLink:
    if correction is not None:
        said = "linked" if correction.is_linked else "unlinked"
        by = f" by {correction.account} with the token {correction.token}"
        why = f"It was {said} by hand{by if correction.account else ''}"
        why += f": {correction.reason}" if correction.reason else "."
    elif link is not None and link.kind is LinkKind.NAMED:
        why = "The incident names this deployment."
    else:
        after = (of.incident.started_at - row.deployment.deployed_at).total_seconds()
        why = (
            f"It is of the service {row.service.identifier} and started {after:g} seconds after "
            f"this deployment to {row.deployment.environment}, before the next one."
        )
    return ExplainedLink(row=row, kind=link.kind if link else None, why=why, correction=correction)
