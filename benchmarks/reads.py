"""Reads over HTTP in a long history: how long they take, and by which plans."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
from sqlalchemy import Engine

from benchmarks import servers
from benchmarks.databases import KINDS, NAMES, Databases, Kind, settle, text_of
from benchmarks.findings import Findings, Table, Target, milliseconds, spans
from benchmarks.history import STEP, History, merge_time, reached_by, written
from benchmarks.loading import loaded, register_all, registration
from benchmarks.measure import Spread, require, seconds, spread
from benchmarks.servers import HOST, Server
from benchmarks.sizes import Sizes
from benchmarks.work import Statement, plan_of, recorded, whole_tables_in
from shipmark import logs
from shipmark.app.server import build
from shipmark.settings import Settings
from shipmark.storage.database import Database

INFO = "deployments.info, {:,} pull requests"
FIRST_PAGE = "deployments.list, first page"
LATER_PAGE = "deployments.list, page {}"
NOT_DEPLOYED = "pulls.list, deployed=false"
ALL_DEPLOYED = "pulls.list, deployed=false, where all are deployed"
EXPLAIN = "pulls.explain"
METRICS = "metrics.get, 30 days and the 30 before"

BIG = "ships-many"
SAME = 1.5

ENOUGH_SECONDS = 10.0
"""A read that takes long is not repeated for longer than this, but five times at least."""
FEWEST = 5

Arguments = Mapping[str, object]
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """One read: a method of the API and its arguments."""

    method: str
    arguments: Arguments

    @property
    def path(self) -> str:
        return f"/api/{self.method}?{urlencode(self.arguments)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What became of one question: milliseconds, the plans of its statements, and the tables that
    grow and of which those read every row."""

    took: Spread
    plans: list[list[str]]
    whole_tables: list[str]


