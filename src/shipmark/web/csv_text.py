"""Rows as CSV."""

import csv
import io
from collections.abc import Sequence

from shipmark.web import words


def csv_text(rows: Sequence[Sequence[object]]) -> str:
    """Rows as lines of CSV; what a spreadsheet would run is marked as text."""
    written = io.StringIO()
    csv.writer(written).writerows([words.cell(value) for value in row] for row in rows)
    return written.getvalue()
