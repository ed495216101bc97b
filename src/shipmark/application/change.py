"""Change, delete and retry deployments that are registered."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from shipmark.application import attribute
from shipmark.application.attribute import Touched
from shipmark.application.drafts import Registration, validate
from shipmark.application.locate import locate_repositories
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.register import (
    Registered,
    answer,
    lock_repositories,
    register,
)
from shipmark.domain.errors import (
    ChangedMeanwhile,
    DeploymentNotFound,
    RequiredParamsMissing,
    ShipmarkError,
    TransactionConflict,
)
from shipmark.domain.model import Attribution, Deployment, Status

REQUIRED_TO_CREATE = ("deployed_at", "service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Some of the values of a registration; what is absent stays as it is, None takes it away.

    ``seen`` is when what the caller looked at was changed last, if that matters.
    """

    reference_id: str
    values: Mapping[str, Any]
    account_id: int | None = None
    seen: datetime | None = None


def update(tx: Transaction, patch: Patch, *, policy: Policy) -> Registered:
    """Change a deployment and attribute it anew.

    Raises DeploymentNotFound, ChangedMeanwhile, and what registering would refuse.
    """
    known = tx.deployments.by_reference_ids({patch.reference_id})
    if patch.reference_id not in known:
        raise DeploymentNotFound(
            f"There is no deployment with reference_id '{patch.reference_id}'.",
            argument="reference_id",
        )
    lock_repositories(tx, known.values())
    locked = tx.deployments.lock({known[patch.reference_id].id})
    if not locked:
        raise TransactionConflict(f"'{patch.reference_id}' was deleted at the same moment.")
    (before,) = locked.values()
    if patch.seen is not None and patch.seen != before.updated_at:
        raise ChangedMeanwhile
    after = _patched(tx, before, patch.values, policy)
    _check(tx, before, after, policy)
    if not after.registers_the_same_as(before):
        after = _replace(tx, before, after, policy)
    return answer(tx, [after])[after.reference_id]


def upsert(tx: Transaction, patch: Patch, *, policy: Policy) -> Registered:
    """Change the deployment with this reference_id, or register it if there is none."""
    if tx.deployments.by_reference_ids({patch.reference_id}):
        return update(tx, patch, policy=policy)
    missing = [name for name in REQUIRED_TO_CREATE if name not in patch.values]
    if not any(map(patch.values.get, ("repository", "commit_sha", "merge_commit_shas"))):
        missing.append("repository or merge_commit_shas")
    if missing:
        raise RequiredParamsMissing(
            f"There is no deployment with reference_id '{patch.reference_id}' yet, and to create "
            f"it these are required: {', '.join(missing)}.",
            argument=missing[0].partition(" ")[0],
        )
    registration = Registration(
        reference_id=patch.reference_id, account_id=patch.account_id, **patch.values
    )
    (result,) = register(tx, [registration], policy=policy)
    if isinstance(result, ShipmarkError):
        raise result
    return result


def _patched(
    tx: Transaction, before: Deployment, values: Mapping[str, Any], policy: Policy
) -> Deployment:
    stored = {field.name for field in fields(Deployment)}
    changes = {name: value for name, value in values.items() if name in stored}
    if "service" in values:
        names = {values["service"]: values.get("service_name")}
        changes["service_id"] = tx.services.find_or_add(names)[values["service"]]
    if name := values.get("repository"):
        located = locate_repositories(tx, {name}, policy)[name]
        if isinstance(located, ShipmarkError):
            raise located
        changes["repository_id"] = located.id
    if "merge_commit_shas" in values:
        changes |= {"commit_sha": None, "integration_branch": None}
    elif values.get("commit_sha"):
        changes["merge_commit_shas"] = ()
    after = replace(before, **changes)
    # Commits that are listed tell their repositories; anything else has to name one.
    if "repository" in values and values["repository"] is None and after.merge_commit_shas:
        after = replace(after, repository_id=None)
    return after


def _check(tx: Transaction, before: Deployment, after: Deployment, policy: Policy) -> None:
    if after.repository_id is None and not after.merge_commit_shas:
        raise RequiredParamsMissing(
            "repository is required for a deployment that lists no merge_commit_shas.",
            argument="repository",
        )
    if after.integration_branch is not None and after.commit_sha is None:
        raise RequiredParamsMissing(
            "integration_branch needs commit_sha and repository.", argument="commit_sha"
        )
    # What a rule has inferred counts as it is; what a client makes of it has to be right.
    is_theirs = after.integration_branch != before.integration_branch
    checked = replace(after, rule_id=None) if is_theirs else after
    for refusal in validate(tx, [checked], policy=policy).values():
        raise refusal


def _replace(tx: Transaction, before: Deployment, after: Deployment, policy: Policy) -> Deployment:
    """Take the deployment out of its lanes as it was and put it in as it is now."""
    lock_repositories(tx, [before, after])
    touched = attribute.withdraw(tx, [before])
    after = replace(after, updated_at=tx.now, attribution=restarted(tx, before, policy))
    tx.deployments.save([after])
    placed = attribute.place(tx, [after], new=True)
    everything = Touched(
        deployments=touched.deployments | placed.deployments, waits_for=placed.waits_for
    )
    return attribute.settle(tx, everything, policy)[after.id].deployment


def restarted(tx: Transaction, deployment: Deployment, policy: Policy) -> Attribution:
    """The attribution with its time for retries beginning now."""
    return replace(
        deployment.attribution,
        due_at=None,
        retry_until=tx.now + policy.retry_for,
        attempts=0,
    )


def delete(tx: Transaction, reference_id: str, *, policy: Policy) -> bool:
    """Remove a deployment as if it had never been; whether it was there."""
    known = tx.deployments.by_reference_ids({reference_id})
    if not known:
        return False
    lock_repositories(tx, known.values())
    gone = tx.deployments.lock({one.id for one in known.values()})
    delete_locked(tx, gone, policy=policy)
    return bool(gone)


def delete_locked(tx: Transaction, gone: Mapping[int, Deployment], *, policy: Policy) -> None:
    """Remove deployments that are locked, as if they had never been."""
    touched = attribute.withdraw(tx, list(gone.values()))
    tx.deployments.delete(gone.keys())
    others = Touched(deployments=touched.deployments - gone.keys())
    attribute.settle(tx, others, policy)


def retry(tx: Transaction, deployment_id: int, *, policy: Policy) -> Registered:
    """Look again now, and, if it is in vain, for the whole time of retries once more."""
    known = tx.deployments.get({deployment_id})
    lock_repositories(tx, known.values())
    locked = tx.deployments.lock({deployment_id})
    if not locked:
        raise DeploymentNotFound(f"There is no deployment with id {deployment_id}.", argument="id")
    before = locked[deployment_id]
    waiting = before.attribution.status in (Status.PENDING, Status.EXPIRED)
    if waiting:
        before = replace(before, attribution=restarted(tx, before, policy))
        tx.deployments.save([before])
    settled = attribute.settle(tx, attribute.place(tx, [before]), policy)
    after = settled[deployment_id].deployment
    return answer(tx, [after])[after.reference_id]
