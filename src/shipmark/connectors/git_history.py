"""Turn the commits of a branch into what is recorded: its commits and the pull requests merged.

Nothing here runs git. `read_history` takes two streams, each of which it reads once, oldest
commit first, and keeps only the commits that no merge has brought to the branch yet.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.merge_messages import MergeMessage, read_merge_message

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Commit(NamedTuple):
    """A commit of the graph. ``authored`` is in Unix seconds; None when it cannot be read."""

    sha: str
    parents: tuple[str, ...]
    authored: int | None
    author: str | None


class Landing(NamedTuple):
    """A commit on the branch itself. ``committed`` is in Unix seconds; None: unreadable."""

    commit: Commit
    committed: int | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedPull:
    """A pull request as far as the history tells; instants are aware datetimes in UTC."""

    number: int
    base_ref: str
    merged_at: datetime
    merge_commit_sha: str
    title: str | None = None
    author: str | None = None
    head_ref: str | None = None
    head_sha: str | None = None
    first_commit_at: datetime | None = None
    commit_shas: frozenset[str] = frozenset()

    def facts(self, repository: str) -> PullFacts:
        """What is to be recorded. Facts the history does not have are left out, so that they
        erase nothing a forge has told."""
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        number = known.pop("number")
        values = {name: value for name, value in known.items() if value}
        return PullFacts(repository=repository, number=number, values=values, only_unknown=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """A commit on the branch: when it came there, and the pull request it merged, if any."""

    sha: str
    at: datetime
    pull: MergedPull | None = None


class _Arrival(NamedTuple):
    """A commit on the branch with all that is known of it."""

    commit: Commit
    at: datetime
    message: MergeMessage | None
    inner: Mapping[str, Commit]

    @property
    def run(self) -> tuple[int, str]:
        """What neighbouring commits of one rebased pull request have in common, and no others."""
        if self.message is None:
            return 0, self.commit.sha
        is_merge = len(self.commit.parents) > 1
        return self.message.number, self.commit.sha if is_merge else ""


def read_history(
    branch: str, landings: Iterable[Landing], graph: Iterable[Commit]
) -> Iterator[HistoryEntry]:
    """An entry for each commit in the first-parent history of ``branch``, oldest first.

    ``landings`` is that history; ``graph`` is everything reachable from its tip, parents before
    children. Where several neighbours carry one number, a pull request was rebased: the last of
    them merged it. A number that comes again later is a cherry-pick or a quotation, so the first
    is the pull request and the later ones are plain commits.
    """
    seen: set[int] = set()
    for (number, _), run in groupby(_arrivals(landings, graph), key=lambda arrival: arrival.run):
        *before, last = run
        for arrival in before:
            yield HistoryEntry(sha=arrival.commit.sha, at=arrival.at)
        pull = None
        if last.message is not None and number not in seen:
            seen.add(number)
            pull = _pull(branch, [*before, last], last.message)
        yield HistoryEntry(sha=last.commit.sha, at=last.at, pull=pull)


def _arrivals(landings: Iterable[Landing], graph: Iterable[Commit]) -> Iterator[_Arrival]:
    """Give each commit of the branch its instant and the commits it brought.

    A position on a branch is an instant, and of two pull requests in one second the smaller
    number counts as the earlier. Git's order is that of parents, its dates are whole seconds, and
    clocks differ. So that both orders are the same, and `first..second` in git lists exactly what
    the second of two deployments ships, every instant is later than the one before it: the
    committer's date, or a microsecond after its parent's instant. This is reckoned from the very
    first commit, so that an instant does not depend on where an import starts.
    """
    inner = InnerCommits(graph)
    at = EPOCH - MICROSECOND
    for landing in landings:
        at = max(instant(landing.committed or 0), at + MICROSECOND)
        yield _Arrival(
            commit=landing.commit,
            at=at,
            message=read_merge_message(landing.message),
            inner=inner.brought_by(landing.commit),
        )


class InnerCommits:
    """Which commits each merge brought to the branch, asked in the order of the branch.

    All commits that are not on the branch wait until a merge reaches them, and leave with the
    first that does. Whoever waits cannot be reachable from an earlier commit of the branch, so
    each commit is visited once, however long the history.
    """

    def __init__(self, graph: Iterable[Commit]) -> None:
        self._graph = iter(graph)
        self._waiting: dict[str, Commit] = {}

    def brought_by(self, merge: Commit) -> dict[str, Commit]:
        """What is reachable from ``merge`` and not from its first parent, without itself."""
        for commit in self._graph:
            if commit.sha == merge.sha:
                break
            self._waiting[commit.sha] = commit
        brought: dict[str, Commit] = {}
        reachable = list(merge.parents[1:])
        while reachable:
            found = self._waiting.pop(reachable.pop(), None)
            if found is not None:
                brought[found.sha] = found
                reachable.extend(found.parents)
        return brought


def _pull(branch: str, run: list[_Arrival], message: MergeMessage) -> MergedPull:
    last = run[-1]
    head_sha = last.commit.parents[1] if len(last.commit.parents) > 1 else None
    tip = last.commit if head_sha is None else last.inner.get(head_sha)
    written = [arrival.commit for arrival in run] if head_sha is None else last.inner.values()
    authored = [commit.authored for commit in written if commit.authored is not None]
    return MergedPull(
        number=message.number,
        base_ref=branch,
        merged_at=last.at,
        merge_commit_sha=last.commit.sha,
        title=message.title,
        author=tip.author if tip else None,
        head_ref=message.head_ref,
        head_sha=head_sha,
        first_commit_at=instant(min(authored)) if authored else None,
        commit_shas=frozenset({commit.sha for commit in written} - {last.commit.sha}),
    )


def instant(seconds: int) -> datetime:
    """The instant of a date in Unix seconds."""
    return EPOCH + timedelta(seconds=seconds)
