"""Queries about deployments and how far their attribution has come."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Row,
    Select,
    bindparam,
    case,
    delete,
    false,
    func,
    insert,
    select,
    true,
    union_all,
    update,
)

from shipmark.application.ports import Standing
from shipmark.domain.model import (
    SHORT_SHA_LENGTH,
    Attribution,
    Deployment,
    Method,
    Reason,
    Status,
)
from shipmark.storage.shipped import (
    count_in_window,
    list_ships_any,
    shipped_by_list,
    window_ships_any,
)
from shipmark.storage.statements import chunks, sent_list
from shipmark.storage.tables import (
    deployment_commits,
    deployment_pulls,
    deployments,
    lanes,
    windows,
)
from shipmark.storage.windows import window_of


def _naming() -> CompoundSelect[Any]:
    return union_all(
        select(
            deployments.c.id, deployments.c.repository_id, deployments.c.commit_sha.label("sha")
        ).where(deployments.c.commit_prefix.in_(sent_list("prefixes"))),
        select(deployments.c.id, deployments.c.repository_id, deployment_commits.c.sha)
        .join(deployment_commits, deployment_commits.c.deployment_id == deployments.c.id)
        .where(deployment_commits.c.prefix.in_(sent_list("prefixes"))),
    )


def _standings() -> Select[Any]:
    ships = case(
        (windows.c.raises.is_(true()), window_ships_any()),
        (deployments.c.method == Method.MERGE_COMMIT_SHAS, list_ships_any()),
        else_=false(),
    )
    return (
        select(
            deployments,
            windows.c.lane_id,
            windows.c.reached_at,
            windows.c.reached_number,
            windows.c.opened_at,
            windows.c.opened_number,
            windows.c.is_waiting,
            ships.label("ships"),
        )
        .select_from(deployments)
        .outerjoin(windows, windows.c.deployment_id == deployments.c.id)
        .outerjoin(lanes, lanes.c.id == windows.c.lane_id)
        .where(deployments.c.id.in_(sent_list("ids")))
    )


def _count_shipped() -> CompoundSelect[Any]:
    by_window = (
        select(windows.c.deployment_id, count_in_window().label("count"))
        .select_from(windows)
        .join(lanes, lanes.c.id == windows.c.lane_id)
        .where(windows.c.deployment_id.in_(sent_list("ids")), windows.c.raises.is_(true()))
    )
    by_list = (
        shipped_by_list(deployments.c.id, func.count())
        .where(deployments.c.id.in_(sent_list("ids")))
        .group_by(deployments.c.id)
    )
    return union_all(by_window, by_list)


_BY_REFERENCE_ID = select(deployments).where(
    deployments.c.reference_id.in_(sent_list("reference_ids"))
)
_BY_ID = (
    select(deployments).where(deployments.c.id.in_(sent_list("ids"))).order_by(deployments.c.id)
)
_BY_ID_LOCKED = _BY_ID.with_for_update()
_COMMITS = (
    select(deployment_commits.c.deployment_id, deployment_commits.c.sha)
    .where(deployment_commits.c.deployment_id.in_(sent_list("ids")))
    .order_by(deployment_commits.c.deployment_id, deployment_commits.c.place)
)
_INSERT = insert(deployments).returning(deployments.c.reference_id, deployments.c.id)
# A column and a parameter may not share their names in an UPDATE.
_UPDATE = update(deployments).where(deployments.c.id == bindparam("row_id"))
_DELETE = delete(deployments).where(deployments.c.id.in_(sent_list("ids")))
_MARK_WINDOW = update(windows).where(windows.c.deployment_id == bindparam("owner"))
_LISTED_PULLS = select(deployment_pulls).where(
    deployment_pulls.c.deployment_id.in_(sent_list("ids"))
)
_NAMING = _naming()
_STANDINGS = _standings()
_COUNT_SHIPPED = _count_shipped()


class Deployments:
    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def by_reference_ids(self, reference_ids: Collection[str]) -> dict[str, Deployment]:
        found: list[Row[Any]] = []
        for chunk in chunks(reference_ids):
            found += self._connection.execute(_BY_REFERENCE_ID, {"reference_ids": chunk}).all()
        return {one.reference_id: one for one in self._whole(found)}

    def get(self, ids: Collection[int]) -> dict[int, Deployment]:
        return self._select(ids, _BY_ID)

    def lock(self, ids: Collection[int]) -> dict[int, Deployment]:
        return self._select(ids, _BY_ID_LOCKED)

    def _select(self, ids: Collection[int], query: Select[Any]) -> dict[int, Deployment]:
        found: list[Row[Any]] = []
        for chunk in chunks(sorted(ids)):
            found += self._connection.execute(query, {"ids": chunk}).all()
        return {one.id: one for one in self._whole(found)}

    def _whole(self, rows: Sequence[Row[Any]]) -> list[Deployment]:
        """Deployments with the commits they list."""
        listing = [row.id for row in rows if row.method == Method.MERGE_COMMIT_SHAS]
        commits: dict[int, list[str]] = defaultdict(list)
        for chunk in chunks(listing):
            for deployment_id, sha in self._connection.execute(_COMMITS, {"ids": chunk}):
                commits[deployment_id].append(sha)
        return [_deployment(row, commits[row.id]) for row in rows]

    def add(self, new: Sequence[Deployment]) -> list[int]:
        ids: dict[str, int] = {}
        for chunk in chunks(new):
            inserted = self._connection.execute(
                _INSERT,
                [_row(one) for one in chunk],
            )
            ids |= {row.reference_id: row.id for row in inserted}
        self._add_commits((ids[one.reference_id], one) for one in new)
        return [ids[one.reference_id] for one in new]

    def save(self, changed: Sequence[Deployment]) -> None:
        if not changed:
            return
        self._connection.execute(_UPDATE, [_row(one) | {"row_id": one.id} for one in changed])
        self._delete_from(deployment_commits, [one.id for one in changed])
        self._add_commits((one.id, one) for one in changed)

    def _add_commits(self, listing: Iterable[tuple[int, Deployment]]) -> None:
        rows = [
            {"deployment_id": id_, "place": place, "sha": sha}
            for id_, one in listing
            for place, sha in enumerate(one.merge_commit_shas)
        ]
        for chunk in chunks(rows):
            self._connection.execute(insert(deployment_commits), chunk)

    def delete(self, ids: Collection[int]) -> None:
        self._delete_from(deployment_commits, ids)
        for chunk in chunks(ids):
            self._connection.execute(_DELETE, {"ids": chunk})

    def _delete_from(self, table: Any, ids: Collection[int]) -> None:
        for chunk in chunks(ids):
            self._connection.execute(delete(table).where(table.c.deployment_id.in_(chunk)))

    def naming(self, commits: Collection[tuple[int, str]]) -> list[int]:
        repositories_of: dict[str, set[tuple[int, str]]] = defaultdict(set)
        for repository_id, sha in commits:
            repositories_of[sha[:SHORT_SHA_LENGTH]].add((repository_id, sha))
        found: set[int] = set()
        for chunk in chunks(repositories_of.keys()):
            for row in self._connection.execute(_NAMING, {"prefixes": chunk}):
                if any(
                    sha.startswith(row.sha) and row.repository_id in (None, repository_id)
                    for repository_id, sha in repositories_of[row.sha[:SHORT_SHA_LENGTH]]
                ):
                    found.add(row.id)
        return sorted(found)

    def by_time_alone(self, repository_id: int) -> list[int]:
        query = select(deployments.c.id).where(
            deployments.c.repository_id == repository_id,
            deployments.c.method == Method.DEPLOYED_AT,
        )
        return list(self._connection.scalars(query))

    def standings(self, ids: Collection[int]) -> list[Standing]:
        found: list[Row[Any]] = []
        for chunk in chunks(ids):
            found += self._connection.execute(_STANDINGS, {"ids": chunk}).all()
        return [
            Standing(
                deployment=one,
                window=None if row.lane_id is None else window_of(row, row.id),
                ships=bool(row.ships),
                marked_waiting=bool(row.is_waiting),
            )
            for row, one in zip(found, self._whole(found), strict=True)
        ]

    def save_attributions(self, standings: Sequence[Standing]) -> None:
        if not standings:
            return
        self._connection.execute(
            _UPDATE,
            [
                _attribution_row(one.deployment.attribution) | {"row_id": one.deployment.id}
                for one in standings
            ],
        )
        marks = [
            {"owner": one.deployment.id, "is_waiting": one.marked_waiting}
            for one in standings
            if one.window is not None
        ]
        if marks:
            self._connection.execute(_MARK_WINDOW, marks)

    def list_pulls(self, listed: Mapping[int, Collection[int]]) -> None:
        self._delete_from(deployment_pulls, listed.keys())
        rows = [
            {"deployment_id": deployment_id, "pull_id": pull_id}
            for deployment_id, pull_ids in listed.items()
            for pull_id in sorted(pull_ids)
        ]
        for chunk in chunks(rows):
            self._connection.execute(insert(deployment_pulls), chunk)

    def listed_pulls(self, ids: Collection[int]) -> dict[int, set[int]]:
        listed: dict[int, set[int]] = defaultdict(set)
        for chunk in chunks(ids):
            for row in self._connection.execute(_LISTED_PULLS, {"ids": chunk}):
                listed[row.deployment_id].add(row.pull_id)
        return listed

    def count_shipped(self, ids: Collection[int]) -> dict[int, int]:
        counts: dict[int, int] = defaultdict(int)
        for chunk in chunks(ids):
            for deployment_id, count in self._connection.execute(_COUNT_SHIPPED, {"ids": chunk}):
                counts[deployment_id] += count
        return counts

    def claim_due(self, *, limit: int, lease_until: datetime) -> list[int]:
        due = deployments.c.attribution_due_at
        candidates = list(
            self._connection.scalars(
                select(deployments.c.id)
                .where(due.is_not(None), due <= self._now)
                .order_by(due)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
        )
        # Compare and set: where locks are not skipped, only one worker finds it still due.
        return [
            id_
            for id_ in candidates
            if self._connection.execute(
                update(deployments)
                .where(deployments.c.id == id_, due <= self._now)
                .values(attribution_due_at=lease_until)
            ).rowcount
        ]


def _deployment(row: Row[Any], commits: Sequence[str]) -> Deployment:
    return Deployment(
        id=row.id,
        reference_id=row.reference_id,
        service_id=row.service_id,
        environment=row.environment,
        deployed_at=row.deployed_at,
        success=row.success,
        repository_id=row.repository_id,
        commit_sha=row.commit_sha,
        merge_commit_shas=tuple(commits),
        integration_branch=row.integration_branch,
        source_url=row.source_url,
        source_name=row.source_name,
        metadata=row.metadata,
        account_id=row.account_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        attribution=Attribution(
            status=Status(row.attribution_status),
            reason=Reason(row.attribution_reason) if row.attribution_reason else None,
            attributed_at=row.attributed_at,
            due_at=row.attribution_due_at,
            retry_until=row.attribution_retry_until,
            attempts=row.attribution_attempts,
        ),
    )


def _row(one: Deployment) -> dict[str, Any]:
    return _attribution_row(one.attribution) | {
        "reference_id": one.reference_id,
        "service_id": one.service_id,
        "environment": one.environment,
        "deployed_at": one.deployed_at,
        "success": one.success,
        "repository_id": one.repository_id,
        "commit_sha": one.commit_sha,
        "integration_branch": one.integration_branch,
        "source_url": one.source_url,
        "source_name": one.source_name,
        "metadata": one.metadata,
        "method": one.method.value,
        "account_id": one.account_id,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def _attribution_row(one: Attribution) -> dict[str, Any]:
    return {
        "attribution_status": one.status.value,
        "attribution_reason": one.reason.value if one.reason else None,
        "attributed_at": one.attributed_at,
        "attribution_due_at": one.due_at,
        "attribution_retry_until": one.retry_until,
        "attribution_attempts": one.attempts,
    }
