"""What imports bring besides: of repositories, and which events they read."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"


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
