"""What reads ask for, and what they get: filters, pages and rows.

Cursors are the sort key of the last row seen, so the hundredth page costs what the first does.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from shipmark.application.activity_queries import Activities
from shipmark.application.checkup import Checkups
from shipmark.application.metric_queries import MetricRows
from shipmark.application.ports import LaneKey, Transaction
from shipmark.application.rule_ports import NamedRule
from shipmark.domain.attribution import Window
from shipmark.domain.model import Deployment, Order, PullRequest, Repository, Service, Status
from shipmark.domain.path_rules import PathRules

Cursor = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """How many rows at most, and after which one."""

    limit: int
    after: Cursor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentFilter:
    """Which deployments; what is None does not matter. ``until`` is exclusive.

    ``environments`` are names; without any, they do not matter. Of ``repository_id`` are those
    that name it, and those that name none and list a pull request of it. ``ids`` are those that a
    search found.
    """

    service_id: int | None = None
    repository_id: int | None = None
    environments: tuple[str, ...] = ()
    source_name: str | None = None
    success: bool | None = None
    status: Status | None = None
    rule_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PullFilter:
    """Which pull requests; what is None does not matter.

    ``since`` (inclusive) and ``until`` (exclusive) are about when they merged. ``deployed`` asks
    whether any deployment shipped them to any of ``environments``, of ``service_id`` if that is
    given; without names, they are those of production, as in `metric_queries.Selection`. Not
    deployed by a service is only what may go to it. ``service_id`` without ``deployed`` asks for
    those assigned to the service.
    """

    repository_id: int | None = None
    base_ref: str | None = None
    author: str | None = None
    merged: bool | None = None
    service_id: int | None = None
    deployed: bool | None = None
    environments: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    ids: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRow:
    """A deployment with the names that belong to its ids. ``rolled_back`` is of its window;
    ``rule`` is the name of the deploy rule that inferred it."""

    deployment: Deployment
    service: Service
    repository: Repository | None
    rolled_back: bool
    rule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachedCommit:
    """A commit that a deployment reached. ``number`` is of the pull request that brought it;
    ``position`` is where it stands on its branch."""

    repository_id: int
    branch: str
    sha: str
    committed_at: datetime
    number: int | None
    position: tuple[datetime, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRow:
    """A pull request with the names that belong to its ids."""

    pull: PullRequest
    repository: str
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutPull:
    """A pull request in a window's range that its deployment does not ship, and why.

    Either it belongs to other services, or an earlier deployment lists it.
    """

    number: int
    title: str | None
    author: str | None
    merged_at: datetime
    services: tuple[str, ...]
    listed_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRow:
    """A lane of a pull request's branch; ``of_service`` says whether its service may ship it."""

    service: str
    environment: str
    of_service: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedWindow:
    """A window, and the lane that it is in."""

    window: Window
    lane: LaneKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """A deployment's window among those that raised the mark of its lane, in their order."""

    before: Sequence[Window]
    placed: PlacedWindow
    after: Sequence[Window]

    @property
    def mark(self) -> Window | None:
        """The window that set the high-water mark which the deployment found."""
        return self.before[-1] if self.before else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRulesRow:
    """The path rules of a repository that come from one place."""

    repository: str
    origin: str
    rules: PathRules
    updated_at: datetime


