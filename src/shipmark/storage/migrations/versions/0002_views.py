"""Views for SQL and business intelligence tools: names, timestamps, and what shipped what."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for view in (
        PULL_REQUEST_DEPLOYMENTS,
        DEPLOYMENT_REPORT,
        PULL_REQUEST_REPORT,
        PULL_REQUEST_SERVICES,
        REPOSITORY_REPORT,
        SERVICE_REPORT,
    ):
        op.execute(_with_timestamps(view, is_sqlite=is_sqlite))


def _with_timestamps(view: str, *, is_sqlite: bool) -> str:
    """The view with each {instant:column} as the database's own kind of timestamp, in UTC."""
    before, after = (
        ("strftime('%Y-%m-%dT%H:%M:%fZ', ", " / 1000000.0, 'unixepoch')")
        if is_sqlite
        else ("to_timestamp(", " / 1000000.0)")
    )
    return view.replace("{instant:", before).replace("}", after)


# One row for each pull request and each deployment that shipped it. Durations are seconds.
PULL_REQUEST_DEPLOYMENTS = """
CREATE VIEW pull_request_deployments AS
WITH shipped AS (
    SELECT p.id AS pull_id, w.deployment_id, w.opened_at = 0 AS is_baseline
    FROM windows w
    JOIN lanes l ON l.id = w.lane_id
    JOIN pulls p ON p.repository_id = l.repository_id
        AND p.base_ref = l.branch
        AND p.merged_at BETWEEN w.opened_at AND w.reached_at
        AND (p.merged_at, p.number) > (w.opened_at, w.opened_number)
        AND (p.merged_at, p.number) <= (w.reached_at, w.reached_number)
    WHERE w.raises
        AND (
            NOT EXISTS (SELECT 1 FROM pull_services s WHERE s.pull_id = p.id)
            OR EXISTS (
                SELECT 1 FROM pull_services s
                WHERE s.pull_id = p.id AND s.service_id = l.service_id
            )
        )
        AND NOT EXISTS (
            SELECT 1 FROM deployment_pulls listed
            WHERE listed.pull_id = p.id AND (
                SELECT earlier.service_id = l.service_id
                    AND earlier.environment = l.environment
                    AND earlier.success
                    AND (earlier.deployed_at, earlier.reference_id)
                        < (w.deployed_at, w.reference_id)
                FROM deployments earlier
                WHERE earlier.id = listed.deployment_id
            )
        )
    UNION ALL
    SELECT listed.pull_id, listed.deployment_id, 1 = 0 AS is_baseline
    FROM deployment_pulls listed
    JOIN deployments d ON d.id = listed.deployment_id
    JOIN pulls p ON p.id = listed.pull_id
    WHERE d.success AND p.merged_at IS NOT NULL
)
SELECT
    shipped.pull_id,
    shipped.deployment_id,
    r.name AS repository,
    p.number,
    s.identifier AS service,
    d.environment,
    d.method,
    {instant:p.merged_at} AS merged_at,
    {instant:d.deployed_at} AS deployed_at,
    (d.deployed_at - p.merged_at) / 1000000.0 AS merge_to_deploy,
    (d.deployed_at - p.created_at) / 1000000.0 AS open_to_deploy,
    shipped.is_baseline
FROM shipped
JOIN pulls p ON p.id = shipped.pull_id
JOIN repositories r ON r.id = p.repository_id
JOIN deployments d ON d.id = shipped.deployment_id
JOIN services s ON s.id = d.service_id
"""

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
    {instant:d.created_at} AS created_at
FROM deployments d
JOIN services s ON s.id = d.service_id
LEFT JOIN repositories r ON r.id = d.repository_id
"""

# One row for each pull request.
PULL_REQUEST_REPORT = """
CREATE VIEW pull_request_report AS
SELECT
    p.id AS pull_id,
    r.name AS repository,
    p.number,
    p.title,
    p.author,
    p.url,
    p.base_ref,
    p.merge_commit_sha,
    {instant:p.created_at} AS created_at,
    {instant:p.first_commit_at} AS first_commit_at,
    {instant:p.merged_at} AS merged_at
FROM pulls p
JOIN repositories r ON r.id = p.repository_id
"""

# One row for each pull request and each service assigned to it.
PULL_REQUEST_SERVICES = """
CREATE VIEW pull_request_services AS
SELECT a.pull_id, s.identifier AS service
FROM pull_services a
JOIN services s ON s.id = a.service_id
"""

# One row for each repository.
REPOSITORY_REPORT = """
CREATE VIEW repository_report AS
SELECT r.id AS repository_id, r.name AS repository, r.default_branch, r.source
FROM repositories r
"""

# One row for each service.
SERVICE_REPORT = """
CREATE VIEW service_report AS
SELECT s.id AS service_id, s.identifier AS service, s.name
FROM services s
"""
