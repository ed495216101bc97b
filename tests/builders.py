"""Builders with valid defaults: a test says only what it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shipmark.application.drafts import Registration
from shipmark.application.record_pulls import PullFacts

NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
REPOSITORY = "acme/shop"
SERVICE = "shop-api"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOON + timedelta(days=1)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        """Move it by a `timedelta` of these arguments."""
        self.now += timedelta(**duration)


def at(hours: float) -> datetime:
    """The instant so many hours after noon of the day on which the tests take place."""
    return NOON + timedelta(hours=hours)


def sha(number: int) -> str:
    """A full commit SHA; those of different numbers differ in their first 7 characters."""
    return f"{number:07x}".ljust(40, "f")


def a_deployment(hours: float = 1, **values: Any) -> Registration:
    """A deployment of the service from the repository, so many hours after noon."""
    defaults: dict[str, Any] = {
        "deployed_at": at(hours),
        "service": SERVICE,
        "repository": REPOSITORY,
    }
    return Registration(**defaults | values)


def a_pull_request(
    number: int = 1, *, hours: float | None = None, repository: str = REPOSITORY, **values: Any
) -> PullFacts:
    """A pull request merged to main, by default as many hours after noon as its number says.

    Its merge commit is ``sha(number)``.
    """
    defaults: dict[str, Any] = {
        "base_ref": "main",
        "merged_at": at(number if hours is None else hours),
        "merge_commit_sha": sha(number),
    }
    return PullFacts(repository=repository, number=number, values=defaults | values)
