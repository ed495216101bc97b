"""What can happen, as values that Hypothesis draws: each is done to the engine and to the model.

The pools are small, so that instants tie, short SHAs fit several commits, and deployments meet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from tests.builders import at
from tests.engine.both import POLICY, Both, WaitingAssignment, with_services
from tests.reference_model import Answers, Deployment, Pull, PullKey

from shipmark.application import change
from shipmark.application.drafts import Registration
from shipmark.application.record_pulls import Change, PullFacts, record_pulls
from shipmark.application.register import Registered, register
from shipmark.application.repositories import record_branch_commits
from shipmark.application.retry import retry_claimed
from shipmark.application.set_services import Assignment, set_services
from shipmark.domain.errors import IntegrationBranchNotValid, ReferenceIdExists, ShipmarkError
from shipmark.domain.model import BranchCommit, Status

SHOP, SITE = "acme/shop", "acme/site"
COMMITS = tuple(prefix + tail * 33 for prefix in ("abcdef0", "abcdef1") for tail in "012")
SHORT_COMMITS = ("abcdef0", "abcdef1", "abcdef00", "abcdef01", "abcdef10")
REFERENCES = tuple(f"d{number}" for number in range(7))


def mostly(usual: SearchStrategy[Any], *others: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """The usual in two cases of three, so that what happens has to do with each other."""
    return st.one_of(*[usual] * 2 * len(others), *others)


instants = st.integers(0, 6).map(at)
full_shas = st.sampled_from(COMMITS)
shas = mostly(full_shas, st.sampled_from(SHORT_COMMITS))
repositories = mostly(st.just(SHOP), st.sampled_from((SHOP, SITE)))
services = mostly(st.just("api"), st.sampled_from(("api", "web")))
environments = mostly(st.just("production"), st.sampled_from(("production", "staging")))
branches = st.sampled_from(("main", "main", "main", "main", "develop", "develop", "release"))
integration_branches = mostly(st.just("develop"), st.sampled_from(("main", "release")))
pull_keys = st.tuples(repositories, st.integers(1, 4))
references = st.sampled_from(REFERENCES)


class Operation(Protocol):
    def happen(self, both: Both) -> None:
        """Do it to both, and compare what the engine answers with what was to be expected."""


# Deployments

named = st.one_of(
    st.fixed_dictionaries({"repository": repositories}),
    st.fixed_dictionaries({"repository": repositories, "commit_sha": shas}),
    st.fixed_dictionaries(
        {"repository": repositories, "commit_sha": shas, "integration_branch": integration_branches}
    ),
    st.fixed_dictionaries(
        {
            "merge_commit_shas": st.lists(shas, min_size=1, max_size=3, unique=True).map(tuple),
            "repository": mostly(repositories, st.none()),
        }
    ),
)
deployments = st.builds(
    lambda values, **others: Deployment(**values, **others),
    values=named,
    reference_id=references,
    service=services,
    environment=environments,
    deployed_at=instants,
    success=mostly(st.just(True), st.booleans()),
)
NAMING = ("commit_sha", "integration_branch", "merge_commit_shas", "repository")


@dataclass(frozen=True)
class Register:
    deployments: tuple[Deployment, ...]

    def happen(self, both: Both) -> None:
        refusals = [refusal(both, one) for one in self.deployments]
        registrations = [Registration(**values_of(one)) for one in self.deployments]
        results = register(both.tx, registrations, policy=POLICY)
        for one, refused in zip(self.deployments, refusals, strict=True):
            if refused is None:
                both.facts.deployments.setdefault(one.reference_id, one)
        expected = Answers(both.facts)
        for one, refused, result in zip(self.deployments, refusals, results, strict=True):
            if refused is not None:
                assert type(result) is refused
            else:
                assert isinstance(result, Registered)
                both.agree_about(result, expected, one.reference_id)


def refusal(both: Both, one: Deployment) -> type[ShipmarkError] | None:
    """How registering must be refused, if it must be."""
    known = both.facts.deployments.get(one.reference_id)
    if known is not None:
        return None if _comparable(known) == _comparable(one) else ReferenceIdExists
    return None if takes_integration_branch(both, one) else IntegrationBranchNotValid


def _comparable(one: Deployment) -> tuple[Deployment, frozenset[str]]:
    """With the same commits in another order it is the same deployment."""
    return replace(one, merge_commit_shas=()), frozenset(one.merge_commit_shas)


def takes_integration_branch(both: Both, one: Deployment) -> bool:
    if one.integration_branch is None or one.repository is None:
        return True
    bases = {p.base_ref for p in both.facts.pulls.values() if p.repository == one.repository}
    return one.integration_branch != both.facts.default_branches[one.repository] and (
        not bases or one.integration_branch in bases
    )


def values_of(one: Deployment) -> dict[str, Any]:
    return {field.name: getattr(one, field.name) for field in fields(one)}


@dataclass(frozen=True)
class Upsert:
    """Change some values of a deployment, or register it if there is none."""

    deployment: Deployment
    about: frozenset[str]

    def happen(self, both: Both) -> None:
        one = self.deployment
        before = both.facts.deployments.get(one.reference_id)
        values = self._values(complete=before is None)
        after = replace(before, **self._meaning(values)) if before is not None else one
        patch = change.Patch(reference_id=one.reference_id, values=values)
        savepoint = both.tx.connection.begin_nested()
        try:
            result = change.upsert(both.tx, patch, policy=POLICY)
        except IntegrationBranchNotValid:
            savepoint.rollback()
            assert not takes_integration_branch(both, after)
            return
        savepoint.commit()
        assert takes_integration_branch(both, after)
        both.facts.deployments[one.reference_id] = after
        both.agree_about(result, Answers(both.facts), one.reference_id)

    def _values(self, *, complete: bool) -> dict[str, Any]:
        one = self.deployment
        values = {
            name: value
            for name, value in values_of(one).items()
            if (complete or name in self.about) and name not in (*NAMING, "reference_id")
        }
        if complete or "naming" in self.about:
            values |= {} if one.repository is None else {"repository": one.repository}
            values |= (
                {"merge_commit_shas": one.merge_commit_shas}
                if one.merge_commit_shas
                else {"commit_sha": one.commit_sha, "integration_branch": one.integration_branch}
            )
        return values

    def _meaning(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A commit takes the place of a list, and the other way round."""
        if "merge_commit_shas" in values:
            return {**values, "commit_sha": None, "integration_branch": None}
        return {**values, "merge_commit_shas": ()} if "commit_sha" in values else dict(values)


