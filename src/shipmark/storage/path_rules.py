"""Queries about path rules."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from shipmark.application.queries import Page, PathRulesRow
from shipmark.domain.path_rules import PathRules, ServicePaths
from shipmark.storage.rule_tables import path_rules
from shipmark.storage.sent_rows import among
from shipmark.storage.statements import chunks
from shipmark.storage.tables import repositories

# Of the two sets that a repository may have, that of its own file comes last, and so counts.
_IN_FORCE_LAST = path_rules.c.origin.desc()
_OF = (
    select(path_rules)
    .where(among(path_rules.c.repository_id, "ids"))
    .order_by(path_rules.c.repository_id, _IN_FORCE_LAST)
)


class PathRuleSets:
    """The rules of a repository, from its own file or stored by clients."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def of(self, repository_ids: Collection[int]) -> dict[int, PathRules]:
        return {
            row.repository_id: _rules(row)
            for chunk in chunks(repository_ids)
            for row in self._connection.execute(_OF, {"ids": chunk})
        }

    def save(self, repository_id: int, rules: PathRules, *, origin: str) -> None:
        self.delete(repository_id, origin=origin)
        self._connection.execute(
            insert(path_rules).values(
                repository_id=repository_id,
                origin=origin,
                rules=json.dumps(asdict(rules)),
                updated_at=self._now,
            )
        )

    def delete(self, repository_id: int, *, origin: str) -> bool:
        gone = self._connection.execute(
            delete(path_rules).where(
                path_rules.c.repository_id == repository_id, path_rules.c.origin == origin
            )
        )
        return bool(gone.rowcount)

    def changed_at(self, repository_id: int, *, origin: str) -> datetime | None:
        found: datetime | None = self._connection.scalar(
            select(path_rules.c.updated_at).where(
                path_rules.c.repository_id == repository_id, path_rules.c.origin == origin
            )
        )
        return found

    def page(self, page: Page) -> Sequence[PathRulesRow]:
        """Every set of rules, by the name of its repository and where it comes from."""
        query = (
            select(path_rules, repositories.c.name, repositories.c.name_key)
            .join(repositories, repositories.c.id == path_rules.c.repository_id)
            .order_by(repositories.c.name_key, path_rules.c.origin)
            .limit(page.limit)
        )
        if page.after is not None:
            name, origin = page.after
            key = name.casefold()
            query = query.where(
                (repositories.c.name_key > key)
                | ((repositories.c.name_key == key) & (path_rules.c.origin > origin))
            )
        return [
            PathRulesRow(
                repository=row.name,
                origin=row.origin,
                rules=_rules(row),
                updated_at=row.updated_at,
            )
            for row in self._connection.execute(query)
        ]


def _rules(row: Row[Any]) -> PathRules:
    stored = json.loads(row.rules)
    return PathRules(
        services=tuple(
            ServicePaths(service=one["service"], patterns=tuple(one["patterns"]))
            for one in stored["services"]
        ),
        ignore=tuple(stored["ignore"]),
        otherwise=tuple(stored["otherwise"]),
    )
