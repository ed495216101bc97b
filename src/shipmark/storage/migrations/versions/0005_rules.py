"""Deploy rules, path rules, artifacts, and what deploy systems told that runs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BY_CODE_POINT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    _deploy_rules()
    _path_rules()
    _artifacts()


def _deploy_rules() -> None:
    op.create_table(
        "deploy_rules",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", BY_CODE_POINT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deploy_rules")),
        sa.UniqueConstraint("name", name=op.f("uq_deploy_rules_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "deploy_rule_versions",
        sa.Column("rule_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("conditions", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("also_failures", sa.Boolean(), nullable=False),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_deploy_rule_versions_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["deploy_rules.id"], name=op.f("fk_deploy_rule_versions_rule_id")
        ),
        sa.PrimaryKeyConstraint("rule_id", "version", name=op.f("pk_deploy_rule_versions")),
    )
    op.add_column("deployments", sa.Column("rule_id", ID, nullable=True))
    op.add_column("deployments", sa.Column("rule_version", sa.Integer(), nullable=True))


def _path_rules() -> None:
    op.create_table(
        "path_rules",
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_path_rules_repository_id")
        ),
        sa.PrimaryKeyConstraint("repository_id", "origin", name=op.f("pk_path_rules")),
    )


def _artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("artifact", BY_CODE_POINT, nullable=False),
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("commit_sha", BY_CODE_POINT, nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_artifacts_repository_id")
        ),
        sa.PrimaryKeyConstraint("artifact", name=op.f("pk_artifacts")),
    )
    op.create_table(
        "service_reports",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", BY_CODE_POINT, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("artifacts", sa.Text(), nullable=False),
        sa.Column("service", sa.String(), nullable=True),
        sa.Column("environment", sa.String(), nullable=True),
        sa.Column("application", sa.String(), nullable=True),
        sa.Column("manifest_repository", sa.String(), nullable=True),
        sa.Column("manifest_revision", sa.String(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_reports")),
        sa.UniqueConstraint("key", name=op.f("uq_service_reports_key")),
    )
    op.create_index(
        op.f("ix_service_reports_recorded_at"), "service_reports", ["recorded_at"], unique=False
    )
    op.create_table(
        "waiting_artifacts",
        sa.Column("report_id", ID, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("artifact", BY_CODE_POINT, nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"], ["service_reports.id"], name=op.f("fk_waiting_artifacts_report_id")
        ),
        sa.PrimaryKeyConstraint(
            "report_id", "place", "artifact", name=op.f("pk_waiting_artifacts")
        ),
    )
    op.create_index(
        "ix_waiting_artifacts_artifact", "waiting_artifacts", ["artifact"], unique=False
    )
