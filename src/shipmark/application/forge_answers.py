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
    """Record facts about a repository, whatever the forge calls it by now."""
    itself = [one for one in facts if isinstance(one, RepositoryFacts)]
    record_facts(tx, itself, policy=policy, infer=infer)
    name = tx.repositories.get({repository.id})[repository.id].name
    rest = [
        under_name(one, name) if isinstance(one, SourceEvent) else replace(one, repository=name)
        for one in facts
        if not isinstance(one, RepositoryFacts)
    ]
    record_facts(tx, rest, policy=policy, infer=infer)
