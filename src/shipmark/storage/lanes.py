"""Queries about lanes: found or made by their natural key, and locked."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Select,
    String,
    and_,
    select,
)

from shipmark.application.ports import LaneKey
from shipmark.storage.sent_rows import among, packed, sent_rows
from shipmark.storage.statements import chunks, has_one_writer, insert_unless_there
from shipmark.storage.tables import lanes

KEY = (lanes.c.repository_id, lanes.c.branch, lanes.c.service_id, lanes.c.environment)


def _by_key() -> Select[Any]:
    wanted = sent_rows(
        "wanted",
        repository_id=BigInteger,
        branch=String,
        service_id=BigInteger,
        environment=String,
    )
    return select(lanes).join_from(
        wanted, lanes, and_(*(column == wanted.c[column.name] for column in KEY))
    )


_BY_ID = select(lanes).where(among(lanes.c.id, "ids"))
_BY_KEY = _by_key()
_LOCK = select(lanes.c.id).where(among(lanes.c.id, "ids")).order_by(lanes.c.id).with_for_update()


class Lanes:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.added: set[int] = set()

    def find_or_add(self, keys: Collection[LaneKey]) -> dict[LaneKey, int]:
        found = self.find(keys)
        # In one order, so that two writers of the same new lanes do not wait for each other.
        missing = sorted(keys - found.keys())
        if missing:
            added = self._connection.scalars(
                insert_unless_there(self._connection, lanes).returning(lanes.c.id),
                [
                    {
                        "repository_id": key.repository_id,
                        "branch": key.branch,
                        "service_id": key.service_id,
                        "environment": key.environment,
                    }
                    for key in missing
                ],
            )
            self.added.update(added)
            found |= self.find(missing)
        return found

    def find(self, keys: Collection[LaneKey]) -> dict[LaneKey, int]:
        found: dict[LaneKey, int] = {}
        for chunk in chunks(keys):
            keys_sent = packed(
                (key.repository_id, key.branch, key.service_id, key.environment) for key in chunk
            )
            for row in self._connection.execute(_BY_KEY, {"wanted": keys_sent}):
                found[key_of(row)] = row.id
        return found

    def keys(self, ids: Collection[int]) -> dict[int, LaneKey]:
        return {
            row.id: key_of(row)
            for chunk in chunks(ids)
            for row in self._connection.execute(_BY_ID, {"ids": chunk})
        }

    def lock(self, ids: Collection[int]) -> None:
        if has_one_writer(self._connection):
            return
        for chunk in chunks(sorted(ids)):
            self._connection.execute(_LOCK, {"ids": chunk})


def key_of(row: Row[Any]) -> LaneKey:
    return LaneKey(
        repository_id=row.repository_id,
        branch=row.branch,
        service_id=row.service_id,
        environment=row.environment,
    )
