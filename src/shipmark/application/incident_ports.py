"""What use cases ask of storage about incidents."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shipmark.domain.failures import Deployed
from shipmark.domain.incidents import Correction, Incident, Told, Withdrawal


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFilter:
    """Which incidents; what is None does not matter. Periods are of when they started."""

    service_id: int | None = None
    environment: str | None = None
    priority: str | None = None
    resolved: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


class Incidents(Protocol):
    def claim(self, reference_id: str, started_at: datetime) -> Incident:
        """The incident with this reference_id, made if need be; others who change it wait."""

    def save(self, incident: Incident) -> None: ...

    def set_services(self, incident_id: int, service_ids: Collection[int]) -> None: ...

    def delete(self, incident_id: int) -> None: ...

    def by_reference_id(self, reference_id: str) -> Incident | None: ...

    def get(self, ids: Collection[int]) -> dict[int, Incident]: ...

    def page(
        self, filter_: IncidentFilter, *, after: tuple[datetime, str] | None, limit: int
    ) -> list[Incident]:
        """Incidents, the last started first."""

    def correct(self, incident_id: int, correction: Correction) -> None: ...

    def withdraw(self, incident_id: int, withdrawal: Withdrawal) -> None:
        """In place of what was said of the deployment."""

    def corrections(self, incident_ids: Collection[int]) -> dict[int, list[Correction]]:
        """What was corrected by hand of each incident."""

    def withdrawals(self, incident_ids: Collection[int]) -> dict[int, list[Withdrawal]]:
        """What was corrected of each, and is withdrawn."""

    def about(
        self, deployment_reference_id: str, filter_: IncidentFilter, *, limit: int
    ) -> list[Incident]:
        """The incidents that name a deployment, or of which something was corrected about it,
        and those of a filter; of either so many at most."""

    def suspects(self, incidents: Sequence[Incident], *, within: timedelta) -> list[Deployed]:
        """The deployments of their services in the time before each started, in order."""

    def told(self, incident_ids: Collection[int]) -> list[Told]:
        """What is named or corrected of these incidents and deployments that are registered."""
