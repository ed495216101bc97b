"""The tables of what forges told, and of what they are asked."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from shipmark.storage.columns import ByCodePoint, Id, Instant, metadata, reference, row_id

# The names that repositories had before: what is still told under one is theirs.
former_names = Table(
    "former_names",
    metadata,
    Column("name_key", ByCodePoint, primary_key=True),
    reference("repository_id", "repositories"),
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
    # Words with spaces between them.
    Column("reads", Text, nullable=False, server_default=""),
    Column("has_read", Text, nullable=False, server_default=""),
)

# What forges sent and is not understood yet: the row is the job. Of what is done, all but the body
# is kept, so that a repeat is known as one.
deliveries = Table(
    "deliveries",
    metadata,
    row_id(),
    Column("forge", String, nullable=False),
    Column("delivery_id", ByCodePoint, nullable=False),
    Column("body_digest", String, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary),
    Column("received_at", Instant, nullable=False, index=True),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    # The name it told, where that could be read of one that waits or was given up.
    Column("repository", String),
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

# Those that fail, of which there are few.
Index(
    "ix_deliveries_failed",
    deliveries.c.id,
    postgresql_where=deliveries.c.error.is_not(None),
    sqlite_where=deliveries.c.error.is_not(None),
)

# What happened at forges, from which rules infer deployments: the fields of a SourceEvent, of which
# ``repository`` is the name it was told under.
source_events = Table(
    "source_events",
    metadata,
    row_id(),
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
    Column("is_guessed", Boolean, nullable=False, server_default=false()),
    Column("recorded_at", Instant, nullable=False),
    # A rule is about one source; a preview looks at its past, newest first.
    Index("ix_source_events_source", "source", "at", "id"),
)
