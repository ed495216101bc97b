"""Queries about how far imports from forges have come."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from shipmark.application.forge_ports import ForgeImport
from shipmark.storage.forge_tables import forge_imports
from shipmark.storage.statements import chunks, insert_unless_there, storable

WORDS = ("reads", "has_read")
"""Columns that hold several words."""


class ForgeImports:
    """A row is the job: it is due, and whoever goes on with it compares and sets."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def get(self, repository_ids: Collection[int]) -> dict[int, ForgeImport]:
        return {
            row.repository_id: _forge_import(row)
            for chunk in chunks(repository_ids)
            for row in self._connection.execute(
                select(forge_imports).where(forge_imports.c.repository_id.in_(chunk))
            )
        }

    def find_or_add(self, repository_id: int) -> ForgeImport:
        self._connection.execute(
            insert_unless_there(self._connection, forge_imports).values(
                repository_id=repository_id, due_at=self._now
            )
        )
        return self.get({repository_id})[repository_id]

    def replace(self, before: ForgeImport, after: ForgeImport) -> bool:
        values = asdict(after)
        del values["repository_id"]
        values["error"] = after.error and storable(after.error)
        values |= {name: " ".join(sorted(values[name])) for name in WORDS}
        changed = self._connection.execute(
            update(forge_imports)
            .where(
                forge_imports.c.repository_id == before.repository_id,
                forge_imports.c.started_at.is_not_distinct_from(before.started_at),
                forge_imports.c.cursor.is_not_distinct_from(before.cursor),
            )
            .values(**values)
        )
        return changed.rowcount == 1

    def claim_due(self, *, lease_until: datetime) -> ForgeImport | None:
        due = forge_imports.c.due_at
        row = self._connection.execute(
            select(forge_imports)
            .where(due <= self._now)
            .order_by(due)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if row is None:
            return None
        self._connection.execute(
            update(forge_imports)
            .where(forge_imports.c.repository_id == row.repository_id)
            .values(due_at=lease_until)
        )
        return _forge_import(row)


def _forge_import(row: Row[Any]) -> ForgeImport:
    stored = row._asdict()
    return ForgeImport(**stored | {name: frozenset(stored[name].split()) for name in WORDS})
