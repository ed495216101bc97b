"""Register deployments: a batch in, a result for each out.

A single create, a bulk request, a backfill and a rule that infers deployments all come through
here. What is refused is refused alone; the rest of the batch is stored.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shipmark.application import attribute
from shipmark.application.locate import locate_repositories, names_of
from shipmark.application.policy import Policy
from shipmark.application.ports import Standing, Transaction
from shipmark.domain.errors import (
    IntegrationBranchNotValid,
    MergeCommitSHAsNotFound,
    ReferenceIdExists,
    RequiredParamsMissing,
    ShipmarkError,
)
from shipmark.domain.model import (
    DEFAULT_ENVIRONMENT,
    Attribution,
    Deployment,
    Reason,
    Repository,
    Status,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a client says of a deployment, in normal form.

    ``service_name`` is the service's display name where the client gave one apart from its
    identifier. ``metadata`` is canonical JSON text. ``account_id`` is whose token it was.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A deployment as it stands after registering, and how many pull requests it ships."""

    deployment: Deployment
    pull_requests: int
    reason: Reason | None


Result = Registered | ShipmarkError


def register(
    tx: Transaction, registrations: Sequence[Registration], *, policy: Policy
) -> list[Result]:
    """Store each deployment that is new and right, and attribute it at once.

    The same reference_id with the same values answers the deployment that is there; with other
    values it is refused (ReferenceIdExists), also when both come in one batch.
    """
    drafts = draft(tx, registrations, policy=policy)
    known = tx.deployments.by_reference_ids(
        {drafted.reference_id for drafted in drafts if isinstance(drafted, Deployment)}
    )
    fresh = _only_new(zip(drafts, registrations, strict=True), known)
    refused = validate(tx, [one for one, _ in fresh.values()], policy=policy)
    accepted = {ref: one for ref, (_, one) in fresh.items() if ref not in refused}
    services = tx.services.find_or_add({o.service: o.service_name for o in accepted.values()})
    drafts = [
        _with_service(drafted, services.get(one.service))
        for drafted, one in zip(drafts, registrations, strict=True)
    ]
    new = _only_new(zip(drafts, registrations, strict=True), known)
    stored = _store(tx, [new[reference_id][0] for reference_id in accepted])
    standings = attribute_new(tx, stored, policy=policy)
    settled = {one.deployment.reference_id: one.deployment for one in standings}
    answers = answer(tx, [*known.values(), *(settled[one.reference_id] for one in stored)])
    return [_result(drafted, refused, answers) for drafted in drafts]


def _with_service(
    drafted: Deployment | ShipmarkError, service_id: int | None
) -> Deployment | ShipmarkError:
    """The draft with the id of a service that was unknown until a deployment was accepted."""
    if isinstance(drafted, ShipmarkError) or service_id is None:
        return drafted
    return replace(drafted, service_id=service_id)


def _only_new(
    drafts: Iterable[tuple[Deployment | ShipmarkError, Registration]],
    known: Mapping[str, Deployment],
) -> dict[str, tuple[Deployment, Registration]]:
    """The first of each reference_id that is not stored yet."""
    fresh: dict[str, tuple[Deployment, Registration]] = {}
    for drafted, one in drafts:
        if isinstance(drafted, Deployment) and drafted.reference_id not in known:
            fresh.setdefault(drafted.reference_id, (drafted, one))
    return fresh


def _result(
    drafted: Deployment | ShipmarkError,
    refused: Mapping[str, ShipmarkError],
    answers: Mapping[str, Registered],
) -> Result:
    if isinstance(drafted, ShipmarkError):
        return drafted
    if drafted.reference_id in refused:
        return refused[drafted.reference_id]
    registered = answers[drafted.reference_id]
    if drafted.registers_the_same_as(registered.deployment):
        return registered
    return ReferenceIdExists(
        f"A deployment with reference_id '{drafted.reference_id}' already exists with other "
        "values. Use another reference_id, or deployments.upsert to change it.",
        argument="reference_id",
    )


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
    named = {
        one.reference_id: (one.repository_id, one.integration_branch)
        for one in deployments
        if one.repository_id is not None and one.integration_branch is not None
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


def _store(tx: Transaction, deployments: Sequence[Deployment]) -> list[Deployment]:
    ids = tx.deployments.add(deployments) if deployments else []
    return [replace(one, id=id_) for id_, one in zip(ids, deployments, strict=True)]


def attribute_new(
    tx: Transaction, deployments: Sequence[Deployment], *, policy: Policy
) -> list[Standing]:
    """Attribute deployments just stored; the standing of all that this touched."""
    if not deployments:
        return []
    lock_repositories(tx, deployments)
    touched = attribute.place(tx, deployments, new=True)
    return list(attribute.settle(tx, touched, policy).values())


def lock_repositories(tx: Transaction, deployments: Iterable[Deployment]) -> None:
    """Keep an import from slipping between looking for a commit and waiting for it."""
    deployments = list(deployments)
    lists = {(one.repository_id, sha) for one in deployments for sha in one.merge_commit_shas}
    having = {repository for repository, _ in tx.commits.known(lists)} if lists else set()
    named = {one.repository_id for one in deployments if one.repository_id is not None}
    tx.repositories.lock(named | having, exclusive=False)


def answer(tx: Transaction, deployments: Iterable[Deployment]) -> dict[str, Registered]:
    """How deployments stand, as clients are told it; by reference_id."""
    deployments = list(deployments)
    shipped = tx.deployments.count_shipped(
        {one.id for one in deployments if one.attribution.status is Status.ATTRIBUTED}
    )
    rolled_back = tx.lanes.rolled_back(
        {one.id for one in deployments if one.attribution.status is Status.NONE}
    )
    return {
        one.reference_id: Registered(
            deployment=one,
            pull_requests=shipped.get(one.id, 0),
            reason=reason_of(one, rolled_back),
        )
        for one in deployments
    }


def reason_of(deployment: Deployment, rolled_back: set[int]) -> Reason | None:
    """Why a deployment ships nothing; tells a rollback from a redeploy."""
    attribution = deployment.attribution
    if attribution.status is not Status.NONE or attribution.reason is not None:
        return attribution.reason
    return Reason.ROLLBACK if deployment.id in rolled_back else Reason.REDEPLOY
