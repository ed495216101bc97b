"""Queries about artifacts, and what deploy systems told that runs."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, literal, select

from shipmark.domain.artifacts import Commit, Report, ServiceDeployed
from shipmark.storage.columns import ByCodePoint, Instant
from shipmark.storage.rule_tables import (
    artifacts,
    report_subjects,
    service_reports,
    waiting_artifacts,
)
from shipmark.storage.sent_rows import among
from shipmark.storage.statements import at_or_before, before, chunks, insert_unless_there
from shipmark.storage.tables import repositories

LONGEST_KEY = 500
"""Characters of an id that is stored as it is; PostgreSQL indexes no more than some thousands."""

SLOWEST_TRANSACTION = timedelta(hours=1)
"""Who told an artifact longer than that after a report was recorded has seen the report. Without
such a bound every sidecar that nobody ever tells would be looked at again and again."""

_COMMITS = (
    select(artifacts.c.artifact, artifacts.c.commit_sha, repositories.c.name)
    .join(repositories, repositories.c.id == artifacts.c.repository_id)
    .where(among(artifacts.c.artifact, "artifacts"))
)
_REPORTS = (
    select(service_reports)
    .where(among(service_reports.c.id, "ids"))
    .order_by(service_reports.c.id)
    .with_for_update()
)
_IDS_OF_KEYS = select(service_reports.c.id, service_reports.c.key).where(
    among(service_reports.c.key, "keys")
)
_WAITING = select(waiting_artifacts).where(among(waiting_artifacts.c.report_id, "ids"))
_WAITING_FOR = (
    select(waiting_artifacts.c.report_id)
    .where(among(waiting_artifacts.c.artifact, "artifacts"))
    .distinct()
    .order_by(waiting_artifacts.c.report_id)
)
_KNOWN_BY_NOW = (
    select(waiting_artifacts.c.report_id)
    .join(service_reports, service_reports.c.id == waiting_artifacts.c.report_id)
    .join(artifacts, artifacts.c.artifact == waiting_artifacts.c.artifact)
    .where(service_reports.c.recorded_at >= bindparam("recorded_since"))
    .distinct()
    .order_by(waiting_artifacts.c.report_id)
)
_ON_SUBJECT = service_reports.c.subject == bindparam("subject")
_PLACE = (service_reports.c.at, service_reports.c.key)
_ITS_PLACE = (bindparam("at", type_=Instant), bindparam("key", type_=ByCodePoint))
_NEWS = select(*_PLACE).where(_ON_SUBJECT, service_reports.c.repeats.is_(False)).limit(1)
# All by ix_service_reports_subject.
_NEWS_BEFORE = _NEWS.where(before(_PLACE, _ITS_PLACE)).order_by(*(one.desc() for one in _PLACE))
_NEWS_AFTER = _NEWS.where(before(_ITS_PLACE, _PLACE)).order_by(*_PLACE)
_REPORTS_ON = select(service_reports).where(_ON_SUBJECT).order_by(*_PLACE)
_TOLD = tuple(field.name for field in fields(ServiceDeployed))


class Artifacts:
    """An artifact is found by any of its ids."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def save(self, ids: Collection[str], repository_id: int, commit_sha: str) -> None:
        keys = sorted(_key(id_) for id_ in ids)
        leads_to = {"repository_id": repository_id, "commit_sha": commit_sha, "set_at": self._now}
        there = insert_unless_there(self._connection, artifacts)
        # In one order, so that two who tell the same artifact do not wait for each other.
        for key in keys:
            self._connection.execute(there.values(artifact=key, **leads_to))
            changed = artifacts.update().where(artifacts.c.artifact == key)
            self._connection.execute(changed.values(**leads_to))

    def commits(self, ids: Collection[str]) -> dict[str, Commit]:
        keys = {_key(id_): id_ for id_ in ids}
        return {
            keys[row.artifact]: Commit(row.name, row.commit_sha)
            for chunk in chunks(keys.keys())
            for row in self._connection.execute(_COMMITS, {"artifacts": chunk})
        }

    def lock_subjects(self, subjects: Collection[str]) -> None:
        there = insert_unless_there(self._connection, report_subjects)
        # In one order, so that two who tell of the same do not wait for each other.
        for subject in sorted(subjects):
            self._connection.execute(there.values(subject=subject))
            its = report_subjects.c.subject == subject
            self._connection.execute(select(report_subjects).where(its).with_for_update())

    def add_reports(self, deployed: Collection[ServiceDeployed]) -> dict[int, ServiceDeployed]:
        by_key = {one.key: one for one in deployed}
        known = {key for _, key in self._ids(by_key.keys())}
        fresh = sorted(by_key.keys() - known)
        if not fresh:
            return {}
        rows = [_row(by_key[key]) | {"recorded_at": self._now} for key in fresh]
        self._connection.execute(insert_unless_there(self._connection, service_reports), rows)
        return {id_: by_key[key] for id_, key in self._ids(fresh)}

    def around(self, deployed: ServiceDeployed) -> list[Report]:
        its = {"subject": deployed.subject, "at": deployed.at, "key": deployed.key}
        query = _REPORTS_ON
        if earlier := self._connection.execute(_NEWS_BEFORE, its).one_or_none():
            query = query.where(at_or_before(_sent(*earlier), _PLACE))
        if later := self._connection.execute(_NEWS_AFTER, its).one_or_none():
            query = query.where(at_or_before(_PLACE, _sent(*later)))
        return [
            Report(id=row.id, told=_deployed(row), repeats=row.repeats)
            for row in self._connection.execute(query, {"subject": deployed.subject})
        ]

    def count_as_news(self, report_ids: Collection[int]) -> None:
        for chunk in chunks(report_ids):
            its = service_reports.update().where(service_reports.c.id.in_(chunk))
            self._connection.execute(its.values(repeats=False))

    def forget_repeats(self, subjects: Collection[str], *, recorded_before: datetime) -> None:
        for chunk in chunks(subjects):
            self._connection.execute(
                delete(service_reports).where(
                    service_reports.c.subject.in_(chunk),
                    service_reports.c.repeats,
                    service_reports.c.recorded_at < recorded_before,
                )
            )

    def _ids(self, keys: Collection[str]) -> list[tuple[int, str]]:
        return [
            (row.id, row.key)
            for chunk in chunks(keys)
            for row in self._connection.execute(_IDS_OF_KEYS, {"keys": chunk})
        ]

    def reports(self, ids: Collection[int]) -> dict[int, ServiceDeployed]:
        return {
            row.id: _deployed(row)
            for chunk in chunks(sorted(ids))
            for row in self._connection.execute(_REPORTS, {"ids": chunk})
        }

    def wait_for(self, waiting: Mapping[tuple[int, int], Collection[str]]) -> None:
        rows = [
            {"report_id": report_id, "place": place, "artifact": key}
            for (report_id, place), ids in waiting.items()
            for key in sorted({_key(id_) for id_ in ids})
        ]
        for chunk in chunks(rows):
            self._connection.execute(
                insert_unless_there(self._connection, waiting_artifacts), chunk
            )

    def waiting(self, report_ids: Collection[int]) -> dict[int, set[int]]:
        places: dict[int, set[int]] = defaultdict(set)
        for chunk in chunks(report_ids):
            for row in self._connection.execute(_WAITING, {"ids": chunk}):
                places[row.report_id].add(row.place)
        return places

    def waiting_for(self, ids: Collection[str]) -> list[int]:
        keys = sorted({_key(id_) for id_ in ids})
        return list(self._connection.scalars(_WAITING_FOR, {"artifacts": keys}))

    def with_known_artifacts(self, limit: int) -> list[int]:
        recent = {"recorded_since": self._now - SLOWEST_TRANSACTION}
        return list(self._connection.scalars(_KNOWN_BY_NOW.limit(limit), recent))

    def stop_waiting(self, resolved: Collection[tuple[int, int]]) -> None:
        for report_id, place in resolved:
            self._connection.execute(
                delete(waiting_artifacts).where(
                    waiting_artifacts.c.report_id == report_id,
                    waiting_artifacts.c.place == place,
                )
            )


def _key(id_: str) -> str:
    """The form in which an id is stored."""
    return id_ if len(id_) <= LONGEST_KEY else f"sha256:{sha256(id_.encode()).hexdigest()}:id"


def _row(deployed: ServiceDeployed) -> dict[str, Any]:
    artifacts = json.dumps(deployed.artifacts)
    return asdict(deployed) | {"artifacts": artifacts, "repeats": deployed.subject is not None}


def _sent(at: datetime, key: str) -> tuple[ColumnElement[Any], ...]:
    """A place in time, sent along."""
    return literal(at, Instant), literal(key, ByCodePoint)


def _deployed(row: Row[Any]) -> ServiceDeployed:
    values = {name: getattr(row, name) for name in _TOLD}
    return ServiceDeployed(**values | {"artifacts": tuple(json.loads(row.artifacts))})
