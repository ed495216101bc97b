"""What the lists of services and repositories ask of storage."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple, Protocol


class Activity(NamedTuple):
    """The last deployment of something, and how many there were since an instant."""

    last_id: int | None
    deployments: int
    failed: int


class Activities(Protocol):
    """Each is one statement; nothing but the deployments that are counted is read."""

    def of_services(self, ids: Collection[int], since: datetime) -> dict[int, Activity]: ...

    def of_repositories(self, ids: Collection[int], since: datetime) -> dict[int, Activity]: ...
