"""The tables, for both databases.

What is written by clients stands in the noun's table; what attribution derives from it stands in
``windows``, ``deployment_pulls`` and the ``attribution_*`` columns, and can be rebuilt.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    true,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as whole microseconds since 1970.

    One integer means the same on both databases: it compares, subtracts and sorts alike, and
    loses nothing. The views show it as a timestamp.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        del dialect  # Both databases store the same integer.
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else EPOCH + timedelta(microseconds=value)


# SQLite gives out row ids only to a column declared INTEGER.
Id = BigInteger().with_variant(Integer(), "sqlite")

# Compared by code point, as Python and SQLite do, so that ties and prefixes fall alike everywhere.
ByCodePoint = String().with_variant(String(collation="C"), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True)


def _ref(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Id, ForeignKey(f"{target}.id"), nullable=nullable)


def _prefix(of: str, name: str) -> Column[str]:
    """The first seven characters of a SHA: what every commit is looked up by."""
    return Column(name, ByCodePoint, Computed(f"substr({of}, 1, 7)", persisted=True))


accounts = Table(
    "accounts",
    metadata,
    _id(),
    Column("name", String, nullable=False, unique=True),
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("created_at", Instant, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    _id(),
    _ref("account_id", "accounts"),
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
    _id(),
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
    Index("ix_repositories_source", "source", "source_id"),
)

# The names that repositories had before: what is still told under one is theirs.
former_names = Table(
    "former_names",
    metadata,
    Column("name_key", ByCodePoint, primary_key=True),
    _ref("repository_id", "repositories"),
)

forge_imports = Table(
    "forge_imports",
    metadata,
    Column("repository_id", Id, ForeignKey("repositories.id"), primary_key=True),
    Column("since", Instant),
    Column("cursor", Text),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("due_at", Instant, nullable=False, index=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error", Text),
)

services = Table(
    "services",
    metadata,
    _id(),
    Column("identifier", ByCodePoint, nullable=False, unique=True),
    Column("name", String, nullable=False),
)

pulls = Table(
    "pulls",
    metadata,
    _id(),
    _ref("repository_id", "repositories"),
    Column("number", BigInteger, nullable=False),
    Column("base_ref", ByCodePoint, nullable=False),
    Column("merged_at", Instant),
    Column("merge_commit_sha", ByCodePoint),
    _prefix("merge_commit_sha", "merge_commit_prefix"),
    _prefix("head_sha", "head_prefix"),
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
    postgresql_where=pulls.c.merged_at.is_not(None),
    sqlite_where=pulls.c.merged_at.is_not(None),
)
Index("ix_pulls_merge_commit", pulls.c.merge_commit_prefix, pulls.c.repository_id)
Index("ix_pulls_head", pulls.c.head_prefix, pulls.c.repository_id)

# What forges sent and is not understood yet: the row is the job. Of what is done, all but the body
# is kept, so that a repeat is known as one.
deliveries = Table(
    "deliveries",
    metadata,
    _id(),
    Column("forge", String, nullable=False),
    Column("delivery_id", ByCodePoint, nullable=False),
    Column("body_digest", String, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary),
    Column("received_at", Instant, nullable=False, index=True),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    UniqueConstraint("forge", "delivery_id"),
    # Few forges sign a delivery's id along with its body.
    UniqueConstraint("forge", "body_digest"),
)
Index(
    "ix_deliveries_due",
    deliveries.c.due_at,
    postgresql_where=deliveries.c.due_at.is_not(None),
    sqlite_where=deliveries.c.due_at.is_not(None),
)

# What happened at forges, from which rules infer deployments: the fields of a SourceEvent, of which
# ``repository`` is the name it was told under.
source_events = Table(
    "source_events",
    metadata,
    _id(),
    Column("key", ByCodePoint, nullable=False, unique=True),
    Column("source", String, nullable=False),
    Column("repository", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("success", Boolean, nullable=False),
    Column("commit_sha", ByCodePoint),
    Column("branch", ByCodePoint),
    Column("tag", ByCodePoint),
    Column("environment", String),
    Column("workflow", String),
    Column("stage", String),
    Column("job", String),
    Column("pull_number", BigInteger),
    Column("url", Text),
    Column("recorded_at", Instant, nullable=False),
    # A rule is about one source; a preview looks at its past, newest first.
    Index("ix_source_events_source", "source", "at", "id"),
)

pull_commits = Table(
    "pull_commits",
    metadata,
    Column("pull_id", Id, ForeignKey("pulls.id"), primary_key=True),
    Column("sha", ByCodePoint, primary_key=True),
    _prefix("sha", "prefix"),
    _ref("repository_id", "repositories"),
    Index("ix_pull_commits_prefix", "prefix", "repository_id"),
)

branch_commits = Table(
    "branch_commits",
    metadata,
    Column("repository_id", Id, ForeignKey("repositories.id"), primary_key=True),
    Column("branch", ByCodePoint, primary_key=True),
    Column("sha", ByCodePoint, primary_key=True),
    _prefix("sha", "prefix"),
    Column("committed_at", Instant, nullable=False),
    # Told by a forge, which tells of every branch: it counts only where the branch matters.
    Column("is_pushed", Boolean, nullable=False, server_default=false()),
    Index("ix_branch_commits_prefix", "prefix", "repository_id"),
    # The commits in a window are a range of their branch's, too.
    Index("ix_branch_commits_history", "repository_id", "branch", "committed_at"),
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
    _id(),
    _ref("pull_id", "pulls", nullable=True),
    Column("source_id", String, index=True),
    _ref("repository_id", "repositories", nullable=True),
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
    _id(),
    Column("reference_id", ByCodePoint, nullable=False, unique=True),
    _ref("service_id", "services"),
    Column("environment", ByCodePoint, nullable=False),
    Column("deployed_at", Instant, nullable=False),
    Column("success", Boolean, nullable=False),
    _ref("repository_id", "repositories", nullable=True),
    Column("commit_sha", ByCodePoint),
    _prefix("commit_sha", "commit_prefix"),
    Column("integration_branch", ByCodePoint),
    Column("source_url", Text),
    Column("source_name", String),
    Column("metadata", Text),
    Column("method", String, nullable=False),
    _ref("account_id", "accounts", nullable=True),
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

# The explicit list of a deployment, as it was sent.
deployment_commits = Table(
    "deployment_commits",
    metadata,
    Column("deployment_id", Id, ForeignKey("deployments.id"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("sha", ByCodePoint, nullable=False),
    _prefix("sha", "prefix"),
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
    _id(),
    _ref("repository_id", "repositories"),
    Column("branch", ByCodePoint, nullable=False),
    _ref("service_id", "services"),
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


# A deploy rule keeps its id as long as there is its name, also while it is deleted: what it
# inferred is named by that id, and an event must not make a second deployment.
deploy_rules = Table(
    "deploy_rules",
    metadata,
    _id(),
    Column("name", ByCodePoint, nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    sqlite_autoincrement=True,
)

deploy_rule_versions = Table(
    "deploy_rule_versions",
    metadata,
    Column("rule_id", Id, ForeignKey("deploy_rules.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("source", String, nullable=False),
    Column("conditions", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("also_failures", Boolean, nullable=False),
    _ref("account_id", "accounts", nullable=True),
    Column("created_at", Instant, nullable=False),
)

# The path rules of a repository, one set for each place they may come from.
path_rules = Table(
    "path_rules",
    metadata,
    Column("repository_id", Id, ForeignKey("repositories.id"), primary_key=True),
    Column("origin", String, primary_key=True),
    Column("rules", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

# What an artifact was built from, by each id that it is known by.
artifacts = Table(
    "artifacts",
    metadata,
    Column("artifact", ByCodePoint, primary_key=True),
    _ref("repository_id", "repositories"),
    Column("commit_sha", ByCodePoint, nullable=False),
    Column("set_at", Instant, nullable=False),
)

# What deploy systems told that runs, as told.
service_reports = Table(
    "service_reports",
    metadata,
    _id(),
    Column("key", ByCodePoint, nullable=False, unique=True),
    Column("source", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("success", Boolean, nullable=False),
    Column("artifacts", Text, nullable=False),
    Column("service", String),
    Column("environment", String),
    Column("application", String),
    Column("manifest_repository", String),
    Column("manifest_revision", String),
    Column("url", Text),
    Column("recorded_at", Instant, nullable=False, index=True),
)

# The ids of those of its artifacts that have not led to a commit yet.
waiting_artifacts = Table(
    "waiting_artifacts",
    metadata,
    Column("report_id", Id, ForeignKey("service_reports.id"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("artifact", ByCodePoint, primary_key=True),
    Index("ix_waiting_artifacts_artifact", "artifact"),
)
