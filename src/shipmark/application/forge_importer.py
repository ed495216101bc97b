"""The background work of keeping repositories up to date with their forges."""

import logging
import threading
from datetime import timedelta
from functools import partial
from hashlib import sha256

from shipmark.application.backfill_forge import (
    claim_due,
    give_back,
    next_page,
    record_page,
    record_trouble,
)
from shipmark.application.forge_ports import ForgeImport
from shipmark.application.forges import FactsPage, Forges, ForgeTrouble
from shipmark.application.policy import Policy
from shipmark.application.record_facts import Inferrer, infer_nothing
from shipmark.application.writer import Database, transact
from shipmark.domain.model import Repository

log = logging.getLogger(__name__)

PAGES_A_TURN = 50
"""After so many, another repository that is due has its turn."""


MOST_ALIKE = 3
"""Pages in a row that tell the same. Two may: a page of one instant is read again from there."""


class Repeats:
    """Notices a forge that gives out one page again and again, under numbers that go on."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[str | None, str, int]] = {}

    def notice(self, at: ForgeImport, page: FactsPage) -> None:
        """Raises ForgeTrouble."""
        told = sha256(repr(page.facts).encode(errors="replace")).hexdigest()
        cursor, before, alike = self._last.get(at.repository_id, (None, "", 0))
        if told != before or not page.facts:
            alike = 1
        elif cursor != at.cursor:
            alike += 1
        self._last[at.repository_id] = at.cursor, told, alike
        if alike >= MOST_ALIKE and page.cursor is not None:
            raise ForgeTrouble(
                "The forge tells the same again and again: "
                f"{alike} pages to {at.cursor!r} are alike."
            )


class ForgeImporter:
    """Goes on with imports that are due. Several may run, in one process or in many."""

    def __init__(
        self,
        database: Database,
        forges: Forges,
        policy: Policy,
        *,
        every: timedelta,
        stopping: threading.Event,
        infer: Inferrer = infer_nothing,
    ) -> None:
        self._database = database
        self._forges = forges
        self._policy = policy
        self._every = every
        self._infer = infer
        self._stopping = stopping
        self._repeats = Repeats()

    def work_once(self) -> int:
        """Go on with one import that is due; how many pages were recorded."""
        claimed = transact(self._database, partial(claim_due, policy=self._policy))
        if claimed is None:
            return 0
        repository, at = claimed
        pages = 0
        try:
            while pages < PAGES_A_TURN and not self._stopping.is_set():
                at = self.page(repository, at)
                pages += 1
                if at.started_at is None:
                    log.info("imported from forge", extra=self._about(repository, pages))
                    return pages
        except ForgeTrouble as trouble:
            at = transact(self._database, partial(record_trouble, before=at, trouble=trouble))
            about = {**self._about(repository, pages), "next_attempt_at": at.due_at.isoformat()}
            log.warning("cannot import from forge: %s", trouble.message, extra=about)
            return pages
        transact(self._database, partial(give_back, before=at))
        log.info("importing from forge", extra=self._about(repository, pages))
        return pages

    def page(self, repository: Repository, at: ForgeImport) -> ForgeImport:
        """Ask for a page and record it; where the import then stands. Raises ForgeTrouble."""
        forge = self._forges.serving(repository)
        if forge is None:
            raise ForgeTrouble(f"No forge is set up that has {repository.name}.")
        page = next_page(forge, repository, at)
        self._repeats.notice(at, page)
        return transact(
            self._database,
            partial(
                record_page,
                repository=repository,
                before=at,
                facts=page.facts,
                cursor=page.cursor,
                policy=self._policy,
                infer=self._infer,
                every=self._every,
            ),
        )

    def _about(self, repository: Repository, pages: int) -> dict[str, object]:
        forge = self._forges.serving(repository)
        budget = forge.budget() if forge else None
        return {"repository": repository.name, "pages": pages, "remaining": budget}
