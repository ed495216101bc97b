"""Record what forges tell, whichever forge and whichever way: one use case for all facts."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from shipmark.application.events import complete_releases
from shipmark.application.facts import BranchPush, Fact, RepositoryFacts, RulesFileFacts
from shipmark.application.path_rules import record_rules_file
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.possible import possible
from shipmark.application.received import Kind, Via, receipts
from shipmark.application.record_pulls import PullFacts, record_pulls
from shipmark.application.repositories import (
    is_of_another_forge,
    record_branch_commits,
    record_repository,
)
from shipmark.domain.events import SourceEvent, numbered
from shipmark.domain.model import BranchCommit, Repository

log = logging.getLogger(__name__)

Told = PullFacts | BranchPush | SourceEvent | RulesFileFacts
"""A fact about something in a repository."""


class Inferrer(Protocol):
    """What makes deployments of events.

    It is told each event when it is news, and again when more is known of it: ``before`` is how it
    was known, by its key.
    """

    def __call__(
        self,
        tx: Transaction,
        events: Sequence[SourceEvent],
        *,
        policy: Policy,
        before: Mapping[str, SourceEvent],
    ) -> object: ...


def infer_nothing(
    tx: Transaction,
    events: Sequence[SourceEvent],
    *,
    policy: Policy,
    before: Mapping[str, SourceEvent],
) -> None:
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
    a forge is set up to tell of those that matter. Nothing is recorded of one whose name is that
    of another forge's here.
    """
    told = told_at or tx.now
    facts = list(possible(facts, told_at=told, is_news=told_at is not None))
    known, strangers = _record_repositories(tx, facts, told, policy)
    rest = _under_names_here(
        [
            one
            for one in facts
            if not isinstance(one, RepositoryFacts) and one.repository not in strangers
        ],
        {name: one.name for name, one in _as_they_stand(tx, known).items()},
    )
    ids = _ids(tx, {_name_of(one) for one in rest})
    tx.repositories.lock(set(ids.values()), exclusive=True)
    pushes = [one for one in rest if isinstance(one, BranchPush)]
    if pushes:
        record_branch_commits(tx, list(_commits(pushes, ids)), policy=policy, via=via)
    pulls = [one for one in rest if isinstance(one, PullFacts)]
    if pulls:
        record_pulls(tx, pulls, policy=policy, via=via)
    for one in rest:
        if isinstance(one, RulesFileFacts):
            record_rules_file(tx, ids[one.repository], one, policy=policy)
    events = [numbered(one, ids[_name_of(one)]) for one in rest if isinstance(one, SourceEvent)]
    about = {(one, Kind.REPOSITORY) for one in known.values()}
    about |= {(ids[_name_of(one)], Kind.EVENTS) for one in rest if isinstance(one, SourceEvent)}
    tx.received.note(receipts(about, via=via, at=tx.now))
    if events:
        recorded = tx.events.add(events)
        recorded = recorded.then(complete_releases(tx, recorded.news))
        if recorded.news:
            infer(tx, recorded.news, policy=policy, before=recorded.before)


def _record_repositories(
    tx: Transaction, facts: Sequence[Fact], at: datetime, policy: Policy
) -> tuple[dict[str, int], set[str]]:
    """Record what is said of repositories.

    The ids of those it was recorded of, by the names that were told, and the names of those that
    are another forge's here.
    """
    known: dict[str, int] = {}
    strangers: set[str] = set()
    for one in facts:
        if isinstance(one, RepositoryFacts):
            found = record_repository(tx, one, as_of=one.as_of or at, policy=policy)
            if is_of_another_forge(found, one):
                log.warning(
                    "what %s tells of a repository is left out: here it is of %s",
                    one.source,
                    found.source,
                    extra={"repository": one.name},
                )
                strangers.add(one.name)
            else:
                known[one.name] = found.id
    return known, strangers


def _as_they_stand(tx: Transaction, known: Mapping[str, int]) -> dict[str, Repository]:
    """Each as it is by now: another that was told of later may have taken its name."""
    found = tx.repositories.get(set(known.values())) if known else {}
    return {name: found[id_] for name, id_ in known.items()}


def _under_names_here(facts: Iterable[Told], here: Mapping[str, str]) -> list[Told]:
    """Facts told beside a repository belong to it, whoever has the name by now that they tell.

    An event keeps the name it was told under: rules match what was so when it happened.
    """
    return [_under(one, here[one.repository]) if one.repository in here else one for one in facts]


def _under(fact: Told, name: str) -> Told:
    if isinstance(fact, SourceEvent):
        return replace(fact, here=name)
    return replace(fact, repository=name)


def _name_of(fact: Told) -> str:
    return fact.name_here if isinstance(fact, SourceEvent) else fact.repository


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
