"""Record what a forge answered about one repository."""

from collections.abc import Sequence
from dataclasses import replace

from shipmark.application.facts import Fact, RepositoryFacts
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.record_facts import Inferrer, record_facts
from shipmark.domain.events import SourceEvent, under_name
from shipmark.domain.model import Repository


def record_answer(
    tx: Transaction,
    repository: Repository,
    facts: Sequence[Fact],
    *,
    policy: Policy,
    infer: Inferrer,
) -> None:
    """Record facts about a repository, whatever the forge calls it by now.

    Where another one has its name there, they are about that one.
    """
    itself = [one for one in facts if isinstance(one, RepositoryFacts)]
    record_facts(tx, itself, policy=policy, infer=infer)
    name = _whose(tx, repository, itself).name
    rest = [
        under_name(one, name) if isinstance(one, SourceEvent) else replace(one, repository=name)
        for one in facts
        if not isinstance(one, RepositoryFacts)
    ]
    record_facts(tx, rest, policy=policy, infer=infer)


def _whose(tx: Transaction, asked_for: Repository, told: Sequence[RepositoryFacts]) -> Repository:
    """The repository that answered: who was asked for, unless it has another id."""
    repository = tx.repositories.get({asked_for.id})[asked_for.id]
    for one in told:
        if repository.source_id not in (None, one.source_id):
            return tx.repositories.by_source(one.source, one.source_id) or repository
    return repository
