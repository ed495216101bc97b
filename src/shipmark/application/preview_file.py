"""What applying a file would do: the engine run on a copy of the facts, and the two compared."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from shipmark.application.file_imports import LEASE, FileImport, FileRow, Kind, RowState
from shipmark.application.file_kinds import FileKind
from shipmark.application.file_steps import FIRST, MovedOn, give_back, hold, save_preview
from shipmark.application.queries import ReadTransaction
from shipmark.application.validate_file import Write, stepped
from shipmark.application.writer import Database, tried
from shipmark.domain.errors import ReferenceIdExists

ROWS_AT_ONCE = 1000
MOST_EXAMPLES = 1000

LAST_YEAR = timedelta(days=365)
"""Metrics are told of no more than this, at the end of the time that a file is about: a time
without end would take a memory without end."""

Measure = Callable[[ReadTransaction, datetime, datetime], Mapping[str, Any]]
"""Figures of the facts as they are, from an instant to before another, which a preview shows before
and after."""


class Scratch(Protocol):
    """A copy of the facts to try things on, that is thrown away."""

    @property
    def database(self) -> Database: ...

    def remember(self) -> None:
        """What is shipped now is what the comparison begins with."""

    def compare(self, *, examples: int) -> Mapping[str, Any]:
        """What is different since: per service, and which pull requests moved."""


CopyFacts = Callable[[Callable[[], None]], AbstractContextManager[Scratch]]
"""Copies the facts as of one moment, and calls what it is given again and again meanwhile."""


class Preview:
    """The preview of one import. It stores nothing but its result; who dies begins again."""

    def __init__(
        self,
        database: Database,
        copy_facts: CopyFacts,
        kind: FileKind,
        *,
        write: Write,
        measure: Measure,
        is_time_to_stop: Callable[[], bool],
    ) -> None:
        self._database = database
        self._copy_facts = copy_facts
        self._kind = kind
        self._write = write
        self._measure = measure
        self._is_time_to_stop = is_time_to_stop

    def step(self, one: FileImport) -> FileImport:
        """Work it all out; where the import then stands."""
        kept = _Kept(one, self._write, self._is_time_to_stop)
        try:
            preview = self._worked_out(kept)
        except Stopped:
            self._write(partial(give_back, one=kept.one))
            raise MovedOn from None
        stored = partial(save_preview, one=kept.one, preview=json.dumps(preview))
        return stepped(self._write, stored)

    def _worked_out(self, kept: "_Kept") -> dict[str, Any]:
        one = kept.one
        since, until = tried(self._database.read, partial(_time_of, one=one))
        measure = partial(self._measured, since=since, until=until)
        with self._copy_facts(kept.keep) as scratch:
            scratch.remember()
            before = tried(scratch.database.read, measure)
            states = self._apply(scratch, kept)
            found = scratch.compare(examples=MOST_EXAMPLES)
            after = tried(scratch.database.read, measure)
        faults = tried(self._database.read, lambda tx: tx.file_imports.faults(one.id))
        return {
            "rows": _told(one, states, faults),
            **found,
            "metrics": {
                "since": _shown(since),
                "until": _shown(until),
                "before": before,
                "after": after,
            },
        }

    def _measured(
        self, tx: ReadTransaction, *, since: datetime, until: datetime
    ) -> Mapping[str, Any]:
        return self._measure(tx, since, until)

    def _apply(self, scratch: Scratch, kept: "_Kept") -> dict[str, int]:
        """Apply all rows to the copy; how many came to which state."""
        states: dict[str, int] = {}
        after = FIRST
        while rows := tried(
            self._database.read,
            partial(_ready, import_id=kept.one.id, after=after),
        ):
            kept.keep()
            with scratch.database.write() as tx:
                for row in self._kind.apply(tx, kept.one, rows).rows:
                    states[row.state] = states.get(row.state, 0) + 1
            after = rows[-1].place, rows[-1].reference_id
        return states


class _Kept:
    """An import that stays with whoever works on it, however long that takes."""

    def __init__(self, one: FileImport, write: Write, is_time_to_stop: Callable[[], bool]) -> None:
        self.one = one
        self._write = write
        self._is_time_to_stop = is_time_to_stop
        self._since = time.monotonic()

    def keep(self) -> None:
        """Raises Stopped if it is time to stop."""
        if self._is_time_to_stop():
            raise Stopped
        if time.monotonic() - self._since > LEASE.total_seconds() / 4:
            self.one = self._write(partial(hold, one=self.one))
            self._since = time.monotonic()


class Stopped(Exception):
    """It was time to stop."""


def _ready(tx: ReadTransaction, *, import_id: int, after: tuple[int, str]) -> list[FileRow]:
    return list(tx.file_imports.ready(import_id, after=after, limit=ROWS_AT_ONCE))


def _time_of(tx: ReadTransaction, *, one: FileImport) -> tuple[datetime, datetime]:
    """The time that the deployments of a file are from, or else the last year: from a day to a
    year."""
    span = tx.file_imports.span(one.id) if one.kind is Kind.DEPLOYMENTS else None
    first, last = span or (tx.now - LAST_YEAR, tx.now)
    # A day at least: how often a day, a shorter time does not tell.
    until = max(last + timedelta(seconds=1), first + timedelta(days=1))
    return max(first, until - LAST_YEAR), until


def _shown(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _told(one: FileImport, states: Mapping[str, int], faults: Mapping[str, int]) -> dict[str, int]:
    """What would become of the rows. Conflicting ones are refused, too."""
    refused = one.counts.get(RowState.REFUSED, 0) + states.get(RowState.REFUSED, 0)
    return {
        "new": states.get(RowState.APPLIED, 0),
        "present": states.get(RowState.PRESENT, 0),
        "duplicate": one.counts.get(RowState.DUPLICATE, 0),
        "refused": refused,
        "conflicting": faults.get(ReferenceIdExists.code, 0),
    }