class Caller:
    """A client that keeps its connection."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = HTTPConnection(HOST, server.port, timeout=600)

    def close(self) -> None:
        self._connection.close()

    def ask(self, question: Question) -> bytes:
        """The answer, which must be a good one."""
        self._connection.request("GET", question.path, headers=self._server.headers)
        response = self._connection.getresponse()
        body = response.read()
        require(response.status == 200, f"{question.path} was refused: {body[:300]!r}")
        return body

    def answer(self, question: Question) -> Answer:
        decoded: Answer = msgspec.json.decode(self.ask(question))
        return decoded


def measure(sizes: Sizes, places: Databases) -> Findings:
    """Reads in the longest history, on both databases."""
    found = {kind: _on(kind, sizes, places) for kind in KINDS}
    return Findings(
        subject="reads",
        tables=[_table(found)],
        targets=[target for kind, reads in found.items() for target in _targets(kind, reads)],
        figures={
            "pulls": sizes.histories[-1],
            "reads": {
                kind: {
                    name: {
                        "milliseconds": msgspec.to_builtins(read.took),
                        "plans": read.plans,
                        "whole_tables": read.whole_tables,
                    }
                    for name, read in reads.items()
                }
                for kind, reads in found.items()
            },
        },
    )


def _on(kind: Kind, sizes: Sizes, places: Databases) -> dict[str, Found]:
    database, history = loaded(places, kind, sizes.histories[-1])
    _register_big(database, history, sizes.shipped_by_one)
    settle(database)
    with (
        servers.shipmark(database, places.folder) as server,
        closing(Caller(server)) as caller,
    ):
        questions = _questions(history, caller, sizes)
        took = timed(caller, questions, sizes.reads)
        plans = {name: _plans(database, server, one) for name, one in questions.items()}
    return {
        name: Found(
            took=took[name],
            plans=plans[name],
            whole_tables=sorted(set().union(*map(whole_tables_in, plans[name]))),
        )
        for name in questions
    }


def _register_big(database: Database, history: History, shipped: int) -> None:
    """Two deployments of one service, the second of which ships so many pull requests."""
    # Two of three are merged to main, the first among them; both ends are deployed by commit.
    first, last = 30, 30 + shipped // 2 * 3
    for number, name in ((first, "before"), (last, BIG)):
        fact = history.deployment_at(number, reference_id=name, service="big")
        (done,) = register_all(database, [registration(fact)])
    require(done.pull_requests == shipped, f"It ships {done.pull_requests}, not {shipped}.")


def _questions(history: History, caller: Caller, sizes: Sizes) -> dict[str, Question]:
    filtered = {
        "repository": history.repository,
        "service": "shop",
        "environment": "production",
        "limit": min(100, history.deployments // (sizes.page + 1)),
    }
    later = _walk(caller, Question("deployments.list", filtered), sizes.page)
    of_pulls = {"repository": history.repository, "deployed": "false"}
    # The oldest tenth, of which nothing is left on main.
    tenth = merge_time(history.pulls // 10)
    old = of_pulls | {"base_ref": "main", "until": written(tenth + STEP / 4)}
    middle = reached_by(history.deployments // 2)
    end = merge_time(history.pulls)
    month = {"since": written(end - timedelta(days=30)), "until": written(end)}
    return {
        INFO.format(sizes.shipped_by_one): Question("deployments.info", {"reference_id": BIG}),
        FIRST_PAGE: Question("deployments.list", filtered),
        LATER_PAGE.format(sizes.page): later,
        NOT_DEPLOYED: Question("pulls.list", of_pulls),
        ALL_DEPLOYED: Question("pulls.list", old),
        EXPLAIN: Question("pulls.explain", {"repository": history.repository, "number": middle}),
        METRICS: Question("metrics.get", month | {"service": "shop"}),
    }


def _walk(caller: Caller, first: Question, page: int) -> Question:
    """The question for a later page of a list."""
    question = first
    for _ in range(page - 1):
        cursor = caller.answer(question)["next_cursor"]
        require(cursor, f"There is no page {page} of {first.path}.")
        question = Question(first.method, dict(first.arguments) | {"cursor": cursor})
    return question


def timed(caller: Caller, questions: Mapping[str, Question], many: int) -> dict[str, Spread]:
    """Milliseconds of each, in turn."""
    took: dict[str, list[float]] = {name: [] for name in questions}
    for question in questions.values():
        caller.ask(question)  # Not counted: it fills the caches.
    for _ in range(many):
        for name, question in questions.items():
            if len(took[name]) < FEWEST or sum(took[name]) < ENOUGH_SECONDS * 1000:
                took[name].append(seconds(partial(caller.ask, question)) * 1000)
    return {name: spread(each) for name, each in took.items()}


def _plans(database: Database, server: Server, question: Question) -> list[list[str]]:
    """The plans of the statements that answer a question, without those of the token."""
    statements = asyncio.run(_statements(database, server, question))
    with database.engine.connect() as connection:
        return [plan_of(connection, one) for one in statements if "tokens" not in one.sql]


async def _statements(database: Database, server: Server, question: Question) -> list[Statement]:
    logs.configure("warning", "json")
    app = build(Settings(database_url=text_of(database.url), with_worker=False))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client,
    ):
        with recorded(Engine) as statements:
            answer = await client.get(question.path, headers=server.headers)
    require(answer.status_code == 200, f"{question.path} was refused: {answer.text[:300]}")
    return [one for one in statements if one.sql.lstrip().upper().startswith(("SELECT", "WITH"))]


def _table(found: Mapping[Kind, Mapping[str, Found]]) -> Table:
    rows = [
        (
            NAMES[kind],
            name,
            milliseconds(read.took.median),
            spans(read.took),
            str(read.took.count),
            str(len(read.plans)),
            ", ".join(f"all of `{table}`" for table in read.whole_tables) or "indexes alone",
        )
        for kind, reads in found.items()
        for name, read in reads.items()
    ]
    header = ("Database", "Read", "p50", "From, to (ms)", "Times", "Statements", "Read by")
    return Table(name="reads", header=header, rows=rows)


def _targets(kind: Kind, reads: Mapping[str, Found]) -> Iterator[Target]:
    first = reads[FIRST_PAGE].took.median
    (later,) = (
        name for name in reads if name.startswith("deployments.list") and name != FIRST_PAGE
    )
    ratio = reads[later].took.median / first
    yield Target.at_most(f"{NAMES[kind]}: {later}", ratio, SAME, "the first page")
    whole = {table for read in reads.values() for table in read.whole_tables}
    yield Target(
        what=f"{NAMES[kind]}: tables that grow and are read as a whole",
        target="none",
        figure=", ".join(sorted(whole)) or "none",
        met=not whole,
    )
