"""The work in the background: what is due is claimed, done and committed."""

import logging
import time
from functools import partial

from shipmark.application.artifacts import resolve_known
from shipmark.application.inbox import Inbox
from shipmark.application.look_ups import LookUps
from shipmark.application.policy import Policy
from shipmark.application.retry import claim_due, retry_claimed
from shipmark.application.set_services import repair_waiting_assignments
from shipmark.application.writer import Database, transact

log = logging.getLogger(__name__)

CLAIMED_AT_ONCE = 100
TIDIED_EVERY = 3600.0
"""Seconds between two looks for deliveries that may be forgotten."""


class Worker:
    """Reads deliveries and retries attributions. Several may run; none does another's row."""

    def __init__(
        self,
        database: Database,
        policy: Policy,
        *,
        inbox: Inbox | None = None,
        look_ups: LookUps | None = None,
    ) -> None:
        self._database = database
        self._look_ups = look_ups
        self._policy = policy
        self._inbox = inbox
        self._tidied = -TIDIED_EVERY

    def work_once(self) -> int:
        """Do what is due now; how many deliveries and deployments were looked at."""
        delivered = self._empty_inbox()
        claimed = transact(self._database, partial(claim_due, limit=CLAIMED_AT_ONCE))
        if claimed:
            ready = self._look_ups.ask_for(claimed) if self._look_ups else claimed
            found = transact(
                self._database,
                partial(retry_claimed, deployment_ids=ready, policy=self._policy),
            )
            log.info(
                "attributions retried", extra={"looked_at": len(ready), "no_longer_wait": found}
            )
        transact(
            self._database,
            partial(repair_waiting_assignments, limit=CLAIMED_AT_ONCE, policy=self._policy),
        )
        transact(self._database, partial(resolve_known, limit=CLAIMED_AT_ONCE, policy=self._policy))
        return delivered + len(claimed)

    def _empty_inbox(self) -> int:
        if self._inbox is None:
            return 0
        if time.monotonic() - self._tidied >= TIDIED_EVERY:
            self._tidied = time.monotonic()
            self._inbox.tidy()
        return self._inbox.work()
