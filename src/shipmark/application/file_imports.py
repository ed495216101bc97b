"""Files to import: how far each has come, its rows, and what storage keeps of them.

The row of an import is the job. It goes forward in chunks, each in one transaction with what it
did, so that whoever goes on after a crash goes on where it stopped.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from shipmark.application.tokens import Scope

LEASE = timedelta(minutes=2)
"""How long an import stays with whoever works on it after each chunk; then another may go on."""


class Kind(StrEnum):
    """What the rows of a file are."""

    DEPLOYMENTS = "deployments"
    PULLS = "pulls"
    SERVICES = "services"


SCOPES: Mapping[Kind, Collection[Scope]] = {
    Kind.DEPLOYMENTS: (Scope.DEPLOYMENTS_WRITE,),
    Kind.PULLS: (Scope.PULLS_WRITE,),
    Kind.SERVICES: (Scope.DEPLOYMENTS_WRITE, Scope.PULLS_WRITE),
}
"""Who may import files: those with one of these scopes."""


class State(StrEnum):
    """How far an import has come."""

    UPLOADING = "uploading"
    UPLOADED = "uploaded"
    VALIDATING = "validating"
    VALIDATED = "validated"
    PREVIEWING = "previewing"
    APPLYING = "applying"
    APPLIED = "applied"
    UNDOING = "undoing"
    UNDONE = "undone"
    FAILED = "failed"


class RowState(StrEnum):
    """What became of a row."""

    READY = "ready"
    """It can be applied."""
    PRESENT = "present"
    """It was there already, with the same values."""
    DUPLICATE = "duplicate"
    """An earlier line says the same."""
    REFUSED = "refused"
    APPLIED = "applied"
    UNDONE = "undone"
    KEPT = "kept"
    """It was changed since it was applied, and is left as it is."""
    GONE = "gone"
    """It was deleted since it was applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileImport:
    """A file and how far its import has come.

    ``mapping`` says which column of the file is meant by one of our names. ``size`` is in bytes,
    unpacked; it has been read up to ``offset``, and ``line`` comes next. ``layout`` and ``cursor``
    belong to whoever works on it. ``counts`` are of its rows, by their state. ``version`` grows
    with every change.
    """

    id: int
    kind: Kind
    state: State
    filename: str | None
    account_id: int | None
    created_at: datetime
    changed_at: datetime
    due_at: datetime | None
    mapping: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    force: bool = False
    size: int = 0
    offset: int = 0
    line: int = 1
    layout: str | None = None
    cursor: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    error: str | None = None
    preview: str | None = None
    version: int = 0

    @property
    def progress(self) -> float | None:
        """How much of what is under way is done; 1 where nothing is. None: nobody knows of a
        preview, most of which is not about one row after the other."""
        if self.state is State.PREVIEWING:
            return None
        counts = self.counts
        done, all_ = 1, 1
        if self.state in (State.UPLOADED, State.VALIDATING):
            done, all_ = self.offset, self.size
        elif self.state is State.APPLYING:
            done = counts.get(RowState.APPLIED, 0)
            all_ = done + counts.get(RowState.READY, 0)
        elif self.state is State.UNDOING:
            taken_back = (RowState.UNDONE, RowState.KEPT, RowState.GONE)
            done = sum(counts.get(state, 0) for state in taken_back)
            all_ = done + counts.get(RowState.APPLIED, 0)
        return round(done / all_, 4) if all_ else 0.0

    def counted(self, changes: Mapping[str, int]) -> dict[str, int]:
        """The counts after so many rows more, or less, in each state."""
        names = {*self.counts, *changes}
        after = {name: self.counts.get(name, 0) + changes.get(name, 0) for name in names}
        return {name: count for name, count in sorted(after.items()) if count}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a row: a code of the API, and the column and value that are at fault."""

    code: str
    message: str
    column: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A row by the line it begins on. ``values`` is its normal form, as JSON text.

    Rows are applied in the order of ``place`` and ``reference_id``: deployments by when they were,
    in microseconds since 1970; all others by their lines. ``of_id`` is what it was stored as.
    """

    line: int
    state: RowState
    place: int = 0
    reference_id: str = ""
    values: str = ""
    fault: Fault | None = None
    of_id: int | None = None


