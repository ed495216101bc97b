"""CSV to download: what is wrong with the rows of an import, and files to begin with."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from shipmark.api.arguments import merged
from shipmark.api.auth import authorise
from shipmark.api.calls import Api
from shipmark.api.decoding import decode
from shipmark.api.file_rows import READERS
from shipmark.api.imports import RowsArguments, TemplateArguments
from shipmark.application import file_steps
from shipmark.application.file_imports import FileRow, RowFilter, RowState
from shipmark.application.queries import ReadTransaction
from shipmark.application.tokens import Scope

HEADER = ("line", "state", "reference_id", "error", "column", "value", "message")
ROWS_AT_ONCE = 1000
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that a spreadsheet would compute; some do with the wide forms, too."""


async def rows_csv(request: Request) -> Response:
    """The rows of an import as CSV: those in a state, or all that something is wrong with."""
    api: Api = request.app.state.api
    await authorise(api, request.headers.get("Authorization"), (Scope.READ,))
    asked = decode(RowsArguments, merged(request.scope["query_string"], b"", ""))
    one = await api.read(lambda tx: file_steps.found(tx, asked.id))
    which = RowFilter(state=asked.state or RowState.REFUSED)
    return _csv(_rows(api, one.id, which), f"import-{one.id}-rows.csv")


async def _rows(api: Api, import_id: int, which: RowFilter) -> AsyncIterator[str]:
    yield _line(HEADER)
    found: Sequence[FileRow] = []
    after = 0
    while not after or len(found) == ROWS_AT_ONCE:
        found = await api.read(partial(_page, import_id=import_id, which=which, after=after))
        yield "".join(_line(_cells(row)) for row in found)
        after = found[-1].line if found else 1


def _page(
    tx: ReadTransaction, *, import_id: int, which: RowFilter, after: int
) -> Sequence[FileRow]:
    return tx.file_imports.rows(import_id, which, after=after, limit=ROWS_AT_ONCE)


def _cells(row: FileRow) -> Sequence[Any]:
    fault = row.fault
    told = (fault.code, fault.column, fault.value, fault.message) if fault else ("", "", "", "")
    return (row.line, row.state.value, row.reference_id, *told)


def _line(cells: Sequence[Any]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(map(harmless, cells))
    return written.getvalue()


def harmless(cell: Any) -> Any:
    """A cell as it can be written: what looks like a formula is none behind an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULAS) else cell


async def template_csv(request: Request) -> Response:
    """A file to begin with."""
    api: Api = request.app.state.api
    await authorise(api, request.headers.get("Authorization"), (Scope.READ,))
    asked = decode(TemplateArguments, merged(request.scope["query_string"], b"", ""))

    async def whole() -> AsyncIterator[str]:
        yield READERS[asked.kind].template

    return _csv(whole(), f"{asked.kind}.csv")


def _csv(content: AsyncIterator[str], filename: str) -> Response:
    return StreamingResponse(
        content,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )


ROUTES = [
    Route("/api/imports.rows.csv", rows_csv),
    Route("/api/imports.template.csv", template_csv),
]
