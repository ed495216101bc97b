"""What the use cases ask of storage about forges: imports from them, and what they told."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shipmark.application.deliveries import Delivery
from shipmark.domain.events import SourceEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeImport:
    """How far the import of a repository from its forge has come.

    A run brings all there is since an instant (None: ever). It began at ``started_at`` (None: there
    is none under way) and goes on from ``cursor``; ``finished_at`` is when the last one ended.
    ``attempts`` in vain and their ``error`` are those since the last page. ``reads`` is what the
    run reads besides, as it was when it began (see `import_scope`); ``has_read``, what the last one
    did.
    """

    repository_id: int
    due_at: datetime
    since: datetime | None = None
    cursor: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: int = 0
    error: str | None = None
    reads: frozenset[str] = frozenset()
    has_read: frozenset[str] = frozenset()


class ForgeImports(Protocol):
    def get(self, repository_ids: Collection[int]) -> dict[int, ForgeImport]: ...

    def find_or_add(self, repository_id: int) -> ForgeImport:
        """The import of a repository; a new one is due now."""

    def replace(self, before: ForgeImport, after: ForgeImport) -> bool:
        """Store it unless someone else began a run, or went on with one; whether it was stored."""

    def claim_due(self, *, lease_until: datetime) -> ForgeImport | None:
        """Take an import that is due, so that no other worker does until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryTold:
    """As of when its forge told what of a repository.

    ``forge_default_branch`` is what it told; ``default_branch_set_at``, when a client said another.
    """

    named_as_of: datetime | None = None
    default_branch_as_of: datetime | None = None
    archived_as_of: datetime | None = None
    forge_default_branch: str | None = None
    default_branch_set_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """``news`` are events that were not known, or of which more is known now, as they stand;
    ``before`` is how the latter were known until now, by their keys."""

    news: Sequence[SourceEvent] = ()
    before: Mapping[str, SourceEvent] = field(default_factory=dict)

    def then(self, later: "Recorded") -> "Recorded":
        """Both, one after the other, as if they had been recorded at once."""
        news = {one.key: one for one in (*self.news, *later.news)}
        new = {one.key for one in self.news} - self.before.keys()
        before = {key: one for key, one in later.before.items() if key not in new}
        return Recorded(news=list(news.values()), before={**before, **self.before})


class Events(Protocol):
    def add(self, events: Sequence[SourceEvent]) -> Recorded:
        """Store events whose key is new, and what is new about those that are known."""

    def restate(self, events: Sequence[SourceEvent]) -> None:
        """Store events that are known just as they are given, whatever was known of them."""

    def releases_to_guess(self, home: str, tags: Collection[str]) -> list[SourceEvent]:
        """Releases of these tags whose commit is not known, or guessed, of the repository with
        this `events.home`."""

    def commits_of_tag(self, home: str, tag: str) -> set[str]:
        """The commits that a tag was told to stand for: several, if it was moved."""


class Deliveries(Protocol):
    def add(self, delivery: Delivery) -> bool:
        """Store a delivery that is due at once, unless its id or its body came before; whether it
        is to be done.

        One whose body came before and was given up is due again.
        """

    def has_body_of(self, delivery: Delivery) -> bool:
        """Whether a delivery of that forge came with this very body."""

    def claim_due(self, *, limit: int, lease_until: datetime) -> list[Delivery]:
        """Take deliveries that are due, so that no other worker does until then."""

    def finish(
        self, delivery_id: int, *, error: str | None = None, repository: str | None = None
    ) -> None:
        """Do it no more. Its body is kept only where an error says why it was given up."""

    def postpone(
        self, delivery_id: int, *, due_at: datetime, error: str, repository: str | None = None
    ) -> None: ...

    def forget(self, *, done_before: datetime) -> int:
        """Delete deliveries that came before then and are done or given up; how many."""
