"""Past pushes to repositories of Azure DevOps, and the tags they made, as events.

A push tells of an annotated tag the tag itself, not its commit; that is asked for.
"""

from collections.abc import Mapping
from datetime import datetime

from shipmark.application.facts import Fact
from shipmark.connectors.azure_devops_facts import SOURCE, PushWire, RefUpdate, push_events
from shipmark.connectors.azure_devops_requests import (
    CONTINUATION,
    PAGE_SIZE,
    answer,
    get,
    repository_path,
)
from shipmark.connectors.exchange import Dialogue
from shipmark.connectors.pages import Page
from shipmark.connectors.payloads import SHA, Text, Wire, tag_of
from shipmark.domain.events import EventSource, SourceEvent


class TagRef(Wire, rename="camel"):
    name: Text
    object_id: SHA
    peeled_object_id: SHA | None = None


class TagRefs(Wire):
    value: tuple[TagRef, ...] = ()


class Pushes(Wire):
    value: tuple[PushWire, ...] = ()


def pushes_page(name: str, *, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
    """Past pushes and tags, the latest first. What comes in meanwhile is told twice, not missed."""
    skip = int(cursor or 0)
    query: dict[str, str | int] = {
        "searchCriteria.includeRefUpdates": "true",
        "$top": PAGE_SIZE,
        "$skip": skip,
    }
    query |= {"searchCriteria.fromDate": since.isoformat()} if since else {}
    response = yield get(f"{repository_path(name)}/pushes", query)
    pushes = answer(Pushes, response, f"the pushes to {name}").value
    facts: list[Fact] = [event for push in pushes for event in push_events(name, push)]
    tagged = [push for push in pushes if any(tag_of(one.name) for one in push.ref_updates)]
    if tagged:
        tags = yield from _tags(name, "tags/")
        facts += [event for push in tagged for event in _tag_events(name, push, tags)]
    more = len(pushes) == PAGE_SIZE
    return Page(facts=tuple(facts), cursor=str(skip + PAGE_SIZE) if more else None)


def tags_of_push(name: str, push: PushWire) -> Dialogue[list[Fact]]:
    """The tags that a push made, with the commits they are on."""
    tags: dict[str, TagRef] = {}
    for update in push.ref_updates:
        if tag := tag_of(update.name):
            tags |= yield from _tags(name, f"tags/{tag}")
    return _tag_events(name, push, tags)


def _tags(name: str, below: str) -> Dialogue[dict[str, TagRef]]:
    """Tags by their name; ``below`` is how their references begin."""
    found: dict[str, TagRef] = {}
    query: dict[str, str | int] = {"filter": below, "peelTags": "true", "$top": 1000}
    while True:
        response = yield get(f"{repository_path(name)}/refs", query)
        for one in answer(TagRefs, response, f"the tags of {name}").value:
            if tag := tag_of(one.name):
                found[tag] = one
        if not (token := response.headers.get(CONTINUATION)):
            return found
        query = {**query, "continuationToken": token}


def _tag_events(name: str, push: PushWire, tags: Mapping[str, TagRef]) -> list[Fact]:
    return [
        event
        for update in push.ref_updates
        if (tag := tag_of(update.name)) and (event := _tag_event(name, push, update, tags.get(tag)))
    ]


def _tag_event(
    name: str, push: PushWire, update: RefUpdate, ref: TagRef | None
) -> SourceEvent | None:
    """A tag as something that happened. One that is gone or was moved since is not told."""
    if ref is None or not update.new_object_id or ref.object_id != update.new_object_id:
        return None
    tag = tag_of(update.name)
    return SourceEvent(
        source=EventSource.TAG,
        key=f"{SOURCE}:{name}:tag:{tag}:{ref.object_id}",
        repository=name,
        at=push.date,
        success=True,
        commit_sha=ref.peeled_object_id or ref.object_id,
        tag=tag,
    )
