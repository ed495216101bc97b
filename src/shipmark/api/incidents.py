"""The methods incidents.*: what went wrong, and the deployments that it is linked to."""

import dataclasses
from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from shipmark.api import coercions, forms
from shipmark.api.answers import Answer, ListAnswer
from shipmark.api.calls import Call
from shipmark.api.coercions import ServiceName
from shipmark.api.decoding import Arguments, Form
from shipmark.api.paging import LIMIT, cursor_of, cut, page
from shipmark.application.incident_corrections import CorrectionDraft
from shipmark.application.incident_ports import IncidentFilter
from shipmark.application.incidents import (
    ExplainedIncident,
    ExplainedLink,
    IncidentDraft,
    IncidentRow,
    explain_incidents,
    explained_incident,
    incidents,
)
from shipmark.application.queries import Cursor
from shipmark.domain.incidents import Correction, LinkKind

REFERENCE_ID = forms.IDENTIFIER.described("Your own unique id of the incident.")
PAST = Form(coercions.past_instant, forms.INSTANT.schema, forms.INSTANT.about)
RESOLVED_AT = PAST.described("When it was over; null: it is not.")
NAME = forms.LONG_TEXT.described("What it is called.")
PRIORITY = forms.IDENTIFIER.described("As your incident system says it.", examples=["P1"])
SOURCE_URL = forms.URL.described("Where more can be read about the incident.")
ENVIRONMENT = forms.TEXT.described(
    "Where it happened; without one, in the environments whose name contains prod."
)
DEPLOYMENT = forms.IDENTIFIER.described("The reference_id of the deployment that caused it.")
REASON = forms.LONG_TEXT.described("Why: it is kept and shown.")


class UpsertArguments(Arguments, kw_only=True, frozen=True):
    """An incident. What is absent stays as it is, what is null is taken away."""

    clearable: ClassVar = frozenset(
        {
            "resolved_at",
            "name",
            "priority",
            "source_url",
            "metadata",
            "environment",
            "deployment_reference_id",
        }
    )

    reference_id: Annotated[str, REFERENCE_ID]
    started_at: Annotated[datetime, PAST]
    services: Annotated[tuple[ServiceName, ...] | UnsetType, forms.SERVICES] = UNSET
    resolved_at: Annotated[datetime | UnsetType | None, RESOLVED_AT] = UNSET
    name: Annotated[str | UnsetType | None, NAME] = UNSET
    priority: Annotated[str | UnsetType | None, PRIORITY] = UNSET
    source_url: Annotated[str | UnsetType | None, SOURCE_URL] = UNSET
    metadata: Annotated[str | UnsetType | None, forms.METADATA] = UNSET
    environment: Annotated[str | UnsetType | None, ENVIRONMENT] = UNSET
    deployment_reference_id: Annotated[str | UnsetType | None, DEPLOYMENT] = UNSET

    def draft(self, account_id: int) -> IncidentDraft:
        """The same for the use case."""
        values: dict[str, Any] = {
            name: value
            for name, value in msgspec.structs.asdict(self).items()
            if name in self.clearable and value is not UNSET
        }
        return IncidentDraft(
            reference_id=self.reference_id,
            started_at=self.started_at,
            values=values,
            services=None if isinstance(self.services, UnsetType) else self.services,
            account_id=account_id,
        )


class IncidentAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """An incident as last told."""

    reference_id: str
    started_at: datetime
    resolved_at: datetime | None
    services: tuple[str, ...]
    environment: str | None
    name: str | None
    priority: str | None
    source_url: str | None
    metadata: msgspec.Raw
    deployment_reference_id: str | None
    created_at: datetime
    updated_at: datetime


class CorrectionAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """Who said so by hand, when, and why."""

    account: str | None
    token: str | None
    reason: str | None
    made_at: datetime


class LinkAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """A deployment that the incident is linked to. ``kind`` is null for one that was unlinked."""

    deployment_id: int
    deployment_reference_id: str
    service: str
    environment: str
    deployed_at: datetime
    url: str
    kind: LinkKind | None
    why: str
    correction: CorrectionAnswer | None


class WithdrawnAnswer(CorrectionAnswer, kw_only=True, frozen=True):
    """What was said by hand of a deployment and withdrawn; who withdrew it, when, and why."""

    deployment_reference_id: str
    was_linked: bool


class InfoAnswer(Answer, kw_only=True, frozen=True):
    """An incident and its links. ``names_unknown_deployment`` is whether the deployment that it
    names is not registered."""

    incident: IncidentAnswer
    links: list[LinkAnswer]
    names_unknown_deployment: bool
    withdrawn: list[WithdrawnAnswer]


async def _told(call: Call, reference_id: str) -> InfoAnswer:
    rules = call.api.metric_rules
    found = await call.api.read(lambda tx: explained_incident(tx, reference_id, rules))
    return InfoAnswer(
        incident=_incident(found.row),
        links=[_link(call, one) for one in found.links],
        names_unknown_deployment=found.named_unknown,
        withdrawn=[WithdrawnAnswer(**dataclasses.asdict(one)) for one in found.withdrawn],
    )


async def upsert(call: Call, arguments: UpsertArguments) -> InfoAnswer:
    """Record an incident, or change the one with this reference_id."""
    draft = arguments.draft(call.caller.account.id)
    await call.api.write(call.api.works.upsert_incident, draft)
    return await _told(call, arguments.reference_id)


