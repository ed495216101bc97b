"""What a look for what is missing reads: facts of each repository, of deliveries and of forges."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shipmark.application.forge_ports import ForgeImport
from shipmark.application.received import Budget, Kind, Refusals, Via
from shipmark.application.rule_ports import NamedRule
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.domain.model import Reason, Repository, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A deployment that waits, and the commit that it names."""

    reference_id: str
    commit_sha: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Deployments that wait, or waited in vain, for one reason. ``examples`` are the latest."""

    status: Status
    reason: Reason
    count: int
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BadDeliveries:
    """Deliveries of a forge that fail for one reason: those that are tried again, and those given
    up. ``last_id`` is the forge's id of the last one."""

    forge: str
    repository: str | None
    error: str
    waiting: int
    given_up: int
    last_id: str
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryState:
    """What is known of a repository, and when what of it came."""

    repository: Repository
    received: Mapping[tuple[Kind, Via], datetime] = field(default_factory=dict)
    forge_import: ForgeImport | None = None
    last_merged_at: datetime | None = None
    last_deployed_at: datetime | None = None
    has_commits: bool = False
    waiting: tuple[Waiting, ...] = ()
    path_rules_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleState:
    """A deploy rule in force, and the last deployment it made."""

    named: NamedRule
    last_deployed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """Work of a kind that should have been done by now: how much, and since when."""

    what: str
    count: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingReport:
    """What a deploy system told, and the places of those of its artifacts that are waited for."""

    source: str
    at: datetime
    artifacts: tuple[str, ...]
    waiting: frozenset[int]


class Checkups(Protocol):
    """Each is one statement, or a few, however many repositories there are."""

    def repositories(
        self,
        *,
        name: str | None,
        deployed_since: datetime,
        registered_before: datetime,
        limit: int,
        after: str | None,
    ) -> list[RepositoryState]:
        """The states of repositories, by name, with the deployments that wait of those that were
        deployed since and registered before then."""

    def without_repository(
        self, *, deployed_since: datetime, registered_before: datetime
    ) -> tuple[Waiting, ...]:
        """What waits of the deployments that name no repository."""

    def bad_deliveries(self) -> list[BadDeliveries]:
        """The deliveries that fail, by repository and reason, the latest first."""

    def last_delivery(self) -> dict[str, datetime]:
        """When each forge last delivered anything about a repository, by source."""

    def reports_of_late(self, *, since: datetime, before: datetime) -> list[WaitingReport]:
        """What deploy systems told between these, of a few thousand the newest first."""

    def long_named_events(
        self, sources: Collection[EventSource], *, since: datetime, longest_name: int
    ) -> list[SourceEvent]:
        """Events since then of which some name has so many characters or more, newest first."""

    def rules(self) -> list[RuleState]: ...

    def overdue(self, *, before: datetime) -> list[Overdue]: ...

    def budgets(self) -> list[Budget]: ...

    def refusals(self) -> list[Refusals]: ...
