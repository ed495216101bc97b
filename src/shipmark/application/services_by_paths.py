"""Give pull requests the services that path rules derive from the files that they changed.

An explicit assignment, of whatever services and whenever it came, goes before them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.domain.model import PullRequest
from shipmark.domain.path_rules import CompiledPathRules, compile_path_rules, services_of
from shipmark.domain.rules import LONGEST_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassigned:
    """A pull request whose services are others now; their ids, before and after."""

    pull: PullRequest
    before: frozenset[int]
    after: frozenset[int]


def assign_by_paths(
    tx: Transaction, pulls: Collection[PullRequest], policy: Policy
) -> list[Reassigned]:
    """Apply the rules in force to pull requests whose files are news; those that it changed."""
    if policy.paths is None or not pulls:
        return []
    rules = tx.path_rules.of({pull.repository_id for pull in pulls})
    compiled = {id_: compile_path_rules(one, policy.paths) for id_, one in rules.items()}
    return assign(tx, [pull for pull in pulls if pull.repository_id in compiled], compiled)


def assign(
    tx: Transaction,
    pulls: Sequence[PullRequest],
    rules: Mapping[int, CompiledPathRules | None],
) -> list[Reassigned]:
    """Make the services of pull requests what the rules of their repositories derive.

    Without rules, or where the files are not known, it is none. Pull requests with explicit
    assignments are left alone. Answers those whose services are others now.
    """
    if not pulls:
        return []
    explicit = tx.assignments.of({pull.id for pull in pulls}).keys()
    derived = {
        pull.id: _names(pull, rules[pull.repository_id])
        for pull in pulls
        if pull.id not in explicit
    }
    names = frozenset[str]().union(*derived.values())
    ids = tx.services.find_or_add(dict.fromkeys(names)) if names else {}
    before = tx.assignments.services_of(derived.keys())
    changed = [
        Reassigned(
            pull=pull,
            before=frozenset(before.get(pull.id, ())),
            after=frozenset(ids[name] for name in derived[pull.id]),
        )
        for pull in pulls
        if pull.id in derived
    ]
    changed = [one for one in changed if one.before != one.after]
    tx.assignments.set_services({one.pull.id: set(one.after) for one in changed})
    return changed


def _names(pull: PullRequest, rules: CompiledPathRules | None) -> frozenset[str]:
    if rules is None or pull.files is None:
        return frozenset()
    # A folder may have a name that is too long for a service.
    return frozenset(name for name in services_of(pull.files, rules) if len(name) <= LONGEST_NAME)
