"""Rows that assign services to pull requests: the same as deployments.setPullServices."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from shipmark.application.file_effects import effects_of_transaction
from shipmark.application.file_imports import FileImport, FileRow, RowState
from shipmark.application.file_kinds import Applied, fault_of
from shipmark.application.locate import locate_repositories
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.set_services import Assignment, set_services
from shipmark.domain.errors import RepoNotFound, ShipmarkError


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRows:
    """Satisfies `file_kinds.FileKind`. Assignments are a log: what was noted of it is what undoing
    goes by, not the rows."""

    policy: Policy

    def row(self, line: int, item: Assignment) -> FileRow:
        values = json.dumps(asdict(item))
        return FileRow(line=line, state=RowState.READY, place=line, values=values)

    def check(self, tx: Transaction, one: FileImport, rows: Sequence[FileRow]) -> list[FileRow]:
        """Rows whose repository is not known are refused, unless it would be registered."""
        del one
        if self.policy.register_unknown_repositories:
            return list(rows)
        named = {row.line: json.loads(row.values)["repository"] for row in rows}
        located = locate_repositories(tx, {name for name in named.values() if name}, self.policy)
        return [
            _refused(row, RepoNotFound(found.message, argument="repository"))
            if isinstance(found := located.get(named[row.line]), ShipmarkError)
            else row
            for row in rows
        ]

    def apply(self, tx: Transaction, one: FileImport, rows: Sequence[FileRow]) -> Applied:
        done = [self._applied(tx, row) for row in rows]
        return Applied(rows=done, effects=effects_of_transaction(tx, one))

    def _applied(self, tx: Transaction, row: FileRow) -> FileRow:
        values = json.loads(row.values)
        services = tuple((identifier, name) for identifier, name in values.pop("services"))
        try:
            set_services(tx, Assignment(services=services, **values), policy=self.policy)
        except ShipmarkError as error:
            return _refused(row, error)
        return replace(row, state=RowState.APPLIED)

    def undo(self, tx: Transaction, one: FileImport, rows: Sequence[FileRow]) -> list[FileRow]:
        del tx, one
        return [replace(row, state=RowState.UNDONE) for row in rows]


def _refused(row: FileRow, error: ShipmarkError) -> FileRow:
    value = json.loads(row.values).get(error.argument or "")
    return replace(row, state=RowState.REFUSED, fault=fault_of(error, value))
