"""The event that a merged pull request is."""

from collections.abc import Iterable, Iterator

from shipmark.application.facts import Fact
from shipmark.application.record_pulls import PullFacts
from shipmark.domain.events import EventSource, SourceEvent


def with_merges(pulls: Iterable[PullFacts], forge: str) -> Iterator[Fact]:
    """Pull requests, each merged one followed by the event of its merging."""
    for pull in pulls:
        yield pull
        if event := merged_event(pull, forge):
            yield event


def merged_event(pull: PullFacts, forge: str) -> SourceEvent | None:
    """The merging of a pull request; None: it is not merged, or the facts do not tell.

    It is told by everything that tells of a merged pull request, webhook or API, and is the same
    each time, so that a webhook that was lost is made good for.
    """
    values = pull.values
    if not values.get("merged_at"):
        return None
    return SourceEvent(
        source=EventSource.MERGED_PULL_REQUEST,
        key=f"{forge}:{pull.repository}:pull:{pull.number}:merged",
        repository=pull.repository,
        at=values["merged_at"],
        success=True,
        commit_sha=values.get("merge_commit_sha"),
        branch=values["base_ref"],
        pull_number=pull.number,
        url=values.get("url"),
    )
