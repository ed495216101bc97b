"""What use cases ask of storage about the services that pull requests are assigned to."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from shipmark.domain.model import PullRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAssignment:
    """Services that were added to a pull request's, or that replaced them."""

    services: tuple[int, ...]
    replace: bool


class Assignments(Protocol):
    def services_of(self, pull_ids: Collection[int]) -> dict[int, set[int]]: ...

    @property
    def changed(self) -> dict[int, str | None]:
        """The assignments that this transaction made (None), or deleted, or gave to the pull
        request they waited for: as they were, as JSON."""

    def take_back(self, changed: Mapping[int, str | None]) -> set[int]:
        """Take back such changes; the pull requests whose assignments are different now."""

    def set_services(self, services: Mapping[int, set[int]]) -> None:
        """Make these the services of each pull request."""

    def add(
        self,
        assignment: ServiceAssignment,
        *,
        pull_id: int | None,
        source_id: str | None,
        repository_id: int | None,
        number: int | None,
    ) -> None:
        """Keep an assignment, of a pull request or for one that will come with one of the keys."""

    def claim(self, pulls: Collection[PullRequest]) -> set[int]:
        """Give waiting assignments to the pull requests they name; the ids that got any."""

    def of(self, pull_ids: Collection[int]) -> dict[int, list[ServiceAssignment]]:
        """The assignments of pull requests, in the order in which they were made."""

    def still_waiting(self, limit: int) -> set[int]:
        """The imported pull requests for which an assignment is nevertheless still waiting."""
