"""One file imported in a process of its own, so that its peak memory can be told.

Writes what it took as JSON: seconds of each step, and the peak in MB after each tenth of all rows.
"""

import csv
import json
import sys
import time
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.bulk_child import Memory
from benchmarks.loading import CHUNK, POLICY
from shipmark.app.background import file_importer
from shipmark.application import upload_file
from shipmark.application.file_imports import FileImport, Kind
from shipmark.application.file_steps import begin_applying, begin_undoing, found
from shipmark.application.uploads import PART, Parts, pack
from shipmark.application.validate_file import Write
from shipmark.application.writer import transact
from shipmark.storage.database import Database

LARGEST = 2**40


def shipmark(database: Database, file: Path) -> dict[str, object]:
    """Take a file in, read it, apply it, and take it back."""
    memory = Memory(10)
    taken: dict[str, object] = {}

    def timed(name: str, run: Callable[[], object]) -> None:
        began = time.perf_counter()
        run()
        taken[name] = time.perf_counter() - began
        memory.step()

    one = transact(database, lambda tx: upload_file.begin(tx, _about()))
    timed("upload", lambda: _upload(database, one, file))
    timed("validate", lambda: _work(database, memory))
    transact(database, lambda tx: begin_applying(tx, one.id))
    timed("apply", lambda: _work(database, memory))
    with database.read() as tx:
        taken["applied"] = found(tx, one.id).counts.get("applied", 0)
    transact(database, lambda tx: begin_undoing(tx, one.id, force=False))
    timed("undo", lambda: _work(database, memory))
    with database.read() as tx:
        taken["undone"] = found(tx, one.id).counts.get("undone", 0)
    return {**taken, "memory": memory.peaks}


def _about() -> upload_file.Upload:
    return upload_file.Upload(kind=Kind.DEPLOYMENTS)


def _upload(database: Database, one: FileImport, file: Path) -> None:
    parts = Parts(LARGEST)

    def store(part: bytes) -> None:
        nonlocal one
        sent = upload_file.Part(of=one, size=len(part), packed=pack(part))
        one = transact(database, lambda tx: upload_file.add_part(tx, sent))

    with file.open("rb") as opened:
        while read := opened.read(PART):
            for part in parts.feed(read):
                store(part)
    for part in parts.finish():
        store(part)
    transact(database, lambda tx: upload_file.finish(tx, one))


def _work(database: Database, memory: Memory) -> None:
    def write(run: Callable[[Any], Any]) -> Any:
        result = transact(database, run)
        memory.step()
        return result

    writing: Write = write
    importer = file_importer(database, POLICY, write=writing)
    while importer.work_once():
        pass


def floor(database: Database, file: Path) -> dict[str, object]:
    """Read the same file and insert its rows into one table with one index, and nothing else."""
    memory = Memory(1)
    mark = "?" if database.is_sqlite else "%s"
    began = time.perf_counter()
    with database.write() as tx, file.open(newline="", encoding="utf-8") as opened:
        read = csv.reader(opened)
        names = next(read)
        columns = ", ".join(f"{name} TEXT" for name in names)
        tx.connection.exec_driver_sql(f"CREATE TABLE plain ({columns}, UNIQUE (reference_id))")
        into = f"INSERT INTO plain VALUES ({', '.join([mark] * len(names))})"
        while chunk := [tuple(row) for row in islice(read, CHUNK)]:
            tx.connection.exec_driver_sql(into, chunk)
    took = time.perf_counter() - began
    memory.step()
    return {"apply": took, "memory": memory.peaks}


RUNS: dict[str, Callable[[Database, Path], dict[str, object]]] = {
    "shipmark": shipmark,
    "floor": floor,
}


def main(what: str, url: str, file: str) -> None:
    """Do one of the runs, and write what it took to standard output."""
    with closing(Database(url)) as database:
        sys.stdout.write(json.dumps(RUNS[what](database, Path(file))))


if __name__ == "__main__":
    main(*sys.argv[1:])
