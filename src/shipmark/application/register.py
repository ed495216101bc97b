"""Register deployments: a batch in, a result for each out.

A single create, a bulk request, a backfill and a rule that infers deployments all come through
here. What is refused is refused alone; the rest of the batch is stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from shipmark.application import attribute
from shipmark.application.drafts import Registration, draft, validate
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.domain.errors import ReferenceIdExists, ShipmarkError
from shipmark.domain.model import Deployment, Reason, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A deployment as it stands after registering, and how many pull requests it ships."""

    deployment: Deployment
    pull_requests: int
    reason: Reason | None


Result = Registered | ShipmarkError


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What registering did: a result for each, and the ids of the deployments that are new."""

    results: list[Result]
    added: set[int]


def register(
    tx: Transaction, registrations: Sequence[Registration], *, policy: Policy
) -> list[Result]:
    """Store each deployment that is new and right, and attribute it at once.

    The same reference_id with the same values answers the deployment that is there; with other
    values it is refused (ReferenceIdExists), also when both come in one batch.
    """
    return register_noting(tx, registrations, policy=policy).results


def register_noting(
    tx: Transaction, registrations: Sequence[Registration], *, policy: Policy
) -> Noted:
    """Register, and note which deployments are new."""
    drafts = draft(tx, registrations, policy=policy)
    known = tx.deployments.by_reference_ids(
        {drafted.reference_id for drafted in drafts if isinstance(drafted, Deployment)}
    )
    fresh = _only_new(zip(drafts, registrations, strict=True), known)
    refused = validate(tx, [one for one, _ in fresh.values()], policy=policy)
    services = _make_services(tx, fresh, refused)
    drafts = [
        _with_service(drafted, services.get(one.service))
        for drafted, one in zip(drafts, registrations, strict=True)
    ]
    new = _only_new(zip(drafts, registrations, strict=True), known)
    stored = _store(tx, [one for ref, (one, _) in new.items() if ref not in refused])
    settled = attribute_new(tx, stored, policy=policy)
    counted = {one.id: settled[one.id].pull_requests or 0 for one in stored}
    # A new deployment may take pull requests from one that the same batch names once more.
    standing = [
        settled[one.id].deployment if one.id in settled else one
        for one in (*known.values(), *stored)
    ]
    answers = answer(tx, standing, counted)
    return Noted(
        results=[_result(drafted, refused, answers) for drafted in drafts],
        added=set(counted),
    )


def _make_services(
    tx: Transaction,
    fresh: Mapping[str, tuple[Deployment, Registration]],
    refused: Mapping[str, ShipmarkError],
) -> dict[str, int]:
    """Ids of the services that accepted deployments are the first to name, or give a name to."""
    named = {
        one.service: one.service_name
        for ref, (drafted, one) in fresh.items()
        if ref not in refused and not (drafted.service_id and one.service_name is None)
    }
    return tx.services.find_or_add(named) if named else {}


def _with_service(
    drafted: Deployment | ShipmarkError, service_id: int | None
) -> Deployment | ShipmarkError:
    """The draft with the id of a service that was unknown until a deployment was accepted."""
    if isinstance(drafted, ShipmarkError) or service_id in (None, drafted.service_id):
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
    return exists_with_other_values(drafted.reference_id)


def exists_with_other_values(reference_id: str) -> ReferenceIdExists:
    """The refusal of a reference_id that stands for something else already."""
    return ReferenceIdExists(
        f"A deployment with reference_id '{reference_id}' already exists with other "
        "values. Use another reference_id, or deployments.upsert to change it.",
        argument="reference_id",
    )


def _store(tx: Transaction, deployments: Sequence[Deployment]) -> list[Deployment]:
    ids = tx.deployments.add(deployments) if deployments else []
    return [replace(one, id=id_) for id_, one in zip(ids, deployments, strict=True)]


def attribute_new(
    tx: Transaction, deployments: Sequence[Deployment], *, policy: Policy
) -> dict[int, attribute.Settled]:
    """Attribute deployments just stored; the standing of all that this touched, by id."""
    if not deployments:
        return {}
    lock_repositories(tx, deployments)
    touched = attribute.place(tx, deployments, new=True)
    return attribute.settle(tx, touched, policy)


def lock_repositories(tx: Transaction, deployments: Iterable[Deployment]) -> None:
    """Keep an import from slipping between looking for a commit and waiting for it.

    A list takes pull requests away from windows, also from one that another transaction is
    about to make and nobody can see yet: while lists change, nothing else does.
    """
    deployments = list(deployments)
    lists = {(one.repository_id, sha) for one in deployments for sha in one.merge_commit_shas}
    having = {repository for repository, _ in tx.commits.known(lists)} if lists else set()
    named = {one.repository_id for one in deployments if one.repository_id is not None}
    tx.repositories.lock(named | having, exclusive=bool(lists))


def answer(
    tx: Transaction, deployments: Iterable[Deployment], counted: Mapping[int, int] | None = None
) -> dict[str, Registered]:
    """How deployments stand, as clients are told it; by reference_id.

    ``counted`` says how many pull requests some of them ship, by id.
    """
    deployments = list(deployments)
    shipped = dict(counted or {})
    shipped |= tx.deployments.count_shipped(
        [
            one
            for one in deployments
            if one.attribution.status is Status.ATTRIBUTED and one.id not in shipped
        ]
    )
    rolled_back = tx.windows.rolled_back(
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
