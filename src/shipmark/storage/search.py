"""Queries of searches: by what an index leads to, or among the newest rows of a filter."""

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    FromClause,
    Select,
    func,
    or_,
    select,
    union,
)

from shipmark.application.queries import DeploymentFilter, Named, PullFilter
from shipmark.domain.model import SHORT_SHA_LENGTH
from shipmark.storage.filters import deployment_conditions, pull_conditions
from shipmark.storage.shipping import shipping
from shipmark.storage.tables import (
    deployment_commits,
    deployments,
    pull_commits,
    pulls,
    repositories,
    services,
)

LAST_CHARACTER = "\U0010ffff"
ORDER = (deployments.c.deployed_at, deployments.c.reference_id)
NEWEST_FIRST = tuple(column.desc() for column in ORDER)
LAST_MERGED_FIRST = (pulls.c.listed_at.desc(), pulls.c.id.desc())
NAMES: dict[Named, tuple[Column[Any], tuple[ColumnElement[Any], ...]]] = {
    Named.SERVICE: (services.c.identifier, (services.c.id.desc(),)),
    Named.REPOSITORY: (repositories.c.name, (repositories.c.id.desc(),)),
    Named.ENVIRONMENT: (deployments.c.environment, NEWEST_FIRST),
    Named.SOURCE: (deployments.c.source_name, NEWEST_FIRST),
    Named.AUTHOR: (pulls.c.author, LAST_MERGED_FIRST),
}
"""What has each name, the newest first."""


class Search:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def deployments_referred(self, start: str, limit: int) -> list[int]:
        # Whatever the filter is, this is a range of the unique index of reference_ids.
        query = select(deployments.c.id).where(*_begins(deployments.c.reference_id, start))
        return self._ids(query.order_by(deployments.c.reference_id), limit)

    def deployments_referred_lately(
        self, start: str, filter_: DeploymentFilter, limit: int, *, newest: int
    ) -> list[int]:
        recent = _recent(filter_, newest)
        return self._newest(recent, _begins(recent.c.reference_id, start), limit)

    def deployments_naming(self, sha: str, limit: int) -> list[int]:
        alone = select(deployments.c.id).where(
            *_starts(deployments.c.commit_prefix, deployments.c.commit_sha, sha)
        )
        listed = select(deployment_commits.c.deployment_id).where(
            *_starts(deployment_commits.c.prefix, deployment_commits.c.sha, sha)
        )
        return self._ids(union(alone, listed), limit)

    def deployments_with(
        self, key: str, value: str, filter_: DeploymentFilter, limit: int, *, newest: int
    ) -> list[int]:
        recent = _recent(filter_, newest)
        # Stored metadata is canonical JSON, in which a pair has one way to be written.
        quoted = json.dumps(value, ensure_ascii=False)
        written = (f'"{key}":{quoted}', f'"{key}":{value},', f'"{key}":{value}}}')
        holds = or_(*(_holds(recent.c.metadata, one) for one in written))
        return self._newest(recent, [holds], limit)

    def _newest(
        self, recent: FromClause, where: Sequence[ColumnElement[bool]], limit: int
    ) -> list[int]:
        order = (recent.c.deployed_at.desc(), recent.c.reference_id.desc())
        return self._ids(select(recent.c.id).where(*where).order_by(*order), limit)

    def shipping(self, pull_ids: Collection[int], limit: int) -> list[int]:
        return self._ids(shipping().params(ids=list(pull_ids)), limit)

    def pulls_numbered(self, number: int, repository_id: int | None, limit: int) -> list[int]:
        # One look into the index for each repository: a number alone is not what it begins with.
        of = select(repositories.c.id) if repository_id is None else [repository_id]
        query = select(pulls.c.id).where(pulls.c.repository_id.in_(of), pulls.c.number == number)
        return self._ids(query.order_by(*LAST_MERGED_FIRST), limit)

    def pulls_with_commit(self, sha: str, limit: int) -> list[int]:
        found = [
            select(pulls.c.id).where(*_starts(prefix, whole, sha))
            for prefix, whole in (
                (pulls.c.merge_commit_prefix, pulls.c.merge_commit_sha),
                (pulls.c.head_prefix, pulls.c.head_sha),
            )
        ]
        of_commits = select(pull_commits.c.pull_id).where(
            *_starts(pull_commits.c.prefix, pull_commits.c.sha, sha)
        )
        return self._ids(union(*found, of_commits), limit)

    def is_author(self, name: str) -> bool:
        query = select(pulls.c.id).where(pulls.c.author == name).limit(1)
        return self._connection.scalar(query) is not None

    def titles(self, filter_: PullFilter, *, newest: int) -> list[tuple[int, str]]:
        query = (
            select(pulls.c.id, pulls.c.title)
            .where(*pull_conditions(filter_))
            .order_by(*LAST_MERGED_FIRST)
            .limit(newest)
        )
        return [(id_, title or "") for id_, title in self._connection.execute(query).all()]

    def names(self, noun: Named, *, newest: int) -> list[str]:
        column, order = NAMES[noun]
        recent = select(column.label("name")).order_by(*order).limit(newest).subquery()
        query = select(recent.c.name).where(recent.c.name.is_not(None)).distinct()
        return list(self._connection.scalars(query))

    def _ids(self, query: Select[Any] | CompoundSelect[Any], limit: int) -> list[int]:
        return list(self._connection.scalars(query.limit(limit)))


def _starts(prefix: Any, whole: Any, sha: str) -> Sequence[Any]:
    """A commit that starts so; its first characters are what is indexed."""
    return prefix == sha[:SHORT_SHA_LENGTH], whole.startswith(sha)


def _recent(filter_: DeploymentFilter, newest: int) -> FromClause:
    """The newest deployments of a filter, in the order of the index that serves it."""
    columns = (deployments.c.id, deployments.c.metadata, *ORDER)
    query = select(*columns).where(*deployment_conditions(filter_))
    return query.order_by(*NEWEST_FIRST).limit(newest).subquery()


def _begins(column: ColumnElement[str], start: str) -> Sequence[ColumnElement[bool]]:
    """Text that starts so, as a range of code points."""
    return column >= start, column <= start + LAST_CHARACTER


def _holds(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whether text holds another exactly. On SQLite LIKE takes one case for the other, and each
    database has a name of its own for what finds the place of a text."""
    return func.replace(column, text, "") != column
