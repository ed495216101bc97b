"""The steps of an import: each does a chunk and stores where it then stands, in a transaction."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from shipmark.application.file_effects import effects_of_attributing, take_back
from shipmark.application.file_imports import (
    LEASE,
    Effect,
    FileImport,
    FileRow,
    RowState,
    State,
)
from shipmark.application.file_kinds import FileKind, storable
from shipmark.application.ports import Transaction
from shipmark.domain.errors import ImportNotFound, ImportNotReady, TransactionConflict

ROWS_AT_ONCE = 250
"""How many rows are applied, or undone, in one transaction, which others wait for."""

EFFECTS = tuple(Effect)
FIRST = (-(2**62), "")
"""Comes before every row."""


class MovedOn(Exception):
    """Somebody else went on with the import, or its owner wants something else of it."""


def found(tx: Transaction, import_id: int) -> FileImport:
    """The import with this id. Raises ImportNotFound."""
    one = tx.file_imports.get(import_id)
    if one is None or one.state is State.UPLOADING:
        raise ImportNotFound(f"There is no import with id {import_id}.", argument="id")
    return one


def claim_due(tx: Transaction) -> FileImport | None:
    """Take an import that is due."""
    return tx.file_imports.claim_due(lease_until=tx.now + LEASE)


def move(tx: Transaction, before: FileImport, after: FileImport) -> FileImport:
    """Store where an import stands. Raises MovedOn if that is not where it stood."""
    if not tx.file_imports.replace(before, after):
        raise MovedOn
    return replace(after, version=before.version + 1, changed_at=tx.now)


def ask(tx: Transaction, before: FileImport, after: FileImport) -> FileImport:
    """Store what is wanted of an import. That somebody works on it is no reason to refuse: it is
    then looked at again."""
    if not tx.file_imports.replace(before, after):
        raise TransactionConflict("Somebody went on with the import at the same moment.")
    return replace(after, version=before.version + 1, changed_at=tx.now)


def hold(tx: Transaction, one: FileImport) -> FileImport:
    """Keep everyone else from going on with an import, and have it for some time to come."""
    return move(tx, one, replace(one, due_at=tx.now + LEASE))


def fail(tx: Transaction, one: FileImport, why: str) -> FileImport:
    """Leave an import as it is, and say why it cannot go on. A preview is not needed for that."""
    state = State.VALIDATED if one.state is State.PREVIEWING else State.FAILED
    return move(tx, one, replace(one, state=state, error=storable(why), due_at=None))


def give_back(tx: Transaction, one: FileImport) -> FileImport:
    """Let any worker go on with an import now."""
    return move(tx, one, replace(one, due_at=tx.now))


# Validating


def lay_out(
    tx: Transaction,
    one: FileImport,
    *,
    layout: str,
    offset: int,
    line: int,
    warnings: Sequence[str],
) -> FileImport:
    """Keep how the file is laid out, and where its records begin."""
    return move(
        tx,
        one,
        replace(
            one,
            state=State.VALIDATING,
            layout=layout,
            offset=offset,
            line=line,
            warnings=tuple(warnings),
            due_at=tx.now + LEASE,
        ),
    )


def add_rows(
    tx: Transaction,
    one: FileImport,
    rows: Sequence[FileRow],
    *,
    offset: int,
    line: int,
    warnings: Sequence[str],
    is_last: bool,
) -> FileImport:
    """Store rows that were read, and where reading goes on."""
    held = hold(tx, one)
    tx.file_imports.add_rows(one.id, [_by_its_columns(one, row) for row in rows])
    return move(
        tx,
        held,
        replace(
            held,
            state=State.VALIDATED if is_last else State.VALIDATING,
            offset=offset,
            line=line,
            warnings=tuple(warnings),
            counts=held.counted(_states(rows)),
            due_at=None if is_last else tx.now + LEASE,
        ),
    )


def _by_its_columns(one: FileImport, row: FileRow) -> FileRow:
    """A row whose fault names the column as the file does, which may have a name of its own."""
    fault = row.fault
    if fault is None or fault.column is None or fault.column not in one.mapping:
        return row
    return replace(row, fault=replace(fault, column=storable(one.mapping[fault.column])))


def _states(rows: Iterable[FileRow]) -> Counter[str]:
    return Counter(row.state for row in rows)


# Previewing


def begin_previewing(tx: Transaction, import_id: int) -> FileImport:
    """Have it worked out what applying an import would do. Raises ImportNotReady."""
    one = found(tx, import_id)
    if one.state is State.PREVIEWING:
        return one
    if one.state is not State.VALIDATED:
        raise ImportNotReady(
            f"The import is {one.state}; only one that is validated can be previewed."
        )
    previewing = replace(one, state=State.PREVIEWING, preview=None, error=None, due_at=tx.now)
    return ask(tx, one, previewing)


def save_preview(tx: Transaction, one: FileImport, preview: str) -> FileImport:
    """Keep what applying it would do."""
    return move(tx, one, replace(one, state=State.VALIDATED, preview=preview, due_at=None))


# Applying


def begin_applying(tx: Transaction, import_id: int, *, strict: bool = False) -> FileImport:
    """Have an import applied, ``strict``: as a whole or not at all. One that is applied, or is
    being, stays as it is. Raises ImportNotReady."""
    one = found(tx, import_id)
    if one.state in (State.APPLYING, State.APPLIED):
        return one
    if one.state not in (State.VALIDATED, State.PREVIEWING):
        raise ImportNotReady(
            f"The import is {one.state}; only one that is validated can be applied."
            + (" Send the file again." if one.state is State.UNDONE else "")
        )
    refused = one.counts.get(RowState.REFUSED, 0)
    strict = strict or one.strict
    if strict and refused:
        raise ImportNotReady(
            f"{refused} {'row is' if refused == 1 else 'rows are'} refused, and the import is "
            "strict: it is applied as a whole or not at all. imports.rows has what is wrong."
        )
    applying = replace(one, state=State.APPLYING, strict=strict, cursor=None, due_at=tx.now)
    return ask(tx, one, applying)


def apply_rows(tx: Transaction, one: FileImport, kind: FileKind) -> FileImport:
    """Apply the next rows. The import is applied when there are none."""
    held = hold(tx, one)
    after = FIRST if one.cursor is None else _place(one.cursor)
    rows = tx.file_imports.ready(one.id, after=after, limit=ROWS_AT_ONCE)
    if not rows:
        return move(tx, held, replace(held, state=State.APPLIED, cursor=None, due_at=None))
    done, effects = kind.apply(tx, one, rows)
    tx.file_imports.save_rows(one.id, [_by_its_columns(one, row) for row in done])
    tx.file_effects.add(one.id, effects)
    applied = replace(held, counts=_moved(held, rows, done), cursor=_cursor(rows[-1]))
    refused = next((row for row in done if row.state is RowState.REFUSED), None)
    if one.strict and refused is not None:
        applied = replace(
            applied,
            state=State.UNDOING,
            cursor=None,
            error=f"Line {refused.line}: {refused.fault and refused.fault.message} "
            "The import is strict, so nothing of it was kept.",
        )
    return move(tx, held, applied)


def _moved(
    one: FileImport, before: Sequence[FileRow], after: Sequence[FileRow]
) -> Mapping[str, int]:
    changes = _states(after)
    changes.subtract(_states(before))
    return one.counted(changes)


def _cursor(row: FileRow) -> str:
    return json.dumps([row.place, row.reference_id])


def _place(cursor: str) -> tuple[int, str]:
    place, reference_id = json.loads(cursor)
    return place, reference_id


# Undoing


def begin_undoing(tx: Transaction, import_id: int, *, force: bool) -> FileImport:
    """Have what an import added taken back. ``force``: also what was changed since.

    One that is, or is being, taken back stays as it is. Raises ImportNotReady.
    """
    one = found(tx, import_id)
    left = one.counts.get(RowState.APPLIED, 0) + (force and one.counts.get(RowState.KEPT, 0))
    if one.state in (State.UNDONE, State.UNDOING) and not (force and left and not one.force):
        return one
    if one.state not in (
        *(State.APPLYING, State.APPLIED, State.FAILED),
        *(State.UNDOING, State.UNDONE),
    ):
        raise ImportNotReady(f"The import is {one.state}: there is nothing to undo.")
    undoing = replace(one, state=State.UNDOING, cursor=None, force=force, error=None, due_at=tx.now)
    return ask(tx, one, undoing)


def undo_rows(tx: Transaction, one: FileImport, kind: FileKind) -> FileImport:
    """Take back the rows that were applied last; once there are none, what else was changed."""
    held = hold(tx, one)
    cursor = json.loads(one.cursor) if one.cursor else None
    if cursor and cursor[0] == "effects":
        return _take_back(tx, held, kind, cursor[1], cursor[2])
    rows = tx.file_imports.applied(
        one.id,
        before=(cursor[1], cursor[2]) if cursor else None,
        limit=ROWS_AT_ONCE,
        also_kept=one.force,
    )
    if not rows:
        return _take_back(tx, held, kind, 0, 0)
    done = kind.undo(tx, one, rows)
    tx.file_imports.save_rows(one.id, done)
    tx.file_effects.add(one.id, effects_of_attributing(tx))
    last = rows[-1]
    after = replace(
        held,
        counts=_moved(held, rows, done),
        cursor=json.dumps(["rows", last.place, last.reference_id]),
    )
    return move(tx, held, after)


def _take_back(
    tx: Transaction, held: FileImport, kind: FileKind, number: int, after: int
) -> FileImport:
    """Take back the next changes, those of one effect after those of another."""
    while number < len(EFFECTS):
        noted = tx.file_effects.page(held.id, EFFECTS[number], after=after, limit=ROWS_AT_ONCE)
        if noted:
            take_back(tx, noted, kind.policy)
            tx.file_effects.add(held.id, effects_of_attributing(tx))
            cursor = json.dumps(["effects", number, noted[-1].of_id])
            return move(tx, held, replace(held, cursor=cursor))
        number, after = number + 1, 0
    state = State.FAILED if held.error else State.UNDONE
    return move(tx, held, replace(held, state=state, cursor=None, due_at=None))
