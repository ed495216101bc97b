"""Walk through several kinds of things, one kind after another, under a single cursor."""

from collections.abc import Callable, Mapping
from datetime import datetime

from shipmark.connectors.exchange import Dialogue
from shipmark.connectors.pages import Page
from shipmark.connectors.payloads import UnreadablePayload

Walk = Callable[[str, datetime | None, str | None], Dialogue[Page]]
"""One page of one kind: of a repository, since when, from which cursor of its own."""


def walk(
    kinds: Mapping[str, Walk], name: str, *, since: datetime | None, cursor: str | None
) -> Dialogue[Page]:
    """The next page. The cursor is the kind, and the cursor within it. Raises UnreadablePayload."""
    order = list(kinds)
    kind, _, inner = (cursor or order[0]).partition(" ")
    if kind not in kinds:
        raise UnreadablePayload(f"{cursor!r} is no cursor of this walk.")
    page = yield from kinds[kind](name, since, inner or None)
    if page.cursor is not None:
        return Page(facts=page.facts, cursor=f"{kind} {page.cursor}")
    later = order[order.index(kind) + 1 :]
    return Page(facts=page.facts, cursor=later[0] if later else None)
