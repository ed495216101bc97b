"""Queries about what forges delivered."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, select, update

from shipmark.application.deliveries import Delivery
from shipmark.storage.forge_tables import deliveries
from shipmark.storage.statements import insert_unless_there, storable


class Deliveries:
    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def add(self, delivery: Delivery) -> bool:
        values: dict[str, Any] = {
            "forge": delivery.forge,
            "delivery_id": delivery.delivery_id,
            "body_digest": delivery.digest,
            "headers": json.dumps(dict(delivery.headers)),
            "body": delivery.body,
        }
        added = self._connection.scalar(
            insert_unless_there(self._connection, deliveries)
            .values(**values, received_at=self._now, due_at=self._now)
            .returning(deliveries.c.id)
        )
        return added is not None or self._try_again(delivery, values["headers"])

    def _try_again(self, delivery: Delivery, headers: str) -> bool:
        """Take up again what was given up, as whoever sends it once more wishes."""
        again = self._connection.execute(
            update(deliveries)
            .where(
                *_has_body_of(delivery),
                deliveries.c.error.is_not(None),
                deliveries.c.due_at.is_(None),
            )
            .values(
                headers=headers, due_at=self._now, received_at=self._now, attempts=0, error=None
            )
        )
        return bool(again.rowcount)

    def has_body_of(self, delivery: Delivery) -> bool:
        found = select(deliveries.c.id).where(*_has_body_of(delivery))
        return self._connection.scalar(found) is not None

    def claim_due(self, *, limit: int, lease_until: datetime) -> list[Delivery]:
        due = deliveries.c.due_at
        candidates = self._connection.execute(
            select(deliveries)
            .where(due.is_not(None), due <= self._now)
            .order_by(due, deliveries.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        # Compare and set: where locks are not skipped, only one worker finds it still due.
        return [
            _delivery(row)
            for row in candidates
            if self._connection.execute(
                update(deliveries)
                .where(deliveries.c.id == row.id, due <= self._now)
                .values(due_at=lease_until, attempts=deliveries.c.attempts + 1)
            ).rowcount
        ]

    def finish(
        self, delivery_id: int, *, error: str | None = None, repository: str | None = None
    ) -> None:
        values: dict[str, Any] = {
            "due_at": None,
            "error": error and storable(error),
            "repository": repository and storable(repository),
        }
        if error is None:
            values["body"] = None
        self._connection.execute(
            update(deliveries).where(deliveries.c.id == delivery_id).values(**values)
        )

    def postpone(
        self, delivery_id: int, *, due_at: datetime, error: str, repository: str | None = None
    ) -> None:
        self._connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery_id)
            .values(
                due_at=due_at,
                error=storable(error),
                repository=repository and storable(repository),
            )
        )

    def forget(self, *, done_before: datetime) -> int:
        done = self._connection.execute(
            delete(deliveries).where(
                deliveries.c.received_at < done_before, deliveries.c.due_at.is_(None)
            )
        )
        return done.rowcount


def _has_body_of(delivery: Delivery) -> tuple[ColumnElement[bool], ...]:
    # The unique index on the two serves.
    return deliveries.c.forge == delivery.forge, deliveries.c.body_digest == delivery.digest


def _delivery(row: Any) -> Delivery:
    return Delivery(
        id=row.id,
        forge=row.forge,
        delivery_id=row.delivery_id,
        headers=json.loads(row.headers),
        body=row.body,
        received_at=row.received_at,
        attempts=row.attempts,
    )
