"""Incidents, the history of commits on a branch by their time, and a view of incidents."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BY_CODE_POINT = sa.String().with_variant(sa.String(collation="C"), "postgresql")

# One row for each incident.
INCIDENT_REPORT = """
CREATE VIEW incident_report AS
SELECT
    i.id AS incident_id,
    i.reference_id,
    i.name,
    i.priority,
    i.environment,
    {instant:i.started_at} AS started_at,
    {instant:i.resolved_at} AS resolved_at,
    (i.resolved_at - i.started_at) / 1000000.0 AS duration,
    i.deployment_reference_id,
    i.source_url,
    i.metadata
FROM incidents i
"""

# One row for each incident and each service that it is about.
INCIDENT_SERVICES = """
CREATE VIEW incident_service_report AS
SELECT a.incident_id, s.identifier AS service
FROM incident_services a
JOIN services s ON s.id = a.service_id
"""


def upgrade() -> None:
    _incidents()
    _of_incidents()
    op.create_index(
        "ix_branch_commits_history",
        "branch_commits",
        ["repository_id", "branch", "committed_at"],
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for view in (INCIDENT_REPORT, INCIDENT_SERVICES):
        op.execute(_with_timestamps(view, is_sqlite=is_sqlite))


def _incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", ID, nullable=False),
        sa.Column("reference_id", BY_CODE_POINT, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("environment", BY_CODE_POINT, nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("priority", sa.String(), nullable=True),
        sa.Column("source_url", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("deployment_reference_id", BY_CODE_POINT, nullable=True),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_incidents_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
        sa.UniqueConstraint("reference_id", name=op.f("uq_incidents_reference_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_incidents_order", "incidents", ["started_at", "reference_id"])
    named = sa.text("deployment_reference_id IS NOT NULL")
    op.create_index(
        "ix_incidents_deployment",
        "incidents",
        ["deployment_reference_id"],
        postgresql_where=named,
        sqlite_where=named,
    )


def _of_incidents() -> None:
    op.create_table(
        "incident_services",
        sa.Column("incident_id", ID, nullable=False),
        sa.Column("service_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_incident_services_incident_id")
        ),
        sa.ForeignKeyConstraint(
            ["service_id"], ["services.id"], name=op.f("fk_incident_services_service_id")
        ),
        sa.PrimaryKeyConstraint("incident_id", "service_id", name=op.f("pk_incident_services")),
    )
    op.create_index(
        "ix_incident_services_service", "incident_services", ["service_id", "incident_id"]
    )
    op.create_table(
        "incident_corrections",
        sa.Column("incident_id", ID, nullable=False),
        sa.Column("deployment_reference_id", BY_CODE_POINT, nullable=False),
        sa.Column("is_linked", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("account", sa.String(), nullable=True),
        sa.Column("token", sa.String(), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_incident_corrections_incident_id")
        ),
        sa.PrimaryKeyConstraint(
            "incident_id", "deployment_reference_id", name=op.f("pk_incident_corrections")
        ),
    )
    op.create_index(
        "ix_incident_corrections_deployment", "incident_corrections", ["deployment_reference_id"]
    )


def _with_timestamps(view: str, *, is_sqlite: bool) -> str:
    """The view with each {instant:column} as the database's own kind of timestamp, in UTC."""
    before, after = (
        ("strftime('%Y-%m-%dT%H:%M:%fZ', ", " / 1000000.0, 'unixepoch')")
        if is_sqlite
        else ("to_timestamp(", " / 1000000.0)")
    )
    return view.replace("{instant:", before).replace("}", after)
