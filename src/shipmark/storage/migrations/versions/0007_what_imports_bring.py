"""What forges tell of repositories besides: archived or not, and a file that cannot be read."""

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
