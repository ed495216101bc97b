"""What metrics ask of storage: rows of whole numbers, a set at a time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from shipmark.domain.failures import Deployed, Edges
from shipmark.domain.incidents import Happened, Told
from shipmark.domain.metrics import Shipment, Start
from shipmark.domain.periods import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Whose deployments and pull requests; what is None does not matter.

    ``environments`` are names; without any, those that contain `domain.incidents.PRODUCTION`.
    ``author`` is of pull requests: deployments count that ship one of theirs.
    """

    service_id: int | None = None
    repository_id: int | None = None
    environments: tuple[str, ...] = ()
    source_name: str | None = None
    author: str | None = None

    @property
    def counts_all(self) -> bool:
        """Whether every deployment counts that went to where it is asked about."""
        return self.repository_id is None and self.source_name is None and self.author is None


@dataclass(frozen=True, slots=True, kw_only=True)
class FixRules:
    """Which pull requests are unplanned fixes: by how their title begins, or by a label.

    Any case of the letters A to Z will do.
    """

    titles: tuple[str, ...] = ("hotfix", "[hotfix]", "revert")
    labels: tuple[str, ...] = ("hotfix", "revert")


class WaitingLane(NamedTuple):
    """When the pull requests of a lane merged that wait, the oldest first, up to a limit."""

    service_id: int
    environment: str
    merged: Sequence[int]


class WaitingRow(NamedTuple):
    """A pull request that waits in a lane."""

    pull_id: int
    service_id: int
    environment: str
    merged_at: int


class StatusCount(NamedTuple):
    """How many deployments stand so."""

    status: str
    reason: str | None
    success: bool
    n: int


class MetricRows(Protocol):
    """Each is one statement, or two; periods go by when something was deployed."""

    def deployments(self, selection: Selection, period: Period) -> list[Deployed]:
        """All deployments to where it is asked about, in order; those that count are marked."""

    def edges(self, deployments: Sequence[Deployed], period: Period) -> Edges: ...

    def happened(
        self, period: Period, before: Collection[Deployed], *, within: int
    ) -> list[Happened]:
        """Incidents that may follow a deployment of the period, or one of those before it."""

    def told(self, period: Period, before: Collection[Deployed]) -> list[Told]:
        """What is named or corrected of the same deployments."""

    def shipments(
        self,
        selection: Selection,
        period: Period,
        deployments: Sequence[Deployed],
        *,
        start: Start | None,
        with_baselines: bool,
    ) -> list[Shipment]:
        """What those of the deployments shipped that count, which are all of the period, in their
        order: pull requests, or without a start the commits on their branch. Only what shipped
        anything is there."""

    def fixes(self, pull_ids: Collection[int], rules: FixRules) -> set[int]:
        """Those of the pull requests that are fixes."""

    def only_fixes(self, deployment_ids: Collection[int], rules: FixRules) -> set[int]:
        """Those of the deployments that ship pull requests, and nothing but fixes."""

    def merged(self, selection: Selection, period: Period, middle: datetime) -> tuple[int, int]:
        """How many pull requests merged in the period before an instant, and from it on."""

    def unshipped(self, selection: Selection, period: Period, middle: datetime) -> tuple[int, int]:
        """How many of them are shipped nowhere that is asked about, in the same two parts."""

    def unshipped_rows(
        self, selection: Selection, period: Period, *, after: tuple[int, int] | None, limit: int
    ) -> list[tuple[int, int]]:
        """When each of these merged and its id, the last first, after one of them."""

    def waiting(self, selection: Selection, *, most: int) -> list[WaitingLane]: ...

    def waiting_rows(
        self, selection: Selection, *, after: tuple[int, int, int, str] | None, limit: int
    ) -> list[WaitingRow]:
        """What waits, the oldest first, after a place in that order."""

    def ahead(self, selection: Selection, *, ahead: str, behind: str, limit: int) -> list[int]:
        """The pull requests that one environment has reached and that wait for another."""

    def standings(self, selection: Selection, period: Period) -> list[StatusCount]:
        """How the deployments of a period stand."""
