"""The sections of the navigation, in their order."""

from collections.abc import Collection
from dataclasses import dataclass

from shipmark.application.tokens import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A place in the navigation; it is shown to who has one of the scopes. ``also`` are paths of
    pages that belong to it."""

    name: str
    path: str
    scopes: Collection[Scope] = (Scope.READ,)
    also: Collection[str] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of all of its pages."""
        return self.path, *self.also


SECTIONS = (
    Section(name="Overview", path="/", also=("/metrics",)),
    Section(name="Deployments", path="/deployments"),
    Section(name="Pull requests", path="/pulls"),
    Section(name="Services", path="/services"),
    Section(name="Repositories", path="/repositories", also=("/health",)),
    Section(name="Incidents", path="/incidents"),
    Section(name="Imports", path="/imports"),
    Section(name="Rules", path="/rules"),
    Section(name="Access", path="/access", scopes=(Scope.ADMIN,)),
)