class CorrectArguments(Arguments, kw_only=True, frozen=True):
    """Which incident and which deployment, and why."""

    reference_id: Annotated[str, REFERENCE_ID.described("The reference_id of the incident.")]
    deployment_reference_id: Annotated[
        str, DEPLOYMENT.described("The reference_id of the deployment.")
    ]
    reason: Annotated[str | None, REASON] = None


async def link(call: Call, arguments: CorrectArguments) -> InfoAnswer:
    """Say by hand that an incident is linked to a deployment, whatever the rules say."""
    return await _corrected(call, arguments, is_linked=True)


async def unlink(call: Call, arguments: CorrectArguments) -> InfoAnswer:
    """Say by hand that an incident is not linked to a deployment, whatever the rules say."""
    return await _corrected(call, arguments, is_linked=False)


async def withdraw(call: Call, arguments: CorrectArguments) -> InfoAnswer:
    """Take back what was said of an incident and a deployment by hand: the rules decide again."""
    return await _corrected(call, arguments, is_linked=None)


async def _corrected(
    call: Call, arguments: CorrectArguments, *, is_linked: bool | None
) -> InfoAnswer:
    draft = CorrectionDraft(
        reference_id=arguments.reference_id,
        deployment_reference_id=arguments.deployment_reference_id,
        is_linked=is_linked,
        reason=arguments.reason,
        account=call.caller.account.name,
        token=call.caller.name,
    )
    await call.api.write(call.api.works.correct_link, draft)
    return await _told(call, arguments.reference_id)


class WhichArguments(Arguments, kw_only=True, frozen=True):
    """Which incident."""

    reference_id: Annotated[str, REFERENCE_ID.described("The reference_id it has.")]


class DeleteAnswer(Answer, kw_only=True, frozen=True):
    """Whether there was such an incident; there is none now."""

    deleted: bool


async def delete(call: Call, arguments: WhichArguments) -> DeleteAnswer:
    """Remove an incident as if it had never been. Deleting what is gone is fine."""
    deleted = await call.api.write(call.api.works.delete_incident, arguments.reference_id)
    return DeleteAnswer(deleted=deleted)


async def info(call: Call, arguments: WhichArguments) -> InfoAnswer:
    """Everything about an incident, with the deployments that it is linked to, and why."""
    return await _told(call, arguments.reference_id)


class ListArguments(Arguments, kw_only=True, frozen=True):
    """Which incidents."""

    service: Annotated[str | None, forms.TEXT.described("The service's identifier.")] = None
    environment: Annotated[str | None, ENVIRONMENT.described("What was told of it.")] = None
    priority: Annotated[str | None, PRIORITY] = None
    resolved: Annotated[bool | None, forms.BOOLEAN.described("Whether it is over.")] = None
    since: Annotated[datetime | None, forms.INSTANT] = None
    until: Annotated[datetime | None, forms.INSTANT] = None
    cursor: Annotated[Cursor | None, cursor_of("incidents", datetime, str)] = None
    limit: Annotated[int, LIMIT] = 100


class LinkedIncidentAnswer(IncidentAnswer, kw_only=True, frozen=True):
    """An incident with its links."""

    links: list[LinkAnswer]


class ListIncidentsAnswer(ListAnswer, kw_only=True, frozen=True):
    """A page of incidents, the last started first."""

    incidents: list[LinkedIncidentAnswer]


async def list_incidents(call: Call, arguments: ListArguments) -> ListIncidentsAnswer:
    """Incidents with the deployments that they are linked to, the last started first."""
    asked = page(arguments.limit, arguments.cursor)
    wanted = IncidentFilter(
        environment=arguments.environment,
        priority=arguments.priority,
        resolved=arguments.resolved,
        since=arguments.since,
        until=arguments.until,
    )

    def read(tx: Any) -> list[ExplainedIncident]:
        found = incidents(tx, wanted, asked, service=arguments.service)
        return explain_incidents(tx, [one.incident for one in found], call.api.metric_rules)

    shown, next_cursor = cut(
        "incidents",
        await call.api.read(read),
        arguments.limit,
        lambda one: (one.row.incident.started_at, one.row.incident.reference_id),
    )
    return ListIncidentsAnswer(
        incidents=[
            LinkedIncidentAnswer(
                **msgspec.structs.asdict(_incident(one.row)),
                links=[_link(call, each) for each in one.links],
            )
            for one in shown
        ],
        next_cursor=next_cursor,
    )


def _incident(row: IncidentRow) -> IncidentAnswer:
    one = row.incident
    return IncidentAnswer(
        reference_id=one.reference_id,
        started_at=one.started_at,
        resolved_at=one.resolved_at,
        services=row.services,
        environment=one.environment,
        name=one.name,
        priority=one.priority,
        source_url=one.source_url,
        metadata=msgspec.Raw((one.metadata or "{}").encode()),
        deployment_reference_id=one.deployment_reference_id,
        created_at=one.created_at,
        updated_at=one.updated_at,
    )


def _link(call: Call, one: ExplainedLink) -> LinkAnswer:
    deployment = one.row.deployment
    return LinkAnswer(
        deployment_id=deployment.id,
        deployment_reference_id=deployment.reference_id,
        service=one.row.service.identifier,
        environment=deployment.environment,
        deployed_at=deployment.deployed_at,
        url=call.page_of(deployment.id),
        kind=one.kind,
        why=one.why,
        correction=_correction(one.correction),
    )


def _correction(made: Correction | None) -> CorrectionAnswer | None:
    if made is None:
        return None
    return CorrectionAnswer(
        account=made.account, token=made.token, reason=made.reason, made_at=made.made_at
    )
