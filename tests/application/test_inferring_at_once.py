"""Several processes that are told the same at the same time make one deployment of it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.builders import REPOSITORY, SERVICE, a_pull_request, at, sha
from tests.domain.rule_builders import ENGINE, a_rule, an_event

from shipmark.application.artifacts import (
    BuiltFrom,
    record_reports,
    resolve_known,
    set_artifact,
)
from shipmark.application.policy import Policy
from shipmark.application.record_pulls import record_pulls
from shipmark.application.repositories import upsert_repository
from shipmark.application.rules import RuleDraft, infer, upsert_rule
from shipmark.application.writer import transact
from shipmark.domain.artifacts import ServiceDeployed
from shipmark.domain.events import EventSource
from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction

POLICY = Policy(patterns=ENGINE)
IMAGE = "ghcr.io/acme/shop:1.2"
AT_ONCE = 4

Run = Callable[[StorageTransaction], object]


def draft(service: str = SERVICE) -> RuleDraft:
    rule = a_rule(service=service)
    return RuleDraft(name="deploys", source=rule.source, when=rule.when, make=rule.make)


def at_once(database: Database, runs: Sequence[Run]) -> None:
    """Run each in a transaction and a thread of its own."""
    with ThreadPoolExecutor(len(runs)) as threads:
        list(threads.map(partial(transact, database), runs))


def with_shop(database: Database) -> None:
    with database.write() as tx:
        upsert_repository(tx, REPOSITORY, {"default_branch": "main"}, policy=POLICY)
        record_pulls(tx, [a_pull_request(number) for number in (1, 2, 3)], policy=POLICY)


def number_of_deployments(database: Database) -> int:
    with database.read() as tx:
        return len(tx.deployments.get(range(1, 100)))


def test_an_event_told_to_several_is_one_deployment(database: Database) -> None:
    with_shop(database)
    with database.write() as tx:
        upsert_rule(tx, draft(), policy=POLICY)
    event = an_event(commit_sha=sha(2), at=at(5))
    at_once(database, [lambda tx: infer(tx, [event], policy=POLICY)] * AT_ONCE)
    assert number_of_deployments(database) == 1


def test_rules_saved_by_several_are_versions_of_one(database: Database) -> None:
    def save(service: str) -> Run:
        return lambda tx: upsert_rule(tx, draft(service), policy=POLICY)

    at_once(database, [save(f"service {number}") for number in range(AT_ONCE)])
    with database.read() as tx:
        (rule,) = tx.deploy_rules.about(set(EventSource))
    assert rule.version == AT_ONCE


def test_an_image_and_its_sync_told_to_several_are_one_deployment(database: Database) -> None:
    with_shop(database)
    report = ServiceDeployed(
        key="argo_cd:1",
        source="argo_cd",
        at=at(5),
        success=True,
        artifacts=(IMAGE,),
        service=SERVICE,
    )
    built = BuiltFrom(artifact=IMAGE, repository=REPOSITORY, commit_sha=sha(2))
    at_once(
        database,
        [
            lambda tx: record_reports(tx, [report], policy=POLICY),
            lambda tx: set_artifact(tx, built, policy=POLICY),
        ]
        * AT_ONCE,
    )
    with database.write() as tx:
        resolve_known(tx, limit=10, policy=POLICY)
    assert number_of_deployments(database) == 1


def test_what_is_told_again_to_several_at_once_is_one_deployment(database: Database) -> None:
    with_shop(database)
    built = BuiltFrom(artifact=IMAGE, repository=REPOSITORY, commit_sha=sha(2))
    with database.write() as tx:
        set_artifact(tx, built, policy=POLICY)

    def tell(minute: int) -> Run:
        report = ServiceDeployed(
            key=f"flux:Kustomization:1:{minute}",
            subject="flux:Kustomization:1",
            source="flux",
            at=at(5 + minute / 60),
            success=True,
            artifacts=(IMAGE,),
            service=SERVICE,
        )
        return lambda tx: record_reports(tx, [report], policy=POLICY)

    at_once(database, [tell(minute) for minute in range(AT_ONCE)])
    assert number_of_deployments(database) == 1
