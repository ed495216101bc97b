"""What metrics read: the part of a history that was asked about, by whatever filters."""

from dataclasses import replace
from datetime import UTC, timedelta

import pytest
from tests.builders import a_deployment, a_pull_request, at
from tests.engine.both import POLICY
from tests.engine.crowd import LONG, the_middle_of
from tests.engine.work import Work, work_of

from shipmark.application import metrics
from shipmark.application.metric_facts import Asked, MetricRules
from shipmark.application.metric_rows import metric_rows
from shipmark.application.queries import Page
from shipmark.application.record_pulls import record_pulls
from shipmark.application.register import register
from shipmark.application.repositories import upsert_repository
from shipmark.domain.metrics import Metric, Unit
from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction

RULES = MetricRules()
SINCE = at(the_middle_of(LONG)).astimezone(UTC)


def work(database: Database, asked: Asked, *, gathered: bool) -> Work:
    with database.trial() as tx:
        return _work(tx, database, asked, gathered=gathered)


def _work(tx: StorageTransaction, database: Database, asked: Asked, *, gathered: bool) -> Work:
    def do(tx: StorageTransaction) -> object:
        return metrics.measure(tx, asked, RULES, [Metric.LEAD_TIME_FOR_CHANGES])

    tx.connection.exec_driver_sql("ANALYZE" if gathered else "SELECT count(*) FROM lanes")
    return work_of(database, tx, do)


@pytest.mark.parametrize("gathered", [False, True], ids=["no statistics", "statistics"])
def test_a_repository_is_asked_for_without_reading_all_of_it(
    crowded: Database, gathered: bool
) -> None:
    period = {"since": SINCE, "until": SINCE + timedelta(days=2)}
    everything = work(crowded, Asked(**period), gathered=gathered)
    narrowed = work(crowded, Asked(**period, repository=LONG), gathered=gathered)
    assert narrowed.steps <= everything.steps * 1.5
    assert narrowed.read["pulls"] <= everything.read["pulls"] + 100


def _a_shop(tx: StorageTransaction, pulls: int) -> None:
    upsert_repository(tx, "acme/shop", {"default_branch": "main"}, policy=POLICY)
    record_pulls(
        tx,
        [a_pull_request(n, hours=n, repository="acme/shop") for n in range(1, pulls + 1)],
        policy=POLICY,
    )


@pytest.mark.parametrize("gathered", [False, True], ids=["no statistics", "statistics"])
def test_what_waits_for_a_service_is_not_looked_for_in_all_that_it_deployed(
    database: Database, gathered: bool
) -> None:
    asked = Asked(since=at(0), until=at(200))
    with database.trial() as tx:
        _a_shop(tx, 100)
        often = [a_deployment(n / 10, repository="acme/shop", service="shop") for n in range(600)]
        register(tx, often, policy=POLICY)
        of_all = _work(tx, database, asked, gathered=gathered)
        of_service = _work(tx, database, replace(asked, service="shop"), gathered=gathered)
    assert of_service.steps <= of_all.steps * 1.5
    assert of_service.read["deployments"] <= of_all.read["deployments"] + 100


def test_where_as_many_wait_as_are_looked_at_all_are_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "MOST_WAITING", 3)
    with database.trial() as tx:
        _a_shop(tx, 3)
        register(tx, [a_deployment(0.5, repository="acme/shop")], policy=POLICY)
        (found,) = metrics.measure(tx, Asked(), RULES, [Metric.TIME_WAITING]).time_waiting or ()
        assert (found.n, found.is_complete) == (3, True)
        record_pulls(tx, [a_pull_request(4, hours=4, repository="acme/shop")], policy=POLICY)
        (found,) = metrics.measure(tx, Asked(), RULES, [Metric.TIME_WAITING]).time_waiting or ()
        assert (found.n, found.is_complete) == (3, False)


@pytest.mark.parametrize("unit", [Unit.CHANGE, Unit.PULL_REQUEST, Unit.DEPLOYMENT])
def test_pages_of_lead_times_put_together_are_all_of_them(database: Database, unit: Unit) -> None:
    asked = Asked(since=at(0), until=at(200), unit=unit)
    with database.trial() as tx:
        _a_shop(tx, 60)
        deployments = [a_deployment(n + 0.5, repository="acme/shop") for n in range(0, 61, 3)]
        # Most lie in the last part of the period, and much before it.
        deployments += [a_deployment(199 + n / 60, repository="acme/shop") for n in range(5)]
        register(tx, deployments, policy=POLICY)
        rows = metric_rows(tx, asked, RULES, Metric.LEAD_TIME_FOR_CHANGES, Page(limit=1000))
        page, paged = Page(limit=7), []
        while got := metric_rows(tx, asked, RULES, Metric.LEAD_TIME_FOR_CHANGES, page):
            paged += got
            page = Page(limit=7, after=got[-1].key)
    assert len(rows) == (20 if unit is Unit.DEPLOYMENT else 60)
    assert paged == rows