@dataclass(frozen=True)
class Delete:
    reference_id: str

    def happen(self, both: Both) -> None:
        was_there = both.facts.deployments.pop(self.reference_id, None) is not None
        assert change.delete(both.tx, self.reference_id, policy=POLICY) == was_there


@dataclass(frozen=True)
class RetryLater:
    """Time goes by, and a worker looks again for whatever is still waiting."""

    days: float
    asked_for: str | None

    def happen(self, both: Both) -> None:
        both.let_pass(self.days)
        known = both.tx.deployments.by_reference_ids(both.facts.deployments.keys())
        pending = {one.id for one in known.values() if one.attribution.status is Status.PENDING}
        assert retry_claimed(both.tx, pending, policy=POLICY) <= len(pending)
        if self.asked_for in known:
            result = change.retry(both.tx, known[self.asked_for].id, policy=POLICY)
            both.agree_about(result, Answers(both.facts), self.asked_for)


# Repositories, their pull requests and commits

OWN = "own"
"""Stands for the commit that a pull request has unless it shares another's."""

facts_of_pulls = st.fixed_dictionaries(
    {"base_ref": branches, "merged_at": mostly(instants, st.none())},
    optional={
        "merge_commit_sha": mostly(st.just(OWN), full_shas, st.none()),
        "head_sha": full_shas,
        "commit_shas": st.frozensets(full_shas, max_size=2),
        "source_id": st.just(OWN),
    },
)


