"""What was received about each repository, from where, and when: noted as it comes, so that it can
be told what does not come any more."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """What there is to be received about a repository."""

    REPOSITORY = "repository"
    PULL_REQUESTS = "pull_requests"
    PUSHES = "pushes"
    EVENTS = "events"


class Via(StrEnum):
    """How it came: sent by the forge, answered by it, or told by a client or a clone."""

    WEBHOOK = "webhook"
    FORGE_API = "forge_api"
    CLIENT = "client"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Receipt:
    """That something of a kind was received about a repository."""

    repository_id: int
    kind: Kind
    via: Via
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much a forge may still be asked, of how much, until when; and when it told so."""

    source: str
    remaining: int
    most: int | None
    resets_at: datetime | None
    told_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """Webhooks of a forge that were refused because they were not signed with its secret."""

    forge: str
    refused: int
    last_at: datetime


class Received(Protocol):
    """What storage keeps of it."""

    def note(self, receipts: Collection[Receipt]) -> None:
        """Keep the latest of each kind and way; whoever calls holds the repositories' locks."""

    def note_budget(self, budget: Budget) -> None: ...

    def note_refusals(self, refusals: Refusals) -> None:
        """Add to how many were refused."""


def receipts(
    repository_ids: Iterable[tuple[int, Kind]], *, via: Via, at: datetime
) -> list[Receipt]:
    """One receipt for each repository and kind, in one order."""
    return [
        Receipt(repository_id=id_, kind=kind, via=via, at=at)
        for id_, kind in sorted(set(repository_ids))
    ]
