"""From findings to the page, to the JSON file beside it, and to the terminal."""

import json
import os
import platform
import re
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
from rich import table as rich_table
from rich.console import Console

from benchmarks.databases import Databases, text_of
from benchmarks.findings import Findings, Table, Target
from benchmarks.load import tool
from benchmarks.measure import require
from benchmarks.sizes import Sizes

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
PLACE = re.compile(r"(<!-- begin (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def machine(places: Databases) -> dict[str, str]:
    """What all of it ran on."""
    with psycopg.connect(text_of(places.server)) as connection:
        version = connection.info.server_version
    return {
        "processor": f"{os.cpu_count()} of {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
        "file system": _file_system(places.folder),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "PostgreSQL": f"{version // 10_000}.{version % 10_000}",
        "SQLite": sqlite3.sqlite_version,
        "load generator": tool(),
    }


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    text = facts.read_text(encoding="utf-8") if facts.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _file_system(folder: Path) -> str:
    run = subprocess.run(
        ["df", "--output=fstype", str(folder)], capture_output=True, text=True, check=False
    )
    return run.stdout.split()[-1] if run.returncode == 0 else "unknown"


def write(
    folder: Path, sizes: Sizes, on: dict[str, str], found: Sequence[Findings], took: float
) -> None:
    """Write the page's tables and the JSON file into a folder.

    What was not measured this time stays as it is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page, figures = folder / PAGE.name, folder / f"{PAGE.stem}.json"
    text = (page if page.exists() else PAGE).read_text(encoding="utf-8")
    page.write_text(filled(text, _tables(sizes, on, found, took)), encoding="utf-8")
    before = json.loads(figures.read_text(encoding="utf-8")) if figures.exists() else {}
    figures.write_text(_as_json(before, sizes, on, found), encoding="utf-8")


def _tables(
    sizes: Sizes, on: dict[str, str], found: Sequence[Findings], took: float
) -> dict[str, Table]:
    facts = {**on, "sizes": f"{sizes.name}, in {took / 60:.0f} minutes", "day": _today()}
    tables = [Table(name="machine", header=("What", "Which"), rows=list(facts.items()))]
    for one in found:
        tables += one.tables
        if one.targets:
            tables.append(_targets(f"{one.subject}-targets", one.targets))
    return {one.name: one for one in tables}


def _today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


def _targets(name: str, targets: Iterable[Target]) -> Table:
    rows = [
        (one.what, one.target, one.figure, "met" if one.met else "**missed**") for one in targets
    ]
    return Table(name=name, header=("What", "Target", "Figure", ""), rows=rows)


def filled(text: str, tables: dict[str, Table]) -> str:
    """The page with each table in its place. Raises BenchmarkFailed if one has no place."""
    places = {found["name"] for found in PLACE.finditer(text)}
    require(tables.keys() <= places, f"No place for {', '.join(tables.keys() - places)}.")

    def put(found: re.Match[str]) -> str:
        table = tables.get(found["name"])
        return found[0] if table is None else f"{found[1]}{markdown(table)}{found[3]}"

    return PLACE.sub(put, text)


def markdown(table: Table) -> str:
    """The table in Markdown."""
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "".join("| " + " | ".join(map(_cell, line)) + " |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _as_json(
    before: dict[str, Any], sizes: Sizes, on: dict[str, str], found: Sequence[Findings]
) -> str:
    subjects = before.get("subjects", {})
    for one in found:
        subjects[one.subject] = {
            "sizes": asdict(sizes),
            "machine": on,
            "day": _today(),
            "targets": [asdict(target) for target in one.targets],
            "figures": one.figures,
        }
    return json.dumps({"subjects": subjects}, indent=1, ensure_ascii=False) + "\n"


def show(console: Console, found: Findings) -> None:
    """Print the tables and the ratios of one part."""
    for table in found.tables:
        _print(console, table)
    if found.targets:
        _print(console, _targets(f"{found.subject}: targets", found.targets))


def _print(console: Console, table: Table) -> None:
    shown = rich_table.Table(title=table.name)
    for name in table.header:
        shown.add_column(name, overflow="fold")
    for row in table.rows:
        shown.add_row(*(cell.replace("`", "").replace("**", "") for cell in row))
    console.print(shown)
