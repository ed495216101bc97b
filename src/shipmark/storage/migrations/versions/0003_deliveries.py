"""What forges deliver, what happened there, and as of when they told what is known."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BY_CODE_POINT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
IS_DUE = sa.column("due_at", sa.BigInteger()).is_not(None)


def upgrade() -> None:
    op.add_column("repositories", sa.Column("named_as_of", sa.BigInteger(), nullable=True))
    op.add_column("repositories", sa.Column("default_branch_as_of", sa.BigInteger(), nullable=True))
    op.create_index("ix_repositories_source", "repositories", ["source", "source_id"], unique=False)
    op.add_column("pulls", sa.Column("facts_as_of", sa.BigInteger(), nullable=True))
    op.add_column("pulls", sa.Column("facts_told", sa.Text(), nullable=True))
    op.add_column(
        "branch_commits",
        sa.Column("is_pushed", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_table(
        "former_names",
        sa.Column("name_key", BY_CODE_POINT, nullable=False),
        sa.Column("repository_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_former_names_repository_id")
        ),
        sa.PrimaryKeyConstraint("name_key", name=op.f("pk_former_names")),
    )
    _create_deliveries()
    _create_source_events()


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", ID, nullable=False),
        sa.Column("forge", sa.String(), nullable=False),
        sa.Column("delivery_id", BY_CODE_POINT, nullable=False),
        sa.Column("body_digest", sa.String(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("forge", "body_digest", name=op.f("uq_deliveries_forge_body_digest")),
        sa.UniqueConstraint("forge", "delivery_id", name=op.f("uq_deliveries_forge_delivery_id")),
    )
    op.create_index(op.f("ix_deliveries_received_at"), "deliveries", ["received_at"], unique=False)
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["due_at"],
        unique=False,
        postgresql_where=IS_DUE,
        sqlite_where=IS_DUE,
    )


def _create_source_events() -> None:
    op.create_table(
        "source_events",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", BY_CODE_POINT, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("commit_sha", BY_CODE_POINT, nullable=True),
        sa.Column("branch", BY_CODE_POINT, nullable=True),
        sa.Column("tag", BY_CODE_POINT, nullable=True),
        sa.Column("environment", sa.String(), nullable=True),
        sa.Column("workflow", sa.String(), nullable=True),
        sa.Column("stage", sa.String(), nullable=True),
        sa.Column("job", sa.String(), nullable=True),
        sa.Column("pull_number", sa.BigInteger(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("is_guessed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_events")),
        sa.UniqueConstraint("key", name=op.f("uq_source_events_key")),
    )
    op.create_index(
        "ix_source_events_source", "source_events", ["source", "at", "id"], unique=False
    )
