"""All of attribution at once, in one statement: the least that a database needs for it.

It knows nothing of late facts, ties, lists or services of pull requests; none are in the history
that it is used on.
"""

import hashlib
from collections.abc import Iterable

from sqlalchemy import text

from benchmarks.databases import Kind
from shipmark.storage.database import Database

REACHED = """
WITH reached AS (
  SELECT d.id, d.deployed_at, d.reference_id, d.repository_id, d.service_id, d.environment,
    CASE WHEN d.integration_branch IS NOT NULL THEN d.integration_branch
         WHEN d.commit_sha IS NOT NULL THEN p.base_ref ELSE r.default_branch END AS branch,
    CASE WHEN d.commit_sha IS NOT NULL THEN p.merged_at ELSE d.deployed_at END AS reached_at
  FROM deployments d
  JOIN repositories r ON r.id = d.repository_id
  LEFT JOIN pulls p ON p.merge_commit_prefix = d.commit_prefix
    AND p.repository_id = d.repository_id AND p.merge_commit_sha = d.commit_sha
),
marked AS (
  SELECT reached.*, coalesce(max(reached_at) OVER (
    PARTITION BY repository_id, branch, service_id, environment
    ORDER BY deployed_at, reference_id
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS opened_at
  FROM reached
)
"""
IN_RANGE = """p.repository_id = m.repository_id AND p.base_ref = m.branch
    AND p.merged_at > m.opened_at AND p.merged_at <= m.reached_at"""

# Driven from the windows, each a range of the index on a branch's history. Left to itself,
# PostgreSQL would compare every window with every pull request of its branch.
JOINS: dict[Kind, str] = {
    "sqlite": f"""CREATE TABLE attributed AS {REACHED}
SELECT m.id AS deployment_id, p.id AS pull_id FROM marked m CROSS JOIN pulls p
WHERE m.reached_at > m.opened_at AND {IN_RANGE}""",
    "postgresql": f"""CREATE TABLE attributed AS {REACHED}
SELECT m.id AS deployment_id, p.id AS pull_id FROM marked m
CROSS JOIN LATERAL (SELECT p.id FROM pulls p WHERE {IN_RANGE} OFFSET 0) AS p
WHERE m.reached_at > m.opened_at""",
}

BY_JOIN = """SELECT p.number, d.reference_id FROM attributed a
JOIN pulls p ON p.id = a.pull_id JOIN deployments d ON d.id = a.deployment_id"""
BY_SHIPMARK = """SELECT s.number, d.reference_id FROM pull_request_deployments s
JOIN deployments d ON d.id = s.deployment_id"""

Digest = tuple[int, int]
"""How many pairs of a pull request and a deployment there are, and a sum over all of them."""


def digest(pairs: Iterable[tuple[int, str]]) -> Digest:
    """What pairs of a number and a reference_id come to, in whatever order they come."""
    many = total = 0
    for number, reference_id in pairs:
        hashed = hashlib.blake2b(f"{number} {reference_id}".encode(), digest_size=8).digest()
        many, total = many + 1, (total + int.from_bytes(hashed)) % 2**64
    return many, total


def digest_of(database: Database, query: str) -> Digest:
    """The same, of what a query answers."""
    with database.engine.connect() as connection:
        rows = connection.execution_options(stream_results=True).execute(text(query))
        return digest(rows.tuples())
