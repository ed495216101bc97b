"""The tables of deploy rules and path rules, of artifacts, and of what was told to run."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    false,
)

from shipmark.storage.columns import ByCodePoint, Id, Instant, metadata, reference, row_id

# A deploy rule keeps its id as long as there is its name, also while it is deleted: what it
# inferred is named by that id, and an event must not make a second deployment.
deploy_rules = Table(
    "deploy_rules",
    metadata,
    row_id(),
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
    reference("account_id", "accounts", nullable=True),
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
    reference("repository_id", "repositories"),
    Column("commit_sha", ByCodePoint, nullable=False),
    Column("set_at", Instant, nullable=False),
)

# What deploy systems told that runs, as told.
service_reports = Table(
    "service_reports",
    metadata,
    row_id(),
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
    Column("subject", ByCodePoint),
    # Of what says the same as the one before it on its subject, no deployment is made.
    Column("repeats", Boolean, nullable=False, server_default=false()),
    Index("ix_service_reports_subject", "subject", "at", "key"),
)

# What is told of again and again. Whoever records a report on it holds the lock of its row.
report_subjects = Table(
    "report_subjects", metadata, Column("subject", ByCodePoint, primary_key=True)
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
