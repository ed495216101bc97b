"""Queries about services."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, select, update

from shipmark.application.queries import Page
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
        self.added: set[int] = set()
        self.renamed: dict[int, tuple[str, str]] = {}

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
            added = self._connection.scalars(
                insert_unless_there(self._connection, services).returning(services.c.id),
                [{"identifier": one, "name": names[one] or one} for one in missing],
            )
            self.added.update(added)
            found |= self.find(missing)
        for identifier, name in names.items():
            if name is not None:
                self._rename(found[identifier], name)
        return found

    def _rename(self, service_id: int, name: str) -> None:
        other = select(services.c.name).where(services.c.id == service_id, services.c.name != name)
        before = self._connection.scalar(other.with_for_update())
        if before is not None:
            self.renamed[service_id] = (self.renamed.get(service_id, (before, ""))[0], name)
            self._connection.execute(
                update(services).where(services.c.id == service_id).values(name=name)
            )

    def get(self, ids: Collection[int]) -> dict[int, Service]:
        return {
            row.id: Service(id=row.id, identifier=row.identifier, name=row.name)
            for chunk in chunks(ids)
            for row in self._connection.execute(_BY_ID, {"ids": chunk})
        }

    def page(self, page: Page) -> list[Service]:
        query = select(services).order_by(services.c.identifier).limit(page.limit)
        if page.after is not None:
            query = query.where(services.c.identifier > page.after[0])
        return [Service(**row._mapping) for row in self._connection.execute(query)]  # noqa: SLF001
