"""The background work of importing files."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from shipmark.application.file_imports import FileImport, Kind, State
from shipmark.application.file_kinds import FileKind, RowReaders
from shipmark.application.file_steps import (
    MovedOn,
    apply_rows,
    claim_due,
    fail,
    found,
    give_back,
    undo_rows,
)
from shipmark.application.preview_file import CopyFacts, Measure, Preview
from shipmark.application.queries import ReadTransaction
from shipmark.application.upload_file import abandon
from shipmark.application.validate_file import Validation, Write, stepped
from shipmark.application.writer import Database, Work, Writer, one_by_one, transact
from shipmark.domain.errors import (
    ImportNotFound,
    ShipmarkError,
    TransactionConflict,
    Unavailable,
)

log = logging.getLogger(__name__)


def _run(tx: ReadTransaction, run: Callable[[ReadTransaction], Any]) -> Any:
    return run(tx)


CHUNKS: Work[Callable[[ReadTransaction], Any], Any] = one_by_one(_run)
"""Chunks of imports, as the writer takes them: what waits with one comes next."""


def by_writer(writer: Writer) -> Write:
    """Write as everything else in the process does, so that no write waits for two chunks."""
    return lambda run: writer.submit(CHUNKS, run).result()


def by_turns(database: Database, pause: Callable[[float], object] = time.sleep) -> Write:
    """Write directly, and leave the database to others for a while after each chunk: who waits
    for SQLite's lock does not wait in a queue, and would hardly ever find it free."""

    def write(run: Callable[[ReadTransaction], Any]) -> Any:
        began = time.monotonic()
        result = transact(database, run)
        pause(min(LONGEST_TURN, (time.monotonic() - began) / 4))
        return result

    return write


LONGEST_TURN = 0.1
"""Seconds."""

UNFORESEEN = (
    "Something went wrong here; the server's log says what. What was applied can be undone."
)


@dataclass(kw_only=True)
class FileImporter:
    """Goes on with imports that are due. Several may run, in one process or in many."""

    database: Database
    readers: RowReaders
    kinds: Mapping[Kind, FileKind]
    write: Write
    copy_facts: CopyFacts
    measure: Measure
    stopping: threading.Event = field(default_factory=threading.Event)

    def work_once(self) -> int:
        """Go on with one import that is due, as far as it goes; how many steps that were."""
        claimed = self.write(claim_due)
        return 0 if claimed is None else self.work_on(claimed)

    def work_on(self, one: FileImport, *, most_steps: int | None = None) -> int:
        """Go on with an import that was claimed, until nothing is due or it is time to stop."""
        steps = 0
        try:
            at_work = self._begin(one)
            while one.due_at is not None and steps != most_steps and not self.stopping.is_set():
                was, one = one.state, at_work(one)
                steps += 1
                if one.state is not was:
                    log.info("import", extra=_about(one))
                    at_work = self._begin(one)
            if one.due_at is not None:
                self.write(partial(give_back, one=one))
        except MovedOn:
            log.info("someone else goes on with the import", extra=_about(one))
        except (TransactionConflict, Unavailable):
            raise  # Another attempt, when the import is due again, may do.
        except Exception as error:
            log.exception("an import met an error", extra=_about(one))
            why = error.message if isinstance(error, ShipmarkError) else UNFORESEEN
            with suppress(MovedOn, ImportNotFound):
                self.write(partial(_fail_where_it_stands, import_id=one.id, why=why))
        return steps

    def _begin(self, one: FileImport) -> Callable[[FileImport], FileImport]:
        """What takes an import in its state one step further."""
        kind = self.kinds[one.kind]
        if one.state is State.UPLOADING:
            return self._abandon
        if one.state in (State.UPLOADED, State.VALIDATING):
            validation = Validation(self.database, one, self.readers[one.kind], kind)
            return partial(validation.step, write=self.write)
        if one.state is State.PREVIEWING:
            return self._preview(kind).step
        if one.state is State.UNDOING:
            return lambda at: stepped(self.write, partial(undo_rows, one=at, kind=kind))
        return lambda at: stepped(self.write, partial(apply_rows, one=at, kind=kind))

    def _preview(self, kind: FileKind) -> Preview:
        return Preview(
            self.database,
            self.copy_facts,
            kind,
            write=self.write,
            measure=self.measure,
            is_time_to_stop=self.stopping.is_set,
        )

    def _abandon(self, one: FileImport) -> FileImport:
        """What was not sent to its end, and will not be any more, is forgotten."""
        self.write(partial(abandon, import_id=one.id))
        raise MovedOn


def _fail_where_it_stands(tx: ReadTransaction, *, import_id: int, why: str) -> FileImport:
    return fail(tx, found(tx, import_id), why)


def _about(one: FileImport) -> dict[str, object]:
    return {"import": one.id, "state": one.state, **one.counts}
