"""What the pages of services and repositories ask of storage."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple, Protocol


class Activity(NamedTuple):
    """The last deployment of something, and how many there were since an instant."""

    last_id: int | None
    deployments: int
    failed: int


class Standing(NamedTuple):
    """When an environment was deployed to last, and when successfully; each with the id of the
    deployment."""

    environment: str
    last: tuple[datetime, int]
    live: tuple[datetime, int] | None


class Activities(Protocol):
    """Each is one statement; nothing is read but the deployments that are counted, and the last of
    each place."""

    def of_services(self, ids: Collection[int], since: datetime) -> dict[int, Activity]: ...

    def of_repositories(self, ids: Collection[int], since: datetime) -> dict[int, Activity]: ...

    def places_of_service(self, service_id: int) -> list[Standing]:
        """The environments of a service, each once."""

    def places_of_repository(self, repository_id: int) -> list[Standing]:
        """The environments that its branches are deployed to, each once for every service.
        Environments that nothing has reached yet are not among them."""