class Effect(StrEnum):
    """What an import changed besides adding its rows. It is taken back in this order."""

    ASSIGNMENT = "assignment"
    PULL = "pull"
    """Pull requests are taken back with their rows; of them this only says how they were."""
    ATTRIBUTION = "attribution"
    LANE = "lane"
    SERVICE_NAME = "service_name"
    SERVICE = "service"
    REPOSITORY = "repository"


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRow:
    """What was changed, by its id, and how it was before, as JSON text; None: it was made."""

    effect: Effect
    of_id: int
    before: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFilter:
    """Which rows of an import; what is None does not matter."""

    state: RowState | None = None


class FileImports(Protocol):
    def add(self, new: FileImport) -> int: ...

    def get(self, import_id: int) -> FileImport | None: ...

    def newest(self, *, before: int | None, limit: int) -> Sequence[FileImport]:
        """The newest first, without those still on their way here."""

    def replace(self, before: FileImport, after: FileImport) -> bool:
        """Store it unless someone else did since it was read; whether it was stored."""

    def claim_due(self, *, lease_until: datetime) -> FileImport | None:
        """Take an import that is due, so that no other worker does until then."""

    def delete(self, import_id: int) -> None:
        """Forget an import that has no rows yet, with its parts."""

    def add_part(self, import_id: int, offset: int, packed: bytes) -> None: ...

    def part_at(self, import_id: int, offset: int) -> tuple[int, bytes] | None:
        """The part that an offset lies in, and the offset at which it begins."""

    def add_rows(self, import_id: int, rows: Sequence[FileRow]) -> None: ...

    def named(self, import_id: int, reference_ids: Collection[str]) -> dict[str, FileRow]:
        """Rows, by their reference_id, that can be applied or need not be."""

    def ready(self, import_id: int, *, after: tuple[int, str], limit: int) -> Sequence[FileRow]:
        """The next rows to apply, in order: also those that were there when they were read, which
        may be gone by now."""

    def applied(
        self,
        import_id: int,
        *,
        before: tuple[int, str] | None,
        limit: int,
        also_kept: bool,
    ) -> Sequence[FileRow]:
        """The next rows that were applied, the last first."""

    def save_rows(self, import_id: int, rows: Sequence[FileRow]) -> None:
        """Store the state, the fault and what they were stored as of rows."""

    def rows(
        self, import_id: int, which: RowFilter, *, after: int, limit: int
    ) -> Sequence[FileRow]:
        """Rows behind a line, by their lines."""

    def span(self, import_id: int) -> tuple[datetime, datetime] | None:
        """When the first and the last of the deployments were that are ready to be applied."""

    def faults(self, import_id: int) -> Mapping[str, int]:
        """How many rows were refused with each code."""


class FileEffects(Protocol):
    """What importing a file changed besides adding its rows."""

    def add(self, import_id: int, effects: Sequence[EffectRow]) -> None:
        """Note what was changed; of the same thing, the first note stays."""

    def save(self, import_id: int, effects: Sequence[EffectRow]) -> None:
        """Store what is noted of how things were before."""

    def on(self, import_id: int, effect: Effect, ids: Collection[int]) -> dict[int, EffectRow]:
        """What is noted of these."""

    def page(
        self, import_id: int, effect: Effect, *, after: int, limit: int
    ) -> Sequence[EffectRow]:
        """The next of what is noted, by ids."""

    def delete_unused(self, effect: Effect, ids: Collection[int]) -> None:
        """Delete those of these lanes, services or repositories that nothing refers to. Imports
        that use one of the others are noted to have made it: the last to be undone deletes it."""

    def give_back_names(self, names: Mapping[int, tuple[str, str]]) -> None:
        """Call services as they were called before, if they are still called as they were then."""


def effects_of(effect: Effect, ids: Collection[int]) -> list[EffectRow]:
    """The note that these were made."""
    return [EffectRow(effect=effect, of_id=one) for one in sorted(ids)]
