"""The ids of pull requests in the history of their branch, which SQLite's indexes have anyway."""

from alembic import op
from sqlalchemy import text

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    op.drop_index("ix_pulls_history", table_name="pulls")
    op.create_index(
        "ix_pulls_history",
        "pulls",
        ["repository_id", "base_ref", "merged_at", "number"],
        unique=False,
        postgresql_include=["id"],
        postgresql_where=text("merged_at IS NOT NULL"),
    )
