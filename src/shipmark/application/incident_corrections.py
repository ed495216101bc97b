"""What someone says by hand of an incident and a deployment, and takes back again."""

from dataclasses import dataclass

from shipmark.application.incidents import incident
from shipmark.application.queries import ReadTransaction
from shipmark.application.report import deployment
from shipmark.domain.errors import InvalidArgument
from shipmark.domain.incidents import Correction, Incident, Withdrawal

DEPLOYMENT = "deployment_reference_id"
"""The argument by which its deployment is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionDraft:
    """That an incident is, or is not, linked to a deployment; who says so, and why.

    With ``is_linked`` None, that what was said of it by hand counts no more.
    """

    reference_id: str
    deployment_reference_id: str
    is_linked: bool | None
    reason: str | None
    account: str
    token: str


def correct_link(tx: ReadTransaction, draft: CorrectionDraft) -> Incident:
    """Say by hand that an incident is or is not linked to a deployment, or take that back.

    Raises IncidentNotFound, DeploymentNotFound, and InvalidArgument where there is nothing to
    take back.
    """
    found = incident(tx, draft.reference_id)
    if draft.is_linked is None:
        _withdraw(tx, found, draft)
        return found
    deployment(tx, None, draft.deployment_reference_id, argument=DEPLOYMENT)
    tx.incidents.correct(
        found.id,
        Correction(
            deployment_reference_id=draft.deployment_reference_id,
            is_linked=draft.is_linked,
            reason=draft.reason,
            account=draft.account,
            token=draft.token,
            made_at=tx.now,
        ),
    )
    return found


def _withdraw(tx: ReadTransaction, found: Incident, draft: CorrectionDraft) -> None:
    """Withdrawing again changes nothing. The deployment may be gone: a correction outlives it."""
    named = draft.deployment_reference_id
    made = tx.incidents.corrections({found.id}).get(found.id, ())
    said = next((one for one in made if one.deployment_reference_id == named), None)
    if said is None:
        _check_was_withdrawn(tx, found, named)
        return
    tx.incidents.withdraw(
        found.id,
        Withdrawal(
            deployment_reference_id=named,
            was_linked=said.is_linked,
            reason=draft.reason,
            account=draft.account,
            token=draft.token,
            made_at=tx.now,
        ),
    )


def _check_was_withdrawn(tx: ReadTransaction, found: Incident, named: str) -> None:
    withdrawn = tx.incidents.withdrawals({found.id}).get(found.id, ())
    if any(one.deployment_reference_id == named for one in withdrawn):
        return
    deployment(tx, None, named, argument=DEPLOYMENT)
    raise InvalidArgument(
        f"deployment_reference_id is '{named}'; it must be a deployment that was linked to or "
        f"unlinked from '{found.reference_id}' by hand.",
        argument=DEPLOYMENT,
    )
