"""What forges tell, without the instants that cannot be true.

Such an instant is no fact, and keeps nothing later from being one. What it said of something else
counts as told long ago, so that anything else a forge tells of it stands before it.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from shipmark.application.facts import BranchPush, Fact, PushedCommit, RepositoryFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.domain.instants import EARLIEST, is_possible

log = logging.getLogger(__name__)


def possible(facts: Iterable[Fact], *, told_at: datetime, is_news: bool) -> Iterator[Fact]:
    """Facts that were told at an instant. ``is_news`` is whether they were told as they happened,
    as webhooks are: then what has an impossible instant happened when it was told."""
    for one in facts:
        match one:
            case RepositoryFacts():
                yield _repository(one, told_at)
            case PullFacts():
                yield _pull(one, told_at)
            case BranchPush():
                commits = (_commit(commit, told_at, is_news=is_news) for commit in one.commits)
                yield replace(one, commits=tuple(commits))
            case SourceEvent():
                yield from _event(one, told_at, is_news=is_news)
            case _:
                yield one


def _repository(one: RepositoryFacts, told_at: datetime) -> RepositoryFacts:
    if one.as_of is None or is_possible(one.as_of, told_at):
        return one
    return replace(one, as_of=EARLIEST)


def _pull(one: PullFacts, told_at: datetime) -> PullFacts:
    values = {
        name: value
        for name, value in one.values.items()
        if not isinstance(value, datetime) or is_possible(value, told_at)
    }
    as_of = one.as_of
    if as_of is not None and not is_possible(as_of, told_at):
        as_of = _latest(values)
    return replace(one, values=values, as_of=as_of)


def _latest(values: Mapping[str, Any]) -> datetime:
    """What was told of a pull request was told no earlier than the last thing that it tells of."""
    return max((one for one in values.values() if isinstance(one, datetime)), default=EARLIEST)


def _commit(one: PushedCommit, told_at: datetime, *, is_news: bool) -> PushedCommit:
    """Dates of commits are whatever their authors' clocks say. Of two, the later stands."""
    if is_possible(one.committed_at, told_at):
        return one
    is_ahead = one.committed_at > EARLIEST
    return replace(one, committed_at=told_at if is_ahead and is_news else EARLIEST)


def _event(one: SourceEvent, told_at: datetime, *, is_news: bool) -> Iterator[SourceEvent]:
    if is_possible(one.at, told_at):
        yield one
    elif is_news and one.source is not EventSource.MERGED_PULL_REQUEST:
        yield replace(one, at=told_at)
    else:
        about = {"event_key": one.key, "at": one.at.isoformat()}
        log.warning("what happened at an impossible instant is left out", extra=about)
