"""An as-of join in DuckDB over the exported facts: about as fast as this can be done at all."""

import time
from contextlib import closing

import duckdb

from benchmarks.exports import Export

LOADED = ("repositories", "pulls", "deployments")

# As `attribution.REACHED`, for one service in one environment. The deployments that raise the
# mark are what each pull request is joined with: with the first of them that reaches it.
ATTRIBUTE = """
CREATE TABLE attributed AS
WITH reached AS (
  SELECT d.reference_id, d.deployed_at, d.repository_id,
    CASE WHEN d.integration_branch IS NOT NULL THEN d.integration_branch
         WHEN d.commit_sha IS NOT NULL THEN p.base_ref ELSE r.default_branch END AS branch,
    CASE WHEN d.commit_sha IS NOT NULL THEN p.merged_at ELSE d.deployed_at END AS reached_at
  FROM deployments d
  JOIN repositories r ON r.id = d.repository_id
  LEFT JOIN pulls p ON p.repository_id = d.repository_id AND p.merge_commit_sha = d.commit_sha
),
marked AS (
  SELECT *, coalesce(max(reached_at) OVER (
    PARTITION BY repository_id, branch ORDER BY deployed_at, reference_id
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS opened_at
  FROM reached
),
raising AS (SELECT * FROM marked WHERE reached_at > opened_at)
SELECT p.number, m.reference_id
FROM pulls p ASOF JOIN raising m
  ON p.repository_id = m.repository_id AND p.base_ref = m.branch AND p.merged_at <= m.reached_at
"""


def as_of_join(export: Export) -> tuple[float, float, list[tuple[int, str]]]:
    """Seconds to read the files, seconds to attribute everything, and the pairs it makes."""
    with closing(duckdb.connect()) as connection:
        began = time.perf_counter()
        for table in LOADED:
            names = export.columns(table)
            connection.execute(
                f"CREATE TABLE {table} AS SELECT * FROM read_csv($1, delim = '\t', header = false, "
                "nullstr = '\\N', quote = '', escape = '', names = $2, sample_size = -1)",
                [str(export.copied(table)), names],
            )
        read = time.perf_counter()
        connection.execute(ATTRIBUTE)
        ended = time.perf_counter()
        pairs = connection.execute("SELECT number, reference_id FROM attributed").fetchall()
    return read - began, ended - read, [(int(number), str(name)) for number, name in pairs]
