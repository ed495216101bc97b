"""A team that has GitHub Actions, one rule, and no call of the API for its deployments.

What its workflow's runs come to is what the same deployments come to when they are created.
"""

from datetime import timedelta
from typing import Any

from tests.actions_team import RUNS, recorded_run, told_runs
from tests.builders import a_pull_request, at, sha
from tests.domain.rule_builders import ENGINE

from shipmark.application.drafts import Registration
from shipmark.application.policy import Policy
from shipmark.application.queries import DeploymentFilter, Page
from shipmark.application.record_pulls import record_pulls
from shipmark.application.register import register
from shipmark.application.repositories import upsert_repository
from shipmark.application.rules import RuleDraft, infer, upsert_rule
from shipmark.connectors.github_webhooks import read_webhook
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.domain.patterns import read_pattern
from shipmark.domain.rules import Conditions, Outcome
from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction

POLICY = Policy(patterns=ENGINE)
EVERY = DeploymentFilter()
EVERYTHING = Page(limit=1000)


def events_of(payload: dict[str, Any]) -> list[SourceEvent]:
    facts = read_webhook({"x-github-event": "workflow_run"}, payload)
    return [fact for fact in facts if isinstance(fact, SourceEvent)]


def with_team(tx: StorageTransaction, run: SourceEvent) -> None:
    """The team's repository, and a pull request merged each hour to the branch it deploys."""
    upsert_repository(tx, run.repository, {"default_branch": run.branch}, policy=POLICY)
    merged = [
        a_pull_request(number, repository=run.repository, base_ref=run.branch)
        for number in range(1, 6)
    ]
    record_pulls(tx, merged, policy=POLICY)


def outcomes(tx: StorageTransaction) -> list[tuple[Any, ...]]:
    """Every deployment: what was registered, how it was attributed, and what it ships."""
    found = []
    for one in tx.reports.deployments(EVERY, EVERYTHING):
        deployment = one.deployment
        found.append(
            (
                deployment.deployed_at,
                deployment.commit_sha,
                one.service.identifier,
                deployment.environment,
                deployment.success,
                deployment.attribution.status,
                deployment.attribution.reason,
                one.rolled_back,
                [row.pull.number for row in tx.reports.shipped_pulls(deployment.id, EVERYTHING)],
            )
        )
    return found


def the_rule(run: SourceEvent) -> RuleDraft:
    return RuleDraft(
        name="Deploys",
        source=EventSource.GITHUB_ACTIONS,
        when=Conditions(
            repository=read_pattern(run.repository.split("/")[0] + "/*"),
            branch=read_pattern(str(run.branch)),
        ),
        make=Outcome(service="{repository_name}"),
        also_failures=True,
    )


def test_one_rule_comes_to_the_same_as_creating_each_deployment(database: Database) -> None:
    (run,) = events_of(recorded_run())
    with database.write() as tx:
        with_team(tx, run)
    with database.trial() as tx:
        upsert_rule(tx, the_rule(run), policy=POLICY)
        # Told one after the other, and each of them twice.
        for payload in [*told_runs(), *told_runs()]:
            infer(tx, events_of(payload), policy=POLICY)
        by_rule = outcomes(tx)
    with database.trial() as tx:
        created = [
            Registration(
                deployed_at=at(hours),
                service=run.repository.rpartition("/")[2],
                repository=run.repository,
                commit_sha=sha(commit),
                reference_id=f"run {hours}",
                success=conclusion == "success",
            )
            for commit, hours, conclusion, _ in RUNS
            if conclusion != "skipped"
        ]
        register(tx, created, policy=POLICY)
        by_hand = outcomes(tx)
    assert by_rule == by_hand
    assert [one[-1] for one in reversed(by_rule)] == [[1], [], [2, 3], [], [4, 5], []]
    assert by_rule[0][0] == at(5) + timedelta(hours=0.6)
