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
from shipmark.application.forge_ports import ForgeImport
from shipmark.application.forges import FactsPage, Forge, ForgeAway, ForgeTrouble
from shipmark.application.import_scope import EVERYTHING, WHOLE_PULLS, events_for_rules
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.record_facts import Inferrer
from shipmark.domain.model import Repository

LEASE = timedelta(minutes=10)
"""How long an import stays with whoever works on it after each page; then another may go on."""

CLOCKS_DIFFER = timedelta(minutes=5)
"""What is told twice from one run to the next, because a forge's clock is not ours."""

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)


def begin(
    tx: Transaction,
    repository_id: int,
    *,
    policy: Policy,
    again: bool = False,
    events: bool = False,
    commits: bool | None = None,
) -> ForgeImport:
    """Begin a run, or go on with the one under way. ``again``: from the beginning of all.

    ``events``: all events of the past, whether a rule is about them or not. ``commits``: whether
    the commits and files of merged pull requests are asked for where lists do not tell them; if
    nothing is said, only of those that changed since the last run.
    """
    found = tx.forge_imports.find_or_add(repository_id)
    wanted = replace(found, due_at=tx.now + LEASE)
    if again:
        wanted = replace(wanted, since=None, cursor=None, started_at=None)
    if again or events:
        wanted = replace(wanted, has_read=frozenset())
    if events and not wanted.reads >= EVERYTHING:
        # It may be past them already.
        wanted = replace(wanted, cursor=None, started_at=None)
    return _begun(tx, found, wanted, policy, events=events, commits=commits)


def claim_due(tx: Transaction, *, policy: Policy) -> tuple[Repository, ForgeImport] | None:
    """Take an import that is due, and begin its run if none is under way."""
    found = tx.forge_imports.claim_due(lease_until=tx.now + LEASE)
    if found is None:
        return None
    repository = tx.repositories.get({found.repository_id})[found.repository_id]
    return repository, _begun(tx, found, replace(found, due_at=tx.now + LEASE), policy)


def _begun(
    tx: Transaction,
    found: ForgeImport,
    wanted: ForgeImport,
    policy: Policy,
    *,
    events: bool = False,
    commits: bool | None = None,
) -> ForgeImport:
    reads = wanted.reads
    if wanted.started_at is None:
        repository = tx.repositories.get({wanted.repository_id})[wanted.repository_id]
        reads = EVERYTHING if events else events_for_rules(tx, repository, policy)
        commits = wanted.since is not None if commits is None else commits
    if commits is not None:
        reads = reads | {WHOLE_PULLS} if commits else reads - {WHOLE_PULLS}
    begun = replace(wanted, started_at=wanted.started_at or tx.now, reads=reads)
    tx.forge_imports.replace(found, begun)
    return begun


def next_page(forge: Forge, repository: Repository, at: ForgeImport) -> FactsPage:
    """Ask for the page at which an import stands. Raises ForgeTrouble. Not in a transaction."""
    # What was not read before is read from its beginning.
    reads = {one: at.since if one in at.has_read else None for one in at.reads}
    page = forge.page(repository.name, since=at.since, cursor=at.cursor, reads=reads)
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
        has_read=before.reads,
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
