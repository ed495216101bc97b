"""The tables of incidents, beside those of `tables`."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, String, Table, Text

from shipmark.storage.columns import ByCodePoint, Id, Instant, metadata

incidents = Table(
    "incidents",
    metadata,
    Column("id", Id, primary_key=True),
    Column("reference_id", ByCodePoint, nullable=False, unique=True),
    Column("started_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("environment", ByCodePoint),
    Column("name", Text),
    Column("priority", String),
    Column("source_url", Text),
    Column("metadata", Text),
    # By name, so that an incident may come before its deployment.
    Column("deployment_reference_id", ByCodePoint),
    Column("account_id", Id, ForeignKey("accounts.id")),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_incidents_order", "started_at", "reference_id"),
    sqlite_autoincrement=True,
)
# Which incidents name a deployment.
Index(
    "ix_incidents_deployment",
    incidents.c.deployment_reference_id,
    postgresql_where=incidents.c.deployment_reference_id.is_not(None),
    sqlite_where=incidents.c.deployment_reference_id.is_not(None),
)

incident_services = Table(
    "incident_services",
    metadata,
    Column("incident_id", Id, ForeignKey("incidents.id"), primary_key=True),
    Column("service_id", Id, ForeignKey("services.id"), primary_key=True),
    Index("ix_incident_services_service", "service_id", "incident_id"),
)

# What someone said by hand of an incident and a deployment: the last word of each pair. The
# deployment is named, so that what was said outlives its being deleted and registered again.
incident_corrections = Table(
    "incident_corrections",
    metadata,
    Column("incident_id", Id, ForeignKey("incidents.id"), primary_key=True),
    Column("deployment_reference_id", ByCodePoint, primary_key=True),
    Column("is_linked", Boolean, nullable=False),
    Column("reason", Text),
    Column("account", String),
    Column("token", String),
    Column("made_at", Instant, nullable=False),
    Index("ix_incident_corrections_deployment", "deployment_reference_id"),
)

# What was said so and withdrawn: a pair is in one of the two tables. Apart, so that no query of
# links has to leave it out.
incident_withdrawals = Table(
    "incident_withdrawals",
    metadata,
    Column("incident_id", Id, ForeignKey("incidents.id"), primary_key=True),
    Column("deployment_reference_id", ByCodePoint, primary_key=True),
    Column("was_linked", Boolean, nullable=False),
    Column("reason", Text),
    Column("account", String),
    Column("token", String),
    Column("made_at", Instant, nullable=False),
)
