"""Every question that is asked while something is written is answered by an index."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

import pytest
from benchmarks.work import plan_of, recorded
from sqlalchemy import select
from tests.builders import at, sha
from tests.engine.crowd import LENGTHS, LONG, the_middle_of

from shipmark.application.metric_queries import FixRules, Selection
from shipmark.application.ports import LaneKey
from shipmark.application.queries import DeploymentFilter, Page, PullFilter
from shipmark.domain.attribution import Arrival
from shipmark.domain.incidents import Incident
from shipmark.domain.metrics import Start
from shipmark.domain.model import BEGINNING, Order, Position, everything_by
from shipmark.domain.periods import Period
from shipmark.storage.database import Database
from shipmark.storage.tables import windows
from shipmark.storage.transaction import StorageTransaction

MIDDLE = the_middle_of(LONG)
PAGE = Page(limit=100)

PASSING = (
    "wanted|rows|anon_\\d|json_each|branches|marks|highest|ranked|shipped|assigned|brought"
    "|places|asked|stretches"
)
"""What a statement brings along or works out on its way."""

WHOLE_TABLE = re.compile(rf"^SCAN (?!{PASSING}|CONSTANT ROW|\()|Seq Scan on ")
SMALL = re.compile(
    r"(Seq Scan on|SCAN) "
    r"(repositories|services|lanes|pull_services|deploy_rules|incident\w*|found|looked_at|unshipped)\b"
)
"""There are as many of these as an organisation has, as few as this test made, or as a page has."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """The ids of what stands in the middle of the long lane."""

    repository: int
    lane: int
    service: int
    deployment: int
    pull: int

    @classmethod
    def of(cls, tx: StorageTransaction) -> "Known":
        (repository,) = tx.repositories.named({LONG})[LONG]
        (deployment,) = tx.deployments.by_reference_ids({f"{LONG}#{MIDDLE}"}).values()
        (window,) = tx.windows.of([deployment.id])
        (pull,) = tx.pulls.by_number({(repository.id, MIDDLE)}).values()
        return cls(
            repository=repository.id,
            lane=window.lane_id,
            service=deployment.service_id,
            deployment=deployment.id,
            pull=pull.id,
        )


def neighbours(tx: StorageTransaction, known: Known) -> object:
    """The mark before some places in the lane, and the windows after them."""
    orders = [Order(at(hours), "new") for hours in (0, MIDDLE + 0.2, LENGTHS[LONG] + 1)]
    arrivals = [
        Arrival(deployment_id=0, order=order, reached=everything_by(order.deployed_at))
        for order in orders
    ]
    (lane,) = tx.windows.open({known.lane: arrivals})
    return [
        [
            lane.mark_before(order),
            next(iter(lane.raising_after(order)), None),
            next(iter(lane.above_after(order, BEGINNING)), None),
        ]
        for order in orders
    ]


def pages_of_neighbours(tx: StorageTransaction, known: Known) -> object:
    order = Order(at(MIDDLE + 0.2), "new")
    arrival = Arrival(deployment_id=0, order=order, reached=everything_by(order.deployed_at))
    (lane,) = tx.windows.open({known.lane: [arrival]})
    return list(islice(lane.raising_after(order), 60))


A_DAY = Period(since=at(MIDDLE), until=at(MIDDLE + 24))
AN_INCIDENT = Incident(
    id=1,
    reference_id="i",
    started_at=at(MIDDLE),
    created_at=at(MIDDLE),
    updated_at=at(MIDDLE),
    service_ids=(1,),
)


def shipments(tx: StorageTransaction, start: Start | None) -> object:
    return tx.metrics.shipments(
        Selection(),
        A_DAY,
        tx.metrics.deployments(Selection(), A_DAY),
        start=start,
        with_baselines=False,
    )


def beside(tx: StorageTransaction, _: Known) -> object:
    edges = tx.metrics.edges(tx.metrics.deployments(Selection(), A_DAY), A_DAY)
    before = edges.before.values()
    return tx.metrics.told(A_DAY, before), tx.metrics.happened(A_DAY, before, within=1)


ANY_LANE = LaneKey(repository_id=1, branch="main", service_id=1, environment="production")

COMMIT = sha(MIDDLE)

QUESTIONS: dict[str, Callable[[StorageTransaction, Known], object]] = {
    "the neighbours of a place": neighbours,
    "many neighbours": pages_of_neighbours,
    "the windows that hold pull requests": lambda tx, known: tx.windows.covering({known.pull}),
    "the windows that wait": lambda tx, known: tx.windows.waiting_for(
        {(known.repository, "main"): [Position(at(MIDDLE), MIDDLE)]}
    ),
    "the windows of deployments": lambda tx, known: tx.windows.of({known.deployment}),
    "whether it is a rollback": lambda tx, known: tx.windows.rolled_back({known.deployment}),
    "how deployments stand": lambda tx, known: tx.deployments.standings({known.deployment}),
    "how many it ships": lambda tx, known: tx.deployments.count_shipped(
        tx.deployments.get({known.deployment}).values()
    ),
    "what it ships": lambda tx, known: tx.reports.shipped_pulls(known.deployment, PAGE),
    "which commits it reached": lambda tx, known: tx.reports.reached_commits(
        known.deployment, PAGE
    ),
    "how many commits came without a pull request": lambda tx, known: tx.explanations.count_direct(
        tx.reports.placed_windows(known.deployment)[0], 10
    ),
    "what stands around it in its lane": lambda tx, known: tx.explanations.around(
        tx.deployments.get({known.deployment})[known.deployment], 3
    ),
    "what was deployed around it": lambda tx, known: tx.reports.deployments_around(
        tx.deployments.get({known.deployment})[known.deployment], 3
    ),
    "the environments of a service": lambda tx, known: tx.activities.places_of_service(
        known.service
    ),
    "the environments of a repository": lambda tx, known: tx.activities.places_of_repository(
        known.repository
    ),
    "the mark that a deployment finds": lambda tx, _: tx.explanations.mark_before(
        ANY_LANE, Order(at(MIDDLE), "new")
    ),
    "which deployments ship pull requests": lambda tx, known: tx.search.shipping({known.pull}, 10),
    "what ships a pull request": lambda tx, known: tx.reports.shipping(known.pull),
    "the lanes of a pull request": lambda tx, known: tx.explanations.lanes_of(known.pull),
    "what a window leaves out": lambda tx, known: tx.explanations.left_out(
        tx.windows.of({known.deployment})[0], 10
    ),
    "who names a commit": lambda tx, known: tx.deployments.naming({(known.repository, COMMIT)}),
    "what a commit may be": lambda tx, known: tx.commits.candidates({(known.repository, COMMIT)}),
    "whether a commit is known": lambda tx, _: tx.commits.known({(None, COMMIT[:7])}),
    "a pull request by number": lambda tx, known: tx.pulls.by_number({(known.repository, MIDDLE)}),
    "a deployment by reference_id": lambda tx, _: tx.deployments.by_reference_ids({f"{LONG}#1"}),
    "a lane by its key": lambda tx, _: tx.lanes.find([ANY_LANE]),
    "what is not deployed": lambda tx, known: tx.reports.pulls(
        PullFilter(
            repository_id=known.repository,
            deployed=False,
            environments=("production",),
            merged=True,
        ),
        PAGE,
    ),
    "what a service has not deployed": lambda tx, known: tx.reports.pulls(
        PullFilter(service_id=known.service, deployed=False), PAGE
    ),
    "the deployments of a repository": lambda tx, known: tx.reports.deployments(
        DeploymentFilter(repository_id=known.repository, environments=("production", "staging")),
        PAGE,
    ),
    "the deployments of a period": lambda tx, _: tx.metrics.deployments(Selection(), A_DAY),
    "what they shipped": lambda tx, _: shipments(tx, Start.OPENED),
    "the commits in their windows": lambda tx, _: shipments(tx, None),
    "which pull requests are fixes": lambda tx, known: tx.metrics.fixes([known.pull], FixRules()),
    "which shipped only fixes": lambda tx, known: tx.metrics.only_fixes(
        [known.deployment], FixRules()
    ),
    "the last rows that coverage misses": lambda tx, _: tx.metrics.unshipped_rows(
        Selection(), A_DAY, after=None, limit=10
    ),
    "what lies beside a period": beside,
    "how many merged": lambda tx, _: tx.metrics.merged(Selection(), A_DAY, A_DAY.since),
    "how many are not shipped": lambda tx, _: tx.metrics.unshipped(Selection(), A_DAY, A_DAY.since),
    "what waits": lambda tx, _: tx.metrics.waiting(Selection(), most=100),
    "what an incident may follow": lambda tx, _: tx.incidents.suspects(
        [AN_INCIDENT], within=timedelta(days=1)
    ),
    "what is due": lambda tx, _: tx.deployments.claim_due(limit=10, lease_until=at(0)),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_it_is_answered_by_an_index(crowded: Database, question: str) -> None:
    with crowded.trial() as tx:
        if not crowded.is_sqlite:
            tx.connection.exec_driver_sql("ANALYZE")
        known = Known.of(tx)
        with recorded(crowded.engine) as statements:
            QUESTIONS[question](tx, known)
        plans = {
            one.sql: plan_of(tx.connection, one)
            for one in statements
            if not one.is_many and not one.sql.startswith("INSERT")
        }
    assert plans
    for sql, plan in plans.items():
        read_whole = [line for line in plan if WHOLE_TABLE.search(line) and not SMALL.search(line)]
        assert not read_whole, sql


def test_a_table_that_is_read_as_a_whole_is_found_out(crowded: Database) -> None:
    with crowded.trial() as tx, recorded(crowded.engine) as statements:
        tx.connection.scalar(select(windows.c.raises).where(windows.c.opened_number == 5))
    with crowded.trial() as tx:
        plan = plan_of(tx.connection, statements[-1])
    assert any(WHOLE_TABLE.search(line) and not SMALL.search(line) for line in plan)
