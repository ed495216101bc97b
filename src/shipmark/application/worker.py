"""The background worker: what is due is claimed, done and committed, again and again."""

import logging
import threading
import time
from functools import partial

from shipmark.application.artifacts import resolve_known
from shipmark.application.inbox import Inbox
from shipmark.application.look_ups import LookUps
from shipmark.application.policy import Policy
from shipmark.application.retry import claim_due, retry_claimed
from shipmark.application.set_services import repair_waiting_assignments
from shipmark.application.writer import Database, transact
from shipmark.domain.errors import ShipmarkError

log = logging.getLogger(__name__)

CLAIMED_AT_ONCE = 100
TIDIED_EVERY = 3600.0
"""Seconds between two looks for deliveries that may be forgotten."""

PAUSE = 1.0
"""Seconds between looks when nothing is due."""


class Worker:
    """Reads deliveries and retries attributions until it is told to stop.

    Several may run; none does another's row.
    """

    def __init__(
        self,
        database: Database,
        policy: Policy,
        *,
        inbox: Inbox | None = None,
        look_ups: LookUps | None = None,
        pause: float = PAUSE,
    ) -> None:
        self._database = database
        self._look_ups = look_ups
        self._policy = policy
        self._inbox = inbox
        self._tidied = -TIDIED_EVERY
        self._pause = pause
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.run, name="shipmark-worker")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish the transaction under way and stop."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def request_stop(self) -> None:
        """The same without waiting, for a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Work until stopped. An error is logged and tried again: nothing is lost by it."""
        while not self._stopping.is_set():
            try:
                busy = self.work_once() > 0
            except ShipmarkError as error:
                log.warning("The worker could not work: %s", error.message)
                busy = False
            except Exception:
                log.exception("The worker met an error")
                busy = False
            if not busy:
                self._stopping.wait(self._pause)

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
