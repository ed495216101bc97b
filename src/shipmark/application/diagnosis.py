"""What a look for what is missing comes to: findings, in words, each with what would mend it."""

from dataclasses import dataclass
from datetime import datetime

from shipmark.application.checkup import BadDeliveries, Overdue, Waiting
from shipmark.application.received import Budget, Kind, Refusals, Via


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is missing or goes wrong, what would mend it, and where to read more."""

    what: str
    mend: str
    docs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeSetup:
    """How far a forge is set up here: whether it can be asked, and whether its webhooks are taken.
    ``docs`` is its page."""

    source: str
    title: str
    is_asked: bool
    takes_webhooks: bool
    docs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedLast:
    """When something of a kind was last received, by one of the ways it may come."""

    kind: Kind
    via: Via
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportState:
    """How far the import from the forge's API has come."""

    running_since: datetime | None
    cursor: str | None
    finished_at: datetime | None
    due_at: datetime
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingRule:
    """A deploy rule about the repository, and the last deployment it made, of any repository."""

    name: str
    last_deployed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryDiagnosis:
    """A repository: what came last, what is missing, and why."""

    repository: str
    default_branch: str | None
    source: str | None
    forge: ForgeSetup | None
    received: tuple[ReceivedLast, ...]
    import_state: ImportState | None
    last_merged_at: datetime | None
    last_deployed_at: datetime | None
    waiting: tuple[Waiting, ...]
    deliveries: tuple[BadDeliveries, ...]
    rules: tuple[MatchingRule, ...]
    path_rules_from: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeDiagnosis:
    """A forge: how far it is set up, its last webhook, and how much it may still be asked.

    ``identity`` is who we are there, where it was asked.
    """

    setup: ForgeSetup
    last_delivery_at: datetime | None
    budget: Budget | None
    refused: Refusals | None
    identity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Everything that was found: in general, and of each repository.

    ``deliveries`` are those that fail and are about no repository that is known.
    """

    findings: tuple[Finding, ...]
    forges: tuple[ForgeDiagnosis, ...]
    overdue: tuple[Overdue, ...]
    deliveries: tuple[BadDeliveries, ...]
    without_repository: tuple[Waiting, ...]
    repositories: tuple[RepositoryDiagnosis, ...]

    @property
    def is_healthy(self) -> bool:
        return not self.findings and not any(one.findings for one in self.repositories)
