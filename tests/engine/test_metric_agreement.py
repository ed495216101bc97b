"""The metrics and an independent computation agree on random histories."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import sha
from tests.engine.both import POLICY
from tests.metrics_model import About, Incident, Known, Metrics, Question
from tests.reference_model import Deployment, Pull

from shipmark.application.drafts import Registration
from shipmark.application.incidents import (
    CorrectionDraft,
    IncidentDraft,
    correct_link,
    upsert_incident,
)
from shipmark.application.metric_facts import Asked, Measured, MetricRules
from shipmark.application.metric_rows import metric_rows
from shipmark.application.metrics import measure
from shipmark.application.queries import Page
from shipmark.application.record_pulls import PullFacts, record_pulls
from shipmark.application.register import register
from shipmark.application.repositories import record_branch_commits, upsert_repository
from shipmark.application.set_services import Assignment, set_services
from shipmark.domain.errors import ShipmarkError
from shipmark.domain.metrics import Metric, Start, Unit
from shipmark.domain.model import BranchCommit
from shipmark.domain.periods import Granularity
from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction

REPOSITORIES = ("acme/shop", "acme/site")
BEGINNING = datetime(2024, 3, 29, 22, tzinfo=UTC)
"""Two days before clocks change in Berlin, where it is midnight less an hour."""
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")
LONG = Page(limit=1000)
RULES = MetricRules()


def later(hours: float) -> datetime:
    return BEGINNING + timedelta(hours=hours)


# Few instants, so that they tie and lie on the edges of days and periods.
instants = st.sampled_from([*range(0, 96, 6), 1, 25, 49]).map(later)
maybe = st.none()
shas = st.integers(1, 5).map(sha)
services = st.sampled_from(("api", "api", "api", "web"))
environments = st.sampled_from((*["production"] * 6, "staging", "PROD-eu"))
repositories = st.sampled_from((*[REPOSITORIES[0]] * 4, REPOSITORIES[1]))
pulls = st.builds(
    Pull,
    repository=repositories,
    number=st.integers(1, 5),
    base_ref=st.sampled_from(("main", "main", "main", "develop")),
    merged_at=st.one_of(instants, instants, instants, maybe),
    merge_commit_sha=st.one_of(st.just(None), st.just(None), shas),
).map(
    # Usually each has a commit of its own, so that deployments reach it.
    lambda one: replace(one, merge_commit_sha=one.merge_commit_sha or sha(one.number))
)
about = st.builds(
    About,
    author=st.sampled_from(("ada", "bob", None)),
    title=st.sampled_from(("Sell apples", "Revert apples", "[Hotfix] pears", "unrevert", None)),
    labels=st.lists(
        st.sampled_from(("hotfix", "HotFix", "no hotfix", 'a, "hotfix')), max_size=2
    ).map(tuple),
    created_at=st.one_of(instants, maybe),
    first_commit_at=st.one_of(instants, maybe),
)
named: Any = st.one_of(
    st.fixed_dictionaries({"repository": repositories}),
    st.fixed_dictionaries({"repository": repositories, "commit_sha": shas}),
    st.fixed_dictionaries({"repository": repositories, "commit_sha": shas}),
    st.fixed_dictionaries(
        {
            "merge_commit_shas": st.lists(shas, min_size=1, max_size=2, unique=True).map(tuple),
            "repository": st.one_of(repositories, maybe),
        }
    ),
)
deployments = st.builds(
    lambda values, **others: Deployment(**values, **others),
    values=named,
    reference_id=st.sampled_from([f"d{number}" for number in range(12)]),
    service=services,
    environment=environments,
    deployed_at=instants,
    success=st.sampled_from((True, True, True, False)),
)
incidents = st.builds(
    Incident,
    reference_id=st.sampled_from(("i0", "i1", "i2", "i3")),
    started_at=instants,
    resolved_at=st.one_of(st.integers(0, 60), maybe),
    services=st.frozensets(services),
    environment=st.sampled_from((None, None, "production", "staging")),
    deployment=st.sampled_from((None, None, None, "d0", "d1", "d2")),
).map(
    lambda one: replace(
        one,
        resolved_at=None
        if one.resolved_at is None
        else one.started_at + timedelta(hours=one.resolved_at),
    )
)
histories = st.fixed_dictionaries(
    {
        "pulls": st.lists(st.tuples(pulls, about), min_size=3, max_size=8),
        "commits": st.lists(st.tuples(repositories, st.just("main"), shas, instants), max_size=4),
        "assigned": st.dictionaries(
            st.tuples(repositories, st.integers(1, 6)), st.frozensets(services, min_size=1)
        ),
        "deployments": st.lists(
            st.tuples(deployments, st.sampled_from(("argo", "jenkins", None))),
            min_size=4,
            max_size=9,
            unique_by=lambda one: one[0].reference_id,
        ),
        "incidents": st.lists(
            incidents, min_size=1, max_size=3, unique_by=lambda one: one.reference_id
        ),
        "corrections": st.dictionaries(
            st.tuples(st.integers(0, 2), st.integers(0, 8)), st.booleans(), max_size=2
        ),
    }
)
questions = st.builds(
    lambda edges, **others: Question(since=min(edges), until=max(edges), **others),
    edges=st.lists(st.integers(-8, 110).map(later), min_size=2, max_size=2, unique=True),
    zone=st.sampled_from(("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")).map(
        ZoneInfo
    ),
    granularity=st.sampled_from(("day", "week", "month")),
    service=st.sampled_from((None, None, None, "api")),
    repository=st.sampled_from((None, None, None, REPOSITORIES[0])),
    environments=st.sampled_from(((), (), ("staging",), ("production", "staging"))),
    source=st.sampled_from((None, None, None, "argo")),
    author=st.sampled_from((None, None, None, "ada")),
    include_baseline=st.booleans(),
    start=st.sampled_from(("merged", "opened", "first_commit")),
    unit=st.sampled_from(("change", "change", "pull_request", "deployment", "commit")),
)


def tell(tx: StorageTransaction, history: Any) -> Known:
    """Tell the product and the model the same."""
    known = Known()
    ids = {}
    for name in REPOSITORIES:
        ids[name] = upsert_repository(tx, name, {"default_branch": "main"}, policy=POLICY).id
        known.facts.default_branches[name] = "main"
    _tell_pulls(tx, history, known)
    for repository, branch, commit, at in history["commits"]:
        one = BranchCommit(
            repository_id=ids[repository], branch=branch, sha=commit, committed_at=at
        )
        record_branch_commits(tx, [one], policy=POLICY)
        known.facts.commits[repository, branch, commit] = at
    for deployment, source in history["deployments"]:
        values = {name: getattr(deployment, name) for name in Deployment.__dataclass_fields__}
        (done,) = register(tx, [Registration(**values, source_name=source)], policy=POLICY)
        if not isinstance(done, ShipmarkError):
            known.facts.deployments[deployment.reference_id] = deployment
            known.sources[deployment.reference_id] = source
    _tell_incidents(tx, history, known)
    return known


def _tell_pulls(tx: StorageTransaction, history: Any, known: Known) -> None:
    for pull, told in history["pulls"]:
        values = {
            "base_ref": pull.base_ref,
            "merged_at": pull.merged_at,
            "merge_commit_sha": pull.merge_commit_sha,
            **{name: getattr(told, name) for name in About.__dataclass_fields__},
        }
        facts = PullFacts(repository=pull.repository, number=pull.number, values=values)
        record_pulls(tx, [facts], policy=POLICY)
        known.facts.pulls[pull.key] = pull
        known.about[pull.key] = told
    for (repository, number), chosen in history["assigned"].items():
        named = tuple((one, None) for one in sorted(chosen))
        assignment = Assignment(services=named, repository=repository, number=number)
        set_services(tx, assignment, policy=POLICY)
        known.facts.services[repository, number] = chosen


def _tell_incidents(tx: StorageTransaction, history: Any, known: Known) -> None:
    for incident in history["incidents"]:
        upsert_incident(
            tx,
            IncidentDraft(
                reference_id=incident.reference_id,
                started_at=incident.started_at,
                values={
                    "resolved_at": incident.resolved_at,
                    "environment": incident.environment,
                    "deployment_reference_id": incident.deployment,
                },
                services=tuple((one, None) for one in sorted(incident.services)),
            ),
        )
        known.incidents.append(incident)
    for (first, second), is_linked in history["corrections"].items():
        references = list(known.facts.deployments)
        if first < len(known.incidents) and second < len(references):
            pair = known.incidents[first].reference_id, references[second]
            correct_link(
                tx,
                CorrectionDraft(
                    reference_id=pair[0],
                    deployment_reference_id=pair[1],
                    is_linked=is_linked,
                    reason=None,
                    account="default",
                    token="test",  # noqa: S106 - the name of one
                ),
            )
            known.corrections[pair] = is_linked


def asked_of(question: Question) -> Asked:
    return Asked(
        since=question.since,
        until=question.until,
        zone=question.zone,
        granularity=Granularity(question.granularity),
        service=question.service,
        repository=question.repository,
        environments=question.environments,
        source=question.source,
        author=question.author,
        include_baseline=question.include_baseline,
        start=Start(question.start),
        unit=Unit(question.unit),
    )


def figures(parts: Sequence[Any]) -> dict[str, Any]:
    """What the product says of one period or bucket, in the model's words."""
    frequency, leads, failures, recovery, rework = parts
    return {
        "frequency": (frequency.n, frequency.days_with_deployment),
        "leads": (
            leads.n,
            leads.quantiles and tuple(leads.quantiles),
            leads.unknown_starts,
            leads.baselines_left_out,
        ),
        "failures": (failures.n, failures.failed, failures.reasons, failures.incidents),
        "recovery": (
            recovery.n,
            recovery.quantiles and tuple(recovery.quantiles),
            recovery.unrecovered,
        ),
        "rework": (rework.n, rework.rework, rework.reasons),
    }


