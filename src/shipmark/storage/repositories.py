"""Queries about repositories."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, Select, String, exists, or_, select, update

from shipmark.application.forge_ports import RepositoryTold
from shipmark.application.queries import Page
from shipmark.domain.model import Repository
from shipmark.storage.forge_tables import former_names as former_names_table
from shipmark.storage.sent_rows import among, packed, sent_rows
from shipmark.storage.statements import chunks, has_one_writer, insert_unless_there, storable
from shipmark.storage.tables import pulls, repositories

COLUMNS: tuple[Any, ...] = (
    repositories.c.id,
    repositories.c.name,
    repositories.c.default_branch,
    repositories.c.source,
    repositories.c.source_id,
    repositories.c.archived,
    repositories.c.rules_file_error,
)
_BY_ID = select(*COLUMNS).where(among(repositories.c.id, "ids"))
_BY_NAME = select(*COLUMNS).where(
    or_(
        among(repositories.c.name_key, "keys"),
        among(repositories.c.short_name_key, "bare"),
    )
)
_BY_FORMER_NAME = (
    select(former_names_table.c.name_key, *COLUMNS)
    .join(repositories, repositories.c.id == former_names_table.c.repository_id)
    .where(among(former_names_table.c.name_key, "keys"))
)
_LOCK = select(repositories.c.id).where(among(repositories.c.id, "ids")).order_by(repositories.c.id)
_LOCK_EXCLUSIVELY = _LOCK.with_for_update()
_LOCK_SHARED = _LOCK.with_for_update(read=True)


def _bases_of_pulls() -> Select[Any]:
    pair = sent_rows("wanted", repository_id=BigInteger, branch=String)
    any_pull = exists().where(pulls.c.repository_id == pair.c.repository_id)
    base = any_pull.where(pulls.c.base_ref == pair.c.branch)
    return select(pair.c.repository_id, pair.c.branch, base.label("is_base")).where(any_pull)


_BASES_OF_PULLS = _bases_of_pulls()
_TOLD = select(*(repositories.c[field.name] for field in fields(RepositoryTold)))


class Repositories:
    """Repositories are found by name without regard to case."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self.added: set[int] = set()

    def named(self, names: Collection[str]) -> dict[str, list[Repository]]:
        found: dict[str, list[Repository]] = {name: [] for name in names}
        keys = {name: name_key(name) for name in names}
        by_full: dict[str, list[Repository]] = {}
        by_short: dict[str, list[Repository]] = {}
        for chunk in chunks(set(keys.values())):
            bare = [key for key in chunk if "/" not in key]
            for row in self._connection.execute(_BY_NAME, {"keys": chunk, "bare": bare}):
                repository = _repository(row)
                key = name_key(repository.name)
                by_full.setdefault(key, []).append(repository)
                by_short.setdefault(short_name(key), []).append(repository)
        for name, key in keys.items():
            found[name] = by_full.get(key) or by_short.get(key, [])
        unknown = {keys[name] for name, candidates in found.items() if not candidates}
        if unknown:
            former = self._formerly(unknown)
            found |= {name: former[key] for name, key in keys.items() if key in former}
        return found

    def _formerly(self, keys: Collection[str]) -> dict[str, list[Repository]]:
        return {
            row.name_key: [_repository(row)]
            for chunk in chunks(keys)
            for row in self._connection.execute(_BY_FORMER_NAME, {"keys": chunk})
        }

    def by_source(self, source: str, source_id: str) -> Repository | None:
        query = (
            select(*COLUMNS)
            .where(repositories.c.source == source, repositories.c.source_id == source_id)
            .order_by(repositories.c.id)
        )
        row = self._connection.execute(query).first()
        return None if row is None else _repository(row)

    def told(self, repository_id: int) -> RepositoryTold:
        row = self._connection.execute(_TOLD.where(repositories.c.id == repository_id)).one()
        return RepositoryTold(**row._asdict())

    def save_told(
        self, repository_id: int, told: RepositoryTold, *, former_names: Collection[str]
    ) -> None:
        self.update(repository_id, asdict(told))
        for key in sorted({name_key(name) for name in former_names}):
            self._connection.execute(
                insert_unless_there(self._connection, former_names_table).values(
                    name_key=key, repository_id=repository_id
                )
            )

    def get(self, ids: Collection[int]) -> dict[int, Repository]:
        return {
            row.id: _repository(row)
            for chunk in chunks(ids)
            for row in self._connection.execute(_BY_ID, {"ids": chunk})
        }

    def page(self, page: Page) -> list[Repository]:
        query = select(*COLUMNS).order_by(repositories.c.name_key).limit(page.limit)
        if page.after is not None:
            query = query.where(repositories.c.name_key > page.after[0].casefold())
        return [_repository(row) for row in self._connection.execute(query)]

    def lock(self, ids: Collection[int], *, exclusive: bool) -> None:
        if has_one_writer(self._connection):
            return
        statement = _LOCK_EXCLUSIVELY if exclusive else _LOCK_SHARED
        for chunk in chunks(sorted(ids)):
            self._connection.execute(statement, {"ids": chunk})

    def add(self, name: str, facts: Mapping[str, Any]) -> Repository:
        key = name_key(name)
        added = self._connection.scalars(
            insert_unless_there(self._connection, repositories)
            .values(
                name=name,
                name_key=key,
                short_name_key=short_name(key),
                created_at=self._now,
                **facts,
            )
            .returning(repositories.c.id)
        )
        self.added.update(added)
        query = select(*COLUMNS).where(repositories.c.name_key == key)
        return _repository(self._connection.execute(query).one())

    def update(self, repository_id: int, facts: Mapping[str, Any]) -> None:
        values = dict(facts)
        if error := values.get("rules_file_error"):
            values["rules_file_error"] = storable(error)
        if "name" in values:
            key = name_key(values["name"])
            values |= {"name_key": key, "short_name_key": short_name(key)}
        self._connection.execute(
            update(repositories).where(repositories.c.id == repository_id).values(**values)
        )

    def bases_of_pulls(
        self, wanted: Collection[tuple[int, str]]
    ) -> tuple[set[int], set[tuple[int, str]]]:
        having: set[int] = set()
        bases: set[tuple[int, str]] = set()
        for chunk in chunks(wanted):
            for row in self._connection.execute(_BASES_OF_PULLS, {"wanted": packed(chunk)}):
                having.add(row.repository_id)
                if row.is_base:
                    bases.add((row.repository_id, row.branch))
        return having, bases


def name_key(name: str) -> str:
    """The form in which names compare equal."""
    return name.casefold()


def short_name(key: str) -> str:
    """The part of a name that may stand for the whole if it is unique."""
    return key.rpartition("/")[2]


def _repository(row: Row[Any]) -> Repository:
    return Repository(
        id=row.id,
        name=row.name,
        default_branch=row.default_branch,
        source=row.source,
        source_id=row.source_id,
        archived=row.archived,
        rules_file_error=row.rules_file_error,
    )
