"""Throughput and latency of `deployments.create` over HTTP, beside its two floors."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks import servers
from benchmarks.databases import KINDS, NAMES, Databases, Kind, settle
from benchmarks.findings import Findings, Table, Target, count, milliseconds, spans, times
from benchmarks.floors import Commits, floor_commits
from benchmarks.history import History
from benchmarks.load import BodiesRanOut, Load, drive, tool
from benchmarks.loading import (
    body_of,
    chunks,
    import_pulls,
    make_known,
    register_all,
    registration,
)
from benchmarks.measure import interleaved, require, spread
from benchmarks.servers import Server
from benchmarks.sizes import Sizes
from shipmark.api.pull_import import pull_facts
from shipmark.storage.database import Database

ENVIRONMENTS = ("production", "staging", "testing", "preview", "canary")
FLOOR_A, FLOOR_B = "floor (a)", "floor (b)"
FIRST_GUESS = 2_000
"""Creates a second that a server is thought capable of before it was measured."""

QUIET_SECONDS = 0.1

Round = Load | Commits


@dataclass(kw_only=True)
class Traffic:
    """The creates of one repository, whose deployments are spread over so many lanes.

    Half of the lanes are on main and half on develop: those that name an integration branch are
    on the latter. Lanes take turns, and each create ships the next pull request of its lane.
    """

    lanes: int
    database: Database
    folder: Path
    pulls: int = field(default=0, init=False)
    sent: int = field(default=0, init=False)
    rate: float = field(default=FIRST_GUESS, init=False)

    @property
    def pairs(self) -> int:
        return max(1, self.lanes // 2)

    @property
    def history(self) -> History:
        return History(repository=f"bench/lanes-{self.lanes}", pulls=self.pulls)

    def prepare(self) -> None:
        """Make the repository known, with a first deployment in every lane."""
        make_known(self.database, self.history.repository)
        self.import_up_to(6)
        for pairs in chunks(range(self.pairs)):
            first = [self._deployment(pair, at, "first") for pair in pairs for at in (1, 2)]
            register_all(self.database, [registration(one) for one in first])

    def import_up_to(self, number: int) -> None:
        """Import what is missing of the pull requests with these numbers."""
        if number <= self.pulls:
            return
        for numbers in chunks(range(self.pulls + 1, number + 1)):
            import_pulls(self.database, [pull_facts(self.history.pull(one)) for one in numbers])
        self.pulls = number
        settle(self.database)

    def bodies(self, seconds: float) -> tuple[Path, int]:
        """A file of creates that were never sent, more than can be sent in so many seconds."""
        many = int(self.rate * seconds * 2) + 500
        self.import_up_to(self._reached(self.sent + many) + 3)
        path = self.folder / f"lanes-{self.lanes}.ndjson"
        with path.open("w", encoding="utf-8") as file:
            for index in range(self.sent, self.sent + many):
                one = self._deployment(index % self.pairs, self._reached(index), str(index))
                file.write(body_of(one) + "\n")
        return path, many

    def _reached(self, index: int) -> int:
        """Neighbours are at different places, so that every moment has all kinds of creates."""
        return 3 + index // self.pairs + index % self.pairs % 3

    def _deployment(self, pair: int, number: int, name: str) -> dict[str, Any]:
        return self.history.deployment_at(
            number,
            reference_id=f"lanes-{self.lanes}-{name}-{pair}-{number}",
            service=f"service-{pair // len(ENVIRONMENTS)}",
            environment=ENVIRONMENTS[pair % len(ENVIRONMENTS)],
        )

    def attributed(self) -> int:
        """How many creates are stored, each of which ships something."""
        query = text(
            "SELECT attribution_status, count(*) FROM deployment_report "
            "WHERE repository = :repository GROUP BY attribution_status"
        )
        with self.database.engine.connect() as connection:
            rows = connection.execute(query, {"repository": self.history.repository})
            stored: dict[str, int] = dict(rows.tuples().all())
        require(set(stored) == {"attributed"}, f"Some creates shipped nothing: {stored}")
        return stored["attributed"] - 2 * self.pairs

    def put(self, server: Server, connections: int, seconds: int) -> Load:
        """A round of load. Every answer was 200, and all that was answered is stored."""
        while True:
            path, many = self.bodies(seconds)
            before = self._quiet()
            try:
                load = drive(server, path, connections=connections, seconds=seconds)
            except BodiesRanOut:
                self.sent, self.rate = self.sent + many, self.rate * 2
                continue
            stored = self._quiet() - before
            self.sent, self.rate = self.sent + load.sent, max(self.rate, load.rate)
            require(
                load.answered <= stored <= load.sent,
                f"{load.answered} creates were answered and {load.sent} sent; {stored} are stored.",
            )
            return load

    def _quiet(self) -> int:
        """How many are stored once all that was still on its way is."""
        stored = -1
        while stored != (now := self.attributed()):
            stored = now
            time.sleep(QUIET_SECONDS)
        return stored


def measure(sizes: Sizes, places: Databases) -> Findings:
    """Create's throughput and latency, on both databases."""
    rounds = {kind: _on(kind, sizes, places) for kind in KINDS}
    return Findings(
        subject="create",
        tables=[_table(kind, found) for kind, found in rounds.items()],
        targets=[target for kind in KINDS for target in _targets(kind, sizes, rounds[kind])],
        figures={
            "driver": tool(),
            "rounds": {
                kind: {
                    str(connections): {
                        name: [asdict(one) | {"rate": one.rate} for one in loads]
                        for name, loads in subjects.items()
                    }
                    for connections, subjects in found.items()
                }
                for kind, found in rounds.items()
            },
        },
    )


