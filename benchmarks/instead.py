"""What people use instead, on the same history: git itself, and an as-of join."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import text

from benchmarks import clone, servers
from benchmarks.attribution import BY_SHIPMARK, digest, digest_of
from benchmarks.databases import KINDS, NAMES, Databases, Kind, settle
from benchmarks.duck import as_of_join
from benchmarks.exports import Export
from benchmarks.findings import Findings, Table, milliseconds, spans
from benchmarks.history import reached_by
from benchmarks.loading import load
from benchmarks.measure import Spread, interleaved, require, seconds, spread
from benchmarks.reads import Caller, Question
from benchmarks.sizes import Sizes
from shipmark.storage.database import Database

SHIPPED = "what one deployment shipped"
WHERE = "what shipped one pull request"
ALL = "what shipped each pull request, all at once"

Subjects = dict[tuple[str, str], Callable[[], object]]
"""What answers each question: by the question and by who is asked."""


def measure(sizes: Sizes, places: Databases) -> Findings:
    """The same questions to git, to DuckDB and to Shipmark on both databases."""
    cloned = clone.make(places.folder, sizes.merges)
    with ExitStack() as stack:
        opened: dict[Kind, Database] = {}
        for kind in KINDS:
            opened[kind] = stack.enter_context(places.fresh(kind))
            load(opened[kind], cloned.history)
            settle(opened[kind])
        export = Export(places.folder / "clone-rows")
        export.write(opened["sqlite"])
        agreed = _agreement(cloned, opened, export, sizes)
        subjects = _git(cloned, sizes)
        for kind, database in opened.items():
            server = stack.enter_context(servers.shipmark(database, places.folder))
            caller = stack.enter_context(closing(Caller(server)))
            subjects |= _ours(NAMES[kind], database, caller, sizes)
        took = _took(subjects, sizes.rounds)
        took[ALL, "DuckDB, as-of join"] = spread(
            [as_of_join(export)[1] * 1000 for _ in range(sizes.rounds)]
        )
    return Findings(
        subject="instead",
        tables=[_table(took)],
        targets=[],
        figures={
            "merges": sizes.merges,
            "agreement": agreed,
            "milliseconds": [
                {"question": question, "asked": asked, **msgspec.to_builtins(each)}
                for (question, asked), each in took.items()
            ],
        },
    )


def _agreement(
    cloned: clone.Repository, opened: Mapping[Kind, Database], export: Export, sizes: Sizes
) -> dict[str, Any]:
    """How far all agree. Raises BenchmarkFailed where they must and do not."""
    by_log = digest(_pairs(cloned))
    for kind, database in opened.items():
        require(digest_of(database, BY_SHIPMARK) == by_log, f"git log and {kind} do not agree.")
    require(digest(as_of_join(export)[2]) == by_log, "git log and DuckDB do not agree.")
    for number in _sampled(cloned.history.pulls, sizes.sampled):
        first = cloned.first_tag_with(cloned.history.merge_sha(number))
        right = _deployed_by(number, cloned.history.deployments)
        require(first == right, f"git tag finds #{number} in {first or 'none'}, not in {right}.")
    named = zip(range(1, cloned.history.pulls + 1), cloned.nearest_tags(), strict=True)
    by_name = digest((number, name) for number, name in named if name.startswith("deployment-"))
    return {"pairs": by_log[0], "name_rev_agrees": by_name == by_log}


def _pairs(cloned: clone.Repository) -> Iterator[tuple[int, str]]:
    """The pull requests of each deployment, by `git log`."""
    history = cloned.history
    numbers = {history.merge_sha(number): number for number in range(1, history.pulls + 1)}
    for deployment in range(1, history.deployments + 1):
        for sha in cloned.shipped(deployment):
            yield numbers[sha], clone.tag(deployment)


def _deployed_by(number: int, deployments: int) -> str:
    """The tag of the deployment that ships a pull request; empty if none does."""
    first = next(
        (one for one in range(max(1, number // 10), number // 10 + 3) if reached_by(one) >= number),
        deployments + 1,
    )
    return clone.tag(first) if first <= deployments else ""


def _sampled(many: int, sampled: int) -> list[int]:
    """Numbers from all over 1 to ``many``."""
    return [1 + many * index // sampled for index in range(sampled)]


def _git(cloned: clone.Repository, sizes: Sizes) -> Subjects:
    deployments = _sampled(cloned.history.deployments, sizes.sampled)
    merges = [cloned.history.merge_sha(one) for one in _sampled(sizes.merges, sizes.sampled)]
    return {
        (SHIPPED, "`git log --first-parent A..B`"): _each(cloned.shipped, deployments),
        (WHERE, "`git tag --contains`"): _each(cloned.first_tag_with, merges),
        (ALL, "`git name-rev`"): cloned.nearest_tags,
    }


def _ours(name: str, database: Database, caller: Caller, sizes: Sizes) -> Subjects:
    deployments = [
        Question("deployments.info", {"reference_id": clone.tag(one)})
        for one in _sampled(sizes.merges // 10, sizes.sampled)
    ]
    pulls = [
        Question("pulls.info", {"repository": "bench/clone", "number": one})
        for one in _sampled(sizes.merges, sizes.sampled)
    ]
    return {
        (SHIPPED, f"`deployments.info` on {name}"): _each(caller.ask, deployments),
        (WHERE, f"`pulls.info` on {name}"): _each(caller.ask, pulls),
        (ALL, f"the view `pull_request_deployments` on {name}"): partial(_all, database),
    }


def _all(database: Database) -> None:
    with database.engine.connect() as connection:
        connection.execute(text(BY_SHIPMARK)).all()


class _Each:
    """One thing after another; it takes what one of them takes, on average."""

    def __init__(self, run: Callable[[Any], object], things: list[Any]) -> None:
        self._run = run
        self.things = things

    def __call__(self) -> None:
        for thing in self.things:
            self._run(thing)


def _each(run: Callable[[Any], object], things: list[Any]) -> _Each:
    return _Each(run, things)


def _took(subjects: Subjects, rounds: int) -> dict[tuple[str, str], Spread]:
    """Milliseconds for one answer of each, in turn."""
    named = {"|".join(key): _timing(run) for key, run in subjects.items()}
    interleaved(1, named)  # Not counted: it fills the caches.
    found = interleaved(rounds, named)
    return {key: spread(found["|".join(key)]) for key in subjects}


def _timing(run: Callable[[], object]) -> Callable[[], float]:
    many = len(run.things) if isinstance(run, _Each) else 1
    return lambda: seconds(run) * 1000 / many


def _table(took: Mapping[tuple[str, str], Spread]) -> Table:
    rows = [
        (question, asked, milliseconds(each.median), spans(each))
        for wanted in (SHIPPED, WHERE, ALL)
        for (question, asked), each in took.items()
        if question == wanted
    ]
    header = ("Question", "Asked", "Time", "From, to (ms)")
    return Table(name="instead", header=header, rows=rows)
