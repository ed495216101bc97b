"""Deployments of events of which more is known since: as if all had been told at once.

What somebody has changed by hand stays as they made it, and so does what another version of the
rule made.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

from shipmark.application import change
from shipmark.application.drafts import Registration
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.domain.errors import ShipmarkError
from shipmark.domain.model import Deployment

log = logging.getLogger(__name__)

_MADE: Final = (
    "deployed_at", "service", "commit_sha", "source_url", "integration_branch", "environment",
    "success",
)  # fmt: skip
"""What an event and its rule say of a deployment; its repository is always the same."""


def bring_up_to_date(
    tx: Transaction,
    was: Mapping[str, Registration],
    now: Mapping[str, Registration],
    *,
    policy: Policy,
) -> None:
    """Change deployments to what their events mean ``now``, from what they meant before.

    Both are by reference_id. One that is not meant any longer, since a guess was wrong, is deleted.
    """
    known = tx.deployments.by_reference_ids(was.keys()) if was else {}
    services = tx.services.get({one.service_id for one in known.values()}) if known else {}
    for name, one in sorted(known.items()):
        if one.rule_version != was[name].rule_version:
            continue
        stands = _stands(one, services[one.service_id].identifier)
        if name in now:
            values = _changes(stands, _said(was[name]), _said(now[name]))
            _change(tx, name, values, policy)
        elif stands == _said(was[name]) and one.metadata is None:
            change.delete(tx, name, policy=policy)


def _stands(one: Deployment, service: str) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in _MADE if name != "service"}
    # Whoever made it one of a list of commits means no single one.
    return values | {"service": service, "commit_sha": one.merge_commit_shas or one.commit_sha}


def _said(one: Registration) -> dict[str, Any]:
    return {name: getattr(one, name) for name in _MADE}


def _changes(
    stands: Mapping[str, Any], was: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, Any]:
    """The values that are others now, of those that are still as they were made."""
    return {
        name: value
        for name, value in now.items()
        if value != was[name] and stands[name] == was[name]
    }


def _change(tx: Transaction, reference_id: str, values: Mapping[str, Any], policy: Policy) -> None:
    if not values:
        return
    try:
        change.update(tx, change.Patch(reference_id=reference_id, values=values), policy=policy)
    except ShipmarkError as error:
        log.warning(
            "What is known since of a deployment that a rule inferred was refused: %s",
            error.message,
            extra={"reference_id": reference_id},
        )
