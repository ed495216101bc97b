"""Ask each forge that is set up who we are to it: that tells whether the token is in force."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from shipmark.application.diagnosis import Diagnosis, Finding
from shipmark.application.doctor import Setup
from shipmark.application.findings import identity_finding
from shipmark.application.forges import ForgeTrouble


class Known(Protocol):
    """A forge that can say who asks."""

    def identity(self) -> str | None:
        """The name we have there; None: it tells none. Raises ForgeTrouble."""


class KnownForges(Protocol):
    @property
    def sources(self) -> Sequence[str]: ...

    def named(self, source: str) -> Known | None: ...


Told = dict[str, str | Finding | None]
"""By source, who we are there, or what is wrong."""


def ask_who_we_are(forges: KnownForges, setup: Setup) -> Told:
    """Ask each of the forges. Not in a transaction."""
    told: Told = {}
    for source in forges.sources:
        forge = forges.named(source)
        try:
            told[source] = forge.identity() if forge else None
        except ForgeTrouble as trouble:
            told[source] = identity_finding(setup.forges[source], trouble.message)
    return told


def with_identities(found: Diagnosis, told: Told) -> Diagnosis:
    """The same with what forges answered."""
    names = {source: one for source, one in told.items() if isinstance(one, str)}
    return replace(
        found,
        findings=(*(one for one in told.values() if isinstance(one, Finding)), *found.findings),
        forges=tuple(replace(one, identity=names.get(one.setup.source)) for one in found.forges),
    )
