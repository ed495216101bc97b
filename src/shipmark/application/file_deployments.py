"""Rows that are deployments: checked, registered as any other, and taken back."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shipmark.application.change import delete_locked
from shipmark.application.drafts import Registration, draft, validate
from shipmark.application.file_effects import effects_of_transaction
from shipmark.application.file_imports import (
    FileImport,
    FileRow,
    RowState,
)
from shipmark.application.file_kinds import Applied, fault_of
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.register import (
    Result,
    exists_with_other_values,
    lock_repositories,
    register_noting,
)
from shipmark.domain.errors import RepositoryNotFound, ShipmarkError
from shipmark.domain.model import Deployment

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DEFAULTS = {one.name: one.default for one in fields(Registration) if one.default is not MISSING}

DERIVED = "row-"
"""What the reference_id of a row begins with that has none of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRows:
    """Satisfies `file_kinds.FileKind`."""

    policy: Policy

    def row(self, line: int, item: Registration) -> FileRow:
        values = _values(item)
        reference_id = item.reference_id or derived_reference_id(values)
        return FileRow(
            line=line,
            state=RowState.READY,
            place=values["deployed_at"],
            reference_id=reference_id,
            values=json.dumps(values | {"reference_id": reference_id}, ensure_ascii=False),
        )

    def check(self, tx: Transaction, one: FileImport, rows: Sequence[FileRow]) -> list[FileRow]:
        """Look up what rows name, and tell those of one reference_id apart: the first that is right
        is the one; what follows says the same, or is refused."""
        accepted = tx.file_imports.named(one.id, {row.reference_id for row in rows})
        checked: list[FileRow] = []
        waiting = list(rows)
        while waiting:
            first: dict[str, FileRow] = {}
            others = []
            for row in waiting:
                if row.reference_id in accepted:
                    checked.append(_repeated(row, accepted[row.reference_id]))
                elif row.reference_id in first:
                    others.append(row)
                else:
                    first[row.reference_id] = row
            for row in self._looked_up(tx, list(first.values())):
                checked.append(row)
                if row.fault is None:
                    accepted[row.reference_id] = row
            waiting = others
        return checked

    def _looked_up(self, tx: Transaction, rows: Sequence[FileRow]) -> list[FileRow]:
        registrations = [_registration(row) for row in rows]
        # Here nothing is made: what would be made is no reason to refuse.
        looking = replace(self.policy, register_unknown_repositories=False)
        drafts = draft(tx, registrations, policy=looking)
        known = tx.deployments.by_reference_ids({row.reference_id for row in rows})
        new = [d for d in drafts if isinstance(d, Deployment) and d.reference_id not in known]
        refused = validate(tx, new, policy=self.policy)
        return [
            self._told(tx, row, drafted, known.get(row.reference_id), refused)
            for row, drafted in zip(rows, drafts, strict=True)
        ]

    def _told(
        self,
        tx: Transaction,
        row: FileRow,
        drafted: Deployment | ShipmarkError,
        known: Deployment | None,
        refused: Mapping[str, ShipmarkError],
    ) -> FileRow:
        if isinstance(drafted, ShipmarkError):
            return row if self._would_be_made(tx, row, drafted) else _refused(row, drafted)
        if row.reference_id in refused:
            return _refused(row, refused[row.reference_id])
        if known is None:
            return row
        if drafted.registers_the_same_as(known):
            return replace(row, state=RowState.PRESENT)
        return _refused(row, exists_with_other_values(row.reference_id))

    def _would_be_made(self, tx: Transaction, row: FileRow, error: ShipmarkError) -> bool:
        """Whether what is not known is registered as soon as a row names it."""
        if not (
            isinstance(error, RepositoryNotFound) and self.policy.register_unknown_repositories
        ):
            return False
        name = json.loads(row.values).get("repository", "")
        return not tx.repositories.named({name})[name]

    def apply(self, tx: Transaction, one: FileImport, rows: Sequence[FileRow]) -> Applied:
        registrations = [_registration(row, one.account_id) for row in rows]
        noted = register_noting(tx, registrations, policy=self.policy)
        return Applied(
            rows=[
                _outcome(row, result, noted.added)
                for row, result in zip(rows, noted.results, strict=True)
            ],
            effects=effects_of_transaction(tx, one, made=noted.added),
        )

    def undo(self, tx: Transaction, one: FileImport, rows: Sequence[FileRow]) -> list[FileRow]:
        known = tx.deployments.get({row.of_id for row in rows if row.of_id is not None})
        lock_repositories(tx, known.values())
        there = tx.deployments.lock(known.keys())
        kept = {} if one.force else {i: d for i, d in there.items() if _is_changed(d)}
        gone = {id_: deployment for id_, deployment in there.items() if id_ not in kept}
        if gone:
            delete_locked(tx, gone, policy=self.policy)
        return [_undone(row, kept, gone) for row in rows]


