"""Measure, write the report, and print the ratios: `python -m benchmarks`."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import bulk, create, files, growth, instead, pages, reads, report
from benchmarks.databases import Databases, databases
from benchmarks.findings import Findings
from benchmarks.measure import BenchmarkFailed
from benchmarks.sizes import FULL, TINY, USUAL, Sizes

SUBJECTS: dict[str, Callable[[Sizes, Databases], Findings]] = {
    "create": create.measure,
    "growth": growth.measure,
    "bulk": bulk.measure,
    "files": files.measure,
    "reads": reads.measure,
    "pages": pages.measure,
    "instead": instead.measure,
}

TEMPORARY = Path(tempfile.gettempdir())
WIDTH = 150
"""Characters of a line where it is no terminal that is written to."""


def main(
    *,
    full: Annotated[bool, typer.Option(help="The large sizes, which take hours.")] = False,
    tiny: Annotated[bool, typer.Option(help="Only whether it works; its times mean nothing.")] = (
        False
    ),
    only: Annotated[
        str, typer.Option(help=f"Some of {', '.join(SUBJECTS)}, with commas between.")
    ] = ",".join(SUBJECTS),
    output: Annotated[Path, typer.Option(help="Folder of the report.")] = report.PAGE.parent,
    work: Annotated[
        Path, typer.Option(help="Folder on a real disk, for the databases.", exists=True)
    ] = TEMPORARY,
) -> None:
    """Measure Shipmark beside the floors, and write the tables of docs/benchmarks.md."""
    wanted = only.split(",")
    if unknown := set(wanted) - SUBJECTS.keys():
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: there is no such part.")
    sizes = TINY if tiny else FULL if full else USUAL
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    began = time.monotonic()
    found: list[Findings] = []
    try:
        with databases(work) as places:
            on = report.machine(places)
            for name in wanted:
                console.rule(f"{name}, {time.monotonic() - began:.0f} s since the beginning")
                found.append(SUBJECTS[name](sizes, places))
                report.show(console, found[-1])
                report.write(output, sizes, on, found, time.monotonic() - began)
    except BenchmarkFailed as failure:
        console.print(f"[red]Failed:[/red] {failure}", highlight=False)
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
