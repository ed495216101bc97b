"""Retry attributions that are due: the row is the job."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from shipmark.application import attribute
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.register import lock_repositories
from shipmark.domain.model import Status

LEASE = timedelta(minutes=2)
"""How long a claimed row stays with its worker; after that another may take it."""


def claim_due(tx: Transaction, *, limit: int) -> list[int]:
    """Take deployments whose attribution is due. A worker that dies gives them back in time."""
    return tx.deployments.claim_due(limit=limit, lease_until=tx.now + LEASE)


def retry_claimed(tx: Transaction, deployment_ids: Collection[int], *, policy: Policy) -> int:
    """Look again for what these deployments wait for; how many no longer wait.

    Those that still do get their next time, or expire.
    """
    lock_repositories(tx, tx.deployments.get(deployment_ids).values())
    waiting = [
        replace(
            one,
            attribution=replace(
                one.attribution, attempts=one.attribution.attempts + 1, due_at=None
            ),
        )
        for one in tx.deployments.lock(deployment_ids).values()
        if one.attribution.status is Status.PENDING
    ]
    tx.deployments.save(waiting)
    touched = attribute.place(tx, waiting)
    settled = attribute.settle(tx, touched, policy)
    return sum(
        settled[one.id].deployment.attribution.status is not Status.PENDING for one in waiting
    )
