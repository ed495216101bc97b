"""Random histories of deliveries and questions about them, told to the product and to a model."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from tests.builders import sha
from tests.engine.both import POLICY
from tests.metrics_model import About, Incident, Known, Question
from tests.reference_model import Deployment, Pull

from shipmark.application.drafts import Registration
from shipmark.application.incident_corrections import CorrectionDraft, correct_link
from shipmark.application.incidents import IncidentDraft, upsert_incident
from shipmark.application.metric_facts import Asked
from shipmark.application.record_pulls import PullFacts, record_pulls
from shipmark.application.register import register
from shipmark.application.repositories import record_branch_commits, upsert_repository
from shipmark.application.set_services import Assignment, set_services
from shipmark.domain.errors import ShipmarkError
from shipmark.domain.metrics import Start, Unit
from shipmark.domain.model import BranchCommit
from shipmark.domain.periods import Granularity
from shipmark.storage.transaction import StorageTransaction

REPOSITORIES = ("acme/shop", "acme/site")
BEGINNING = datetime(2024, 3, 29, 22, tzinfo=UTC)
"""Two days before clocks change in Berlin, where it is midnight less an hour."""


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
# Half of them where something may have happened: whether that is inside is what is asked.
edges = st.one_of(st.integers(-8, 110), st.sampled_from(range(0, 102, 6))).map(later)
questions = st.builds(
    lambda edges, **others: Question(since=min(edges), until=max(edges), **others),
    edges=st.lists(edges, min_size=2, max_size=2, unique=True),
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
    _tell_commits(tx, history, known, ids)
    _tell_deployments(tx, history, known)
    _tell_incidents(tx, history, known)
    return known


def _tell_commits(
    tx: StorageTransaction, history: Any, known: Known, ids: Mapping[str, int]
) -> None:
    commits = []
    for repository, branch, commit, at in history["commits"]:
        id_ = ids[repository]
        commits.append(BranchCommit(repository_id=id_, branch=branch, sha=commit, committed_at=at))
        # In one batch, what is told last of a commit stands.
        known.facts.commits[repository, branch, commit] = at
    record_branch_commits(tx, commits, policy=POLICY)


def _tell_deployments(tx: StorageTransaction, history: Any, known: Known) -> None:
    registrations = [
        Registration(
            **{name: getattr(one, name) for name in Deployment.__dataclass_fields__},
            source_name=source,
        )
        for one, source in history["deployments"]
    ]
    results = register(tx, registrations, policy=POLICY)
    for (one, source), done in zip(history["deployments"], results, strict=True):
        if not isinstance(done, ShipmarkError):
            known.facts.deployments[one.reference_id] = one
            known.sources[one.reference_id] = source


def _tell_pulls(tx: StorageTransaction, history: Any, known: Known) -> None:
    told_of = []
    for pull, told in history["pulls"]:
        values = {
            "base_ref": pull.base_ref,
            "merged_at": pull.merged_at,
            "merge_commit_sha": pull.merge_commit_sha,
            **{name: getattr(told, name) for name in About.__dataclass_fields__},
        }
        told_of.append(PullFacts(repository=pull.repository, number=pull.number, values=values))
        known.facts.pulls[pull.key] = pull
        known.about[pull.key] = told
    record_pulls(tx, told_of, policy=POLICY)
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
