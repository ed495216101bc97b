"""Deployments by their service and environment."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_index(
        "ix_deployments_place",
        "deployments",
        ["service_id", "environment", "deployed_at", "reference_id"],
        unique=False,
    )
