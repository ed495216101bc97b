"""Incidents: recorded, corrected, and linked to deployments."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from shipmark.application.incident_ports import IncidentFilter
from shipmark.application.metric_facts import MetricRules
from shipmark.application.ports import Transaction
from shipmark.application.queries import DeploymentRow, Page, ReadTransaction
from shipmark.application.report import id_of_service
from shipmark.domain.errors import IncidentNotFound, InvalidArgument
from shipmark.domain.failures import Deployed, Place, followed
from shipmark.domain.incidents import (
    Correction,
    Happened,
    Incident,
    Linked,
    LinkKind,
    Told,
    Withdrawal,
    corrected,
)
from shipmark.domain.model import Deployment
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
    registered; ``withdrawn`` is filled where one incident is looked at."""

    row: IncidentRow
    links: tuple[ExplainedLink, ...]
    named_unknown: bool
    withdrawn: tuple[Withdrawal, ...] = ()


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
    return _explained_whole(tx, found[id_], rules)


def incidents_of_deployment(
    tx: ReadTransaction, row: DeploymentRow, rules: MetricRules
) -> list[tuple[Incident, ExplainedLink]]:
    """The incidents that are, or by hand were taken not to be, linked to a deployment, and why."""
    one = row.deployment
    followed_by = IncidentFilter(
        service_id=one.service_id,
        since=one.deployed_at,
        until=one.deployed_at + rules.incident_within + MOMENT,
    )
    found = tx.incidents.about(one.reference_id, followed_by, limit=MOST_OF_DEPLOYMENT)
    if not found:
        return []
    made = tx.incidents.corrections({each.id for each in found})
    told = list(_told_of(one, found, made))
    linked = _linked(tx, found, told, rules)
    known = {one.id: row}
    return [
        (each, link)
        for each in found
        for link in _explained(each, linked, known, made.get(each.id, ()))
    ]


def _told_of(
    deployment: Deployment, found: Sequence[Incident], made: Mapping[int, Sequence[Correction]]
) -> Iterator[Told]:
    """What is named or corrected of incidents and one deployment."""
    for each in found:
        resolved_at = None if each.resolved_at is None else microseconds(each.resolved_at)
        if each.deployment_reference_id == deployment.reference_id:
            yield Told(each.id, deployment.id, resolved_at, "named")
        for one in made.get(each.id, ()):
            if one.deployment_reference_id == deployment.reference_id:
                says: Literal["linked", "unlinked"] = "linked" if one.is_linked else "unlinked"
                yield Told(each.id, deployment.id, resolved_at, says)


def explained_incident(
    tx: ReadTransaction, reference_id: str, rules: MetricRules
) -> ExplainedIncident:
    """An incident with the deployments it is linked to. Raises IncidentNotFound."""
    return _explained_whole(tx, incident(tx, reference_id), rules)


def _explained_whole(tx: ReadTransaction, found: Incident, rules: MetricRules) -> ExplainedIncident:
    (explained,) = explain_incidents(tx, [found], rules)
    withdrawn = tx.incidents.withdrawals({found.id}).get(found.id, ())
    return replace(explained, withdrawn=tuple(withdrawn))


def explain_incidents(
    tx: ReadTransaction, found: Sequence[Incident], rules: MetricRules
) -> list[ExplainedIncident]:
    """Incidents with the deployments they are linked to, and why."""
    ids = {one.id for one in found}
    made = tx.incidents.corrections(ids)
    linked = _linked(tx, found, tx.incidents.told(ids), rules)
    deployments = sorted({deployment for deployment, _ in linked})
    known = {one.deployment.id: one for one in tx.reports.deployments_by_id(deployments)}
    explained = []
    for row in _rows(tx, found):
        links = _explained(row.incident, linked, known, made.get(row.incident.id, ()))
        named = row.incident.deployment_reference_id
        explained.append(
            ExplainedIncident(
                row=row,
                links=tuple(sorted(links, key=lambda one: one.row.deployment.order)),
                named_unknown=named is not None
                and named not in {one.row.deployment.reference_id for one in links},
            )
        )
    return explained


def _linked(
    tx: ReadTransaction, found: Sequence[Incident], told: Sequence[Told], rules: MetricRules
) -> dict[tuple[int, int], Linked | None]:
    """By deployment and incident, in order: how they are linked; None: unlinked by hand."""
    places: dict[Place, list[Deployed]] = {}
    for suspect in tx.incidents.suspects(found, within=rules.incident_within):
        places.setdefault(suspect.place, []).append(suspect)
    links = corrected(followed(places, {}, _happened(found), rules.within), told)
    pairs: dict[tuple[int, int], Linked | None] = {
        (one.deployment_id, one.incident_id): None for one in told if one.says == "unlinked"
    }
    pairs |= {(d, i): link for d, of_this in links.items() for i, link in of_this.items()}
    return dict(sorted(pairs.items(), key=lambda pair: pair[0]))


def _explained(
    of: Incident,
    linked: Mapping[tuple[int, int], Linked | None],
    known: Mapping[int, DeploymentRow],
    made: Sequence[Correction],
) -> list[ExplainedLink]:
    """The links of an incident to the deployments that are known."""
    by_hand = {one.deployment_reference_id: one for one in made}
    return [
        _explain(of, known[d], link, by_hand.get(known[d].deployment.reference_id))
        for (d, i), link in linked.items()
        if i == of.id and d in known
    ]


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
    of: Incident, row: DeploymentRow, link: Linked | None, correction: Correction | None
) -> ExplainedLink:
    if correction is not None:
        said = "linked" if correction.is_linked else "unlinked"
        by = f" by {correction.account} with the token {correction.token}"
        why = f"It was {said} by hand{by if correction.account else ''}"
        why += f": {correction.reason}" if correction.reason else "."
    elif link is not None and link.kind is LinkKind.NAMED:
        why = "The incident names this deployment."
    else:
        after = _length(of.started_at - row.deployment.deployed_at)
        why = (
            f"It is of the service {row.service.identifier} and started {after} after "
            f"this deployment to {row.deployment.environment}, before the next one."
        )
    return ExplainedLink(row=row, kind=link.kind if link else None, why=why, correction=correction)


def _length(span: timedelta) -> str:
    """A span in the largest unit of which it has two or more."""
    seconds = span.total_seconds()
    units = ((86400, "days"), (3600, "hours"), (60, "minutes"))
    size, unit = next((each for each in units if seconds >= 2 * each[0]), (1, "seconds"))
    return f"{round(seconds / size, 1):g} {unit}"
