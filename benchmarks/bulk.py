"""Bringing in a whole history, beside the database's own bulk load and one set-based join."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.attribution import BY_JOIN, BY_SHIPMARK, Digest, digest, digest_of
from benchmarks.databases import KINDS, NAMES, Databases, Kind, settle, text_of
from benchmarks.duck import as_of_join
from benchmarks.exports import Export
from benchmarks.findings import Findings, Table, Target, seconds, times
from benchmarks.history import ORDERS, History, OrderOfArrival
from benchmarks.loading import make_known
from benchmarks.measure import interleaved, require, spread
from benchmarks.sizes import Sizes
from shipmark.storage.database import Database

FLOOR = "floor"
LONGEST_SECONDS = 3 * 3600
MOST_OF_THE_FLOOR = 4
MOST_BETWEEN_ORDERS = 1.5
MOST_MEMORY = 500
FLAT = 1.25
"""How much more the peak may be at the end than it was after the first fifth, and count as flat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One load. ``load`` and ``attribute`` are seconds, ``memory`` the peaks in MB on the way."""

    load: float
    attribute: float
    memory: list[float]
    attributed: Digest

    @property
    def total(self) -> float:
        return self.load + self.attribute


Found = Mapping[str, list[Run]]
"""The runs of the floor and of each order of arrival."""


def measure(sizes: Sizes, places: Databases) -> Findings:
    """A whole history in three orders of arrival, on both databases."""
    history = History(repository="bench/bulk", pulls=sizes.bulk_pulls)
    files = {order: _files(history, order, places.folder) for order in ORDERS}
    export = _export(places, files["in time order"])
    found = {kind: _on(kind, sizes, places, files, export) for kind in KINDS}
    # Quick enough to be repeated in any run.
    duck = [_duckdb(export) for _ in range(max(sizes.bulk_rounds, sizes.rounds))]
    digests = {run.attributed for run in duck} | {
        run.attributed for runs in found.values() for each in runs.values() for run in each
    }
    require(len(digests) == 1, f"Not all runs attribute alike: {found}")
    return Findings(
        subject="bulk",
        tables=[_table(found, duck)],
        targets=[target for kind, runs in found.items() for target in _targets(kind, runs)],
        figures={
            "pulls": history.pulls,
            "deployments": history.deployments,
            "attributed": digests.pop()[0],
            "runs": {
                kind: {name: [asdict(run) for run in each] for name, each in runs.items()}
                for kind, runs in found.items()
            },
            "duckdb": [asdict(run) for run in duck],
        },
    )


def _files(history: History, order: OrderOfArrival, folder: Path) -> tuple[Path, Path]:
    place = folder / f"bulk {order}"
    place.mkdir()
    return history.write(place, order)


def _on(
    kind: Kind,
    sizes: Sizes,
    places: Databases,
    files: Mapping[OrderOfArrival, tuple[Path, Path]],
    export: Export,
) -> Found:
    subjects: dict[str, Callable[[], Run]] = {FLOOR: lambda: _floor(kind, places, export)}
    for order in ORDERS:
        subjects[order] = _loading(kind, places, files[order])
    return interleaved(sizes.bulk_rounds, subjects)


def _export(places: Databases, files: tuple[Path, Path]) -> Export:
    """The rows that the use cases make of the files; what the floor then loads."""
    export = Export(places.folder / "rows")
    with places.fresh("sqlite") as database:
        _shipmark(database, files)
        export.write(database)
    return export


def _loading(kind: Kind, places: Databases, files: tuple[Path, Path]) -> Callable[[], Run]:
    def run() -> Run:
        with places.fresh(kind) as database:
            found = _shipmark(database, files)
            settle(database)
            return Run(**found, attributed=digest_of(database, BY_SHIPMARK))

    return run


def _shipmark(database: Database, files: tuple[Path, Path]) -> dict[str, Any]:
    make_known(database, "bench/bulk")
    return _child("shipmark", database, *files)


def _floor(kind: Kind, places: Databases, export: Export) -> Run:
    with places.fresh(kind) as database:
        found = _child("floor", database, export.folder)
        return Run(**found, attributed=digest_of(database, BY_JOIN))


def _child(what: str, database: Database, *paths: Path) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.bulk_child", what, text_of(database.url), *paths],
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    require(run.returncode == 0, f"The {what} failed:\n{run.stderr}")
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def _total(runs: list[Run]) -> float:
    return spread([run.total for run in runs]).median


def _peak(runs: list[Run]) -> float:
    return max(max(run.memory) for run in runs)


def _early(runs: list[Run]) -> float:
    """The peak after the first fifth of the way."""
    return max(run.memory[min(2, len(run.memory) - 1)] for run in runs)


def _duckdb(export: Export) -> Run:
    load, attribute, pairs = as_of_join(export)
    return Run(load=load, attribute=attribute, memory=[], attributed=digest(pairs))


def _table(found: Mapping[Kind, Found], duck: list[Run]) -> Table:
    rows = [
        _row(NAMES[kind], name, runs, each[FLOOR])
        for kind, each in found.items()
        for name, runs in each.items()
    ]
    rows.append(_row("DuckDB", "as-of join", duck, duck))
    header = (
        *("Database", "Order", "Runs", "Pull requests", "Deployments", "Together", "of the floor"),
        *("Peak memory", "after a fifth"),
    )
    return Table(name="bulk", header=header, rows=rows)


def _row(database: str, name: str, runs: list[Run], floor: list[Run]) -> tuple[str, ...]:
    measured = bool(runs[0].memory)
    return (
        database,
        name,
        str(len(runs)),
        seconds(spread([run.load for run in runs]).median),
        seconds(spread([run.attribute for run in runs]).median),
        seconds(_total(runs)),
        times(_total(runs) / _total(floor)) if measured else "",
        f"{_peak(runs):.0f} MB" if measured else "",
        f"{_early(runs):.0f} MB" if measured else "",
    )


def _targets(kind: Kind, found: Found) -> Iterator[Target]:
    totals = {order: _total(found[order]) for order in ORDERS}
    for order, total in totals.items():
        ratio = total / _total(found[FLOOR])
        yield Target.at_most(f"{NAMES[kind]}: {order}", ratio, MOST_OF_THE_FLOOR, "the floor")
    between = max(totals.values()) / min(totals.values())
    what = f"{NAMES[kind]}: slowest order"
    yield Target.at_most(what, between, MOST_BETWEEN_ORDERS, "the fastest one")
    for order in ORDERS:
        peak = _peak(found[order])
        yield Target(
            what=f"{NAMES[kind]}: peak memory, {order}",
            target=f"under {MOST_MEMORY} MB",
            figure=f"{peak:.0f} MB",
            met=peak < MOST_MEMORY,
        )
        growth = peak / _early(found[order])
        of = "that after a fifth"
        yield Target.at_most(f"{NAMES[kind]}: peak memory, {order}", growth, FLAT, of)
