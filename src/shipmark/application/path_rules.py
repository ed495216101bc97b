"""Path rules: stored, changed and deleted, and the services that they derive recomputed at once.

A repository may have two sets of them: that of its own file is in force where there is one, and
else what clients have stored.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from shipmark.application.attribute import Touched
from shipmark.application.facts import RulesFileFacts
from shipmark.application.locate import locate_repositories
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.record_pulls import holders, look_again
from shipmark.application.services_by_paths import Reassigned, assign
from shipmark.domain.errors import ChangedMeanwhile, InvalidArgument, ShipmarkError
from shipmark.domain.model import Repository
from shipmark.domain.path_rules import (
    CompiledPathRules,
    PathRules,
    PathRulesInvalid,
    compile_path_rules,
)

log = logging.getLogger(__name__)


class Origin(StrEnum):
    """Where path rules come from."""

    STORED = "stored"
    FILE = "file"


RECOMPUTED_AT_ONCE: Final = 500
MOST_SHOWN: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRulesDraft:
    """The rules that a repository is to have; None: none. ``origin`` is where they come from,
    ``seen`` when those that were looked at were changed last, if that matters."""

    repository: str
    rules: PathRules | None
    origin: Origin = Origin.STORED
    seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDraft:
    """The text of a file .shipmark.yml: that of a repository on its default branch, or one by which
    the stored rules are told. ``seen`` is as in `PathRulesDraft`."""

    repository: str
    body: bytes
    origin: Origin = Origin.FILE
    seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewServices:
    """A pull request whose services are others now; their identifiers, before and after."""

    number: int
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """What a change of rules came to.

    ``is_change`` is whether there is anything else stored than before; ``in_force`` whether the
    repository's own file does not go before what was changed. ``pull_requests`` are those whose
    files are known, of which ``reassigned`` got other services; ``shown`` are the first of these.
    """

    repository: str
    is_change: bool
    in_force: bool
    pull_requests: int = 0
    reassigned: int = 0
    shown: tuple[NewServices, ...] = ()


def save_path_rules(tx: Transaction, draft: PathRulesDraft, *, policy: Policy) -> Recomputed:
    """Make these the path rules of a repository, and recompute what the rules in force derive.

    Raises RepositoryNotFound, ChangedMeanwhile, and PathRulesInvalid, which says where a rule is
    wrong.
    """
    compiled = _compiled(draft.rules, policy) if draft.rules is not None else None
    located = locate_repositories(tx, {draft.repository}, policy)[draft.repository]
    if isinstance(located, ShipmarkError):
        raise located
    # Nobody may import a pull request by the former rules meanwhile.
    tx.repositories.lock({located.id}, exclusive=True)
    stored_at = draft.seen and tx.path_rules.changed_at(located.id, origin=draft.origin)
    if draft.seen != stored_at:
        raise ChangedMeanwhile
    before = tx.path_rules.of({located.id}).get(located.id)
    if draft.rules is None:
        is_change = tx.path_rules.delete(located.id, origin=draft.origin)
    else:
        tx.path_rules.save(located.id, draft.rules, origin=draft.origin)
        is_change = True
    after = tx.path_rules.of({located.id}).get(located.id)
    in_force = draft.origin is Origin.FILE or after == draft.rules
    if before == after:
        return Recomputed(repository=located.name, is_change=is_change, in_force=in_force)
    if after is not None and after != draft.rules:
        compiled = _compiled(after, policy)
    return _recompute(tx, located, compiled, policy)


def save_rules_file(tx: Transaction, draft: FileDraft, *, policy: Policy) -> Recomputed:
    """Make the rules in the text of a file those of its origin; see `save_path_rules`.

    Raises InvalidArgument, which says in which line the file is wrong. Then nothing changes.
    """
    if policy.read_rules_file is None:
        raise InvalidArgument("Nothing here can read such files.", argument="file")
    file = policy.read_rules_file(draft.body)
    rules = PathRulesDraft(
        repository=draft.repository, rules=file.rules, origin=draft.origin, seen=draft.seen
    )
    try:
        return save_path_rules(tx, rules, policy=policy)
    except PathRulesInvalid as error:
        raise file.refusal(error) from None


def record_rules_file(
    tx: Transaction, repository_id: int, told: RulesFileFacts, *, policy: Policy
) -> None:
    """Make what a forge has in a repository's file the rules in force; without a file, what
    clients stored. A file that cannot be used changes none: why, is kept with the repository."""
    if policy.paths is None or policy.read_rules_file is None:
        return
    repository = tx.repositories.get({repository_id})[repository_id]
    error = told.trouble
    try:
        if error is None and told.body is None:
            without = PathRulesDraft(repository=repository.name, rules=None, origin=Origin.FILE)
            save_path_rules(tx, without, policy=policy)
        elif told.body is not None:
            draft = FileDraft(repository=repository.name, body=told.body)
            save_rules_file(tx, draft, policy=policy)
    except InvalidArgument as refusal:
        error = refusal.message
    if error is not None:
        about = {"repository": repository.name}
        log.warning("the file of path rules cannot be used: %s", error, extra=about)
    if error != repository.rules_file_error:
        tx.repositories.update(repository_id, {"rules_file_error": error})


def _compiled(rules: PathRules, policy: Policy) -> CompiledPathRules:
    if policy.paths is None:
        raise InvalidArgument("There are no path rules here: nothing can run their patterns.")
    return compile_path_rules(rules, policy.paths)


def _recompute(
    tx: Transaction, repository: Repository, rules: CompiledPathRules | None, policy: Policy
) -> Recomputed:
    """Derive the services of every pull request anew, and attribute what that changes."""
    pull_requests, reassigned, shown = 0, 0, list[NewServices]()
    after = 0
    while pulls := tx.pulls.with_files(repository.id, after=after, limit=RECOMPUTED_AT_ONCE):
        after = pulls[-1].number
        changed = assign(tx, pulls, {repository.id: rules})
        ids = {one.pull.id for one in changed}
        if ids:
            touched = Touched(deployments=holders(tx, ids))
            look_again(tx, [one.pull for one in changed], touched, policy)
        pull_requests += len(pulls)
        reassigned += len(changed)
        shown += _named(tx, changed[: MOST_SHOWN - len(shown)])
    return Recomputed(
        repository=repository.name,
        is_change=True,
        in_force=True,
        pull_requests=pull_requests,
        reassigned=reassigned,
        shown=tuple(shown),
    )


def _named(tx: Transaction, changed: list[Reassigned]) -> list[NewServices]:
    ids = frozenset[int]().union(*(one.before | one.after for one in changed))
    names = {id_: one.identifier for id_, one in tx.services.get(ids).items()} if ids else {}
    return [
        NewServices(
            number=one.pull.number,
            before=tuple(sorted(names[id_] for id_ in one.before)),
            after=tuple(sorted(names[id_] for id_ in one.after)),
        )
        for one in changed
    ]
