"""Find deployments and pull requests by what people remember of them.

What an index serves is found however long ago it was, in whatever filter; words in metadata and
titles are looked for among the newest rows of the filter alone, and so is the start of very many
reference_ids. So a search costs the same in any history.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, TypeVar

from shipmark.application.queries import (
    DeploymentFilter,
    Named,
    Page,
    PullFilter,
    PullRow,
    ReadTransaction,
)
from shipmark.application.report import Reported, narrowed, reported
from shipmark.domain.model import BEGINNING

MOST_FOUND = 1000
"""Rows that one way of searching finds at most, before a filter leaves out any of them."""

NEWEST = 5000
"""Rows whose metadata or title is read, the newest of the filter."""

MOST_SUGGESTED = 20

MOST_WORDS = 10

SHA = re.compile(r"[0-9a-f]{7,40}", re.IGNORECASE)
NUMBER = re.compile(r"#?([0-9]{1,18})")
PAIR = re.compile(r"([A-Za-z0-9_-]+):(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What a search text may mean; it may mean several things at once."""

    text: str
    sha: str | None
    number: int | None
    pair: tuple[str, str] | None


Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """A page of what a search found. ``is_cut``: there may be more that it would mean."""

    rows: list[Row]
    is_cut: bool = False


class Findings:
    """The ids that ways of searching found, and whether one of them found all it may."""

    def __init__(self) -> None:
        self.ids: set[int] = set()
        self.is_cut = False

    def add(self, ids: Sequence[int]) -> None:
        self.ids.update(ids)
        self.is_cut = self.is_cut or len(ids) >= MOST_FOUND


def sought(text: str) -> Sought:
    """Read what was typed."""
    number, pair = NUMBER.fullmatch(text), PAIR.fullmatch(text)
    return Sought(
        text=text,
        sha=text.lower() if SHA.fullmatch(text) else None,
        number=int(number[1]) if number else None,
        pair=(pair[1], pair[2].strip()) if pair else None,
    )


def find_deployments(
    tx: ReadTransaction,
    filter_: DeploymentFilter,
    page: Page,
    *,
    text: str,
    service: str | None = None,
    repository: str | None = None,
    roughly: bool = False,
) -> Found[Reported]:
    """Deployments that a text means, newest first: by reference_id, by a commit or pull request
    they name or ship, or by key:value in their metadata. Raises RepositoryNotFound."""
    filter_ = narrowed(tx, filter_, service=service, repository=repository)
    meant, search = sought(text), tx.search
    found, pulls = Findings(), Findings()
    found.add(_referred(tx, text, filter_))
    if meant.sha is not None:
        found.add(search.deployments_naming(meant.sha, MOST_FOUND))
        pulls.add(search.pulls_with_commit(meant.sha, MOST_FOUND))
    if meant.number is not None:
        pulls.add(search.pulls_numbered(meant.number, filter_.repository_id, MOST_FOUND))
    if pulls.ids:
        found.add(search.shipping(pulls.ids, MOST_FOUND))
    if meant.pair is not None:
        found.add(search.deployments_with(*meant.pair, filter_, MOST_FOUND, newest=NEWEST))
    rows = tx.reports.deployments(replace(filter_, ids=frozenset(found.ids)), page)
    return Found(reported(tx, rows, roughly=roughly), found.is_cut or pulls.is_cut)


def _referred(tx: ReadTransaction, start: str, filter_: DeploymentFilter) -> Sequence[int]:
    """Those whose reference_id starts so. Where these are very many, such as all of a system that
    counts its builds, the newest of the filter are looked through instead."""
    found = tx.search.deployments_referred(start, MOST_FOUND)
    if len(found) < MOST_FOUND:
        return found
    return tx.search.deployments_referred_lately(start, filter_, MOST_FOUND, newest=NEWEST)


def find_pulls(
    tx: ReadTransaction,
    filter_: PullFilter,
    page: Page,
    *,
    text: str,
    service: str | None = None,
    repository: str | None = None,
) -> Found[PullRow]:
    """Pull requests that a text means, last merged first: by number, commit, exact author, or
    words of their title. Raises RepositoryNotFound."""
    filter_ = narrowed(tx, filter_, service=service, repository=repository)
    meant, search = sought(text), tx.search
    # Whether each was shipped is asked of those that are found, not of all whose title is read.
    read = replace(filter_, deployed=None, service_id=None)
    found = Findings()
    found.add(_titled(search.titles(read, newest=NEWEST), text))
    if meant.sha is not None:
        found.add(search.pulls_with_commit(meant.sha, MOST_FOUND))
    if meant.number is not None:
        found.add(search.pulls_numbered(meant.number, filter_.repository_id, MOST_FOUND))
    rows = tx.reports.pulls(replace(filter_, ids=frozenset(found.ids)), page)
    if filter_.author in (None, text) and search.is_author(text):
        # An author is a filter: all that it leaves, of whom there may be many thousand.
        rows = _together(rows, tx.reports.pulls(replace(filter_, author=text), page), page)
    return Found(rows, found.is_cut)


def _together(some: Sequence[PullRow], others: Sequence[PullRow], page: Page) -> list[PullRow]:
    """The first of both pages, each once, last merged first."""
    rows = {row.pull.id: row for row in (*some, *others)}.values()
    last_first = sorted(
        rows, key=lambda row: (row.pull.merged_at or BEGINNING.at, row.pull.id), reverse=True
    )
    return last_first[: page.limit]


def _titled(titles: Sequence[tuple[int, str]], text: str) -> list[int]:
    """The first that have all words of the text in their title, in any case.

    Databases differ in which letters have two cases, so that is left to Python.
    """
    words = [word.casefold() for word in text.split()[:MOST_WORDS]]
    lowered = ((id_, title.casefold()) for id_, title in titles)
    fitting = (id_ for id_, title in lowered if all(word in title for word in words))
    return list(islice(fitting, MOST_FOUND))


def suggested(tx: ReadTransaction, noun: Named, part: str) -> list[str]:
    """The first names that may be meant by a part of one, those that begin so before others."""
    part = part.casefold()
    fitting = [one for one in tx.search.names(noun, newest=NEWEST) if part in one.casefold()]
    fitting.sort(key=lambda one: (not one.casefold().startswith(part), one.casefold(), one))
    return fitting[:MOST_SUGGESTED]
