"""Answers as tables: CSV for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from starlette.responses import Response

from shipmark.api import coercions
from shipmark.api.decoding import Form

RUNS_AS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class AnswerFormat(StrEnum):
    """The form of an answer. Errors are JSON in any case."""

    JSON = "json"
    CSV = "csv"


FORMAT = Form(
    coercions.one_of(AnswerFormat),
    {"enum": [one.value for one in AnswerFormat]},
    "The form of the answer.",
)


NEXT_CURSOR = "X-Next-Cursor"


def csv_response(
    rows: Iterable[Mapping[str, Any]],
    columns: Iterable[str],
    *,
    name: str,
    next_cursor: str | None = None,
) -> Response:
    """The rows as CSV with a header line, to be saved under a name."""
    out = io.StringIO()
    header = list(columns)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_cell(row.get(column)) for column in header] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    if next_cursor is not None:
        headers[NEXT_CURSOR] = next_cursor
    return Response(out.getvalue(), media_type="text/csv", headers=headers)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, list | tuple):
        return _cell(" ".join(value))
    if isinstance(value, str) and value.startswith(RUNS_AS_FORMULA):
        # A spreadsheet would run it, and anyone may write a title.
        return f"'{value}"
    return str(value)
