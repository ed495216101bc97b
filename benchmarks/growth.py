"""What one change costs in a short history and in a long one: it should be the same."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from benchmarks.databases import KINDS, NAMES, Databases, Kind
from benchmarks.findings import Findings, Table, Target, count, milliseconds, spans, times
from benchmarks.floors import single_commit
from benchmarks.history import PULLS_EACH, Fact, History, merge_time, reached_by, written
from benchmarks.loading import POLICY, import_pulls, loaded, registration
from benchmarks.measure import interleaved, require, seconds, spread
from benchmarks.sizes import Sizes
from benchmarks.work import Work, work_of
from shipmark.api.pull_import import pull_facts
from shipmark.application.queries import ReadTransaction
from shipmark.application.record_pulls import Change as RecordedAs
from shipmark.application.record_pulls import record_pulls
from shipmark.application.register import Registered, register
from shipmark.application.writer import transact
from shipmark.domain.model import Status
from shipmark.storage.database import Database

IN_ORDER = "create, in time order"
IN_THE_MIDDLE = "create, in the middle"
AT_THE_START = "create, at the very start"
LATE_PULL = "late pull request"
FLOOR = "floor: one row and a commit"
CHANGES = (IN_ORDER, IN_THE_MIDDLE, AT_THE_START, LATE_PULL)
MOST = 1.5

WARM_UPS = 6
"""Changes that are not counted. They fill the caches, and so many times does the driver execute a
statement before it has PostgreSQL keep it prepared."""

ONE_ROW = Work(statements=1, in_statements=0, written={"deployments": 1})

Change = Callable[[ReadTransaction], Sequence[Any]]
"""A change that is made in one transaction, and answers what became of it."""


class Repository:
    """A repository with a history, to which one change after another is made.

    Each method prepares a change that no other one made, and answers what makes it.
    """

    def __init__(self, database: Database, history: History) -> None:
        self._database = database
        self._history = history
        self._changes = Counter[str]()

    @property
    def changes(self) -> dict[str, Callable[[], Change]]:
        return {
            IN_ORDER: self.create_in_order,
            IN_THE_MIDDLE: self.create_in_the_middle,
            AT_THE_START: self.create_at_the_start,
            LATE_PULL: self.late_pull,
        }

    def create_in_order(self) -> Change:
        """Deploys a pull request that was merged after all others, and is there already."""
        number = _by_commit(self._history.pulls + 3 * self._next(IN_ORDER))
        import_pulls(self._database, [pull_facts(self._history.pull(number))])
        return _create(self._history.deployment_at(number, reference_id=f"last-{number}"))

    def create_in_the_middle(self) -> Change:
        """Takes a part of the window of the deployment behind it."""
        behind = reached_by(self._history.deployments // 2 + self._next(IN_THE_MIDDLE))
        number = _by_commit(behind - PULLS_EACH // 2)
        return _create(self._history.deployment_at(number, reference_id=f"middle-{number}"))

    def create_at_the_start(self) -> Change:
        """Comes before all others, and takes what the first so far had."""
        earlier = self._next(AT_THE_START)
        fact = self._history.deployment_at(3, reference_id=f"first-{earlier}")
        fact["deployed_at"] = written(merge_time(4) - timedelta(seconds=earlier / 10))
        return _create(fact)

    def late_pull(self) -> Change:
        """A pull request turns up that was merged in the middle of history."""
        later = self._next(LATE_PULL)
        merged_at = merge_time(self._history.pulls // 2 + later) + timedelta(seconds=15)
        number = _by_commit(self._history.pulls * 2 + 3 * later)
        facts = pull_facts(self._history.pull(number, merged_at=merged_at))
        return lambda tx: record_pulls(tx, [facts], policy=POLICY)

    def _next(self, kind: str) -> int:
        self._changes[kind] += 1
        return self._changes[kind]


def _by_commit(number: int) -> int:
    """The next pull request that is on main and deployed by its commit."""
    return number + -number % 3


def _create(fact: Fact) -> Change:
    one = registration(fact)
    return lambda tx: register(tx, [one], policy=POLICY)


def _commit(database: Database, change: Change) -> float:
    """Make a change in a transaction of its own, and answer the seconds until it is committed."""
    done: list[Any] = []
    took = seconds(lambda: done.extend(transact(database, change)))
    for one in done:
        attributed = one.deployment.attribution.status if isinstance(one, Registered) else one
        right = attributed in (Status.ATTRIBUTED, RecordedAs.CREATED)
        require(right, f"A change came out wrong: {one}")
    return took


@dataclass(frozen=True, slots=True)
class Cost:
    """The seconds of each time that a change was made, and the work it is."""

    seconds: Sequence[float]
    work: Work

    @property
    def median(self) -> float:
        return spread(self.seconds).median


Found = Mapping[tuple[str, int], Cost]
"""What each kind of change costs, by the size of the history."""


def measure(sizes: Sizes, places: Databases) -> Findings:
    """One create or one late pull request in histories of several sizes, on both databases."""
    found = {kind: _on(kind, sizes, places) for kind in KINDS}
    return Findings(
        subject="growth",
        tables=[_table(kind, sizes, one) for kind, one in found.items()],
        targets=[target for kind in KINDS for target in _targets(kind, sizes, found[kind])],
        figures={
            kind: [
                {
                    "change": name,
                    "pulls": size,
                    "seconds": cost.seconds,
                    "work": asdict(cost.work),
                }
                for (name, size), cost in one.items()
            ]
            for kind, one in found.items()
        },
    )


def _on(kind: Kind, sizes: Sizes, places: Databases) -> Found:
    runs: dict[str, Callable[[], float]] = {}
    work: dict[str, Work] = {}
    keys: dict[str, tuple[str, int]] = {}
    with ExitStack() as stack:
        for size in sizes.histories:
            database, history = loaded(places, kind, size)
            for name, prepare in Repository(database, history).changes.items():
                key = f"{name}, {size}"
                for _ in range(WARM_UPS):
                    _commit(database, prepare())
                work[key] = work_of(database, prepare())
                runs[key], keys[key] = _made(database, prepare), (name, size)
            insert = stack.enter_context(single_commit(places, database))
            key = f"{FLOOR}, {size}"
            runs[key], keys[key], work[key] = _timed(insert), (FLOOR, size), ONE_ROW
        measured = interleaved(sizes.changes, runs)
    return {keys[key]: Cost(measured[key], work[key]) for key in keys}


def _made(database: Database, prepare: Callable[[], Change]) -> Callable[[], float]:
    return lambda: _commit(database, prepare())


def _timed(run: Callable[[], None]) -> Callable[[], float]:
    return lambda: seconds(run)


def _table(kind: Kind, sizes: Sizes, found: Found) -> Table:
    rows: list[tuple[str, ...]] = []
    for (name, size), cost in found.items():
        took = spread([one * 1000 for one in cost.seconds])
        work = cost.work
        rows.append(
            (
                name,
                f"{size:,}",
                milliseconds(took.median),
                spans(took),
                times(cost.median / found[name, sizes.histories[0]].median),
                times(cost.median / found[FLOOR, size].median),
                str(work.statements),
                milliseconds(work.in_statements * 1000),
                count(sum(work.written.values())),
                count(work.steps if kind == "sqlite" else sum(work.read.values())),
            )
        )
    rows.sort(key=lambda row: [*CHANGES, FLOOR].index(row[0]))
    last = "Steps" if kind == "sqlite" else "Rows read"
    header = (
        *("Change", "Pull requests", "Time", "From, to (ms)", "of the first", "of the floor"),
        *("Statements", "in them", "Rows written", last),
    )
    return Table(name=f"growth-{kind}", header=header, rows=rows)


def _targets(kind: Kind, sizes: Sizes, found: Found) -> Iterator[Target]:
    least, most = sizes.histories[0], sizes.histories[-1]
    for name in CHANGES:
        what = f"{NAMES[kind]}: {name}, {most:,} pull requests"
        ratio = found[name, most].median / found[name, least].median
        yield Target.at_most(what, ratio, MOST, f"that at {least:,}")
