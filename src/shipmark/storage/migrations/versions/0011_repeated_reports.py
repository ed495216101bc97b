"""What deploy systems tell again and again is told once."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

BY_CODE_POINT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("service_reports", sa.Column("subject", BY_CODE_POINT, nullable=True))
    op.add_column(
        "service_reports",
        sa.Column("repeats", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_index(
        "ix_service_reports_subject", "service_reports", ["subject", "at", "key"], unique=False
    )
    op.create_table(
        "report_subjects",
        sa.Column("subject", BY_CODE_POINT, nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_report_subjects")),
    )
