"""Importing a file: what each step takes, beside reading it into one plain table; whether memory
grows with it; and how long live creates wait meanwhile."""

import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.databases import KINDS, NAMES, Databases, Kind, settle, text_of
from benchmarks.findings import Findings, Table, Target, milliseconds, seconds, times
from benchmarks.history import History
from benchmarks.loading import body_of, load
from benchmarks.measure import interleaved, require
from benchmarks.servers import HOST, Server, shipmark
from benchmarks.sizes import Sizes
from shipmark.storage.database import Database

SERVICES = 20
COLUMNS = (
    *("reference_id", "deployed_at", "service", "repository", "commit_sha"),
    *("integration_branch", "environment", "source_name"),
)
WARMING, ALONE = 20, 200
"""Creates before any is measured, and those that are without a file."""

STEPS = ("upload", "validate", "apply", "undo")
LONGEST_SECONDS = 6 * 3600
FLAT = 1.25
MOST_MEMORY = 500
MOST_WAITING = 50
"""Times the latency of a create alone: a chunk of 250 rows is that many creates, or less."""

Run = dict[str, Any]


def measure(sizes: Sizes, places: Databases) -> Findings:
    """A file of deployments, on both databases."""
    pulls = max(sizes.histories[0], sizes.file_rows // SERVICES)
    history = History(repository="bench/files", pulls=pulls)
    file = _file(history, sizes.file_rows, places.folder)
    found = {kind: _on(kind, places, history, file, sizes) for kind in KINDS}
    waits = {kind: _waits(kind, places, history, file) for kind in KINDS}
    return Findings(
        subject="files",
        tables=[_steps(found), _waiting(waits)],
        targets=[*_targets(found), *_waiting_targets(waits)],
        figures={"rows": sizes.file_rows, "runs": found, "waits": waits},
    )


def _file(history: History, rows: int, folder: Path) -> Path:
    """Deployments of several services all over a history, not in the order of their time."""
    path = folder / "deployments.csv"
    with path.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, COLUMNS)
        writer.writeheader()
        for number in range(rows):
            fact = history.deployment_at(
                number * 7919 % (history.pulls - 2) + 1,
                reference_id=f"file-{number:08}",
                service=f"service-{number % SERVICES}",
            )
            writer.writerow(fact)
    return path


def _on(
    kind: Kind, places: Databases, history: History, file: Path, sizes: Sizes
) -> dict[str, list[Run]]:
    def run(what: str) -> Callable[[], Run]:
        def once() -> Run:
            with places.fresh(kind) as database:
                load(database, history)
                settle(database)
                return _child(what, database, file)

        return once

    found = interleaved(sizes.file_rounds, {"floor": run("floor"), "shipmark": run("shipmark")})
    for one in found["shipmark"]:
        require(one["applied"] == one["undone"] == sizes.file_rows, f"Rows are missing: {one}")
    return found


def _child(what: str, database: Database, file: Path) -> Run:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.files_child", what, text_of(database.url), str(file)],
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    require(run.returncode == 0, f"The {what} failed:\n{run.stderr}")
    found: Run = json.loads(run.stdout)
    return found


# Live creates meanwhile


def _waits(kind: Kind, places: Databases, history: History, file: Path) -> dict[str, list[float]]:
    """Seconds that creates took, one after the other: alone, and while the file is applied."""
    with places.fresh(kind) as database:
        load(database, history)
        with shipmark(database, places.folder) as server:
            creates = _creates(server, history)
            _ = [next(creates) for _ in range(WARMING)]
            alone = [next(creates) for _ in range(ALONE)]
            import_id = _call(server, "deployments.import", file.read_bytes())["import"]["id"]
            _until(server, import_id, "validated")
            _call(server, "imports.apply", json.dumps({"id": import_id}).encode())
            while not _rows(server, import_id)["applied"]:
                pass
            during = [next(creates)]
            while _rows(server, import_id)["ready"]:
                during.append(next(creates))
    return {"alone": alone, "during": during}


