"""The facts of a database as files, as each database likes to load them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipmark.storage.columns import metadata
from shipmark.storage.database import Database

TABLES = ("repositories", "services", "pulls", "pull_commits", "deployments")
"""What clients told, in an order in which none refers to a later one."""


@dataclass(frozen=True)
class Export:
    """A folder with two files for each table: as PostgreSQL copies it, and an array of JSON for
    each row."""

    folder: Path

    @staticmethod
    def columns(table: str) -> list[str]:
        """The columns that are stored and not computed."""
        return [one.name for one in metadata.tables[table].columns if one.computed is None]

    def copied(self, table: str) -> Path:
        """The file in the format of COPY."""
        return self.folder / f"{table}.copy"

    def rows(self, table: str) -> Iterator[list[Any]]:
        """The rows, in the order of `columns`."""
        with self._rows(table).open("rb") as file:
            for line in file:
                yield json.loads(line)

    def _rows(self, table: str) -> Path:
        return self.folder / f"{table}.ndjson"

    def write(self, database: Database) -> None:
        """Make the files from a SQLite database."""
        self.folder.mkdir(exist_ok=True)
        for table in TABLES:
            query = f"SELECT {', '.join(self.columns(table))} FROM {table}"
            with (
                database.engine.connect() as connection,
                self._rows(table).open("w", encoding="utf-8") as rows,
                self.copied(table).open("w", encoding="utf-8") as copied,
            ):
                for row in connection.exec_driver_sql(query):
                    rows.write(json.dumps(tuple(row)) + "\n")
                    copied.write(_as_copy(row))


def _as_copy(row: Sequence[Any]) -> str:
    cells = (r"\N" if cell is None else _escaped(str(cell)) for cell in row)
    return "\t".join(cells) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
