"""What imports bring besides: of repositories, and which events they read."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"


# Two workers could make two of one repository: the earlier one is what was found by the id.
KEEP_THE_EARLIER = """
UPDATE repositories SET source_id = NULL
WHERE source_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM repositories earlier
    WHERE earlier.source = repositories.source
    AND earlier.source_id = repositories.source_id
    AND earlier.id < repositories.id
)
"""
TOLD_BY_FORGE = """
UPDATE repositories SET forge_default_branch = default_branch
WHERE default_branch_as_of IS NOT NULL
"""


def upgrade() -> None:
    op.add_column(
        "repositories",
        sa.Column("archived", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("repositories", sa.Column("archived_as_of", sa.BigInteger(), nullable=True))
    op.add_column("repositories", sa.Column("rules_file_error", sa.Text(), nullable=True))
    for column in ("reads", "has_read"):
        op.add_column(
            "forge_imports", sa.Column(column, sa.Text(), server_default="", nullable=False)
        )
    op.add_column("repositories", sa.Column("forge_default_branch", sa.String(), nullable=True))
    op.add_column(
        "repositories", sa.Column("default_branch_set_at", sa.BigInteger(), nullable=True)
    )
    op.execute(TOLD_BY_FORGE)
    op.execute(KEEP_THE_EARLIER)
    op.drop_index("ix_repositories_source", table_name="repositories")
    op.create_index("ix_repositories_source", "repositories", ["source", "source_id"], unique=True)
