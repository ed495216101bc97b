"""How far the imports of repositories from their forges have come."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "forge_imports",
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_forge_imports_repository_id")
        ),
        sa.PrimaryKeyConstraint("repository_id", name=op.f("pk_forge_imports")),
    )
    op.create_index(op.f("ix_forge_imports_due_at"), "forge_imports", ["due_at"], unique=False)
