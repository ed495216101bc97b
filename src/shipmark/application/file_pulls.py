"""Rows that are pull requests: recorded as pulls.import does, and taken back fact by fact."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shipmark.application.file_effects import effects_of_transaction
from shipmark.application.file_imports import Effect, EffectRow, FileImport, FileRow, RowState
from shipmark.application.file_kinds import Applied, fault_of
from shipmark.application.forget_pulls import forget_pulls
from shipmark.application.locate import locate_repositories
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.record_pulls import Change, PullFacts, record_pulls, save_pulls
from shipmark.domain.errors import ShipmarkError
from shipmark.domain.model import PullRequest

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FACTS = tuple(
    one.name for one in fields(PullRequest) if one.name not in ("id", "repository_id", "number")
)
LISTS = {"labels": tuple, "files": tuple, "commit_shas": frozenset}


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRows:
    """Satisfies `file_kinds.FileKind`."""

    policy: Policy

    def row(self, line: int, item: PullFacts) -> FileRow:
        values = {
            "repository": item.repository,
            "number": item.number,
            "values": {name: _plain(value) for name, value in item.values.items()},
        }
        return FileRow(line=line, state=RowState.READY, place=line, values=json.dumps(values))

    def check(self, tx: Transaction, one: FileImport, rows: Sequence[FileRow]) -> list[FileRow]:
        """Rows whose repository is not known are refused, unless it would be registered."""
        del one
        looking = replace(self.policy, register_unknown_repositories=False)
        named = {row.line: json.loads(row.values)["repository"] for row in rows}
        located = locate_repositories(tx, set(named.values()), looking)
        registers = self.policy.register_unknown_repositories
        return [
            _refused(row, found)
            if isinstance(found := located[named[row.line]], ShipmarkError) and not registers
            else row
            for row in rows
        ]

    def apply(self, tx: Transaction, one: FileImport, rows: Sequence[FileRow]) -> Applied:
        items = [_facts(row) for row in rows]
        looking = replace(self.policy, register_unknown_repositories=False)
        before = _known(tx, items, looking)
        results = record_pulls(tx, items, policy=self.policy)
        after = _known(tx, items, looking)
        ids = {key: pull.id for key, pull in after.items()}
        _note(tx, one, before, after)
        return Applied(
            rows=[
                _outcome(row, result, ids.get((item.repository, item.number)))
                for row, item, result in zip(rows, items, results, strict=True)
            ],
            effects=effects_of_transaction(tx, one),
        )

    def undo(self, tx: Transaction, one: FileImport, rows: Sequence[FileRow]) -> list[FileRow]:
        ids = {row.of_id for row in rows if row.of_id is not None}
        tx.repositories.lock({pull.repository_id for pull in tx.pulls.get(ids)}, exclusive=True)
        noted = tx.file_effects.on(one.id, Effect.PULL, ids)
        taken = [
            _taken_back(pull, noted[pull.id], force=one.force)
            for pull in tx.pulls.get(ids)
            # What rows changed to and fro within a chunk was never noted: it stands as it did.
            if pull.id in noted
        ]
        if gone := [each.pull for each in taken if each.restored is None and not each.left]:
            forget_pulls(tx, gone, policy=self.policy)
        back = [(each.pull, each.restored) for each in taken if each.restored is not None]
        keys = {(pull.repository_id, pull.number): (pull, restored) for pull, restored in back}
        now, then = ({key: pair[place] for key, pair in keys.items()} for place in (0, 1))
        save_pulls(tx, now, then, self.policy)
        tx.file_effects.save(one.id, [each.note for each in taken])
        kept = {each.pull.id for each in taken if each.left}
        return [_undone(row, kept) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class _TakenBack:
    """A pull request, the same without what an import changed, or None where there was none before;
    which facts are left because others changed them since; and what is then to take back of it."""

    pull: PullRequest
    restored: PullRequest | None
    left: Collection[str]
    note: EffectRow


def _taken_back(pull: PullRequest, noted: EffectRow, *, force: bool) -> _TakenBack:
    before, after = json.loads(noted.before or "[null, {}]")
    changed = {name for name, value in after.items() if _plain(getattr(pull, name)) != value}
    left = frozenset[str]() if force else frozenset(changed)
    if before is None:
        return _TakenBack(pull=pull, restored=None, left=left, note=noted)
    values = {name: _value(name, was) for name, was in before.items() if name not in left}
    # Other rows of it, undone later, take no more back: others may have changed it by then.
    rest = [{name: one[name] for name in left} for one in (before, after)]
    return _TakenBack(
        pull=pull,
        restored=replace(pull, **values),
        left=left,
        note=replace(noted, before=json.dumps(rest)),
    )


Named = tuple[str, int]


def _known(tx: Transaction, items: Sequence[PullFacts], policy: Policy) -> dict[Named, PullRequest]:
    located = locate_repositories(tx, [item.repository for item in items], policy)
    ids = {
        (item.repository, item.number): (found.id, item.number)
        for item in items
        if not isinstance(found := located[item.repository], ShipmarkError)
    }
    pulls = tx.pulls.by_number(set(ids.values()))
    return {named: pulls[key] for named, key in ids.items() if key in pulls}


def _note(
    tx: Transaction,
    one: FileImport,
    before: Mapping[Named, PullRequest],
    after: Mapping[Named, PullRequest],
) -> None:
    """What each fact that changed was before all of the import, and what it is now."""
    changed = {pull.id: (before.get(key), pull) for key, pull in after.items()}
    changed = {id_: pair for id_, pair in changed.items() if pair[0] != pair[1]}
    noted = tx.file_effects.on(one.id, Effect.PULL, changed.keys())
    effects = [
        EffectRow(
            effect=Effect.PULL, of_id=id_, before=json.dumps(_merged(noted.get(id_), was, now))
        )
        for id_, (was, now) in changed.items()
    ]
    tx.file_effects.save(one.id, [effect for effect in effects if effect.of_id in noted])
    tx.file_effects.add(one.id, effects)


def _merged(noted: EffectRow | None, was: PullRequest | None, now: PullRequest) -> list[Any]:
    before, after = json.loads(noted.before or "[null, {}]") if noted else ({}, {})
    if noted is None and was is None:
        before = None
    for name in FACTS:
        value = _plain(getattr(now, name))
        old = None if was is None else _plain(getattr(was, name))
        if was is None or old != value:
            after[name] = value
            if before is not None:
                before.setdefault(name, old)
    return [before, after]


def _plain(value: Any) -> Any:
    """A fact as JSON."""
    if isinstance(value, datetime):
        return (value - EPOCH) // MICROSECOND
    if isinstance(value, frozenset):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else value


def _value(name: str, plain: Any) -> Any:
    """The fact that JSON stands for."""
    if plain is None:
        return None
    if name in LISTS:
        return LISTS[name](plain)
    return EPOCH + MICROSECOND * plain if name.endswith("_at") else plain


def _facts(row: FileRow) -> PullFacts:
    stored = json.loads(row.values)
    values = {name: _value(name, value) for name, value in stored["values"].items()}
    return PullFacts(repository=stored["repository"], number=stored["number"], values=values)


def _refused(row: FileRow, error: ShipmarkError) -> FileRow:
    value = json.loads(row.values).get(error.argument or "")
    return replace(row, state=RowState.REFUSED, fault=fault_of(error, value))


def _outcome(row: FileRow, result: Change | ShipmarkError, id_: int | None) -> FileRow:
    if isinstance(result, ShipmarkError):
        return _refused(row, result)
    if result is Change.UNCHANGED:
        return replace(row, state=RowState.PRESENT)
    return replace(row, state=RowState.APPLIED, of_id=id_)


def _undone(row: FileRow, kept: Collection[int]) -> FileRow:
    return replace(row, state=RowState.KEPT if row.of_id in kept else RowState.UNDONE)