def _creates(server: Server, history: History) -> Iterator[float]:
    number = 0
    while True:
        number += 1
        fact = history.deployment_at(
            number % (history.pulls - 2) + 1, reference_id=f"live-{number}", service="live"
        )
        body = body_of(fact).encode()
        began = time.perf_counter()
        _call(server, "deployments.create", body)
        yield time.perf_counter() - began


def _info(server: Server, import_id: int) -> dict[str, Any]:
    answer = _call(server, "imports.info", json.dumps({"id": import_id}).encode())
    info: dict[str, Any] = answer["import"]
    return info


def _rows(server: Server, import_id: int) -> dict[str, int]:
    rows: dict[str, int] = _info(server, import_id)["rows"]
    return rows


def _until(server: Server, import_id: int, state: str) -> None:
    while (now := _info(server, import_id)["state"]) != state:
        require(now != "failed", "The import failed.")


def _call(server: Server, method: str, body: bytes) -> dict[str, Any]:
    connection = HTTPConnection(HOST, server.port, timeout=LONGEST_SECONDS)
    try:
        connection.request("POST", f"/api/{method}", body, server.headers)
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    finally:
        connection.close()
    require(answer["ok"], f"{method} was refused: {answer}")
    return answer


# What is told


def _middle(runs: list[Run], step: str) -> float:
    return float(median(one[step] for one in runs))


def _peak(runs: list[Run]) -> float:
    return float(max(max(one["memory"]) for one in runs))


def _early(runs: list[Run]) -> float:
    """The peak after a fifth of what was noted on the way."""
    return float(max(one["memory"][len(one["memory"]) // 5] for one in runs))


def _steps(found: dict[Kind, dict[str, list[Run]]]) -> Table:
    rows = []
    for kind, each in found.items():
        runs, floor = each["shipmark"], _middle(each["floor"], "apply")
        taken = [_middle(runs, step) for step in STEPS]
        rows.append(
            (
                NAMES[kind],
                *(seconds(one) for one in taken),
                seconds(floor),
                times(sum(taken[:3]) / floor),
                f"{_peak(runs):.0f} MB",
                f"{_early(runs):.0f} MB",
            )
        )
    header = (
        *("Database", "Upload", "Validate", "Apply", "Undo", "Floor"),
        *("Without undo, of the floor", "Peak memory", "after a fifth"),
    )
    return Table(name="files", header=header, rows=rows)


def _waiting(waits: dict[Kind, dict[str, list[float]]]) -> Table:
    rows = [
        (
            NAMES[kind],
            name,
            str(len(taken)),
            milliseconds(median(taken) * 1000),
            milliseconds(_high(taken) * 1000),
            milliseconds(max(taken) * 1000),
            times(median(taken) / median(each["alone"])),
        )
        for kind, each in waits.items()
        for name, taken in each.items()
    ]
    header = ("Database", "Creates", "How many", "Median", "95 of 100", "Longest", "of alone")
    return Table(name="files-waiting", header=header, rows=rows)


def _high(taken: list[float]) -> float:
    return sorted(taken)[len(taken) * 95 // 100]


def _targets(found: dict[Kind, dict[str, list[Run]]]) -> Iterator[Target]:
    for kind, each in found.items():
        peak = _peak(each["shipmark"])
        yield Target(
            what=f"{NAMES[kind]}: peak memory of a file",
            target=f"under {MOST_MEMORY} MB",
            figure=f"{peak:.0f} MB",
            met=peak < MOST_MEMORY,
        )
        growth = peak / _early(each["shipmark"])
        what = f"{NAMES[kind]}: memory at the end"
        yield Target.at_most(what, growth, FLAT, "that after a fifth")


def _waiting_targets(waits: dict[Kind, dict[str, list[float]]]) -> Iterator[Target]:
    for kind, each in waits.items():
        ratio = median(each["during"]) / median(each["alone"])
        what = f"{NAMES[kind]}: a create while a file is applied"
        yield Target.at_most(what, ratio, MOST_WAITING, "one alone")
