"""What is shipped differently in a scratch copy since it was remembered. SQLite only."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shipmark.storage.columns import EPOCH, MICROSECOND

REMEMBER = (
    "CREATE TABLE was AS SELECT pull_id, deployment_id FROM pull_request_deployments",
    "CREATE INDEX ix_was ON was (pull_id, deployment_id)",
    "CREATE TABLE known AS SELECT id FROM deployments",
    "CREATE UNIQUE INDEX ix_known ON known (id)",
)
NOW = (
    "CREATE TEMPORARY TABLE ships AS SELECT pull_id, deployment_id FROM pull_request_deployments",
    "CREATE INDEX temp.ix_ships ON ships (pull_id, deployment_id)",
    """
    CREATE TEMPORARY TABLE lost AS
    SELECT w.pull_id, w.deployment_id, d.service_id, d.environment
    FROM was w JOIN deployments d ON d.id = w.deployment_id
    WHERE NOT EXISTS (
        SELECT 1 FROM ships s WHERE s.pull_id = w.pull_id AND s.deployment_id = w.deployment_id
    )
    """,
    """
    CREATE TEMPORARY TABLE won AS
    SELECT s.pull_id, s.deployment_id, d.service_id, d.environment
    FROM ships s JOIN deployments d ON d.id = s.deployment_id
    WHERE NOT EXISTS (
        SELECT 1 FROM was w WHERE w.pull_id = s.pull_id AND w.deployment_id = s.deployment_id
    )
    """,
    "CREATE INDEX temp.ix_lost ON lost (pull_id, service_id, environment)",
    "CREATE INDEX temp.ix_won ON won (pull_id, service_id, environment)",
)

# Where there are no new deployments of a service, but pull requests of others that move, it is
# among the moves alone.
SERVICES = text(
    """
    WITH placed AS (
        SELECT d.id, d.service_id, d.environment, d.deployed_at,
            lag(d.deployed_at) OVER (
                PARTITION BY d.service_id, d.environment ORDER BY d.deployed_at, d.reference_id
            ) AS before
        FROM deployments d
    ),
    ranked AS (
        SELECT p.*, row_number() OVER (
            PARTITION BY service_id, environment ORDER BY deployed_at - before DESC, deployed_at
        ) AS place
        FROM placed p WHERE before IS NOT NULL
    ),
    gap AS (SELECT * FROM ranked WHERE place = 1),
    total AS (
        SELECT p.service_id, p.environment,
            count(*) FILTER (WHERE k.id IS NULL) AS new,
            count(*) AS deployments,
            min(p.deployed_at) AS first_deployed_at,
            max(p.deployed_at) AS last_deployed_at
        FROM placed p
        LEFT JOIN known k ON k.id = p.id
        GROUP BY p.service_id, p.environment
        HAVING count(*) FILTER (WHERE k.id IS NULL) > 0
    ),
    shipped AS (
        SELECT service_id, environment, count(DISTINCT pull_id) AS pull_requests
        FROM won
        WHERE NOT EXISTS (SELECT 1 FROM known WHERE known.id = won.deployment_id)
        GROUP BY service_id, environment
    )
    SELECT s.identifier AS service, t.environment, t.new, t.deployments,
        t.first_deployed_at, t.last_deployed_at,
        coalesce(w.pull_requests, 0) AS pull_requests,
        g.before AS gap_from, g.deployed_at AS gap_to
    FROM total t
    JOIN services s ON s.id = t.service_id
    LEFT JOIN shipped w ON w.service_id = t.service_id AND w.environment = t.environment
    LEFT JOIN gap g ON g.service_id = t.service_id AND g.environment = t.environment
    ORDER BY s.identifier, t.environment
    """
)
# More than one deployment of a service and environment may ship a pull request.
COUNT_WON = text(
    """
    SELECT count(*) FROM (
        SELECT DISTINCT pull_id, service_id, environment FROM won
        WHERE NOT EXISTS (
            SELECT 1 FROM was JOIN deployments d ON d.id = was.deployment_id
            WHERE was.pull_id = won.pull_id
                AND d.service_id = won.service_id AND d.environment = won.environment
        )
    )
    """
)
COUNT_LOST = text(
    "SELECT count(*) FROM (SELECT DISTINCT pull_id, service_id, environment FROM lost)"
)
MOVES = text(
    """
    SELECT r.name AS repository, p.number, s.identifier AS service, moved.environment,
        (
            SELECT d.reference_id FROM lost JOIN deployments d ON d.id = lost.deployment_id
            WHERE lost.pull_id = moved.pull_id AND lost.service_id = moved.service_id
                AND lost.environment = moved.environment
            ORDER BY d.deployed_at, d.reference_id LIMIT 1
        ) AS "from",
        (
            SELECT d.reference_id FROM won JOIN deployments d ON d.id = won.deployment_id
            WHERE won.pull_id = moved.pull_id AND won.service_id = moved.service_id
                AND won.environment = moved.environment
            ORDER BY d.deployed_at, d.reference_id LIMIT 1
        ) AS "to"
    FROM (SELECT DISTINCT pull_id, service_id, environment FROM lost) moved
    JOIN pulls p ON p.id = moved.pull_id
    JOIN repositories r ON r.id = p.repository_id
    JOIN services s ON s.id = moved.service_id
    ORDER BY r.name, p.number, s.identifier, moved.environment
    LIMIT :limit
    """
)


def remember(connection: Connection) -> None:
    """Keep what is shipped now."""
    for statement in REMEMBER:
        connection.exec_driver_sql(statement)


def compare(connection: Connection, *, examples: int) -> Mapping[str, Any]:
    """What is different since: per service and environment that has new deployments, and which
    pull requests moved from which deployment to which."""
    for statement in NOW:
        connection.exec_driver_sql(statement)
    moves = connection.execute(MOVES, {"limit": examples})
    return {
        "services": [_service(dict(row._mapping)) for row in connection.execute(SERVICES)],  # noqa: SLF001 - a Row's public mapping
        "attributed": connection.execute(COUNT_WON).scalar_one(),
        "moved": connection.execute(COUNT_LOST).scalar_one(),
        "moves": [dict(row._mapping) for row in moves],  # noqa: SLF001 - likewise
    }


def _service(row: dict[str, Any]) -> dict[str, Any]:
    from_, to = row.pop("gap_from"), row.pop("gap_to")
    for name in ("first_deployed_at", "last_deployed_at"):
        row[name] = _shown(row[name])
    gap = {"from": _shown(from_), "to": _shown(to), "seconds": (to - from_) / 1e6} if to else None
    return row | {"longest_gap": gap}


def _shown(microseconds: int) -> str:
    at: datetime = EPOCH + MICROSECOND * microseconds
    return at.isoformat().replace("+00:00", "Z")
