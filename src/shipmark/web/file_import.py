"""An import's page: how far it has come, what it would do, its rows; apply it, take it back."""

import json
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import TypeVar

from starlette.responses import Response

from shipmark.application import file_steps
from shipmark.application.file_imports import (
    SCOPES,
    FileImport,
    FileRow,
    Kind,
    RowFilter,
    RowState,
    State,
)
from shipmark.application.queries import ReadTransaction
from shipmark.application.writer import Work
from shipmark.domain.errors import ImportNotReady
from shipmark.web import figures
from shipmark.web.downloads import csv_file, csv_lines
from shipmark.web.fields import Fields
from shipmark.web.imports import NAMES, check_scope, kind_of
from shipmark.web.visit import Visit

Asked = TypeVar("Asked")

SHOWN = 50
MOVES_SHOWN = 100
EXPORTED_TOGETHER = 1000
COLUMNS = ("line", "state", "reference_id", "error", "column", "value", "message")
STATES = tuple(
    (state, state.capitalize())
    for state in (RowState.REFUSED, *(one for one in RowState if one is not RowState.REFUSED))
)
UNDER_WAY = {
    State.UPLOADED: "Waits to be read",
    State.VALIDATING: "Being read",
    State.PREVIEWING: "Working out what applying it would do",
    State.APPLYING: "Being applied",
    State.UNDOING: "Being taken back",
}
"""What goes on by itself; the page follows."""


async def shown(visit: Visit) -> Response:
    """Everything about an import."""
    return await _page(visit)


async def _page(visit: Visit, *, status: int = 200) -> Response:
    after, which = visit.query.number("after"), _which(visit.query)
    one, rows = await visit.read(
        partial(_found, import_id=visit.path("id"), which=which, after=after or 0)
    )
    preview = json.loads(one.preview) if one.preview else None
    return visit.render(
        "import.html",
        status=status,
        one=one,
        name=NAMES[one.kind],
        under_way=UNDER_WAY.get(one.state),
        preview=preview,
        metrics=figures.compared(preview["metrics"]) if preview else [],
        moves_shown=MOVES_SHOWN,
        rows=() if visit.query.problems else rows[:SHOWN],
        next=str(rows[SHOWN - 1].line) if len(rows) > SHOWN else None,
        states=STATES,
        may_change=visit.may(SCOPES[one.kind]),
        has_pages=one.kind is Kind.DEPLOYMENTS,
        **_possible(one),
    )


def _found(
    tx: ReadTransaction, *, import_id: int, which: RowFilter, after: int
) -> tuple[FileImport, Sequence[FileRow]]:
    one = file_steps.found(tx, import_id)
    return one, tx.file_imports.rows(import_id, which, after=after, limit=SHOWN + 1)


def _which(fields: Fields) -> RowFilter:
    return RowFilter(state=fields.choice("state", RowState) or RowState.REFUSED)


def _possible(one: FileImport) -> dict[str, bool]:
    """What can be done with an import as it stands."""
    ready, refused = (one.counts.get(state, 0) for state in (RowState.READY, RowState.REFUSED))
    added, kept = (one.counts.get(state, 0) for state in (RowState.APPLIED, RowState.KEPT))
    return {
        "can_preview": one.state is State.VALIDATED and ready > 0,
        "can_apply": one.state is State.VALIDATED and ready > 0 and not (one.strict and refused),
        "can_undo": one.state in (State.APPLIED, State.APPLYING)
        or (one.state is State.FAILED and added > 0),
        "can_force": one.state is State.UNDONE and kept > 0,
    }


async def preview(visit: Visit) -> Response:
    """Have it worked out what applying it would do."""
    works = visit.site.calls.works
    return await _asked(visit, works.preview_import, visit.path("id"), "import-previewing")


async def apply(visit: Visit) -> Response:
    """Have the rows that are right applied; with ``strict`` all of them, or none."""
    asked = visit.path("id"), visit.form.flag("strict") or False
    return await _asked(visit, visit.site.calls.works.apply_import, asked, "import-applying")


async def undo(visit: Visit) -> Response:
    """Have all that it added taken back; with ``force`` also what was changed since."""
    asked = visit.path("id"), visit.form.flag("force") or False
    return await _asked(visit, visit.site.calls.works.undo_import, asked, "import-undoing")


async def _asked(visit: Visit, work: Work[Asked, FileImport], asked: Asked, done: str) -> Response:
    one = await visit.read(lambda tx: file_steps.found(tx, visit.path("id")))
    check_scope(visit, one.kind)
    try:
        await visit.write(work, asked)
    except ImportNotReady as error:
        visit.form.problems["id"] = error.message
        return await _page(visit, status=visit.site.status_of(error))
    return visit.go_to(f"/imports/{one.id}", done=done)


async def export(visit: Visit) -> Response:
    """The rows of an import as CSV: those in a state, or all that were refused."""
    which = _which(visit.query)
    if visit.query.problems:
        return visit.render("refusal.html", message=" ".join(visit.query.problems.values()))
    one = await visit.read(lambda tx: file_steps.found(tx, visit.path("id")))
    return csv_file(_lines(visit, one.id, which), f"import-{one.id}-rows.csv")


async def _lines(visit: Visit, import_id: int, which: RowFilter) -> AsyncIterator[str]:
    yield csv_lines([COLUMNS])
    after, found = 0, list[FileRow]()
    while not after or len(found) == EXPORTED_TOGETHER:
        found = list(
            await visit.read(partial(_rows, import_id=import_id, which=which, after=after))
        )
        yield csv_lines([_cells(row) for row in found])
        after = found[-1].line if found else 1


def _rows(
    tx: ReadTransaction, *, import_id: int, which: RowFilter, after: int
) -> Sequence[FileRow]:
    return tx.file_imports.rows(import_id, which, after=after, limit=EXPORTED_TOGETHER)


def _cells(row: FileRow) -> tuple[object, ...]:
    fault = row.fault
    told = (fault.code, fault.column, fault.value, fault.message) if fault else (None,) * 4
    return row.line, row.state.value, row.reference_id, *(cell or "" for cell in told)


async def template(visit: Visit) -> Response:
    """A file to begin with."""
    kind = kind_of(visit.query)
    if visit.query.problems:
        return visit.render("refusal.html", message=" ".join(visit.query.problems.values()))

    async def whole() -> AsyncIterator[str]:
        yield visit.site.row_readers[kind].template

    return csv_file(whole(), f"{kind}.csv")
