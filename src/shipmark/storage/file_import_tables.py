"""The tables of files to import: the job, its parts, its rows, and what it changed besides."""

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
    false,
)

from shipmark.storage.columns import ByCodePoint, Id, Instant, metadata

file_imports = Table(
    "file_imports",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("filename", String),
    Column("account_id", Id, ForeignKey("accounts.id")),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("due_at", Instant),
    Column("mapping", Text, nullable=False),
    Column("strict", Boolean, nullable=False, server_default=false()),
    Column("force", Boolean, nullable=False, server_default=false()),
    Column("size", BigInteger, nullable=False, server_default="0"),
    Column("offset", BigInteger, nullable=False, server_default="0"),
    Column("line", BigInteger, nullable=False, server_default="1"),
    Column("layout", Text),
    Column("cursor", Text),
    Column("counts", Text, nullable=False),
    Column("warnings", Text, nullable=False),
    Column("error", Text),
    Column("preview", Text),
    Column("version", Integer, nullable=False, server_default="0"),
    # An id is never given out twice: it is all that undoing goes by.
    sqlite_autoincrement=True,
)
Index(
    "ix_file_imports_due",
    file_imports.c.due_at,
    postgresql_where=file_imports.c.due_at.is_not(None),
    sqlite_where=file_imports.c.due_at.is_not(None),
)


def _import_id() -> Column[int]:
    return Column("import_id", Id, ForeignKey("file_imports.id"), primary_key=True)


file_parts = Table(
    "file_parts",
    metadata,
    _import_id(),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("packed", LargeBinary, nullable=False),
)

file_rows = Table(
    "file_rows",
    metadata,
    _import_id(),
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    Column("state", String, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("reference_id", ByCodePoint, nullable=False),
    Column("content", Text, nullable=False),
    Column("code", String),
    Column("message", Text),
    Column("column", String),
    Column("value", Text),
    Column("of_id", Id),
    # Applied in this order, and undone in the opposite one.
    Index("ix_file_rows_place", "import_id", "state", "place", "reference_id"),
    Index("ix_file_rows_reference", "import_id", "reference_id"),
    Index("ix_file_rows_state", "import_id", "state", "line"),
)

# What an import changed besides adding its rows, and how it was before.
file_effects = Table(
    "file_effects",
    metadata,
    _import_id(),
    Column("effect", String, primary_key=True),
    Column("of_id", Id, primary_key=True, autoincrement=False),
    Column("before", Text),
)
