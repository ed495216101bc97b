"""Import a repository from its forge: a page a transaction, so that a run goes on where it stopped.

The page is asked for outside of any transaction; what it told and where to go on are stored in one.
A run tells of what changed since the run before it began; whatever changes while it reads is left
to the next one.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from shipmark.application.facts import Fact
from shipmark.application.forge_answers import record_answer
from shipmark.application.forges import FactsPage, Forge, ForgeAway, ForgeTrouble
from shipmark.application.policy import Policy
from shipmark.application.ports import ForgeImport, Transaction
from shipmark.application.record_facts import Inferrer
from shipmark.domain.model import Repository

LEASE = timedelta(minutes=10)
"""How long an import stays with whoever works on it after each page; then another may go on."""

CLOCKS_DIFFER = timedelta(minutes=5)
"""What is told twice from one run to the next, because a forge's clock is not ours."""

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)


def begin(tx: Transaction, repository_id: int, *, again: bool = False) -> ForgeImport:
    """Begin a run, or go on with the one under way. ``again``: from the beginning of all."""
    found = tx.forge_imports.find_or_add(repository_id)
    if again:
        found_before, found = found, replace(found, since=None, cursor=None, started_at=None)
        tx.forge_imports.replace(found_before, found)
    return _begun(tx, found)


def claim_due(tx: Transaction) -> tuple[Repository, ForgeImport] | None:
    """Take an import that is due, and begin its run if none is under way."""
    found = tx.forge_imports.claim_due(lease_until=tx.now + LEASE)
    if found is None:
        return None
    return tx.repositories.get({found.repository_id})[found.repository_id], _begun(tx, found)


def _begun(tx: Transaction, found: ForgeImport) -> ForgeImport:
    begun = replace(found, due_at=tx.now + LEASE, started_at=found.started_at or tx.now)
    tx.forge_imports.replace(found, begun)
    return begun


def next_page(forge: Forge, repository: Repository, at: ForgeImport) -> FactsPage:
    """Ask for the page at which an import stands. Raises ForgeTrouble. Not in a transaction."""
    page = forge.page(repository.name, since=at.since, cursor=at.cursor)
    if page.cursor is not None and page.cursor == at.cursor:
        raise ForgeTrouble(f"The pages of {repository.name} go in circles at {at.cursor!r}.")
    return page


def record_page(
    tx: Transaction,
    repository: Repository,
    before: ForgeImport,
    facts: Sequence[Fact],
    cursor: str | None,
    *,
    policy: Policy,
    infer: Inferrer,
    every: timedelta,
) -> ForgeImport:
    """Record a page, and where to go on. What someone else has recorded meanwhile is left alone:
    the answer is where the import stands now.

    After the last page there is no run under way, and the next is due ``every`` so long.
    """
    after = _past_page(tx, before, cursor, every)
    # It comes before the locks of `record_answer`, and whoever else goes on waits here.
    if not tx.forge_imports.replace(before, after):
        return tx.forge_imports.get({before.repository_id})[before.repository_id]
    record_answer(tx, repository, facts, policy=policy, infer=infer)
    return after


def _past_page(
    tx: Transaction, before: ForgeImport, cursor: str | None, every: timedelta
) -> ForgeImport:
    past = replace(before, cursor=cursor, attempts=0, error=None)
    if cursor is not None or before.started_at is None:
        return replace(past, due_at=tx.now + LEASE)
    return replace(
        past,
        since=before.started_at - CLOCKS_DIFFER,
        started_at=None,
        finished_at=tx.now,
        due_at=tx.now + every,
    )


def record_trouble(tx: Transaction, before: ForgeImport, trouble: ForgeTrouble) -> ForgeImport:
    """Keep why an import cannot go on now, and when it is tried again: as the forge says, or after
    a pause that doubles each time."""
    pause = min(FIRST_PAUSE * (1 << min(before.attempts, 10)), LONGEST_PAUSE)
    until = trouble.until if isinstance(trouble, ForgeAway) else None
    after = replace(
        before,
        due_at=until or tx.now + pause,
        # To be told to wait is nothing that is wrong.
        attempts=before.attempts + (until is None),
        error=trouble.message,
    )
    tx.forge_imports.replace(before, after)
    return after


def give_back(tx: Transaction, before: ForgeImport) -> None:
    """Let any worker go on with an import now."""
    tx.forge_imports.replace(before, replace(before, due_at=tx.now))
