"""Floor (b): what the database takes for one row, inserted and committed by itself.

The table is `deployments` with all its indexes and without its foreign keys, which would have
every client lock the same few rows.
"""

import re
import sqlite3
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import psycopg

from benchmarks.databases import Databases, driver_text, kind_of, text_of
from benchmarks.measure import BenchmarkFailed, require
from shipmark.storage.database import Database

TABLE = "floor_deployments"
COLUMNS = (
    "reference_id, service_id, environment, deployed_at, success, repository_id, commit_sha, "
    "source_name, method, created_at, updated_at, attribution_status, attributed_at, "
    "attribution_retry_until"
)
NOW = "1600000000000000"
PGBENCH = f"""INSERT INTO {TABLE} ({COLUMNS})
SELECT gen_random_uuid(), 1, 'production', now.us, true, 1, md5(random()::text) || 'abcdef01',
  'benchmark', 'commit_sha', now.us, now.us, 'attributed', now.us, now.us
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS us) AS now;
"""
SQLITE = f"""INSERT INTO deployments ({COLUMNS}) VALUES
(?, 1, 'production', ?, 1, 1, ?, 'benchmark', 'commit_sha', ?, ?, 'attributed', ?, ?)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commits:
    """Single-row transactions: how many a second, and milliseconds each."""

    rate: float
    p50: float
    p99: float


@contextmanager
def floor_commits(places: Databases, database: Database) -> Iterator[Callable[[int, int], Commits]]:
    """What runs floor (b) for so many clients and seconds, beside a database of the same kind.

    SQLite has one writer at a time, so there it is one client whatever is asked for.
    """
    if database.is_sqlite:
        with places.fresh("sqlite") as empty:
            yield lambda _clients, seconds: _sqlite(Path(str(empty.url.database)), seconds)
        return
    with places.fresh("postgresql") as empty:
        with closing(psycopg.connect(driver_text(empty), autocommit=True)) as connection:
            _make_table(connection)
        script = places.folder / "floor.sql"
        script.write_text(PGBENCH, encoding="utf-8")
        yield lambda clients, seconds: _pgbench(places, empty, script, clients, seconds)


def _make_table(connection: psycopg.Connection) -> None:
    connection.execute(f"CREATE TABLE {TABLE} (LIKE deployments INCLUDING ALL)".encode())


@contextmanager
def single_commit(places: Databases, database: Database) -> Iterator[Callable[[], None]]:
    """What inserts one row and commits it, in a database of the same kind."""
    with places.fresh(kind_of(database)) as empty:
        if database.is_sqlite:
            with _single_rows(Path(str(empty.url.database))) as insert:
                yield insert
            return
        with closing(psycopg.connect(driver_text(empty), autocommit=True)) as connection:
            _make_table(connection)
            statement = PGBENCH.encode()
            yield lambda: discard(connection.execute(statement, prepare=True))


def discard(_result: object) -> None:
    """What it answers is of no interest."""


def _sqlite(file: Path, seconds: float) -> Commits:
    with _single_rows(file) as insert:
        return _repeated(insert, seconds)


@contextmanager
def _single_rows(file: Path) -> Iterator[Callable[[], None]]:
    """What inserts one row into SQLite's file and commits it, as durably as Shipmark does."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

        def insert() -> None:
            now = time.time_ns() // 1000
            sha = uuid.uuid4().hex + "abcdef01"
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(SQLITE, (str(uuid.uuid4()), now, sha, now, now, now, now))
            connection.execute("COMMIT")

        yield insert


def _repeated(run: Callable[[], None], seconds: float) -> Commits:
    times = []
    began = time.perf_counter()
    while (now := time.perf_counter()) < began + seconds:
        run()
        times.append(time.perf_counter() - now)
    took = time.perf_counter() - began
    return _commits(len(times) / took, [one * 1000 for one in times])


def _pgbench(
    places: Databases, database: Database, script: Path, clients: int, seconds: int
) -> Commits:
    log = places.folder / f"pgbench-{uuid.uuid4().hex}"
    run = subprocess.run(
        [
            *(str(places.pgbench), "--no-vacuum", "--protocol=prepared", f"--file={script}"),
            *(f"--client={clients}", f"--jobs={min(2, clients)}", f"--time={seconds}"),
            *("--log", f"--log-prefix={log}", text_of(database.url.set(drivername="postgresql"))),
        ],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    rate = re.search(r"^tps = ([0-9.]+)", run.stdout, re.MULTILINE)
    failed = re.search(r"number of failed transactions: ([1-9])", run.stdout)
    if run.returncode or rate is None or failed is not None:
        raise BenchmarkFailed(f"pgbench failed:\n{run.stdout}{run.stderr}")
    files = list(places.folder.glob(f"{log.name}*"))
    times = [
        int(line.split()[2]) / 1000 for file in files for line in file.read_text().splitlines()
    ]
    for file in files:
        file.unlink()
    return _commits(float(rate[1]), times)


def _commits(rate: float, times: list[float]) -> Commits:
    require(len(times) > 1, "The floor committed nothing.")
    return Commits(rate=rate, p50=median(times), p99=quantiles(times, n=100)[98])