@settings(max_examples=settings.default.max_examples * 2)
@given(history=histories, question=questions)
def test_they_agree(database: Database, history: Any, question: Question) -> None:
    with database.trial() as tx:
        known = tell(tx, history)
        asked = asked_of(question)
        found = measure(tx, asked, RULES)
        model = Metrics(known, question)
        assert found.lead_time_for_changes is not None
        measured: list[Measured[Any] | None] = [
            found.deployment_frequency,
            found.lead_time_for_changes.leads,
            found.change_failure_rate,
            found.failed_deployment_recovery_time,
            found.deployment_rework_rate,
        ]
        parts = [one for one in measured if one is not None]
        length = question.until - question.since
        before = question.since - length
        now = model.figures(question.since, question.until)
        assert figures([one.now for one in parts]) == now
        assert figures([one.before for one in parts]) == model.figures(before, question.since)
        coverage, earlier = (
            found.lead_time_for_changes.coverage,
            found.lead_time_for_changes.coverage_before,
        )
        assert (coverage.n, coverage.shipped) == model.coverage(question.since, question.until)
        assert (earlier.n, earlier.shipped) == model.coverage(before, question.since)
        _buckets_agree(parts, model, question)
        _waiting_agrees(tx, found.time_waiting or (), model)
        _rows_agree(tx, asked, now)