class Reports(Protocol):
    """Queries that only read: what lists and pages show. Each is as many statements as there are
    kinds of rows in its answer: one of deployments, three of pull requests."""

    def deployments(self, filter_: DeploymentFilter, page: Page) -> list[DeploymentRow]: ...

    def deployment(
        self, *, id_: int | None = None, reference_id: str | None = None
    ) -> DeploymentRow | None: ...

    def deployments_by_id(self, ids: Collection[int]) -> list[DeploymentRow]: ...

    def deployments_around(self, deployment: Deployment, each_side: int) -> list[DeploymentRow]:
        """A deployment among those of its service and environment, the newest first."""

    def placed_windows(self, deployment_id: int) -> list[PlacedWindow]: ...

    def shipped_pulls(
        self, deployment_id: int, page: Page, placed: Sequence[PlacedWindow] | None = None
    ) -> list[PullRow]:
        """A page of what it ships; ``placed`` are its windows, where they are known."""

    def reached_commits(
        self, deployment_id: int, page: Page, placed: Sequence[PlacedWindow] | None = None
    ) -> list[ReachedCommit]:
        """A page of the commits in its windows, in the order of their branch."""

    def rule_id(self, name: str) -> int | None:
        """The id that the name of a deploy rule has or had."""

    def pulls(self, filter_: PullFilter, page: Page) -> list[PullRow]: ...

    def pulls_named(
        self, *, repository_id: int | None, number: int | None, source_id: str | None
    ) -> list[PullRow]:
        """By repository and number, or by the forge's id, which two forges may have given."""

    def pulls_by_id(self, ids: Collection[int]) -> list[PullRow]: ...

    def shipping(self, pull_id: int) -> list[DeploymentRow]:
        """The deployments that ship a pull request."""

    def repositories(self, page: Page) -> list[Repository]: ...

    def services(self, page: Page) -> Sequence[Service]: ...

    def deploy_rules(self, page: Page) -> Sequence[NamedRule]: ...

    def path_rules(self, page: Page) -> Sequence[PathRulesRow]: ...


class Explanations(Protocol):
    """Queries of explanations; each is one statement, and so many more as its rows need."""

    def around(self, deployment: Deployment, each_side: int) -> Surroundings | None:
        """The window of a deployment among its neighbours; None if it has none."""

    def mark_before(self, lane: LaneKey, order: Order) -> Window | None:
        """The window that set the high-water mark which a deployment of that order finds."""

    def carried_pulls(self, window: Window, lane: LaneKey, page: Page) -> list[PullRow]:
        """What a window would ship if it were stored in this lane."""

    def left_out(self, window: Window, limit: int) -> list[LeftOutPull]:
        """The first pull requests in a stored window's range that it does not ship.

        Only the first thousands of the range are looked at.
        """

    def count_direct(self, placed: PlacedWindow, limit: int) -> int:
        """How many commits of a window came without a pull request, counted up to ``limit``."""

    def lanes_of(self, pull_id: int) -> list[LaneRow]:
        """Where the branch of a pull request is deployed to."""


class Named(StrEnum):
    """What names can be suggested of."""

    SERVICE = "service"
    REPOSITORY = "repository"
    ENVIRONMENT = "environment"
    SOURCE = "source"
    AUTHOR = "author"


class Search(Protocol):
    """Queries of searches. Each is one statement, and finds so many at most."""

    def names(self, noun: Named, *, newest: int) -> list[str]:
        """Names of the newest services or repositories; or, each once, those that the newest
        deployments or the last merged pull requests have. In any order."""

    def deployments_referred(self, start: str, limit: int) -> list[int]:
        """Those whose reference_id starts so, by it."""

    def deployments_referred_lately(
        self, start: str, filter_: DeploymentFilter, limit: int, *, newest: int
    ) -> list[int]:
        """Of the newest in the filter, those whose reference_id starts so, newest first."""

    def deployments_naming(self, sha: str, limit: int) -> list[int]:
        """Those that name a commit starting so, alone or in a list."""

    def deployments_with(
        self, key: str, value: str, filter_: DeploymentFilter, limit: int, *, newest: int
    ) -> list[int]:
        """Of the newest in the filter, those with exactly this in their metadata, newest first."""

    def shipping(self, pull_ids: Collection[int], limit: int) -> list[int]:
        """The deployments that ship any of these pull requests."""

    def pulls_numbered(self, number: int, repository_id: int | None, limit: int) -> list[int]: ...

    def pulls_with_commit(self, sha: str, limit: int) -> list[int]: ...

    def is_author(self, name: str) -> bool:
        """Whether there is a pull request of an author with this name."""

    def titles(self, filter_: PullFilter, *, newest: int) -> list[tuple[int, str]]:
        """The ids and titles of the last merged in the filter."""


class ReadTransaction(Transaction, Protocol):
    """A transaction in which reports and metrics can be asked for."""

    @property
    def reports(self) -> Reports: ...
    @property
    def explanations(self) -> Explanations: ...
    @property
    def checkups(self) -> Checkups: ...
    @property
    def activities(self) -> Activities: ...
    @property
    def metrics(self) -> MetricRows: ...
    @property
    def search(self) -> Search: ...
