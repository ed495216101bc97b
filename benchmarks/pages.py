"""Pages in a long history: how long each takes, beside a page that asks the database nothing."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from functools import partial
from http.client import HTTPConnection
from urllib.parse import urlencode

import msgspec

from benchmarks import servers
from benchmarks.databases import KINDS, NAMES, Databases, Kind, settle
from benchmarks.findings import Findings, Table, Target, milliseconds, spans
from benchmarks.history import History, merge_time, reached_by, written
from benchmarks.loading import loaded
from benchmarks.measure import Spread, require, seconds, spread
from benchmarks.reads import ENOUGH_SECONDS, FEWEST
from benchmarks.servers import HOST, Server
from benchmarks.sizes import Sizes

FLOOR = "sign in (floor: it asks nothing)"
LONGEST = "overview, a year"
QUICK = 300.0
"""Milliseconds in which every page should come at the median."""

Took = Mapping[str, Spread]


class Visitor:
    """Someone who is signed in and keeps the connection."""

    def __init__(self, server: Server) -> None:
        self._connection = HTTPConnection(HOST, server.port, timeout=600)
        self._headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request("POST", "/sign-in", f"token={server.token}", self._headers)
        response = self._connection.getresponse()
        response.read()
        cookie = response.getheader("Set-Cookie")
        require(response.status == 303 and cookie is not None, "Signing in was refused.")
        self._headers = {"Cookie": str(cookie).partition(";")[0]}

    def close(self) -> None:
        self._connection.close()

    def look(self, path: str) -> bytes:
        """The page, which must be a good one."""
        self._connection.request("GET", path, headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        require(response.status == 200, f"{path} was refused: {body[:300]!r}")
        return body


def measure(sizes: Sizes, places: Databases) -> Findings:
    """The main pages in the longest history, on both databases."""
    found = {kind: _on(kind, sizes, places) for kind in KINDS}
    return Findings(
        subject="pages",
        tables=[_table(found)],
        targets=[target for kind, took in found.items() for target in _targets(kind, took)],
        figures={
            "pulls": sizes.histories[-1],
            "milliseconds": {
                kind: {name: msgspec.to_builtins(one) for name, one in took.items()}
                for kind, took in found.items()
            },
        },
    )


def _on(kind: Kind, sizes: Sizes, places: Databases) -> Took:
    database, history = loaded(places, kind, sizes.histories[-1])
    settle(database)
    with (
        servers.shipmark(database, places.folder) as server,
        closing(Visitor(server)) as visitor,
    ):
        return _timed(visitor, _paths(history), sizes.reads)


def _paths(history: History) -> dict[str, str]:
    end = merge_time(history.pulls)
    month, year = (
        urlencode({"since": written(end - timedelta(days=days)), "until": written(end)})
        for days in (30, 365)
    )
    middle = reached_by(history.deployments // 2)
    return {
        FLOOR: "/sign-in",
        "overview, 30 days": f"/?{month}",
        LONGEST: f"/?{year}",
        "lead time for changes, 30 days": f"/metrics/lead_time_for_changes?{month}",
        "change failure rate, 30 days": f"/metrics/change_failure_rate?{month}",
        "time waiting": "/metrics/time_waiting",
        "deployments": "/deployments",
        "a deployment": f"/deployments/{history.deployments // 2}",
        "pull requests": "/pulls",
        "a pull request": f"/pulls/{history.repository}/{middle}",
        "services": "/services",
        "a service": f"/services/shop?{month}",
        "repositories": "/repositories",
        "a repository": f"/repositories/{history.repository}?{month}",
        "incidents": "/incidents",
    }


def _timed(visitor: Visitor, paths: Mapping[str, str], many: int) -> Took:
    """Milliseconds of each, in turn."""
    took: dict[str, list[float]] = {name: [] for name in paths}
    for path in paths.values():
        visitor.look(path)  # Not counted: it fills the caches, and starts what draws charts.
    for _ in range(many):
        for name, path in paths.items():
            if len(took[name]) < FEWEST or sum(took[name]) < ENOUGH_SECONDS * 1000:
                took[name].append(seconds(partial(visitor.look, path)) * 1000)
    return {name: spread(each) for name, each in took.items()}


def _table(found: Mapping[Kind, Took]) -> Table:
    rows = [
        (
            NAMES[kind],
            name,
            milliseconds(one.median),
            spans(one),
            str(one.count),
            f"{one.median / took[FLOOR].median:.1f}",
        )
        for kind, took in found.items()
        for name, one in took.items()
    ]
    header = ("Database", "Page", "p50", "From, to (ms)", "Times", "Times the floor")
    return Table(name="pages", header=header, rows=rows)


def _targets(kind: Kind, took: Took) -> Iterator[Target]:
    """The slowest page as it is opened, and the one that has most to compute."""
    usual = [name for name in took if name != LONGEST]
    slowest = max(usual, key=lambda name: took[name].median)
    for what, name in ((f"the slowest page of a month, {slowest}", slowest), (LONGEST, LONGEST)):
        yield Target(
            what=f"{NAMES[kind]}: {what}",
            target=f"at most {milliseconds(QUICK)}",
            figure=milliseconds(took[name].median),
            met=took[name].median <= QUICK,
        )
