"""The metrics and an independent computation agree on random histories, number by number and row
by row."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine import metric_figures
from tests.engine.metric_histories import asked_of, histories, questions, tell
from tests.metric_rows_model import Row, incidents, rows, unshipped
from tests.metrics_model import Metrics, Question

from shipmark.application.metric_facts import Asked, MetricRules
from shipmark.application.metric_rows import MetricRow, metric_rows
from shipmark.application.metrics import measure
from shipmark.application.queries import Page
from shipmark.domain.metrics import Metric, Which
from shipmark.domain.periods import instant_of
from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction

LONG = Page(limit=1000)
RULES = MetricRules()


@settings(max_examples=settings.default.max_examples * 2)
@given(
    history=histories,
    question=questions,
    by_pages=st.sampled_from(Metric),
    limit=st.integers(1, 3),
)
def test_they_agree(
    database: Database, history: Any, question: Question, by_pages: Metric, limit: int
) -> None:
    with database.trial() as tx:
        model = Metrics(tell(tx, history), question)
        asked = asked_of(question)
        metric_figures.agree(tx, measure(tx, asked, RULES), model)
        for metric in Metric:
            found = metric_rows(tx, asked, RULES, metric, LONG)
            newest_first = metric is not Metric.TIME_WAITING
            expected = list(rows(model, metric, tx.now))
            _rows_agree(found, expected, model, newest_first=newest_first)
            if metric is by_pages:
                assert _page_by_page(tx, asked, metric, limit) == found
        for (metric, which), expected in {
            (Metric.LEAD_TIME_FOR_CHANGES, Which.UNSHIPPED): unshipped(model),
            (Metric.CHANGE_FAILURE_RATE, Which.INCIDENTS): incidents(model),
        }.items():
            found = metric_rows(tx, asked, RULES, metric, LONG, which)
            _rows_agree(found, list(expected), model, newest_first=True)
            if metric is by_pages:
                assert _page_by_page(tx, asked, metric, limit, which) == found


def _rows_agree(
    found: Sequence[MetricRow],
    expected: Sequence[Row],
    model: Metrics,
    *,
    newest_first: bool,
) -> None:
    """Each once, in order, with all that the model can tell of it."""
    candidates = {(one.deployment, key): one.pulls for one in expected for key in one.pulls}
    told = [_told(one, candidates) for one in found]
    assert Counter(told) == Counter(expected)
    instants = [one.at for one in told]
    assert instants == sorted(instants, reverse=newest_first)
    for one in found:
        _names_agree(one, model)


def _told(row: MetricRow, candidates: Any) -> Row:
    reference_id = row.deployment and row.deployment.deployment.reference_id
    at = instant_of(row.key[0])
    pulls = frozenset()
    if row.pull is not None:
        key = row.pull.repository, row.pull.pull.number
        pulls = candidates.get((reference_id, key), frozenset({key}))
    return Row(
        at=at,
        deployment=reference_id,
        service=row.service or "",
        environment=row.environment or "",
        pulls=pulls,
        sha=row.sha,
        seconds=row.seconds,
        reasons=frozenset(row.reasons),
        incidents=frozenset(row.incidents),
    )


def _names_agree(row: MetricRow, model: Metrics) -> None:
    """What is told of the pull request and the deployment that a row names is theirs."""
    facts = model.known.facts
    assert len(set(row.reasons)) == len(row.reasons)
    assert len(set(row.incidents)) == len(row.incidents)
    if row.deployment is not None:
        shown, repository = row.deployment.deployment, row.deployment.repository
        deployment = facts.deployments[shown.reference_id]
        assert (shown.success, shown.commit_sha, repository and repository.name) == (
            deployment.success,
            deployment.commit_sha,
            deployment.repository,
        )
    if row.pull is not None:
        key = row.pull.repository, row.pull.pull.number
        named, about = row.pull.pull, model.known.about[key]
        assert (named.title, named.author, named.merged_at) == (
            about.title,
            about.author,
            facts.pulls[key].merged_at,
        )


def _page_by_page(
    tx: StorageTransaction,
    asked: Asked,
    metric: Metric,
    limit: int,
    which: Which = Which.COUNTED,
) -> list[MetricRow]:
    found: list[MetricRow] = []
    page = Page(limit=limit)
    while got := metric_rows(tx, asked, RULES, metric, page, which):
        found += got
        page = Page(limit=limit, after=got[-1].key)
    return found
