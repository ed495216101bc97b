"""The tables, for both databases.

What is written by clients stands in the noun's table; what attribution derives from it stands in
``windows``, ``deployment_pulls`` and the ``attribution_*`` columns, and can be rebuilt.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    true,
)

from shipmark.storage.columns import (
    ByCodePoint,
    Id,
    Instant,
    metadata,
    reference,
    row_id,
    sha_prefix,
)

accounts = Table(
    "accounts",
    metadata,
    row_id(),
    Column("name", String, nullable=False, unique=True),
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("created_at", Instant, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    row_id(),
    reference("account_id", "accounts"),
    Column("name", String, nullable=False),
    Column("digest", String, nullable=False, unique=True),
    Column("scopes", String, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
)

repositories = Table(
    "repositories",
    metadata,
    row_id(),
    Column("name", String, nullable=False),
    Column("name_key", ByCodePoint, nullable=False, unique=True),
    Column("short_name_key", ByCodePoint, nullable=False, index=True),
    Column("default_branch", String),
    Column("source", String),
    Column("source_id", String),
    Column("created_at", Instant, nullable=False),
    # As of when its forge told them, by which an older message is told from a newer one.
    Column("named_as_of", Instant),
    Column("default_branch_as_of", Instant),
    Column("forge_default_branch", String),
    # When a client last said what the default branch is.
    Column("default_branch_set_at", Instant),
    Column("archived", Boolean, nullable=False, server_default=false()),
    Column("archived_as_of", Instant),
    Column("rules_file_error", Text),
    Index("ix_repositories_source", "source", "source_id", unique=True),
)

services = Table(
    "services",
    metadata,
    row_id(),
    Column("identifier", ByCodePoint, nullable=False, unique=True),
    Column("name", String, nullable=False),
)

pulls = Table(
    "pulls",
    metadata,
    row_id(),
    reference("repository_id", "repositories"),
    Column("number", BigInteger, nullable=False),
    Column("base_ref", ByCodePoint, nullable=False),
    Column("merged_at", Instant),
    Column("merge_commit_sha", ByCodePoint),
    sha_prefix("merge_commit_sha", "merge_commit_prefix"),
    sha_prefix("head_sha", "head_prefix"),
    Column("source_id", String, index=True),
    Column("title", Text),
    Column("author", String),
    Column("url", Text),
    Column("head_ref", String),
    Column("head_sha", ByCodePoint),
    Column("created_at", Instant),
    Column("first_commit_at", Instant),
    Column("ready_for_review_at", Instant),
    Column("closed_at", Instant),
    Column("labels", Text),
    Column("files", Text),
    Column("imported_at", Instant, nullable=False),
    # As of when a forge told the newest of it, and which fields it told when.
    Column("facts_as_of", Instant),
    Column("facts_told", Text),
    # Lists are newest first by when they merged; what has not merged comes last.
    Column("listed_at", Instant, Computed("coalesce(merged_at, 0)", persisted=True)),
    UniqueConstraint("repository_id", "number"),
    Index("ix_pulls_listed", "listed_at", "id"),
    Index("ix_pulls_listed_in", "repository_id", "listed_at", "id"),
    Index("ix_pulls_author", "author", "listed_at", "id"),
)
# The history of a branch: what every window is a range of.
Index(
    "ix_pulls_history",
    pulls.c.repository_id,
    pulls.c.base_ref,
    pulls.c.merged_at,
    pulls.c.number,
    # What a stretch of it holds is told from the index alone. SQLite's indexes have it anyway.
    postgresql_include=["id"],
    postgresql_where=pulls.c.merged_at.is_not(None),
    sqlite_where=pulls.c.merged_at.is_not(None),
)
Index("ix_pulls_merge_commit", pulls.c.merge_commit_prefix, pulls.c.repository_id)
Index("ix_pulls_head", pulls.c.head_prefix, pulls.c.repository_id)

pull_commits = Table(
    "pull_commits",
    metadata,
    Column("pull_id", Id, ForeignKey("pulls.id"), primary_key=True),
    Column("sha", ByCodePoint, primary_key=True),
    sha_prefix("sha", "prefix"),
    reference("repository_id", "repositories"),
    Index("ix_pull_commits_prefix", "prefix", "repository_id"),
)

branch_commits = Table(
    "branch_commits",
    metadata,
    Column("repository_id", Id, ForeignKey("repositories.id"), primary_key=True),
    Column("branch", ByCodePoint, primary_key=True),
    Column("sha", ByCodePoint, primary_key=True),
    sha_prefix("sha", "prefix"),
    Column("committed_at", Instant, nullable=False),
    # Told by a forge, which tells of every branch: it counts only where the branch matters.
    Column("is_pushed", Boolean, nullable=False, server_default=false()),
    Index("ix_branch_commits_prefix", "prefix", "repository_id"),
    # The history of a branch, of which a window holds a range.
    Index("ix_branch_commits_history", "repository_id", "branch", "committed_at", "sha"),
)

pull_services = Table(
    "pull_services",
    metadata,
    Column("pull_id", Id, ForeignKey("pulls.id"), primary_key=True),
    Column("service_id", Id, ForeignKey("services.id"), primary_key=True),
)

# Every assignment of services, in the order they were made. One that came before its pull request
# waits, by whichever key it came with, and takes its place in that order once the two are found to
# belong together; ``pull_services`` is what they come to.
service_assignments = Table(
    "service_assignments",
    metadata,
    row_id(),
    reference("pull_id", "pulls", nullable=True),
    Column("source_id", String, index=True),
    reference("repository_id", "repositories", nullable=True),
    Column("number", BigInteger),
    Column("services", Text, nullable=False),
    Column("replace", Boolean, nullable=False, server_default=false()),
    Index("ix_service_assignments_key", "repository_id", "number"),
    Index("ix_service_assignments_pull_id", "pull_id"),
    # The order of the ids is that of the assignments: none is given out twice.
    sqlite_autoincrement=True,
)

deployments = Table(
    "deployments",
    metadata,
    row_id(),
    Column("reference_id", ByCodePoint, nullable=False, unique=True),
    reference("service_id", "services"),
    Column("environment", ByCodePoint, nullable=False),
    Column("deployed_at", Instant, nullable=False),
    Column("success", Boolean, nullable=False),
    reference("repository_id", "repositories", nullable=True),
    Column("commit_sha", ByCodePoint),
    sha_prefix("commit_sha", "commit_prefix"),
    Column("integration_branch", ByCodePoint),
    Column("source_url", Text),
    Column("source_name", String),
    Column("metadata", Text),
    Column("method", String, nullable=False),
    reference("account_id", "accounts", nullable=True),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("attribution_status", String, nullable=False),
    Column("attribution_reason", String),
    Column("attributed_at", Instant),
    Column("attribution_due_at", Instant),
    Column("attribution_retry_until", Instant, nullable=False),
    Column("attribution_attempts", Integer, nullable=False, server_default="0"),
    # The deploy rule that inferred it. No foreign key: SQLite cannot add a column that has one.
    Column("rule_id", Id),
    Column("rule_version", Integer),
    # Reads page through deployments newest first, under any of these filters.
    Index("ix_deployments_order", "deployed_at", "reference_id"),
    Index("ix_deployments_service", "service_id", "deployed_at", "reference_id"),
    # What is, or was, in an environment of a service, and which environments it has.
    Index("ix_deployments_place", "service_id", "environment", "deployed_at", "reference_id"),
    Index("ix_deployments_repository", "repository_id", "deployed_at", "reference_id"),
    Index("ix_deployments_status", "attribution_status", "deployed_at", "reference_id"),
    # An import asks: which deployments name a commit that starts like this one?
    Index("ix_deployments_commit", "commit_prefix", "repository_id"),
    # Without it SQLite would give a deleted deployment's id to the next one.
    sqlite_autoincrement=True,
)
# The row is the job: what the worker claims next.
Index(
    "ix_deployments_due",
    deployments.c.attribution_due_at,
    postgresql_where=deployments.c.attribution_due_at.is_not(None),
    sqlite_where=deployments.c.attribution_due_at.is_not(None),
)

# What a deploy rule made, newest first.
Index(
    "ix_deployments_rule",
    deployments.c.rule_id,
    deployments.c.deployed_at,
    deployments.c.reference_id,
    postgresql_where=deployments.c.rule_id.is_not(None),
    sqlite_where=deployments.c.rule_id.is_not(None),
)

# The explicit list of a deployment, as it was sent.
deployment_commits = Table(
    "deployment_commits",
    metadata,
    Column("deployment_id", Id, ForeignKey("deployments.id"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("sha", ByCodePoint, nullable=False),
    sha_prefix("sha", "prefix"),
    Index("ix_deployment_commits_prefix", "prefix"),
)

# The pull requests those commits turned out to be.
deployment_pulls = Table(
    "deployment_pulls",
    metadata,
    Column("deployment_id", Id, ForeignKey("deployments.id"), primary_key=True),
    Column("pull_id", Id, ForeignKey("pulls.id"), primary_key=True),
    Index("ix_deployment_pulls_pull", "pull_id"),
)

lanes = Table(
    "lanes",
    metadata,
    row_id(),
    reference("repository_id", "repositories"),
    Column("branch", ByCodePoint, nullable=False),
    reference("service_id", "services"),
    Column("environment", ByCodePoint, nullable=False),
    UniqueConstraint("repository_id", "branch", "service_id", "environment"),
)

windows = Table(
    "windows",
    metadata,
    Column("lane_id", Id, ForeignKey("lanes.id"), primary_key=True),
    Column("deployment_id", Id, ForeignKey("deployments.id"), primary_key=True),
    Column("deployed_at", Instant, nullable=False),
    Column("reference_id", ByCodePoint, nullable=False),
    Column("reached_at", Instant, nullable=False),
    Column("reached_number", BigInteger, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("opened_number", BigInteger, nullable=False),
    Column("raises", Boolean, nullable=False),
    # Whether it was last seen to hold no pull request it could ship.
    Column("is_waiting", Boolean, nullable=False, server_default=false()),
    Index("ix_windows_deployment", "deployment_id"),
    Index("ix_windows_order", "lane_id", "deployed_at", "reference_id"),
)


def _window_index(name: str, *columns: str, where: Any) -> None:
    Index(
        name, *(windows.c[column] for column in columns), postgresql_where=where, sqlite_where=where
    )


# The mark before a deployment: the last of its lane that raised it.
_window_index(
    "ix_windows_mark", "lane_id", "deployed_at", "reference_id", where=windows.c.raises.is_(true())
)
# What shipped a pull request: the first of its lane that reaches it.
_window_index(
    "ix_windows_reach",
    "lane_id",
    "reached_at",
    "reached_number",
    where=windows.c.raises.is_(true()),
)
# Whom a late pull request may be news for.
_window_index(
    "ix_windows_waiting",
    "lane_id",
    "reached_at",
    "reached_number",
    where=windows.c.is_waiting.is_(true()),
)
