"""Hold a dialogue with something that answers, as the transport does with a forge."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from shipmark.connectors.exchange import Dialogue, Request, Response
from shipmark.connectors.forge_servers import EventList

Result = TypeVar("Result")
Answering = Callable[[Request], Response]


def converse(dialogue: Dialogue[Result], forge: Answering) -> tuple[Result, list[Request]]:
    """What the dialogue comes to, and what was asked."""
    asked: list[Request] = []
    try:
        request = next(dialogue)
        while True:
            asked.append(request)
            request = dialogue.send(forge(request))
    except StopIteration as done:
        return done.value, asked


def result(dialogue: Dialogue[Result], forge: Answering) -> Result:
    return converse(dialogue, forge)[0]


def in_turn(*responses: Response) -> Answering:
    """A forge that gives these answers, one after the other."""
    left = iter(responses)
    return lambda _: next(left)


def ok(body: Any, status: int = 200, **headers: str) -> Response:
    return Response(status=status, body=json.dumps(body).encode(), headers=headers)


def all_pages(page_of: Callable[[str | None], Dialogue[Any]], forge: Answering) -> list[Any]:
    """The facts of all pages, each begun from nothing but the cursor of the one before."""
    facts: list[Any] = []
    cursor: str | None = None
    while True:
        page = result(page_of(cursor), forge)
        facts += page.facts
        cursor = page.cursor
        if cursor is None:
            return facts


def all_events(
    lists: Mapping[str, EventList], name: str, forge: Answering, *, since: datetime | None = None
) -> list[Any]:
    """The events of all lists of a repository, one after the other."""
    events: list[Any] = []
    for one in lists.values():

        def page_of(cursor: str | None, of: EventList = one) -> Dialogue[Any]:
            return of.page(name, since=since, cursor=cursor)

        events += all_pages(page_of, forge)
    return events


def only(facts: Iterable[Any], kind: type[Result]) -> list[Result]:
    return [fact for fact in facts if isinstance(fact, kind)]
