"""One bulk load in a process of its own, so that its peak memory can be told.

Writes what it took as JSON: ``load`` and ``attribute`` are seconds, ``memory`` the peak in MB
after each tenth of the way.
"""

import itertools
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
from sqlalchemy import text

from benchmarks.attribution import JOINS
from benchmarks.databases import driver_text, kind_of
from benchmarks.exports import TABLES, Export
from benchmarks.loading import CHUNK, chunks, deployments_in, import_pulls, pulls_in, register_all
from shipmark.storage.database import Database


class Memory:
    """The peak so far, noted after each tenth of the way."""

    def __init__(self, steps: int) -> None:
        self._every = max(1, steps // 10)
        self._steps = 0
        self.peaks = [_peak()]

    def step(self) -> None:
        self._steps += 1
        if self._steps % self._every == 0:
            self.peaks.append(_peak())


def _peak() -> float:
    """The most memory this process ever had, in MB.

    What the system counts as a process's maximum begins with what its parent had, so Linux is
    asked for that of this program alone.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def shipmark(database: Database, pulls: Path, deployments: Path) -> dict[str, object]:
    """Import a file of pull requests and register one of deployments, in chunks."""
    lines = sum(1 for _ in _lines(pulls)) + sum(1 for _ in _lines(deployments))
    memory = Memory(lines // CHUNK)
    began = time.perf_counter()
    for chunk in chunks(_lines(pulls)):
        import_pulls(database, pulls_in(chunk))
        memory.step()
    loaded = time.perf_counter()
    for chunk in chunks(_lines(deployments)):
        register_all(database, deployments_in(chunk))
        memory.step()
    ended = time.perf_counter()
    return {
        "load": loaded - began,
        "attribute": ended - loaded,
        "memory": [*memory.peaks, _peak()],
    }


def _lines(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        yield from opened


def floor(database: Database, folder: Path) -> dict[str, object]:
    """Load the same rows the fastest way there is, and attribute all of them at once."""
    export = Export(folder)
    load = _executemany if database.is_sqlite else _copy
    began = time.perf_counter()
    load(database, export)
    loaded = time.perf_counter()
    with database.write() as tx:
        tx.connection.execute(text(JOINS[kind_of(database)]))
    ended = time.perf_counter()
    return {"load": loaded - began, "attribute": ended - loaded, "memory": [_peak()]}


def _executemany(database: Database, export: Export) -> None:
    with database.write() as tx:
        for table in TABLES:
            columns = export.columns(table)
            marks = ", ".join("?" * len(columns))
            rows = export.rows(table)
            while chunk := [tuple(row) for row in itertools.islice(rows, CHUNK)]:
                tx.connection.exec_driver_sql(
                    f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", chunk
                )


def _copy(database: Database, export: Export) -> None:
    with closing(psycopg.connect(driver_text(database))) as connection:
        for table in TABLES:
            into = f"COPY {table} ({', '.join(export.columns(table))}) FROM STDIN".encode()
            with connection.cursor().copy(into) as copy, export.copied(table).open("rb") as file:
                while block := file.read(1 << 20):
                    copy.write(block)
        connection.commit()


RUNS: dict[str, Callable[..., dict[str, object]]] = {"shipmark": shipmark, "floor": floor}


def main(what: str, url: str, *paths: str) -> None:
    """Do one of the runs, and write what it took to standard output."""
    with closing(Database(url)) as database:
        sys.stdout.write(json.dumps(RUNS[what](database, *map(Path, paths))))


if __name__ == "__main__":
    main(*sys.argv[1:])
