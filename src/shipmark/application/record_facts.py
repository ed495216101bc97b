"""Record what forges tell, whichever forge and whichever way: one use case for all facts."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from shipmark.application.facts import BranchPush, Fact, RepositoryFacts
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.received import Kind, Via, receipts
from shipmark.application.record_pulls import PullFacts, record_pulls
from shipmark.application.repositories import record_branch_commits, record_repository
from shipmark.domain.events import SourceEvent
from shipmark.domain.model import BranchCommit


class Inferrer(Protocol):
    """What makes deployments of events. It is told each event once, when it is news."""

    def __call__(
        self, tx: Transaction, events: Sequence[SourceEvent], *, policy: Policy
    ) -> object: ...


def infer_nothing(tx: Transaction, events: Sequence[SourceEvent], *, policy: Policy) -> None:
    """No rules, no deployments."""


def record_facts(
    tx: Transaction,
    facts: Sequence[Fact],
    *,
    policy: Policy,
    infer: Inferrer = infer_nothing,
    told_at: datetime | None = None,
    via: Via = Via.FORGE_API,
) -> None:
    """Record facts. The same facts in any order, and any of them again, come to the same.

    ``told_at`` is when they were told, for those that do not say as of when they are true: now,
    unless it is given; ``via`` is how they came. A repository that nobody has added becomes known:
    a forge is set up to tell of those that matter.
    """
    at = told_at or tx.now
    known = {
        (record_repository(tx, one, as_of=one.as_of or at, policy=policy).id, Kind.REPOSITORY)
        for one in facts
        if isinstance(one, RepositoryFacts)
    }
    rest = [one for one in facts if not isinstance(one, RepositoryFacts)]
    ids = _ids(tx, {one.repository for one in rest})
    tx.repositories.lock(set(ids.values()), exclusive=True)
    pushes = [one for one in rest if isinstance(one, BranchPush)]
    if pushes:
        record_branch_commits(tx, list(_commits(pushes, ids)), policy=policy, via=via)
    pulls = [one for one in rest if isinstance(one, PullFacts)]
    if pulls:
        record_pulls(tx, pulls, policy=policy, via=via)
    events = [one for one in rest if isinstance(one, SourceEvent)]
    about = known | {(ids[one.repository], Kind.EVENTS) for one in events}
    tx.received.note(receipts(about, via=via, at=tx.now))
    news = tx.events.add(events) if events else []
    if news:
        infer(tx, news, policy=policy)


def _ids(tx: Transaction, names: set[str]) -> dict[str, int]:
    """The repositories of these full names, made known where they are not."""
    found = tx.repositories.named(names)
    return {
        name: found[name][0].id if found[name] else tx.repositories.add(name, {}).id
        for name in sorted(names)
    }


def _commits(pushes: Iterable[BranchPush], ids: dict[str, int]) -> Iterable[BranchCommit]:
    for push in pushes:
        for commit in push.commits:
            yield BranchCommit(
                repository_id=ids[push.repository],
                branch=push.branch,
                sha=commit.sha,
                committed_at=commit.committed_at,
                is_pushed=True,
            )
