"""Keep how much each forge may still be asked where it can be seen, and say when it is little."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from shipmark.application.findings import is_nearly_spent
from shipmark.application.ports import Transaction
from shipmark.application.received import Budget
from shipmark.application.writer import Database, transact

log = logging.getLogger(__name__)


class Asked(Protocol):
    """Forges that have told how much they may still be asked."""

    def budgets(self) -> Sequence[Budget]:
        """What each last told, as of now."""


class Budgets:
    """Notes what is new since it last looked."""

    def __init__(self, database: Database, asked: Asked) -> None:
        self._database = database
        self._asked = asked
        self._noted: dict[str, Budget] = {}

    def note(self) -> None:
        told = {one.source: one for one in self._asked.budgets()}
        news = [one for one in told.values() if self._is_news(one)]
        if not news:
            return
        transact(self._database, partial(_note, budgets=news))
        for one in news:
            about = {"forge": one.source, "remaining": one.remaining, "limit": one.most}
            if is_nearly_spent(one):
                log.warning("a forge may hardly be asked more", extra=about)
            else:
                log.debug("forge budget", extra=about)
            self._noted[one.source] = one

    def _is_news(self, one: Budget) -> bool:
        before = self._noted.get(one.source)
        return before is None or (before.remaining, before.resets_at) != (
            one.remaining,
            one.resets_at,
        )


def _note(tx: Transaction, *, budgets: Sequence[Budget]) -> None:
    for one in budgets:
        tx.received.note_budget(one)
