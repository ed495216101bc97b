"""What an overview shows and an independent computation agree on random histories."""

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine import metric_figures
from tests.engine.both import POLICY
from tests.engine.metric_histories import asked_of, histories, questions, tell
from tests.metrics_model import Metrics, Question
from tests.reference_model import ATTRIBUTED, WAITING, Deployment

from shipmark.application import report
from shipmark.application.metric_facts import MetricRules
from shipmark.application.overview import Health, Overview, overview
from shipmark.application.queries import DeploymentFilter, Page, PullFilter
from shipmark.application.retry import retry_claimed
from shipmark.domain.model import Status
from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction
from shipmark.web.figures import TILES, tiles

WEEK = 168
BARS = (0, 1, 2, 4, 8, 24, 48, 96, WEEK, 2 * WEEK, 30 * 24, 90 * 24)
"""The hours at which the bars of lead times begin."""


@settings(max_examples=settings.default.max_examples // 4)
@given(history=histories, question=questions, expire=st.frozensets(st.integers(0, 8)))
def test_they_agree_about_an_overview(
    database: Database, history: Any, question: Question, expire: frozenset[int]
) -> None:
    with database.trial() as tx:
        known = tell(tx, history)
        references = [name for place, name in enumerate(known.facts.deployments) if place in expire]
        later, expired = _let_expire(tx, references)
        model = Metrics(known, question)
        found = overview(later, asked_of(question), MetricRules())
        metric_figures.agree(later, found.measurement, model)
        counted = model.counted(question.since, question.until)
        assert _by_service(found) == _services(model, counted)
        assert [(bar.since, bar.until, bar.n) for bar in found.lead_times] == _bars(model)
        _health_agrees(found.health, model, counted, expired)
        _tiles_agree(found, model)
        if question.author is None:
            _lists_agree(later, found, question)


def _lists_agree(tx: StorageTransaction, found: Overview, question: Question) -> None:
    """Lists of the same filters hold as many deployments and pull requests as are counted."""
    names = {"service": question.service, "repository": question.repository}
    of_deployments = DeploymentFilter(
        environments=found.measurement.environments or ("production",),
        source_name=question.source,
        since=question.since,
        until=question.until,
    )
    health = found.health
    for narrowed, n in (
        (of_deployments, health.deployments),
        (replace(of_deployments, status=Status.PENDING), health.pending),
        (replace(of_deployments, status=Status.EXPIRED), health.expired),
        (replace(of_deployments, status=Status.NONE, success=False), health.failed),
        (replace(of_deployments, status=Status.NONE, success=True), health.without_pull_requests),
    ):
        assert len(report.deployments(tx, narrowed, Page(limit=100), **names)) == n
    not_shipped = PullFilter(
        deployed=False,
        environments=question.environments,
        since=question.since,
        until=question.until,
    )
    listed = report.pulls(tx, not_shipped, Page(limit=100), **names)
    assert len(listed) == health.coverage.n - health.coverage.shipped


def _let_expire(
    tx: StorageTransaction, references: list[str]
) -> tuple[StorageTransaction, set[str]]:
    """Let four days pass and some deployments be tried again; those that have waited too long."""
    later = StorageTransaction(tx.connection, now=tx.now + POLICY.retry_for * 1.5)
    found = later.deployments.by_reference_ids(set(references))
    waiting = {
        name: one.id for name, one in found.items() if one.attribution.status is Status.PENDING
    }
    retry_claimed(later, set(waiting.values()), policy=POLICY)
    return later, set(waiting)


def _by_service(found: Overview) -> dict[str, list[tuple[int, int]]]:
    assert [one.service for one in found.services] == sorted(one.service for one in found.services)
    return {
        one.service: list(zip(one.deployments, one.unsuccessful, strict=True))
        for one in found.services
    }


def _services(model: Metrics, counted: list[Deployment]) -> dict[str, list[tuple[int, int]]]:
    """By service, how many deployments each bucket has and how many of them did not succeed."""
    found: dict[str, list[tuple[int, int]]] = {}
    for service in {one.service for one in counted}:
        of_service = [one for one in counted if one.service == service]
        found[service] = []
        for _, since, until in model.buckets():
            inside = [one.success for one in of_service if since <= one.deployed_at < until]
            found[service].append((len(inside), inside.count(False)))
    return found


def _bars(model: Metrics) -> list[tuple[float, float | None, int]]:
    asked = model.asked
    took = [
        one.took.total_seconds()
        for one in model.leads(asked.since, asked.until)
        if one.took is not None
    ]
    edges = [hours * 3600.0 for hours in BARS]
    ends = [*edges[1:], None]
    return [
        (
            since,
            until,
            sum((since <= one or since == 0) and (until is None or one < until) for one in took),
        )
        for since, until in zip(edges, ends, strict=True)
    ]


def _health_agrees(
    health: Health, model: Metrics, counted: list[Deployment], expired: set[str]
) -> None:
    standing = {one.reference_id: model.answers.standing(one.reference_id) for one in counted}
    statuses = Counter(status for status, _ in standing.values())
    waiting = {name for name, (status, _) in standing.items() if status == WAITING}
    nothing = [one for one in counted if standing[one.reference_id][0] not in (ATTRIBUTED, WAITING)]
    without = [standing[one.reference_id][1] for one in nothing if one.success]
    reasons = Counter(
        "redeploy_or_rollback" if why in ("redeploy", "rollback") else why for why in without
    )
    assert health == Health(
        deployments=len(counted),
        attributed=statuses[ATTRIBUTED],
        pending=len(waiting - expired),
        expired=len(waiting & expired),
        without_pull_requests=len(without),
        failed=len(nothing) - len(without),
        reasons={str(why): n for why, n in reasons.items()},
        coverage=health.coverage,
    )
    coverage = model.coverage(model.asked.since, model.asked.until)
    assert (health.coverage.n, health.coverage.shipped) == coverage


def _tiles_agree(found: Overview, model: Metrics) -> None:
    """Each tile tells n, now and before, and has a line where two buckets have a value."""
    asked = model.asked
    now = model.figures(asked.since, asked.until)
    before = model.figures(asked.since - (asked.until - asked.since), asked.since)
    names = dict(zip(TILES, now, strict=True))
    of_buckets = [model.figures(since, until) for _, since, until in model.buckets()]
    for tile in tiles(found.measurement):
        name = names[tile.metric]
        assert tile.n.split()[0] == str(now[name][0])
        n_before = before[name][0]
        assert tile.before.endswith(f", n {n_before}" if n_before else "before: none")
        known = [one for one in of_buckets if one[name][0] or name == "frequency"]
        assert (tile.trend is not None) == (len(known) > 1)
