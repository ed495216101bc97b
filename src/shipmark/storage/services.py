"""Queries about services."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, select, update

from shipmark.domain.model import Service
from shipmark.storage.sent_rows import among
from shipmark.storage.statements import chunks, insert_unless_there
from shipmark.storage.tables import services

_BY_IDENTIFIER = select(services.c.id, services.c.identifier).where(
    among(services.c.identifier, "identifiers")
)
_BY_ID = select(services).where(among(services.c.id, "ids"))


class Services:
    """A service is found, or made, by its identifier."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, identifiers: Collection[str]) -> dict[str, int]:
        return {
            row.identifier: row.id
            for chunk in chunks(identifiers)
            for row in self._connection.execute(_BY_IDENTIFIER, {"identifiers": chunk})
        }

    def find_or_add(self, names: Mapping[str, str | None]) -> dict[str, int]:
        found = self.find(names.keys())
        # In one order, so that two writers of the same new services do not wait for each other.
        missing = sorted(names.keys() - found.keys())
        if missing:
            self._connection.execute(
                insert_unless_there(self._connection, services),
                [{"identifier": one, "name": names[one] or one} for one in missing],
            )
            found |= self.find(missing)
        for identifier, name in names.items():
            if name is not None:
                self._rename(identifier, name)
        return found

    def _rename(self, identifier: str, name: str) -> None:
        self._connection.execute(
            update(services)
            .where(services.c.identifier == identifier, services.c.name != name)
            .values(name=name)
        )

    def get(self, ids: Collection[int]) -> dict[int, Service]:
        return {
            row.id: Service(id=row.id, identifier=row.identifier, name=row.name)
            for chunk in chunks(ids)
            for row in self._connection.execute(_BY_ID, {"ids": chunk})
        }
