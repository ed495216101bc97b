"""The nouns of deployments, as plain frozen values.

Instants are aware datetimes in UTC. SHAs are lower-case hexadecimal. Branch names carry no
``refs/heads/``. Ids are the database's own; a value that has not been stored has none.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

DEFAULT_ENVIRONMENT = "production"

SHORT_SHA_LENGTH = 7
"""Commits are looked up by this many leading characters, the fewest a client may send."""

LAST_NUMBER = 2**63 - 1
"""Sorts after every pull request number: a point that takes in all that merged at its instant."""


class Position(NamedTuple):
    """A place in the history of a branch: when a pull request was merged, ties by its number."""

    at: datetime
    number: int


BEGINNING = Position(datetime(1970, 1, 1, tzinfo=UTC), 0)
"""Before everything: the high-water mark of a lane in which nothing was deployed yet."""


def everything_by(at: datetime) -> Position:
    """The position that includes all pull requests merged at or before an instant."""
    return Position(at, LAST_NUMBER)


class Order(NamedTuple):
    """The order of deployments: when, ties by reference_id (compared by code point)."""

    deployed_at: datetime
    reference_id: str


class Method(StrEnum):
    """How a deployment is attributed; it follows from the arguments it was registered with."""

    DEPLOYED_AT = "deployed_at"
    COMMIT_SHA = "commit_sha"
    INTEGRATION_BRANCH = "integration_branch"
    MERGE_COMMIT_SHAS = "merge_commit_shas"


class Status(StrEnum):
    """How far the attribution of a deployment has come."""

    ATTRIBUTED = "attributed"
    PENDING = "pending"
    EXPIRED = "expired"
    NONE = "none"


class Reason(StrEnum):
    """Why a deployment ships nothing, or nothing yet."""

    COMMIT_NOT_IMPORTED = "commit_not_imported"
    AMBIGUOUS_COMMIT = "ambiguous_commit"
    DEFAULT_BRANCH_UNKNOWN = "default_branch_unknown"
    NO_PULL_REQUESTS_YET = "no_pull_requests_yet"
    REDEPLOY = "redeploy"
    ROLLBACK = "rollback"
    FAILED = "failed"


class MatchRule(StrEnum):
    """The rule by which a commit was found; the first that finds any decides."""

    MERGE_COMMIT = "merge_commit"
    PULL_COMMIT = "pull_commit"
    BRANCH_COMMIT = "branch_commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    id: int
    name: str
    default_branch: str | None
    source: str | None = None
    source_id: str | None = None
    archived: bool = False
    rules_file_error: str | None = None
    """Why the file `.shipmark.yml` cannot be used as it is at its forge now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    id: int
    identifier: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """How far the attribution of a deployment has come, and when it is tried next.

    ``reason`` is None for a redeploy or a rollback: which of the two it is depends on what else
    was deployed, so that is looked up when it is read.
    """

    status: Status
    reason: Reason | None
    attributed_at: datetime | None
    due_at: datetime | None
    retry_until: datetime
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A registered deployment. ``metadata`` is canonical JSON text.

    ``rule_id`` and ``rule_version`` are of the deploy rule that inferred it, if one did.
    """

    id: int
    reference_id: str
    service_id: int
    environment: str
    deployed_at: datetime
    success: bool
    repository_id: int | None
    commit_sha: str | None
    merge_commit_shas: tuple[str, ...]
    integration_branch: str | None
    source_url: str | None
    source_name: str | None
    metadata: str | None
    account_id: int | None
    created_at: datetime
    updated_at: datetime
    attribution: Attribution
    rule_id: int | None = None
    rule_version: int | None = None

    @property
    def order(self) -> Order:
        return Order(self.deployed_at, self.reference_id)

    @property
    def method(self) -> Method:
        if self.merge_commit_shas:
            return Method.MERGE_COMMIT_SHAS
        if self.integration_branch is not None:
            return Method.INTEGRATION_BRANCH
        return Method.DEPLOYED_AT if self.commit_sha is None else Method.COMMIT_SHA

    def registers_the_same_as(self, other: "Deployment") -> bool:
        """Whether both were registered with the same values, as idempotency understands it."""
        return self.registered_values == other.registered_values

    @property
    def registered_values(self) -> tuple[object, ...]:
        """What a client registered, without regard to the order of a list of commits."""
        return (
            self.reference_id,
            self.service_id,
            self.environment,
            self.deployed_at,
            self.success,
            self.repository_id,
            self.commit_sha,
            frozenset(self.merge_commit_shas),
            self.integration_branch,
            self.source_url,
            self.source_name,
            self.metadata or "{}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """A pull request (merge request) as last imported. Absent facts are None."""

    id: int
    repository_id: int
    number: int
    base_ref: str
    merged_at: datetime | None = None
    merge_commit_sha: str | None = None
    source_id: str | None = None
    title: str | None = None
    author: str | None = None
    url: str | None = None
    head_ref: str | None = None
    head_sha: str | None = None
    created_at: datetime | None = None
    first_commit_at: datetime | None = None
    ready_for_review_at: datetime | None = None
    closed_at: datetime | None = None
    labels: tuple[str, ...] | None = None
    files: tuple[str, ...] | None = None
    commit_shas: frozenset[str] = frozenset()

    @property
    def position(self) -> Position | None:
        return None if self.merged_at is None else Position(self.merged_at, self.number)

    @property
    def shas(self) -> frozenset[str]:
        """Every commit by which a deployment may mean this pull request."""
        named = {self.merge_commit_sha, self.head_sha} - {None}
        return self.commit_shas | {sha for sha in named if sha}


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchCommit:
    """A commit that stands on a branch, whether or not a pull request brought it there.

    ``is_pushed``: a forge told of it, as of every branch anyone pushes to. It finds a deployment
    only where the branch is the default one, or pull requests were merged to it.
    """

    repository_id: int
    branch: str
    sha: str
    committed_at: datetime
    is_pushed: bool = False
