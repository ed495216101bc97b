"""The command that imports a file: looked at, applied, and taken back."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from os import fstat
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from shipmark.api.file_rows import READERS
from shipmark.api.import_uploads import mapping_of
from shipmark.api.imports import ImportShape
from shipmark.application.file_imports import Kind, RowState, State
from shipmark.cli.backfill_targets import Target, TargetTrouble, here, there
from shipmark.web import figures, words

console = Console(stderr=True)

UNDER_WAY = (
    *(State.UPLOADED, State.VALIDATING, State.PREVIEWING),
    *(State.APPLYING, State.UNDOING),
)
MOST_SHOWN = 20


def backfill(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="CSV or NDJSON, gzip or not; - is standard input."),
    ] = None,
    *,
    kind: Annotated[Kind, typer.Option(help="What its rows are.")] = Kind.DEPLOYMENTS,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what it would do, and apply nothing.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Apply all rows or none.")] = False,
    map_: Annotated[
        str,
        typer.Option(
            "--map",
            metavar="OURS=THEIRS,...",
            help="Which column is meant by which of ours, as service=app,deployed_at=finished.",
        ),
    ] = "",
    undo: Annotated[
        int | None, typer.Option(metavar="ID", help="Take an import back.", show_default=False)
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --undo: also what was changed since.")
    ] = False,
    template: Annotated[
        bool, typer.Option("--template", help="Print a file to begin with, and stop.")
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(
            envvar="SHIPMARK_URL",
            help="Address of a server; without one, the database of the settings is used.",
            show_default=False,
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="SHIPMARK_TOKEN", help="API token, with --server.", show_default=False),
    ] = None,
) -> None:
    """Import years of deployments from a file, look at what that does first, and take it back.

    What was interrupted goes on by itself where it stopped, as soon as a server or worker runs.
    """
    _refuse_what_would_be_passed_over(
        undo, force=force, unused={"--dry-run": dry_run, "--strict": strict, "--map": bool(map_)}
    )
    if template:
        typer.echo(READERS[kind].template, nl=False)
        return
    if (file is None) == (undo is None):
        raise typer.BadParameter("Name a file, or an import to take back with --undo.")
    with there(server, token) if server else here() as target:
        if undo is not None:
            one = _followed(target, target.undo(undo, force=force))
            _show_kept(target, one)
            _say(one, "taken back")
            return
        with _opened(file or "-") as content:
            name = None if file == "-" else Path(file or "").name
            mapping = mapping_of("--map", map_)
            with _uploading(content) as counted:
                begun = target.upload(kind, counted, name, mapping, strict=strict)
        _import(target, begun, dry_run=dry_run)


def _refuse_what_would_be_passed_over(
    undo: int | None, *, force: bool, unused: dict[str, bool]
) -> None:
    """Options that say nothing beside the others. Whoever gave them expects something else."""
    if force and undo is None:
        raise typer.BadParameter(
            "--force goes with --undo ID: it takes back what was changed, too."
        )
    given = [name for name, is_given in unused.items() if is_given]
    if given and undo is not None:
        raise typer.BadParameter(f"{given[0]} is of a file to import; it says nothing of --undo.")


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        opened = Path(file).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}.") from None
    with opened:
        yield opened


@contextmanager
def _uploading(content: BinaryIO) -> Iterator[BinaryIO]:
    """The file, with a bar of how much of it was read; of standard input nobody knows how much
    there is."""
    with _bar() as bar:
        size = fstat(content.fileno()).st_size if content is not sys.stdin.buffer else 0
        task = bar.add_task("uploading", total=size or None)
        yield bar.wrap_file(content, size, task_id=task) if size else content


def _bar() -> Progress:
    """Seen on a terminal, until it is done."""
    columns = (
        *(TextColumn("{task.description}"), BarColumn()),
        *(TaskProgressColumn(), TimeElapsedColumn()),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _import(target: Target, begun: ImportShape, *, dry_run: bool) -> None:
    one = _followed(target, begun)
    for warning in one.import_warnings:
        console.print(warning, markup=False, soft_wrap=True)
    _show_faults(target, one)
    if dry_run:
        _followed(target, target.preview(one.id))
        typer.echo(_preview_text(target.preview_of(one.id)))
        if one.strict and one.rows.refused:
            typer.echo(f"It is strict, and {_refused(one)}: nothing of it would be applied.")
        typer.echo(f"Import {one.id} is not applied.")
        if one.rows.refused:
            raise typer.Exit(1)
        return
    if one.strict and one.rows.refused:
        raise TargetTrouble(f"{_refused(one).capitalize()}, so nothing was applied.")
    one = _followed(target, target.apply(one.id))
    _say(one, "applied")
    if one.rows.refused:
        raise typer.Exit(1)


def _followed(target: Target, one: ImportShape) -> ImportShape:
    """The import once there is nothing left to do."""
    with _bar() as bar:
        while one.state in UNDER_WAY:
            # A bar for each state: one cannot be told later that nobody knows how much there is.
            total = None if one.state is State.PREVIEWING else 1.0
            task = bar.add_task(one.state.value, total=total)
            was = one.state
            while one.state is was:
                bar.update(task, completed=one.progress)
                one = target.go_on(one.id)
            bar.remove_task(task)
    if one.state is State.FAILED:
        raise TargetTrouble(one.failure or "The import failed.")
    return one


def _show_faults(target: Target, one: ImportShape) -> None:
    if not one.rows.refused:
        return
    for row in target.rows(one.id, RowState.REFUSED, MOST_SHOWN):
        console.print(f"Line {row.line}: {row.message}", markup=False, soft_wrap=True)
    _show_how_many_more(one.rows.refused)


def _show_kept(target: Target, one: ImportShape) -> None:
    if not one.rows.kept:
        return
    for row in target.rows(one.id, RowState.KEPT, MOST_SHOWN):
        named = f"'{row.reference_id}'" if row.reference_id else "what it added"
        console.print(
            f"Line {row.line}: {named} was changed since, and is kept.",
            markup=False,
            soft_wrap=True,
        )
    _show_how_many_more(one.rows.kept)
    console.print("With --force, what was changed is taken back as well.")


def _show_how_many_more(count: int) -> None:
    if count > MOST_SHOWN:
        console.print(f"... and {count - MOST_SHOWN} more.")


def _refused(one: ImportShape) -> str:
    return (
        f"{words.count(one.rows.refused, 'row')} {'is' if one.rows.refused == 1 else 'are'} refused"
    )


def _preview_text(preview: dict[str, Any]) -> str:
    """What a preview says, in a few lines."""
    counts = (f"{count} {name}" for name, count in preview["rows"].items())
    lines = ["Rows: " + ", ".join(counts) + "."]
    lines += [_service_text(one) for one in preview["services"]]
    lines.append(
        f"{preview['attributed']} pull requests would be attributed, {preview['moved']} would move "
        "to another deployment."
    )
    lines += [
        f"{one['repository']} #{one['number']} in {one['environment']}, {one['service']}: from "
        f"{one['from']} to {one['to'] or 'no deployment'}."
        for one in preview["moves"][:MOST_SHOWN]
    ]
    lines += [
        f"{name}: {before}; once applied: {after}."
        for name, before, after in figures.compared(preview["metrics"])
    ]
    return "\n".join(lines)


def _service_text(one: dict[str, Any]) -> str:
    gap = one["longest_gap"]
    longest = f" Longest gap: {words.span(gap['seconds'])}, from {gap['from']}." if gap else ""
    return (
        f"{one['service']} in {one['environment']}: {words.count(one['new'], 'new deployment')}, "
        f"{one['first_deployed_at']} to {one['last_deployed_at']} in all, "
        f"which ship {words.count(one['pull_requests'], 'pull request')}.{longest}"
    )


def _say(one: ImportShape, done: str) -> None:
    told = {state.value: getattr(one.rows, state) for state in RowState}
    counts = ", ".join(f"{count} {name}" for name, count in told.items() if count) or "no rows"
    typer.echo(f"Import {one.id} is {done}: {counts}.")
