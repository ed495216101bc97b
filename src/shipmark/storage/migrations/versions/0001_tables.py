"""The tables of deployments, pull requests, lanes and windows."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BY_CODE_POINT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
IS_RAISING = sa.column("raises", sa.Boolean()).is_(sa.true())
IS_WAITING = sa.column("is_waiting", sa.Boolean()).is_(sa.true())


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
    )
    op.create_table(
        "repositories",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", BY_CODE_POINT, nullable=False),
        sa.Column("short_name_key", BY_CODE_POINT, nullable=False),
        sa.Column("default_branch", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("source_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repositories")),
        sa.UniqueConstraint("name_key", name=op.f("uq_repositories_name_key")),
    )
    op.create_index(
        op.f("ix_repositories_short_name_key"), "repositories", ["short_name_key"], unique=False
    )
    op.create_table(
        "services",
        sa.Column("id", ID, nullable=False),
        sa.Column("identifier", BY_CODE_POINT, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_services")),
        sa.UniqueConstraint("identifier", name=op.f("uq_services_identifier")),
    )
    op.create_table(
        "branch_commits",
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("branch", BY_CODE_POINT, nullable=False),
        sa.Column("sha", BY_CODE_POINT, nullable=False),
        sa.Column(
            "prefix", BY_CODE_POINT, sa.Computed("substr(sha, 1, 7)", persisted=True), nullable=True
        ),
        sa.Column("committed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_branch_commits_repository_id")
        ),
        sa.PrimaryKeyConstraint("repository_id", "branch", "sha", name=op.f("pk_branch_commits")),
    )
    op.create_index(
        "ix_branch_commits_prefix", "branch_commits", ["prefix", "repository_id"], unique=False
    )
    op.create_table(
        "deployments",
        sa.Column("id", ID, nullable=False),
        sa.Column("reference_id", BY_CODE_POINT, nullable=False),
        sa.Column("service_id", ID, nullable=False),
        sa.Column("environment", BY_CODE_POINT, nullable=False),
        sa.Column("deployed_at", sa.BigInteger(), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("repository_id", ID, nullable=True),
        sa.Column("commit_sha", BY_CODE_POINT, nullable=True),
        sa.Column(
            "commit_prefix",
            BY_CODE_POINT,
            sa.Computed("substr(commit_sha, 1, 7)", persisted=True),
            nullable=True,
        ),
        sa.Column("integration_branch", BY_CODE_POINT, nullable=True),
        sa.Column("source_url", sa.Text(), nullable=True),
        sa.Column("source_name", sa.String(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("attribution_status", sa.String(), nullable=False),
        sa.Column("attribution_reason", sa.String(), nullable=True),
        sa.Column("attributed_at", sa.BigInteger(), nullable=True),
        sa.Column("attribution_due_at", sa.BigInteger(), nullable=True),
        sa.Column("attribution_retry_until", sa.BigInteger(), nullable=False),
        sa.Column("attribution_attempts", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_deployments_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_deployments_repository_id")
        ),
        sa.ForeignKeyConstraint(
            ["service_id"], ["services.id"], name=op.f("fk_deployments_service_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
        sa.UniqueConstraint("reference_id", name=op.f("uq_deployments_reference_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_deployments_commit", "deployments", ["commit_prefix", "repository_id"], unique=False
    )
    op.create_index(
        "ix_deployments_due",
        "deployments",
        ["attribution_due_at"],
        unique=False,
        postgresql_where=sa.column("attribution_due_at").is_not(None),
        sqlite_where=sa.column("attribution_due_at").is_not(None),
    )
    op.create_index(
        "ix_deployments_order", "deployments", ["deployed_at", "reference_id"], unique=False
    )
    op.create_index(
        "ix_deployments_repository",
        "deployments",
        ["repository_id", "deployed_at", "reference_id"],
        unique=False,
    )
    op.create_index(
        "ix_deployments_service",
        "deployments",
        ["service_id", "deployed_at", "reference_id"],
        unique=False,
    )
    op.create_index(
        "ix_deployments_status",
        "deployments",
        ["attribution_status", "deployed_at", "reference_id"],
        unique=False,
    )
    op.create_table(
        "lanes",
        sa.Column("id", ID, nullable=False),
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("branch", BY_CODE_POINT, nullable=False),
        sa.Column("service_id", ID, nullable=False),
        sa.Column("environment", BY_CODE_POINT, nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_lanes_repository_id")
        ),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_lanes_service_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lanes")),
        sa.UniqueConstraint(
            "repository_id",
            "branch",
            "service_id",
            "environment",
            name=op.f("uq_lanes_repository_id_branch_service_id_environment"),
        ),
    )
    op.create_table(
        "pulls",
        sa.Column("id", ID, nullable=False),
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("base_ref", BY_CODE_POINT, nullable=False),
        sa.Column("merged_at", sa.BigInteger(), nullable=True),
        sa.Column("merge_commit_sha", BY_CODE_POINT, nullable=True),
        sa.Column(
            "merge_commit_prefix",
            BY_CODE_POINT,
            sa.Computed("substr(merge_commit_sha, 1, 7)", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "head_prefix",
            BY_CODE_POINT,
            sa.Computed("substr(head_sha, 1, 7)", persisted=True),
            nullable=True,
        ),
        sa.Column("source_id", sa.String(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("author", sa.String(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("head_ref", sa.String(), nullable=True),
        sa.Column("head_sha", BY_CODE_POINT, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("first_commit_at", sa.BigInteger(), nullable=True),
        sa.Column("ready_for_review_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("labels", sa.Text(), nullable=True),
        sa.Column("files", sa.Text(), nullable=True),
        sa.Column("imported_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "listed_at",
            sa.BigInteger(),
            sa.Computed("coalesce(merged_at, 0)", persisted=True),
            nullable=True,
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_pulls_repository_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pulls")),
        sa.UniqueConstraint("repository_id", "number", name=op.f("uq_pulls_repository_id_number")),
    )
    op.create_index("ix_pulls_head", "pulls", ["head_prefix", "repository_id"], unique=False)
    op.create_index(
        "ix_pulls_history",
        "pulls",
        ["repository_id", "base_ref", "merged_at", "number"],
        unique=False,
        postgresql_where=sa.column("merged_at").is_not(None),
        sqlite_where=sa.column("merged_at").is_not(None),
    )
    op.create_index("ix_pulls_listed", "pulls", ["listed_at", "id"], unique=False)
    op.create_index(
        "ix_pulls_listed_in", "pulls", ["repository_id", "listed_at", "id"], unique=False
    )
    op.create_index(
        "ix_pulls_merge_commit", "pulls", ["merge_commit_prefix", "repository_id"], unique=False
    )
    op.create_index(op.f("ix_pulls_source_id"), "pulls", ["source_id"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_tokens_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_table(
        "deployment_commits",
        sa.Column("deployment_id", ID, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("sha", BY_CODE_POINT, nullable=False),
        sa.Column(
            "prefix", BY_CODE_POINT, sa.Computed("substr(sha, 1, 7)", persisted=True), nullable=True
        ),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_deployment_commits_deployment_id")
        ),
        sa.PrimaryKeyConstraint("deployment_id", "place", name=op.f("pk_deployment_commits")),
    )
    op.create_index("ix_deployment_commits_prefix", "deployment_commits", ["prefix"], unique=False)
    op.create_table(
        "deployment_pulls",
        sa.Column("deployment_id", ID, nullable=False),
        sa.Column("pull_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_deployment_pulls_deployment_id")
        ),
        sa.ForeignKeyConstraint(
            ["pull_id"], ["pulls.id"], name=op.f("fk_deployment_pulls_pull_id")
        ),
        sa.PrimaryKeyConstraint("deployment_id", "pull_id", name=op.f("pk_deployment_pulls")),
    )
    op.create_index("ix_deployment_pulls_pull", "deployment_pulls", ["pull_id"], unique=False)
    op.create_table(
        "pull_commits",
        sa.Column("pull_id", ID, nullable=False),
        sa.Column("sha", BY_CODE_POINT, nullable=False),
        sa.Column(
            "prefix", BY_CODE_POINT, sa.Computed("substr(sha, 1, 7)", persisted=True), nullable=True
        ),
        sa.Column("repository_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["pull_id"], ["pulls.id"], name=op.f("fk_pull_commits_pull_id")),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_pull_commits_repository_id")
        ),
        sa.PrimaryKeyConstraint("pull_id", "sha", name=op.f("pk_pull_commits")),
    )
    op.create_index(
        "ix_pull_commits_prefix", "pull_commits", ["prefix", "repository_id"], unique=False
    )
    op.create_table(
        "pull_services",
        sa.Column("pull_id", ID, nullable=False),
        sa.Column("service_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["pull_id"], ["pulls.id"], name=op.f("fk_pull_services_pull_id")),
        sa.ForeignKeyConstraint(
            ["service_id"], ["services.id"], name=op.f("fk_pull_services_service_id")
        ),
        sa.PrimaryKeyConstraint("pull_id", "service_id", name=op.f("pk_pull_services")),
    )
    op.create_table(
        "windows",
        sa.Column("lane_id", ID, nullable=False),
        sa.Column("deployment_id", ID, nullable=False),
        sa.Column("deployed_at", sa.BigInteger(), nullable=False),
        sa.Column("reference_id", BY_CODE_POINT, nullable=False),
        sa.Column("reached_at", sa.BigInteger(), nullable=False),
        sa.Column("reached_number", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_number", sa.BigInteger(), nullable=False),
        sa.Column("raises", sa.Boolean(), nullable=False),
        sa.Column("is_waiting", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_windows_deployment_id")
        ),
        sa.ForeignKeyConstraint(["lane_id"], ["lanes.id"], name=op.f("fk_windows_lane_id")),
        sa.PrimaryKeyConstraint("lane_id", "deployment_id", name=op.f("pk_windows")),
    )
    op.create_index("ix_windows_deployment", "windows", ["deployment_id"], unique=False)
    op.create_index(
        "ix_windows_mark",
        "windows",
        ["lane_id", "deployed_at", "reference_id"],
        unique=False,
        postgresql_where=IS_RAISING,
        sqlite_where=IS_RAISING,
    )
    op.create_index(
        "ix_windows_order", "windows", ["lane_id", "deployed_at", "reference_id"], unique=False
    )
    op.create_index(
        "ix_windows_reach",
        "windows",
        ["lane_id", "reached_at", "reached_number"],
        unique=False,
        postgresql_where=IS_RAISING,
        sqlite_where=IS_RAISING,
    )
    op.create_index(
        "ix_windows_waiting",
        "windows",
        ["lane_id", "reached_at", "reached_number"],
        unique=False,
        postgresql_where=IS_WAITING,
        sqlite_where=IS_WAITING,
    )
    op.create_table(
        "service_assignments",
        sa.Column("id", ID, nullable=False),
        sa.Column("pull_id", ID, nullable=True),
        sa.Column("source_id", sa.String(), nullable=True),
        sa.Column("repository_id", ID, nullable=True),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("services", sa.Text(), nullable=False),
        sa.Column("replace", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pull_id"], ["pulls.id"], name=op.f("fk_service_assignments_pull_id")
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_service_assignments_repository_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_assignments")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_service_assignments_key",
        "service_assignments",
        ["repository_id", "number"],
        unique=False,
    )
    op.create_index(
        op.f("ix_service_assignments_source_id"), "service_assignments", ["source_id"], unique=False
    )
    op.create_index("ix_service_assignments_pull_id", "service_assignments", ["pull_id"])
