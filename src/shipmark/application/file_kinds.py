"""What the steps of an import ask of the kind of its rows."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from shipmark.application.file_imports import (
    EffectRow,
    Fault,
    FileImport,
    FileRow,
    Kind,
    RowState,
)
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.domain.errors import InvalidArgument, ShipmarkError

LONGEST_VALUE = 200
LONGEST_MESSAGE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReader:
    """How the rows of one kind are read: the names of their columns, and from the cells of a row,
    by these names, to the item it means; or from the text of a JSON object to its cells. Reading
    raises the refusal the API would answer."""

    columns: tuple[str, ...]
    read: Callable[[Mapping[str, Any]], Any]
    read_json: Callable[[bytes], Mapping[str, Any]]
    template: str

    def check_mapping(self, mapping: Mapping[str, str]) -> None:
        """Raises InvalidArgument for a name that none of the columns has."""
        for ours in mapping:
            if ours not in self.columns:
                known = ", ".join(self.columns)
                raise InvalidArgument(f"map has '{ours}'; known are {known}.", argument="map")


RowReaders = Mapping[Kind, RowReader]


class Applied(NamedTuple):
    """Rows as they are once applied, and what that changed besides."""

    rows: list[FileRow]
    effects: list[EffectRow]


class FileKind(Protocol):
    """What can be done with rows of one kind."""

    @property
    def policy(self) -> Policy: ...

    def row(self, line: int, item: Any) -> FileRow:
        """An item as a row that can be stored."""

    def check(self, tx: Transaction, one: FileImport, rows: Sequence[FileRow]) -> list[FileRow]:
        """The rows with what can be told of them before they are applied. It only reads."""

    def apply(self, tx: Transaction, one: FileImport, rows: Sequence[FileRow]) -> Applied: ...

    def undo(self, tx: Transaction, one: FileImport, rows: Sequence[FileRow]) -> list[FileRow]:
        """Take back what rows added; the rows as they are then."""


def fault_of(error: ShipmarkError, value: object = None) -> Fault:
    """A refusal as it is reported of a row."""
    return Fault(
        code=error.code,
        message=storable(error.message, LONGEST_MESSAGE),
        column=error.argument and storable(error.argument, LONGEST_VALUE),
        value=None if value is None else storable(_written(value), LONGEST_VALUE),
    )


def _written(value: object) -> str:
    """A value as it can stand in a file: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def storable(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """What may quote a stranger's file, as text that either database takes."""
    shortened = text if len(text) <= longest else text[: longest - 3] + "..."
    return shortened.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def refused_row(line: int, error: ShipmarkError, value: object = None) -> FileRow:
    """A row that cannot be applied."""
    return FileRow(line=line, state=RowState.REFUSED, place=line, fault=fault_of(error, value))
