"""Take a file in: part by part while it comes, and nothing of it if it breaks off."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shipmark.application.file_imports import LEASE, FileImport, Kind, State
from shipmark.application.file_steps import MovedOn, move
from shipmark.application.ports import Transaction
from shipmark.domain.errors import InvalidFile, RequiredParamsMissing


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is said of a file before it comes. ``mapping`` is from our names to the file's."""

    kind: Kind
    filename: str | None = None
    account_id: int | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False


def begin(tx: Transaction, upload: Upload) -> FileImport:
    """Begin to take a file. Nobody sees it until it is whole."""
    one = FileImport(
        id=0,
        kind=upload.kind,
        state=State.UPLOADING,
        filename=upload.filename,
        account_id=upload.account_id,
        mapping=dict(upload.mapping),
        strict=upload.strict,
        created_at=tx.now,
        changed_at=tx.now,
        due_at=tx.now + LEASE,
    )
    return replace(one, id=tx.file_imports.add(one))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The next part of a file; ``size`` is before it was packed."""

    of: FileImport
    size: int
    packed: bytes


def add_part(tx: Transaction, part: Part) -> FileImport:
    """Store the next part."""
    one = part.of
    after = _still_wanted(tx, one, replace(one, size=one.size + part.size, due_at=tx.now + LEASE))
    tx.file_imports.add_part(one.id, one.size, part.packed)
    return after


def finish(tx: Transaction, one: FileImport) -> FileImport:
    """The file is whole: it is read as soon as a worker comes to it.

    Raises RequiredParamsMissing for an empty one.
    """
    if not one.size:
        raise RequiredParamsMissing("There is no file, or it is empty.")
    return _still_wanted(tx, one, replace(one, state=State.UPLOADED, due_at=tx.now))


def _still_wanted(tx: Transaction, before: FileImport, after: FileImport) -> FileImport:
    """Raises InvalidFile if the file was given up, because nothing of it came for too long."""
    try:
        return move(tx, before, after)
    except MovedOn:
        raise InvalidFile("The file came too slowly, and was given up. Send it again.") from None


def abandon(tx: Transaction, import_id: int) -> None:
    """Forget a file that did not come to its end."""
    tx.file_imports.delete(import_id)
