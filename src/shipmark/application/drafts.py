"""Turn registrations into deployments not stored yet, and refuse what cannot be right."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shipmark.application.locate import locate_repositories, names_of
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.domain.errors import (
    IntegrationBranchNotValid,
    MergeCommitSHAsNotFound,
    RequiredParamsMissing,
    ShipmarkError,
)
from shipmark.domain.model import (
    DEFAULT_ENVIRONMENT,
    Attribution,
    Deployment,
    Repository,
    Status,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a client says of a deployment, in normal form.

    ``service_name`` is the service's display name where the client gave one apart from its
    identifier. ``metadata`` is canonical JSON text. ``account_id`` is whose token it was.
    ``rule_id`` and ``rule_version`` are of the deploy rule that infers it, if one does.
    """

    deployed_at: datetime
    service: str
    service_name: str | None = None
    repository: str | None = None
    commit_sha: str | None = None
    merge_commit_shas: tuple[str, ...] = ()
    reference_id: str | None = None
    source_url: str | None = None
    source_name: str | None = None
    metadata: str | None = None
    integration_branch: str | None = None
    environment: str = DEFAULT_ENVIRONMENT
    success: bool = True
    account_id: int | None = None
    rule_id: int | None = None
    rule_version: int | None = None


def draft(
    tx: Transaction, registrations: Sequence[Registration], *, policy: Policy
) -> list[Deployment | ShipmarkError]:
    """Each registration as a deployment not stored yet (id 0), with the names looked up.

    The service_id is 0 while the service is unknown: only an accepted deployment makes one.
    """
    repositories = locate_repositories(
        tx, names_of(one.repository for one in registrations), policy
    )
    drafts: list[tuple[Registration, Repository | None] | ShipmarkError] = []
    for one in registrations:
        located: Repository | ShipmarkError | None = (
            repositories[one.repository] if one.repository is not None else None
        )
        if located is None and one.commit_sha is not None:
            located = _infer_repository(tx, one)
        drafts.append(located if isinstance(located, ShipmarkError) else (one, located))
    services = tx.services.find({one.service for one in registrations})
    return [
        drafted
        if isinstance(drafted, ShipmarkError)
        else _draft(tx, *drafted, services.get(drafted[0].service, 0), policy)
        for drafted in drafts
    ]


def _infer_repository(tx: Transaction, one: Registration) -> Repository | ShipmarkError:
    """The repository of a deployment that names only a commit."""
    assert one.commit_sha is not None  # noqa: S101 - narrowed by the caller
    if one.reference_id is not None:
        known = tx.deployments.by_reference_ids({one.reference_id}).get(one.reference_id)
        if known and known.repository_id and known.commit_sha == one.commit_sha:
            return tx.repositories.get({known.repository_id})[known.repository_id]
    having = {repository for repository, _ in tx.commits.known({(None, one.commit_sha)})}
    if len(having) == 1:
        (repository,) = tx.repositories.get(having).values()
        return repository
    found = "no known repository has" if not having else f"{len(having)} repositories have"
    return RequiredParamsMissing(
        f"repository is required: {found} the commit '{one.commit_sha}', so it does not tell "
        "which repository was deployed.",
        argument="repository",
    )


def _draft(
    tx: Transaction,
    one: Registration,
    repository: Repository | None,
    service_id: int,
    policy: Policy,
) -> Deployment:
    return Deployment(
        id=0,
        reference_id=one.reference_id or str(uuid.uuid4()),
        service_id=service_id,
        environment=one.environment,
        deployed_at=one.deployed_at,
        success=one.success,
        repository_id=repository.id if repository else None,
        commit_sha=one.commit_sha,
        merge_commit_shas=one.merge_commit_shas,
        integration_branch=one.integration_branch,
        source_url=one.source_url,
        source_name=one.source_name,
        metadata=one.metadata,
        account_id=one.account_id,
        created_at=tx.now,
        updated_at=tx.now,
        attribution=Attribution(
            status=Status.PENDING,
            reason=None,
            attributed_at=None,
            due_at=None,
            retry_until=tx.now + policy.retry_for,
        ),
        rule_id=one.rule_id,
        rule_version=one.rule_version,
    )


def validate(
    tx: Transaction, deployments: Sequence[Deployment], *, policy: Policy
) -> dict[str, ShipmarkError]:
    """What is wrong with new or changed deployments by what is imported; by reference_id."""
    refused: dict[str, ShipmarkError] = _check_integration_branches(tx, deployments)
    if not policy.wait_for_unknown_merge_commits:
        refused |= _check_merge_commits(tx, deployments)
    return refused


def _check_integration_branches(
    tx: Transaction, deployments: Sequence[Deployment]
) -> dict[str, ShipmarkError]:
    # Nobody would send an inferred one again: it may come before what it is about, and waits.
    named = {
        one.reference_id: (one.repository_id, one.integration_branch)
        for one in deployments
        if one.repository_id is not None
        and one.integration_branch is not None
        and one.rule_id is None
    }
    if not named:
        return {}
    repositories = tx.repositories.get({repository_id for repository_id, _ in named.values()})
    having_pulls, bases = tx.repositories.bases_of_pulls(set(named.values()))
    refused: dict[str, ShipmarkError] = {}
    for reference_id, (repository_id, branch) in named.items():
        repository = repositories[repository_id]
        if branch == repository.default_branch:
            why = f"it is the default branch of {repository.name}; leave it out"
        elif repository_id in having_pulls and (repository_id, branch) not in bases:
            why = f"no pull request of {repository.name} has it as its base"
        else:
            continue
        refused[reference_id] = IntegrationBranchNotValid(
            f"integration_branch '{branch}' is not valid: {why}.", argument="integration_branch"
        )
    return refused


def _check_merge_commits(
    tx: Transaction, deployments: Sequence[Deployment]
) -> dict[str, ShipmarkError]:
    wanted = {(one.repository_id, sha) for one in deployments for sha in one.merge_commit_shas}
    known = tx.commits.known(wanted) if wanted else set()
    refused: dict[str, ShipmarkError] = {}
    for one in deployments:
        missing = [
            sha
            for sha in one.merge_commit_shas
            if not any(
                full.startswith(sha) and one.repository_id in (None, repository_id)
                for repository_id, full in known
            )
        ]
        if missing:
            refused[one.reference_id] = MergeCommitSHAsNotFound(
                "No imported pull request or commit has "
                + ", ".join(f"'{s}'" for s in missing)
                + ". Nothing was stored; import them first, or run the server with "
                "SHIPMARK_UNKNOWN_MERGE_COMMITS=wait.",
                argument="merge_commit_shas",
            )
    return refused
