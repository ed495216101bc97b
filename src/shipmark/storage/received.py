"""Queries about what was received from where, and when."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, update

from shipmark.application.received import Budget, Receipt, Refusals
from shipmark.storage.received_tables import forge_budgets, received, webhook_refusals
from shipmark.storage.statements import insert_unless_there


class Received:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, receipts: Collection[Receipt]) -> None:
        for one in receipts:
            self._put(received, asdict(one), key=("repository_id", "kind", "via"), newer="at")

    def note_budget(self, budget: Budget) -> None:
        self._put(forge_budgets, asdict(budget), key=("source",), newer="told_at")

    def note_refusals(self, refusals: Refusals) -> None:
        there = webhook_refusals.c.forge == refusals.forge
        values = {
            "refused": webhook_refusals.c.refused + refusals.refused,
            "last_at": refusals.last_at,
        }
        changed = self._connection.execute(update(webhook_refusals).where(there).values(values))
        if not changed.rowcount:
            self._connection.execute(
                insert_unless_there(self._connection, webhook_refusals).values(**asdict(refusals))
            )

    def _put(
        self, table: Table, values: dict[str, Any], *, key: Collection[str], newer: str
    ) -> None:
        """Store a row, in place of one that is older."""
        at: datetime = values[newer]
        same = and_(*(table.c[name] == values[name] for name in key), table.c[newer] < at)
        rest = {name: value for name, value in values.items() if name not in key}
        changed = self._connection.execute(update(table).where(same).values(**rest))
        if not changed.rowcount:
            self._connection.execute(insert_unless_there(self._connection, table).values(**values))
