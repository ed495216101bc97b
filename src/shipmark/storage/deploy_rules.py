"""Queries about deploy rules, and the events that they are tried on."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from shipmark.application.queries import Page
from shipmark.application.rule_ports import NamedRule
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.domain.patterns import Pattern, PatternKind
from shipmark.domain.rules import Conditions, DeployRule, Outcome
from shipmark.storage.events import event_of
from shipmark.storage.forge_tables import source_events
from shipmark.storage.rule_tables import deploy_rule_versions, deploy_rules
from shipmark.storage.sent_rows import among
from shipmark.storage.statements import chunks, insert_unless_there

_STANDING = select(
    deploy_rules.c.name, deploy_rules.c.deleted_at, deploy_rule_versions
).select_from(
    deploy_rules.join(
        deploy_rule_versions,
        (deploy_rule_versions.c.rule_id == deploy_rules.c.id)
        & (deploy_rule_versions.c.version == deploy_rules.c.version),
    )
)
_NAMES = select(deploy_rules.c.id, deploy_rules.c.name).where(among(deploy_rules.c.id, "ids"))


class DeployRules:
    """A rule is found by its name; each of its versions stays."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def claim(self, name: str) -> tuple[int, NamedRule | None]:
        self._connection.execute(
            insert_unless_there(self._connection, deploy_rules).values(
                name=name, version=0, created_at=self._now
            )
        )
        claimed = select(deploy_rules.c.id).where(deploy_rules.c.name == name).with_for_update()
        id_: int = self._connection.execute(claimed).scalar_one()
        row = self._connection.execute(_STANDING.where(deploy_rules.c.id == id_)).one_or_none()
        return id_, None if row is None else _named(row)

    def save(self, name: str, rule: DeployRule, *, account_id: int | None) -> None:
        self._connection.execute(
            insert(deploy_rule_versions).values(
                rule_id=rule.id,
                version=rule.version,
                source=rule.source,
                conditions=json.dumps(_conditions(rule.when)),
                outcome=json.dumps(asdict(rule.make)),
                also_failures=rule.also_failures,
                account_id=account_id,
                created_at=self._now,
            )
        )
        self._connection.execute(
            update(deploy_rules)
            .where(deploy_rules.c.name == name)
            .values(version=rule.version, deleted_at=None)
        )

    def delete(self, name: str) -> bool:
        stands = (deploy_rules.c.name == name, deploy_rules.c.deleted_at.is_(None))
        gone = self._connection.execute(
            update(deploy_rules).where(*stands).values(deleted_at=self._now)
        )
        return bool(gone.rowcount)

    def named(self, name: str) -> NamedRule | None:
        query = _STANDING.where(deploy_rules.c.name == name, deploy_rules.c.deleted_at.is_(None))
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _named(row)

    def about(self, sources: Collection[EventSource]) -> list[DeployRule]:
        query = _STANDING.where(
            deploy_rules.c.deleted_at.is_(None),
            deploy_rule_versions.c.source.in_(sorted(sources)),
        ).order_by(deploy_rules.c.id)
        return [_named(row).rule for row in self._connection.execute(query)]

    def page(self, page: Page) -> list[NamedRule]:
        """Rules that are not deleted, by name."""
        query = _STANDING.where(deploy_rules.c.deleted_at.is_(None))
        if page.after is not None:
            query = query.where(deploy_rules.c.name > page.after[0])
        query = query.order_by(deploy_rules.c.name).limit(page.limit)
        return [_named(row) for row in self._connection.execute(query)]

    def names(self, ids: Collection[int]) -> dict[int, str]:
        """The names of rules, also of those that were deleted."""
        return {
            row.id: row.name
            for chunk in chunks(ids)
            for row in self._connection.execute(_NAMES, {"ids": chunk})
        }

    def id_of(self, name: str) -> int | None:
        query = select(deploy_rules.c.id).where(deploy_rules.c.name == name)
        return self._connection.scalar(query)

    def past_events(
        self, source: EventSource, *, since: datetime | None, limit: int
    ) -> list[SourceEvent]:
        query = select(source_events).where(source_events.c.source == source)
        if since is not None:
            query = query.where(source_events.c.at >= since)
        newest = query.order_by(source_events.c.at.desc(), source_events.c.id.desc()).limit(limit)
        return [event_of(row) for row in self._connection.execute(newest)]


def _named(row: Row[Any]) -> NamedRule:
    conditions = json.loads(row.conditions)
    return NamedRule(
        name=row.name,
        rule=DeployRule(
            id=row.rule_id,
            version=row.version,
            source=EventSource(row.source),
            when=Conditions(**{name: _pattern(*stored) for name, stored in conditions.items()}),
            make=Outcome(**json.loads(row.outcome)),
            also_failures=row.also_failures,
        ),
        changed_at=row.created_at,
        is_deleted=row.deleted_at is not None,
    )


def _conditions(when: Conditions) -> Mapping[str, Sequence[str]]:
    """The kind and the text of each pattern."""
    patterns: dict[str, Pattern | None] = {
        field.name: getattr(when, field.name) for field in fields(Conditions)
    }
    return {name: (one.kind, one.text) for name, one in patterns.items() if one is not None}


def _pattern(kind: str, text: str) -> Pattern:
    return Pattern(PatternKind(kind), text)
