"""Pages of facts: what a forge's API answers a part at a time."""

from dataclasses import dataclass

from shipmark.application.facts import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Facts, and where to go on.

    ``cursor`` is text that means something to the forge's own functions alone. It can be stored
    and given back after a crash; None: there is no more.
    """

    facts: tuple[Fact, ...]
    cursor: str | None = None