def _buckets_agree(parts: Sequence[Measured[Any]], model: Metrics, question: Question) -> None:
    buckets = [(one.name, one.period.since, one.period.until) for one, _ in parts[0].series]
    assert buckets == model.buckets()
    if question.unit == "pull_request":
        return  # Each is in the bucket of its last deployment in the period: tested by examples.
    for place, (_, since, until) in enumerate(buckets):
        of_bucket = [one.series[place][1] for one in parts]
        assert figures(of_bucket) == model.figures(since, until)


def _waiting_agrees(tx: StorageTransaction, found: Sequence[Any], model: Metrics) -> None:
    waiting = model.waiting(tx.now)
    assert {(one.service, one.environment): one.n for one in found} == {
        place: len(ages) for place, ages in waiting.items()
    }
    for one in found:
        ages = sorted(age.total_seconds() for age in waiting[one.service, one.environment])
        middle = (ages[(len(ages) - 1) // 2] + ages[len(ages) // 2]) / 2
        assert (one.oldest, one.median) == (ages[-1], middle)


def _rows_agree(tx: StorageTransaction, asked: Asked, now: dict[str, Any]) -> None:
    counts = {
        Metric.DEPLOYMENT_FREQUENCY: now["frequency"][0],
        Metric.LEAD_TIME_FOR_CHANGES: now["leads"][0] + now["leads"][2],
        Metric.CHANGE_FAILURE_RATE: now["failures"][1],
        Metric.FAILED_DEPLOYMENT_RECOVERY_TIME: now["recovery"][0] + now["recovery"][2],
        Metric.DEPLOYMENT_REWORK_RATE: now["rework"][1],
    }
    for metric, count in counts.items():
        rows = metric_rows(tx, asked, RULES, metric, LONG)
        assert len(rows) == count, metric
        paged = []
        page = Page(limit=2)
        while got := metric_rows(tx, asked, RULES, metric, page):
            paged += got
            page = Page(limit=2, after=got[-1].key)
        assert paged == rows
