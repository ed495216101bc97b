"""What forges deliver: stored first, understood later. The row is the job."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Protocol

from shipmark.application.deliveries import REST_REFUSED, Delivery
from shipmark.application.facts import Fact, RepositoryFacts
from shipmark.application.forges import FollowUp, ForgeAway, ForgeRefusal, ForgeTrouble
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.received import Via
from shipmark.application.record_facts import Inferrer, infer_nothing, record_facts
from shipmark.application.writer import Database, transact
from shipmark.domain.errors import ShipmarkError

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
"""How long a claimed delivery stays with its worker; after that another may take it."""

CLAIMED_AT_ONCE = 50
REFUSED_PAUSE = timedelta(hours=6)
"""The longest pause before a forge is asked again that refused: somebody has to change something
there first, and each delivery that waits for it costs a call at least."""

KEPT_FOR = timedelta(days=30)
"""How long it is known that a delivery came, by which one that is sent again is told."""


class Reader(Protocol):
    """What understands deliveries."""

    def read(self, delivery: Delivery) -> Sequence[Fact]:
        """The facts in it. Whatever it raises, the delivery cannot be read."""

    def follow_up(self, delivery: Delivery, facts: Sequence[Fact]) -> FollowUp:
        """What ``facts`` leave open and the forge can be asked. What it raises may pass."""


def receive(tx: Transaction, deliveries: Sequence[Delivery]) -> list[bool]:
    """Store deliveries; of each, whether it is news. One that could not be read is tried again."""
    return [_store(tx, one) for one in deliveries]


def _store(tx: Transaction, delivery: Delivery) -> bool:
    if tx.deliveries.add(delivery):
        return True
    if tx.deliveries.has_body_of(delivery):
        return False
    # No forge gives one id to two deliveries, but who sends by hand may. It is proven, and it
    # tells something else: it is no repeat.
    apart = delivery.told_apart
    about = _named(delivery) | {"stored_as": apart.delivery_id}
    log.warning("the id of a delivery came before with another body", extra=about)
    return tx.deliveries.add(apart)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """The deliveries that wait, and what becomes of them."""

    database: Database
    reader: Reader
    policy: Policy
    infer: Inferrer = infer_nothing

    def work(self) -> int:
        """Do what is due now; how many deliveries were looked at."""
        claimed = transact(self.database, self._claim)
        away: dict[str, ForgeTrouble] = {}
        for one in claimed:
            self._do(one, away)
        return len(claimed)

    def tidy(self) -> int:
        """Forget deliveries that were done long ago; how many."""
        return transact(
            self.database, lambda tx: tx.deliveries.forget(done_before=tx.now - KEPT_FOR)
        )

    def _claim(self, tx: Transaction) -> list[Delivery]:
        return tx.deliveries.claim_due(limit=CLAIMED_AT_ONCE, lease_until=tx.now + LEASE)

    def _do(self, delivery: Delivery, away: dict[str, ForgeTrouble]) -> None:
        """Read a delivery and record it. A forge that is ``away``, or refuses our token, is asked
        nothing more."""
        try:
            facts = list(self.reader.read(delivery))
        except Exception as error:  # noqa: BLE001 - strangers write what is read
            why = str(error) or type(error).__name__
            log.warning("a delivery cannot be read", extra=_named(delivery) | {"why": why})
            transact(self.database, lambda tx: tx.deliveries.finish(delivery.id, error=why))
            return
        try:
            trouble, told = self._followed_up(delivery, facts, away)
            recording = partial(self._record, delivery=delivery, facts=told, trouble=trouble)
            transact(self.database, recording)
        except Exception as error:
            # A refusal explains itself; what nobody foresaw is logged with its origin.
            why = str(error) or type(error).__name__
            origin = not isinstance(error, ShipmarkError)
            log.warning("a delivery waits", exc_info=origin, extra=_named(delivery) | {"why": why})
            postponing = partial(
                self._postpone, delivery=delivery, why=why, repository=_repository(facts)
            )
            transact(self.database, postponing)

    def _followed_up(
        self, delivery: Delivery, facts: Sequence[Fact], away: dict[str, ForgeTrouble]
    ) -> tuple[ForgeTrouble | None, Sequence[Fact]]:
        """All that a delivery tells, asked for or not; and why the forge did not tell the rest."""
        if delivery.forge in away:
            return away[delivery.forge], facts
        try:
            told = self.reader.follow_up(delivery, facts)
        except ForgeAway as trouble:
            away[delivery.forge] = trouble
            log.warning("a delivery waits", extra=_named(delivery) | {"why": trouble.message})
            return trouble, facts
        if told.refusal and told.refusal.of_all:
            away[delivery.forge] = told.refusal
        return told.refusal, [*facts, *told.facts]

    def _record(
        self,
        tx: Transaction,
        *,
        delivery: Delivery,
        facts: Sequence[Fact],
        trouble: ForgeTrouble | None,
    ) -> None:
        """What it tells by itself counts at once; the forge is asked for the rest again later."""
        record_facts(
            tx,
            facts,
            policy=self.policy,
            infer=self.infer,
            told_at=delivery.received_at,
            via=Via.WEBHOOK,
        )
        if trouble is None:
            tx.deliveries.finish(delivery.id)
        else:
            about = _repository(facts)
            # A refusal in words that are alike for all that wait for the same.
            refused = trouble.said if isinstance(trouble, ForgeRefusal) else None
            self._postpone(
                tx,
                delivery=delivery,
                why=f"{REST_REFUSED}{refused}" if refused else trouble.message,
                repository=about,
                longest=REFUSED_PAUSE if refused else None,
            )

    def _postpone(
        self,
        tx: Transaction,
        *,
        delivery: Delivery,
        why: str,
        repository: str | None,
        longest: timedelta | None = None,
    ) -> None:
        """Try it again later, ever more seldom, and no longer than attributions are retried."""
        began = delivery.received_at or tx.now
        if tx.now - began > self.policy.retry_for:
            tx.deliveries.finish(delivery.id, error=why, repository=repository)
        else:
            due_at = self.policy.next_retry(tx.now, delivery.attempts, longest=longest)
            tx.deliveries.postpone(delivery.id, due_at=due_at, error=why, repository=repository)


def _repository(facts: Sequence[Fact]) -> str | None:
    """The repository that a delivery is about, by the name it tells."""
    return next(
        (one.name if isinstance(one, RepositoryFacts) else one.repository for one in facts), None
    )


def _named(delivery: Delivery) -> dict[str, object]:
    return {"forge": delivery.forge, "delivery": delivery.delivery_id}
