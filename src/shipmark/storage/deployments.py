"""Queries about deployments and how far their attribution has come."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Delete,
    Row,
    Select,
    case,
    delete,
    false,
    insert,
    select,
    true,
    union_all,
    update,
)

from shipmark.application.ports import MOST_COUNTED, Standing
from shipmark.domain.model import (
    SHORT_SHA_LENGTH,
    Attribution,
    Deployment,
    Method,
    Reason,
    Status,
)
from shipmark.storage.sent_rows import among, inserted, packed, updated
from shipmark.storage.shipped import (
    count_in_window,
    count_listed,
    count_some_in_window,
    list_ships_any,
    window_ships_any,
)
from shipmark.storage.statements import chunks
from shipmark.storage.tables import (
    deployment_commits,
    deployment_pulls,
    deployments,
    lanes,
    windows,
)
from shipmark.storage.windows import window_of

REGISTERED = (
    "reference_id",
    "service_id",
    "environment",
    "deployed_at",
    "success",
    "repository_id",
    "commit_sha",
    "integration_branch",
    "source_url",
    "source_name",
    "metadata",
    "method",
    "account_id",
    "created_at",
    "updated_at",
    "rule_id",
    "rule_version",
)
ATTRIBUTION = (
    "attribution_status",
    "attribution_reason",
    "attributed_at",
    "attribution_due_at",
    "attribution_retry_until",
    "attribution_attempts",
)


def _naming() -> CompoundSelect[Any]:
    return union_all(
        select(
            deployments.c.id, deployments.c.repository_id, deployments.c.commit_sha.label("sha")
        ).where(among(deployments.c.commit_prefix, "prefixes")),
        select(deployments.c.id, deployments.c.repository_id, deployment_commits.c.sha)
        .join(deployment_commits, deployment_commits.c.deployment_id == deployments.c.id)
        .where(among(deployment_commits.c.prefix, "prefixes")),
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
        .where(among(deployments.c.id, "ids"))
    )


_BY_REFERENCE_ID = select(deployments).where(among(deployments.c.reference_id, "reference_ids"))
_BY_ID = select(deployments).where(among(deployments.c.id, "ids")).order_by(deployments.c.id)
_BY_ID_LOCKED = _BY_ID.with_for_update()
_COMMITS = (
    select(deployment_commits.c.deployment_id, deployment_commits.c.sha)
    .where(among(deployment_commits.c.deployment_id, "ids"))
    .order_by(deployment_commits.c.deployment_id, deployment_commits.c.place)
)
_ADD = inserted(deployments, REGISTERED + ATTRIBUTION).returning(
    deployments.c.reference_id, deployments.c.id
)
_SAVE = updated(deployments, ["id"], REGISTERED + ATTRIBUTION)
_SAVE_ATTRIBUTION = updated(deployments, ["id"], ATTRIBUTION)
_DELETE = delete(deployments).where(among(deployments.c.id, "ids"))
_DELETE_COMMITS, _DELETE_PULLS = (
    delete(table).where(among(table.c.deployment_id, "ids"))
    for table in (deployment_commits, deployment_pulls)
)
_LISTED_PULLS = select(deployment_pulls).where(among(deployment_pulls.c.deployment_id, "ids"))
_NAMING = _naming()
_STANDINGS = _standings()
_COUNT_IN_WINDOWS, _COUNT_SOME_IN_WINDOWS = (
    select(windows.c.deployment_id, counted.label("count"))
    .select_from(windows)
    .join(lanes, lanes.c.id == windows.c.lane_id)
    .where(among(windows.c.deployment_id, "ids"), windows.c.raises.is_(true()))
    for counted in (count_in_window(), count_some_in_window(MOST_COUNTED))
)
_COUNT_LISTED = select(deployments.c.id, count_listed()).where(
    among(deployments.c.id, "ids"), deployments.c.success.is_(true())
)


class Deployments:
    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self.attributions_before: dict[int, Attribution] = {}

    def by_reference_ids(self, reference_ids: Collection[str]) -> dict[str, Deployment]:
        found: list[Row[Any]] = []
        for chunk in chunks(reference_ids):
            found += self._connection.execute(_BY_REFERENCE_ID, {"reference_ids": chunk}).all()
        return {one.reference_id: one for one in self.whole(found)}

    def get(self, ids: Collection[int]) -> dict[int, Deployment]:
        return self._select(ids, _BY_ID)

    def lock(self, ids: Collection[int]) -> dict[int, Deployment]:
        return self._select(ids, _BY_ID_LOCKED)

    def _select(self, ids: Collection[int], query: Select[Any]) -> dict[int, Deployment]:
        found: list[Row[Any]] = []
        for chunk in chunks(sorted(ids)):
            found += self._connection.execute(query, {"ids": chunk}).all()
        return {one.id: one for one in self.whole(found)}

    def whole(self, rows: Sequence[Row[Any]]) -> list[Deployment]:
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
            sent = packed((*_registered(one), *_attribution(one.attribution)) for one in chunk)
            added = self._connection.execute(_ADD, {"rows": sent})
            ids |= {row.reference_id: row.id for row in added}
        self._add_commits((ids[one.reference_id], one) for one in new)
        return [ids[one.reference_id] for one in new]

    def save(self, changed: Sequence[Deployment]) -> None:
        if not changed:
            return
        for chunk in chunks(changed):
            sent = packed(
                (one.id, *_registered(one), *_attribution(one.attribution)) for one in chunk
            )
            self._connection.execute(_SAVE, {"rows": sent})
        self._delete(_DELETE_COMMITS, [one.id for one in changed])
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
        for statement in (_DELETE_COMMITS, _DELETE):
            self._delete(statement, ids)

    def _delete(self, statement: Delete, ids: Collection[int]) -> None:
        for chunk in chunks(ids):
            self._connection.execute(statement, {"ids": chunk})

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
            for row, one in zip(found, self.whole(found), strict=True)
        ]

    def save_attributions(self, changed: Sequence[Deployment]) -> None:
        for chunk in chunks(changed):
            sent = packed((one.id, *_attribution(one.attribution)) for one in chunk)
            self._connection.execute(_SAVE_ATTRIBUTION, {"rows": sent})

    def list_pulls(self, listed: Mapping[int, Collection[int]]) -> None:
        self._delete(_DELETE_PULLS, listed.keys())
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

    def count_shipped(
        self, shipping: Collection[Deployment], *, roughly: bool = False
    ) -> dict[int, int]:
        counts: dict[int, int] = defaultdict(int)
        listing = [one.id for one in shipping if one.method is Method.MERGE_COMMIT_SHAS]
        reaching = [one.id for one in shipping if one.method is not Method.MERGE_COMMIT_SHAS]
        in_windows = _COUNT_SOME_IN_WINDOWS if roughly else _COUNT_IN_WINDOWS
        for ids, query in ((reaching, in_windows), (listing, _COUNT_LISTED)):
            for chunk in chunks(ids):
                for deployment_id, count in self._connection.execute(query, {"ids": chunk}):
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
        rule_id=row.rule_id,
        rule_version=row.rule_version,
    )


def _registered(one: Deployment) -> tuple[Any, ...]:
    """The values of the columns REGISTERED."""
    return (
        one.reference_id,
        one.service_id,
        one.environment,
        one.deployed_at,
        one.success,
        one.repository_id,
        one.commit_sha,
        one.integration_branch,
        one.source_url,
        one.source_name,
        one.metadata,
        one.method,
        one.account_id,
        one.created_at,
        one.updated_at,
        one.rule_id,
        one.rule_version,
    )


def _attribution(one: Attribution) -> tuple[Any, ...]:
    """The values of the columns ATTRIBUTION."""
    return (
        one.status,
        one.reason,
        one.attributed_at,
        one.due_at,
        one.retry_until,
        one.attempts,
    )
