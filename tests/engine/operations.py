"""What can happen, as values: each is done to the engine and to the reference model."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

from tests.engine.both import POLICY, Assigned, Both
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
SHORT_COMMITS = ("abcdef0", "abcdef1", "abcdef00", "abcdef01", "abcdef02", "abcdef10", "abcdef11")
COMMITS = tuple(short.ljust(40, short[-1]) for short in SHORT_COMMITS if len(short) > 7)
REFERENCES = tuple(f"d{number}" for number in range(7))


class Operation(Protocol):
    def happen(self, both: Both) -> None:
        """Do it to both, and compare what the engine answers with what was to be expected."""


# Deployments

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
                {"commit_sha": one.commit_sha, "integration_branch": one.integration_branch}
                if one.commit_sha
                else {"merge_commit_shas": one.merge_commit_shas}
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


def resolved(key: PullKey, given: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of this pull request, with its own commit and id where they are meant."""
    own = {"merge_commit_sha": COMMITS[key[1]], "source_id": source_id_of(key)}
    return {name: own[name] if value == OWN else value for name, value in given.items()}


def source_id_of(key: PullKey) -> str:
    repository, number = key
    return f"{1 if repository == SHOP else 2}00{number}"


@dataclass(frozen=True)
class Import:
    items: tuple[tuple[PullKey, Mapping[str, Any]], ...]

    def happen(self, both: Both) -> None:
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
        both.assign_services()
        assert record_pulls(both.tx, facts, policy=POLICY) == expected


@dataclass(frozen=True)
class Assign:
    key: PullKey
    by_source_id: bool
    services: frozenset[str]
    replace: bool

    def happen(self, both: Both) -> None:
        source_id = source_id_of(self.key)
        both.assignments.append(
            Assigned(
                key=None if self.by_source_id else self.key,
                source_id=source_id if self.by_source_id else None,
                services=self.services,
                replace=self.replace,
            )
        )
        both.assign_services()
        answered = set_services(both.tx, self._request(source_id), policy=POLICY)
        if answered.pull is not None:
            assert frozenset(answered.services) == both.facts.services[self.key]

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
