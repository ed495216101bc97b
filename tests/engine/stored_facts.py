"""The facts that a database holds, as the reference model takes them."""

from collections import defaultdict
from typing import Any

from sqlalchemy import select
from tests.engine.both import Both
from tests.reference_model import Deployment, Facts, Pull, PullKey

from shipmark.storage.tables import (
    branch_commits,
    deployment_commits,
    deployments,
    pull_commits,
    pull_services,
    pulls,
    repositories,
    services,
)
from shipmark.storage.transaction import StorageTransaction


def as_stored(tx: StorageTransaction) -> Both:
    """The engine and the reference model, which is told what clients had written."""
    rows = list(tx.connection.execute(select(repositories)))
    names = {row.id: row.name for row in rows}
    facts = Facts(
        default_branches={row.name: row.default_branch for row in rows},
        pulls=_pulls(tx, names),
        services=_services(tx, names),
        commits={
            (names[row.repository_id], row.branch, row.sha): row.committed_at
            for row in tx.connection.execute(select(branch_commits))
        },
        deployments=_deployments(tx, names),
    )
    return Both(tx=tx, facts=facts, repositories={name: id_ for id_, name in names.items()})


def _pulls(tx: StorageTransaction, names: dict[int, str]) -> dict[PullKey, Pull]:
    commits: dict[int, set[str]] = defaultdict(set)
    for row in tx.connection.execute(select(pull_commits)):
        commits[row.pull_id].add(row.sha)
    found = [
        Pull(
            repository=names[row.repository_id],
            commit_shas=frozenset(commits[row.id]),
            **_columns(row, "number", "base_ref", "merged_at", "merge_commit_sha", "head_sha"),
        )
        for row in tx.connection.execute(select(pulls))
    ]
    return {pull.key: pull for pull in found}


def _services(tx: StorageTransaction, names: dict[int, str]) -> dict[PullKey, frozenset[str]]:
    assigned: dict[PullKey, set[str]] = defaultdict(set)
    query = (
        select(pulls.c.repository_id, pulls.c.number, services.c.identifier)
        .join(pull_services, pull_services.c.pull_id == pulls.c.id)
        .join(services, services.c.id == pull_services.c.service_id)
    )
    for row in tx.connection.execute(query):
        assigned[names[row.repository_id], row.number].add(row.identifier)
    return {key: frozenset(chosen) for key, chosen in assigned.items()}


def _deployments(tx: StorageTransaction, names: dict[int, str]) -> dict[str, Deployment]:
    listed: dict[int, list[str]] = defaultdict(list)
    query = select(deployment_commits).order_by(deployment_commits.c.place)
    for row in tx.connection.execute(query):
        listed[row.deployment_id].append(row.sha)
    with_services = select(deployments, services.c.identifier).join(services)
    return {
        row.reference_id: Deployment(
            service=row.identifier,
            repository=names.get(row.repository_id),
            merge_commit_shas=tuple(listed[row.id]),
            **_columns(
                row,
                "reference_id",
                "environment",
                "deployed_at",
                "success",
                "commit_sha",
                "integration_branch",
            ),
        )
        for row in tx.connection.execute(with_services)
    }


def _columns(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
