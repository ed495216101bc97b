"""Corrections of links of incidents that were withdrawn."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BY_CODE_POINT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "incident_withdrawals",
        sa.Column("incident_id", ID, nullable=False),
        sa.Column("deployment_reference_id", BY_CODE_POINT, nullable=False),
        sa.Column("was_linked", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("account", sa.String(), nullable=True),
        sa.Column("token", sa.String(), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_incident_withdrawals_incident_id")
        ),
        sa.PrimaryKeyConstraint(
            "incident_id", "deployment_reference_id", name=op.f("pk_incident_withdrawals")
        ),
    )
