"""What the made-up history is made of, and how each fact is told to the API."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

SHORT_SHA = 12
"""How many characters of a commit deployments name; build systems like to send short ones."""


def commit_of(repository: str, number: int) -> str:
    """The merge commit of a pull request: the same 40 characters at every run."""
    return hashlib.sha1(f"{repository}#{number}".encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository, and what there is to see in it."""

    name: str
    default_branch: str
    about: str


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request, merged so many days ago; ``services`` are what it changed in a monorepo."""

    repository: str
    number: int
    days_ago: float
    author: str
    title: str
    services: tuple[str, ...] = ()
    base_ref: str = "main"

    def item(self, now: datetime) -> dict[str, Any]:
        """The same as pulls.import takes it. It was open for a day."""
        merged_at = now - timedelta(days=self.days_ago)
        return {
            "repository": self.repository,
            "number": self.number,
            "title": self.title,
            "author": self.author,
            "base_ref": self.base_ref,
            "merge_commit_sha": commit_of(self.repository, self.number),
            "created_at": (merged_at - timedelta(days=1)).isoformat(),
            "merged_at": merged_at.isoformat(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a deployment; ``ships`` are pull requests in the order of their merging."""

    method: str
    status: str
    reason: str | None = None
    ships: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment so many days ago, and which pull requests it must turn out to ship.

    ``commit`` and ``lists`` are the pull requests whose merge commits it names. ``reason`` says
    why one ships nothing.
    """

    reference_id: str
    repository: str
    service: str
    days_ago: float
    ships: tuple[int, ...] = ()
    reason: str | None = None
    commit: int | None = None
    lists: tuple[int, ...] = ()
    integration_branch: str | None = None
    environment: str = "production"
    success: bool = True

    def arguments(self, now: datetime) -> dict[str, Any]:
        """The same as deployments.create takes it."""
        commits = [commit_of(self.repository, number)[:SHORT_SHA] for number in self._names]
        said = {
            "reference_id": self.reference_id,
            "deployed_at": int((now - timedelta(days=self.days_ago)).timestamp()),
            "service": self.service,
            "repository": self.repository,
            "commit_sha": commits[0] if self.commit else None,
            "merge_commit_shas": commits if self.lists else None,
            "integration_branch": self.integration_branch,
            "environment": self.environment,
            "success": None if self.success else False,
            "source_name": "demo",
            "source_url": f"https://ci.example/runs/{self.reference_id}",
        }
        return {name: value for name, value in said.items() if value is not None}

    @property
    def _names(self) -> tuple[int, ...]:
        return (self.commit,) if self.commit else self.lists

    @property
    def expected(self) -> Outcome:
        """What must become of it once everything is told."""
        status = "none" if self.reason else "attributed"
        return Outcome(method=self._method, status=status, reason=self.reason, ships=self.ships)

    @property
    def _method(self) -> str:
        if self.lists:
            return "merge_commit_shas"
        if self.integration_branch:
            return "integration_branch"
        return "commit_sha" if self.commit else "deployed_at"