def _values(item: Registration) -> dict[str, Any]:
    """What a row says, in normal form: only what differs from what is understood without it."""
    values = {
        one.name: getattr(item, one.name)
        for one in fields(item)
        if one.name != "account_id" and getattr(item, one.name) != DEFAULTS.get(one.name)
    }
    values["deployed_at"] = (item.deployed_at - EPOCH) // MICROSECOND
    return values


def derived_reference_id(values: Mapping[str, Any]) -> str:
    """The reference_id of a row without one: the same for all that say the same."""
    return DERIVED + hashlib.sha256(_meaning(values).encode()).hexdigest()[:32]


def _meaning(values: Mapping[str, Any]) -> str:
    """What is the same for two rows that register the same, as far as it can be told unseen."""
    meant = {name: value for name, value in values.items() if name != "service_name"}
    if "repository" in meant:
        meant["repository"] = meant["repository"].casefold()
    if "merge_commit_shas" in meant:
        meant["merge_commit_shas"] = sorted(meant["merge_commit_shas"])
    return json.dumps(meant, sort_keys=True, separators=(",", ":"))


def _repeated(row: FileRow, first: FileRow) -> FileRow:
    if _meaning(json.loads(row.values)) == _meaning(json.loads(first.values)):
        return replace(row, state=RowState.DUPLICATE)
    refusal = exists_with_other_values(row.reference_id)
    refusal.message = (
        f"Line {first.line} has the reference_id '{row.reference_id}' with other values already. "
        "A reference_id stands for one deployment."
    )
    return _refused(row, refusal)


def _registration(row: FileRow, account_id: int | None = None) -> Registration:
    values = json.loads(row.values)
    values["deployed_at"] = EPOCH + MICROSECOND * values["deployed_at"]
    if "merge_commit_shas" in values:
        values["merge_commit_shas"] = tuple(values["merge_commit_shas"])
    return Registration(**values, account_id=account_id)


def _refused(row: FileRow, error: ShipmarkError) -> FileRow:
    value = json.loads(row.values).get(error.argument or "")
    return replace(row, state=RowState.REFUSED, fault=fault_of(error, value))


def _outcome(row: FileRow, result: Result, added: Collection[int]) -> FileRow:
    if isinstance(result, ShipmarkError):
        return _refused(row, result)
    if result.deployment.id not in added:
        return replace(row, state=RowState.PRESENT)
    return replace(row, state=RowState.APPLIED, of_id=result.deployment.id)


def _is_changed(deployment: Deployment) -> bool:
    """Whether someone changed it since it was registered."""
    return deployment.updated_at != deployment.created_at


def _undone(row: FileRow, kept: Collection[int], gone: Collection[int]) -> FileRow:
    if row.of_id in kept:
        return replace(row, state=RowState.KEPT)
    return replace(row, state=RowState.UNDONE if row.of_id in gone else RowState.GONE)
