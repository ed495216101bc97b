"""Follow the cursors of a list."""

from typing import Any

from tests.server import LiveServer


def all_pages(server: LiveServer, method: str, **arguments: Any) -> list[dict[str, Any]]:
    """Every page of a list, from the first to the one without a next."""
    pages = [server.call(method, **arguments)]
    cursors = set()
    while (cursor := pages[-1]["next_cursor"]) is not None:
        assert cursor not in cursors, f"{method} comes back to where it was"
        cursors.add(cursor)
        pages.append(server.call(method, **arguments, cursor=cursor))
    return pages
