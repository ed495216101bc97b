"""CSV files to download, written while they are read."""

import csv
import io
from collections.abc import AsyncIterator, Sequence

from starlette.responses import Response, StreamingResponse

from shipmark.web import words


def csv_lines(rows: Sequence[Sequence[object]]) -> str:
    """Rows as lines of CSV; what a spreadsheet would take for a formula is marked as text."""
    written = io.StringIO()
    csv.writer(written).writerows([words.cell(value) for value in row] for row in rows)
    return written.getvalue()


def csv_file(lines: AsyncIterator[str], filename: str) -> Response:
    """The answer with which a browser stores a file."""
    return StreamingResponse(
        lines,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )
