"""What use cases ask of forges. Connectors satisfy these shapes; they inherit nothing.

Asking takes time and may fail, so it never happens inside a transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shipmark.application.facts import Fact, RepositoryFacts
from shipmark.domain.errors import ShipmarkError
from shipmark.domain.model import Repository


class ForgeTrouble(ShipmarkError):
    """The forge does not answer what it was asked about this repository."""


class ForgeAway(ForgeTrouble):
    """The forge cannot be asked anything now. ``until`` is when it can be, where that is known."""

    def __init__(self, message: str | None = None, *, until: datetime | None = None) -> None:
        super().__init__(message)
        self.until = until


class ForgeRefusal(ForgeTrouble):
    """The forge does not let us read this, or does not show it: until our token is another, or may
    read more. ``said`` is that without what was asked for; ``of_all`` whether it is our token that
    is refused, whatever we ask for."""

    def __init__(self, message: str | None = None, *, said: str, of_all: bool = False) -> None:
        super().__init__(message)
        self.said = said
        self.of_all = of_all


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """What a forge told when it was asked for the rest, and why it did not tell all of it."""

    facts: Sequence[Fact] = ()
    refusal: ForgeRefusal | None = None


class FactsPage(Protocol):
    """Facts, and from where to go on; no cursor: there is no more."""

    @property
    def facts(self) -> Sequence[Fact]: ...
    @property
    def cursor(self) -> str | None: ...


class Forge(Protocol):
    """One forge. All of it raises ForgeTrouble; names are those that the forge knows."""

    @property
    def source(self) -> str: ...

    def repository(self, name: str) -> RepositoryFacts | None:
        """The repository as it is now; None: there is none, or it is not shown."""

    def commit(self, name: str, sha: str) -> Sequence[Fact]:
        """What brought a commit: pull requests, or else branches that it stands on."""

    def page(
        self,
        name: str,
        *,
        since: datetime | None,
        cursor: str | None,
        reads: Mapping[str, datetime | None],
    ) -> FactsPage:
        """A page of all there is since then. The cursor can be stored, and gone on from.

        ``reads`` is what is wanted besides, each since when; see `import_scope`.
        """

    def budget(self) -> str | None:
        """How much more may be asked, as last told, in words; None where that is not known."""


class Forges(Protocol):
    """The forges that the settings name."""

    def serving(self, repository: Repository) -> Forge | None:
        """The forge that has a repository; None: none of these, or that cannot be told."""
