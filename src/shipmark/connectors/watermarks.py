"""Where a walk through things in the order of their last change has come to.

Pages by number slip when something changes in between: it moves to the end, and what follows it
moves up by one, past the reader. So a walk goes on from the last instant it saw instead, and sees
what changed at that very instant twice. Only where a whole page is of one instant it turns pages.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from shipmark.connectors.payloads import UnreadablePayload


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """Ask for what changed at or after an instant (None: for everything), and for which page."""

    after: datetime | None
    page: int = 1

    @classmethod
    def read(cls, cursor: str | None, since: datetime | None) -> Self:
        """Go on at a cursor, or begin at an instant. Raises UnreadablePayload."""
        if cursor is None:
            return cls(after=since)
        at, _, page = cursor.partition("/")
        try:
            return cls(after=datetime.fromisoformat(at) if at else None, page=int(page))
        except ValueError as error:
            raise UnreadablePayload(f"{cursor!r} is no cursor of a walk: {error}.") from error

    def then(self, last: datetime | None, *, full: bool) -> str | None:
        """The cursor behind a page whose last thing changed at ``last``; None: it was the last."""
        if not full or last is None:
            return None
        if self.after is not None and last <= self.after:
            return f"{self.after.isoformat()}/{self.page + 1}"
        return f"{last.isoformat()}/1"
