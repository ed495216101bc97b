"""Commits that deployments reached, rules of deployments, and what was received from where."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BY_CODE_POINT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_index(
        "ix_branch_commits_history",
        "branch_commits",
        ["repository_id", "branch", "committed_at", "sha"],
        unique=False,
    )
    op.create_index(
        "ix_deployments_rule",
        "deployments",
        ["rule_id", "deployed_at", "reference_id"],
        unique=False,
        postgresql_where=sa.text("rule_id IS NOT NULL"),
        sqlite_where=sa.text("rule_id IS NOT NULL"),
    )
    op.add_column("deliveries", sa.Column("repository", sa.String(), nullable=True))
    op.create_index(
        "ix_deliveries_failed",
        "deliveries",
        ["id"],
        unique=False,
        postgresql_where=sa.text("error IS NOT NULL"),
        sqlite_where=sa.text("error IS NOT NULL"),
    )
    _received()
    _views()


def _received() -> None:
    op.create_table(
        "received",
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("via", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_received_repository_id")
        ),
        sa.PrimaryKeyConstraint("repository_id", "kind", "via", name=op.f("pk_received")),
    )
    op.create_table(
        "forge_budgets",
        sa.Column("source", BY_CODE_POINT, nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("most", sa.BigInteger(), nullable=True),
        sa.Column("resets_at", sa.BigInteger(), nullable=True),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_forge_budgets")),
    )
    op.create_table(
        "webhook_refusals",
        sa.Column("forge", BY_CODE_POINT, nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("forge", name=op.f("pk_webhook_refusals")),
    )


def _views() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    create = "CREATE VIEW"
    if is_sqlite:
        op.execute("DROP VIEW deployment_report")
    else:
        # Whoever built on the view keeps what they built.
        create = "CREATE OR REPLACE VIEW"
    report = DEPLOYMENT_REPORT.replace("CREATE VIEW", create)
    for view in (report, DEPLOYMENT_COMMITS_REACHED):
        op.execute(_with_timestamps(view, is_sqlite=is_sqlite))


def _with_timestamps(view: str, *, is_sqlite: bool) -> str:
    """The view with each {instant:column} as the database's own kind of timestamp, in UTC."""
    before, after = (
        ("strftime('%Y-%m-%dT%H:%M:%fZ', ", " / 1000000.0, 'unixepoch')")
        if is_sqlite
        else ("to_timestamp(", " / 1000000.0)")
    )
    return view.replace("{instant:", before).replace("}", after)


# One row for each deployment.
DEPLOYMENT_REPORT = """
CREATE VIEW deployment_report AS
SELECT
    d.id AS deployment_id,
    d.reference_id,
    s.identifier AS service,
    d.environment,
    {instant:d.deployed_at} AS deployed_at,
    d.success,
    r.name AS repository,
    d.commit_sha,
    d.integration_branch,
    d.source_name,
    d.source_url,
    d.metadata,
    d.method,
    d.attribution_status,
    CASE
        WHEN d.attribution_status <> 'none' OR d.attribution_reason IS NOT NULL
            THEN d.attribution_reason
        WHEN (
            SELECT (further.deployed_at, further.reference_id) < (w.deployed_at, w.reference_id)
            FROM windows w
            JOIN windows further ON further.lane_id = w.lane_id
                AND further.raises
                AND (further.reached_at, further.reached_number)
                    > (w.reached_at, w.reached_number)
            WHERE w.deployment_id = d.id
            ORDER BY further.reached_at, further.reached_number
            LIMIT 1
        ) THEN 'rollback'
        ELSE 'redeploy'
    END AS attribution_reason,
    {instant:d.attributed_at} AS attributed_at,
    {instant:d.created_at} AS created_at,
    rule.name AS rule,
    d.rule_version
FROM deployments d
JOIN services s ON s.id = d.service_id
LEFT JOIN repositories r ON r.id = d.repository_id
LEFT JOIN deploy_rules rule ON rule.id = d.rule_id
"""

# One row for each commit and each deployment that reached it. Durations are seconds.
DEPLOYMENT_COMMITS_REACHED = """
CREATE VIEW deployment_commits_reached AS
WITH brought AS (
    SELECT p.repository_id, p.base_ref, p.merge_commit_sha AS sha, p.merged_at, p.number
    FROM pulls p
    WHERE p.merged_at IS NOT NULL AND p.merge_commit_sha IS NOT NULL
    UNION ALL
    SELECT p.repository_id, p.base_ref, p.head_sha, p.merged_at, p.number
    FROM pulls p
    WHERE p.merged_at IS NOT NULL AND p.head_sha IS NOT NULL
    UNION ALL
    SELECT p.repository_id, p.base_ref, c.sha, p.merged_at, p.number
    FROM pulls p
    JOIN pull_commits c ON c.pull_id = p.id
    WHERE p.merged_at IS NOT NULL
),
first_brought AS (
    SELECT repository_id, base_ref, sha, merged_at, number
    FROM (
        SELECT
            brought.*,
            row_number() OVER (
                PARTITION BY repository_id, base_ref, sha ORDER BY merged_at, number
            ) AS place
        FROM brought
    ) ranked
    WHERE place = 1
),
standing AS (
    SELECT
        c.repository_id,
        c.branch,
        c.sha,
        c.committed_at,
        b.number AS pull_request,
        coalesce(b.merged_at, c.committed_at) AS at,
        coalesce(b.number, 9223372036854775807) AS number
    FROM branch_commits c
    LEFT JOIN first_brought b ON b.repository_id = c.repository_id
        AND b.base_ref = c.branch
        AND b.sha = c.sha
    WHERE NOT c.is_pushed
        OR EXISTS (
            SELECT 1 FROM repositories r
            WHERE r.id = c.repository_id AND r.default_branch = c.branch
        )
        OR EXISTS (
            SELECT 1 FROM pulls p
            WHERE p.repository_id = c.repository_id
                AND p.base_ref = c.branch
                AND p.merged_at IS NOT NULL
        )
)
SELECT
    w.deployment_id,
    r.name AS repository,
    c.branch,
    c.sha,
    c.pull_request,
    s.identifier AS service,
    l.environment,
    {instant:c.committed_at} AS committed_at,
    {instant:w.deployed_at} AS deployed_at,
    (w.deployed_at - c.committed_at) / 1000000.0 AS commit_to_deploy,
    w.opened_at = 0 AS is_baseline
FROM windows w
JOIN lanes l ON l.id = w.lane_id
JOIN standing c ON c.repository_id = l.repository_id
    AND c.branch = l.branch
    AND c.at BETWEEN w.opened_at AND w.reached_at
    AND (c.at, c.number) > (w.opened_at, w.opened_number)
    AND (c.at, c.number) <= (w.reached_at, w.reached_number)
JOIN repositories r ON r.id = l.repository_id
JOIN services s ON s.id = l.service_id
WHERE w.raises
"""
