"""Incidents, and which deployments they are linked to.

A link is not stored: it follows from the incident and the deployments as they are now, and from
what someone corrected by hand, which beats both rules. An incident that names its deployment
follows no other one by time.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

PRODUCTION = "prod"
"""What an environment's name contains, in any case, if it counts where none is named."""


def is_production(environment: str) -> bool:
    """Whether an environment counts where none is named."""
    return PRODUCTION in environment.lower()


class LinkKind(StrEnum):
    """Why an incident is linked to a deployment."""

    BY_HAND = "by_hand"
    NAMED = "named"
    FOLLOWED = "followed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An incident as last told. ``metadata`` is canonical JSON text."""

    id: int
    reference_id: str
    started_at: datetime
    created_at: datetime
    updated_at: datetime
    resolved_at: datetime | None = None
    service_ids: tuple[int, ...] = ()
    environment: str | None = None
    name: str | None = None
    priority: str | None = None
    source_url: str | None = None
    metadata: str | None = None
    deployment_reference_id: str | None = None
    account_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """That an incident is or is not linked to a deployment, as someone says who knows.

    ``account`` and ``token`` are the names of those by which it was said.
    """

    deployment_reference_id: str
    is_linked: bool
    reason: str | None
    account: str | None
    token: str | None
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """That what was said by hand of an incident and a deployment does not count any more.

    ``was_linked`` is what it said. ``account`` and ``token`` are the names of those by which it
    was withdrawn.
    """

    deployment_reference_id: str
    was_linked: bool
    reason: str | None
    account: str | None
    token: str | None
    made_at: datetime


class Happened(NamedTuple):
    """What of an incident decides about links: one for each of its services, or one without.

    Instants are microseconds since 1970. ``names_one`` is whether it names its deployment.
    """

    incident_id: int
    started_at: int
    resolved_at: int | None
    environment: str | None
    service_id: int | None
    names_one: bool

    def is_of(self, environment: str) -> bool:
        """Whether it may follow from a deployment there: one that names none is production's."""
        if self.environment is None:
            return is_production(environment)
        return self.environment == environment


class Told(NamedTuple):
    """What is said of an incident and a deployment: that it names it, or what someone corrected."""

    incident_id: int
    deployment_id: int
    resolved_at: int | None
    says: Literal["named", "linked", "unlinked"]


class Linked(NamedTuple):
    """An incident that a deployment is linked to."""

    incident_id: int
    kind: LinkKind
    resolved_at: int | None


def last_by(instants: Sequence[int], at: int, within: int) -> int | None:
    """The place of the last of these instants, in order, at or before ``at`` and not too long."""
    place = bisect_right(instants, at) - 1
    return place if place >= 0 and at - instants[place] <= within else None


def corrected(
    by_rules: Mapping[int, Mapping[int, Linked]], told: Iterable[Told]
) -> dict[int, dict[int, Linked]]:
    """The links of each deployment by incident: what followed, what is named, and last by hand."""
    links = {deployment: dict(incidents) for deployment, incidents in by_rules.items()}
    for one in sorted(told, key=lambda one: one.says == "named", reverse=True):
        of_this = links.setdefault(one.deployment_id, {})
        if one.says == "unlinked":
            of_this.pop(one.incident_id, None)
        else:
            kind = LinkKind.NAMED if one.says == "named" else LinkKind.BY_HAND
            of_this[one.incident_id] = Linked(one.incident_id, kind, one.resolved_at)
    return links