Found = Mapping[int, Mapping[str, list[Round]]]
"""The rounds of each subject, by connections."""


def _on(kind: Kind, sizes: Sizes, places: Databases) -> Found:
    with _subjects(kind, sizes, places) as subjects:
        found: dict[int, dict[str, list[Round]]] = {}
        for connections in sizes.connections:
            each = {name: _bound(run, connections) for name, run in subjects.items()}
            if sizes.rounds > 1:
                interleaved(1, each)  # Not counted: whoever runs first pays for cold caches.
            found[connections] = interleaved(sizes.rounds, each)
    return found


def _bound(run: Callable[[int], Round], connections: int) -> Callable[[], Round]:
    return lambda: run(connections)


@contextmanager
def _subjects(
    kind: Kind, sizes: Sizes, places: Databases
) -> Iterator[dict[str, Callable[[int], Round]]]:
    """What puts a round of load on each of the floors and repositories, by connections."""
    with places.fresh(kind) as database:
        traffics = [
            Traffic(lanes=lanes, database=database, folder=places.folder) for lanes in sizes.lanes
        ]
        for traffic in traffics:
            traffic.prepare()
        samples = traffics[0].bodies(1)[0].rename(places.folder / "floor.ndjson")
        with (
            servers.floor(places.folder) as floor,
            servers.shipmark(database, places.folder) as server,
            floor_commits(places, database) as commit,
        ):
            yield {
                FLOOR_A: lambda connections: drive(
                    floor, samples, connections=connections, seconds=sizes.seconds, again=True
                ),
                FLOOR_B: lambda connections: commit(connections, sizes.seconds),
                **{
                    _name(traffic.lanes): _putting(traffic, server, sizes.seconds)
                    for traffic in traffics
                },
            }


def _putting(traffic: Traffic, server: Server, seconds: int) -> Callable[[int], Round]:
    return lambda connections: traffic.put(server, connections, seconds)


def _name(lanes: int) -> str:
    return f"{lanes:,} lanes"


def _rate(rounds: list[Round]) -> float:
    return spread([one.rate for one in rounds]).median


def _percentile(rounds: list[Round], which: str) -> float:
    return spread([getattr(one, which) for one in rounds]).median


def _table(kind: Kind, found: Found) -> Table:
    rows = []
    for connections, subjects in found.items():
        floor_a, floor_b = _rate(subjects[FLOOR_A]), _rate(subjects[FLOOR_B])
        for name, rounds in subjects.items():
            rate = _rate(rounds)
            rows.append(
                (
                    str(connections),
                    name,
                    count(rate),
                    spans(spread([one.rate for one in rounds])),
                    milliseconds(_percentile(rounds, "p50")),
                    milliseconds(_percentile(rounds, "p99")),
                    times(rate / floor_a),
                    times(rate / floor_b),
                )
            )
    header = ("Connections", "What", "A second", "From, to", "p50", "p99", "of (a)", "of (b)")
    return Table(name=f"create-{kind}", header=header, rows=rows)


def _targets(kind: Kind, sizes: Sizes, found: Found) -> Iterator[Target]:
    one, many = min(sizes.connections), max(sizes.connections)
    for lanes in sizes.lanes:
        where = f"{NAMES[kind]}, {_name(lanes)}"
        ours = found[many][_name(lanes)]
        floor_a, floor_b = (_rate(found[many][name]) for name in (FLOOR_A, FLOOR_B))
        if kind == "sqlite":
            least, of, base = 2.0, "floor (b)", floor_b
        elif floor_a / 2 < floor_b:
            least, of, base = 0.5, "floor (a), the lower one", floor_a
        else:
            least, of, base = 1.0, "floor (b), the lower one", floor_b
        what = f"{where}: throughput at {many} connections"
        yield Target.at_least(what, _rate(ours) / base, least, of)
        p50, p99 = (_percentile(ours, which) for which in ("p50", "p99"))
        yield Target.at_most(f"{where}: p99 at {many} connections", p99 / p50, 5, "its p50")
        alone, commit = found[one][_name(lanes)], found[one][FLOOR_B]
        ratio = _percentile(alone, "p50") / _percentile(commit, "p50")
        yield Target.at_most(f"{where}: p50 at 1 connection", ratio, 3, "a commit of floor (b)")