def resolved(key: PullKey, given: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of this pull request, with its own commit and id where they are meant."""
    own = {"merge_commit_sha": COMMITS[key[1] % len(COMMITS)], "source_id": source_id_of(key)}
    return {name: own[name] if value == OWN else value for name, value in given.items()}


def source_id_of(key: PullKey) -> str:
    repository, number = key
    return f"{1 if repository == SHOP else 2}00{number}"


@dataclass(frozen=True)
class Import:
    items: tuple[tuple[PullKey, Mapping[str, Any]], ...]

    def happen(self, both: Both) -> None:
        before = dict(both.facts.pulls)
        facts, expected = [], []
        for key, given in self.items:
            values = resolved(key, given)
            facts.append(PullFacts(repository=key[0], number=key[1], values=values))
            known = both.facts.pulls.get(key)
            both.facts.pulls[key] = (
                Pull(repository=key[0], number=key[1], **values)
                if known is None
                else replace(known, **values)
            )
            unchanged = Change.UNCHANGED if known == both.facts.pulls[key] else Change.UPDATED
            expected.append(Change.CREATED if known is None else unchanged)
        for key in {key for key, _ in self.items}:
            if before.get(key) != both.facts.pulls[key]:
                apply_waiting(both, both.facts.pulls[key])
        assert record_pulls(both.tx, facts, policy=POLICY) == expected


def apply_waiting(both: Both, pull: Pull) -> None:
    for one in list(both.waiting):
        if one.key == pull.key or (one.key is None and one.source_id == pull.source_id):
            both.waiting.remove(one)
            assigned = both.facts.services.get(pull.key, frozenset())
            both.facts.services[pull.key] = with_services(assigned, one)


@dataclass(frozen=True)
class Assign:
    key: PullKey
    by_source_id: bool
    services: frozenset[str]
    replace: bool

    def happen(self, both: Both) -> None:
        source_id = source_id_of(self.key)
        assignment = WaitingAssignment(
            source_id=source_id if self.by_source_id else None,
            key=None if self.by_source_id else self.key,
            services=self.services,
            replace=self.replace,
        )
        pull = both.facts.pulls.get(self.key)
        if pull is None or (self.by_source_id and pull.source_id != source_id):
            both.waiting.append(assignment)
        else:
            assigned = both.facts.services.get(self.key, frozenset())
            both.facts.services[self.key] = with_services(assigned, assignment)
        set_services(both.tx, self._request(source_id), policy=POLICY)

    def _request(self, source_id: str) -> Assignment:
        chosen = tuple((service, None) for service in sorted(self.services))
        if self.by_source_id:
            return Assignment(services=chosen, source_id=source_id, replace=self.replace)
        repository, number = self.key
        return Assignment(
            services=chosen, repository=repository, number=number, replace=self.replace
        )


@dataclass(frozen=True)
class Push:
    """Commits come to be known on branches, with their times."""

    commits: tuple[tuple[str, str, str, Any], ...]

    def happen(self, both: Both) -> None:
        before = dict(both.facts.commits)
        for repository, branch, sha, when in self.commits:
            both.facts.commits[repository, branch, sha] = when
        news = [key for key, when in both.facts.commits.items() if before.get(key) != when]
        stored = [
            BranchCommit(
                repository_id=both.repositories[repository],
                branch=branch,
                sha=sha,
                committed_at=when,
            )
            for repository, branch, sha, when in self.commits
        ]
        assert record_branch_commits(both.tx, stored, policy=POLICY) == len(news)


@dataclass(frozen=True)
class SetDefaultBranch:
    repository: str
    branch: str | None

    def happen(self, both: Both) -> None:
        both.set_default_branch(self.repository, self.branch)


imports = st.builds(
    Import, st.lists(st.tuples(pull_keys, facts_of_pulls), min_size=1, max_size=3).map(tuple)
)
registrations = st.builds(
    Register,
    st.lists(deployments, min_size=1, max_size=4, unique_by=lambda one: one.reference_id).map(
        tuple
    ),
)
upserts = st.builds(
    Upsert,
    deployments,
    st.frozensets(
        st.sampled_from(("service", "environment", "deployed_at", "success", "naming")), min_size=1
    ),
)
assignments = st.builds(
    Assign, pull_keys, st.booleans(), st.frozensets(services, min_size=1), st.booleans()
) | st.builds(
    Assign, pull_keys, st.booleans(), services=st.just(frozenset()), replace=st.just(True)
)
pushes = st.builds(
    Push,
    st.lists(st.tuples(repositories, branches, full_shas, instants), min_size=1, max_size=3).map(
        tuple
    ),
)
operations: SearchStrategy[Operation] = st.one_of(
    registrations,
    registrations,
    imports,
    imports,
    upserts,
    assignments,
    pushes,
    st.builds(Delete, references),
    st.builds(SetDefaultBranch, repositories, st.sampled_from(("main", "develop", None))),
    st.builds(RetryLater, st.sampled_from((0.01, 4)), st.none() | references),
)

beginnings = st.tuples(
    st.builds(
        Import, st.lists(st.tuples(pull_keys, facts_of_pulls), min_size=3, max_size=4).map(tuple)
    ),
    st.builds(
        Register,
        st.lists(deployments, min_size=2, max_size=4, unique_by=lambda one: one.reference_id).map(
            tuple
        ),
    ),
).flatmap(st.permutations)
histories = st.builds(
    lambda first, then: [*first, *then], beginnings, st.lists(operations, max_size=8)
)
"""Something to begin with, and then whatever comes."""
