"""Look for what is missing: each finding is told, and only where something is missing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from benchmarks.work import recorded
from sqlalchemy import update
from tests.builders import NOON, REPOSITORY, Clock, a_deployment, a_pull_request, at, sha
from tests.domain.rule_builders import ENGINE, a_rule

from shipmark.application.deliveries import REST_REFUSED, Delivery
from shipmark.application.diagnosis import Diagnosis, ForgeSetup
from shipmark.application.doctor import Setup, examine
from shipmark.application.facts import BranchPush, PushedCommit, RepositoryFacts
from shipmark.application.findings import ago
from shipmark.application.policy import Policy
from shipmark.application.queries import Page
from shipmark.application.received import Budget, Kind, Refusals, Via
from shipmark.application.record_facts import record_facts
from shipmark.application.record_pulls import record_pulls
from shipmark.application.register import register
from shipmark.application.repositories import upsert_repository
from shipmark.application.rules import RuleDraft, upsert_rule
from shipmark.storage.database import Database
from shipmark.storage.tables import deployments
from shipmark.storage.transaction import StorageTransaction

POLICY = Policy(patterns=ENGINE)
NOW = NOON + timedelta(days=1)
GITHUB = ForgeSetup(
    source="github",
    title="GitHub",
    is_asked=True,
    takes_webhooks=True,
    docs="docs/forges/github.md",
)
SETUP = Setup(forges={"github": GITHUB}, patterns=ENGINE)
ITSELF = RepositoryFacts(
    name=REPOSITORY, source="github", source_id="1", values={"default_branch": "main"}
)


def known(tx: StorageTransaction, **facts: Any) -> int:
    return upsert_repository(tx, REPOSITORY, {"default_branch": "main"} | facts, policy=POLICY).id


def told(tx: StorageTransaction, *facts: Any, via: Via = Via.WEBHOOK) -> None:
    record_facts(tx, [ITSELF, *facts], policy=POLICY, via=via)


def pushed(*numbers: int) -> BranchPush:
    commits = tuple(PushedCommit(sha=sha(n), committed_at=at(n)) for n in numbers)
    return BranchPush(repository=REPOSITORY, branch="main", commits=commits)


def looked_at(database: Database, setup: Setup = SETUP, **options: Any) -> Diagnosis:
    with database.read() as tx:
        return examine(tx, setup, Page(limit=100), **options)


def findings(found: Diagnosis) -> str:
    return "\n".join(one.what for one in found.repositories[0].findings)


def in_general(found: Diagnosis) -> str:
    return "\n".join(one.what for one in found.findings)


def test_a_file_of_path_rules_that_cannot_be_used_is_told(database: Database) -> None:
    with database.write() as tx:
        told(tx, pushed(1), a_pull_request(1))
        register(tx, [a_deployment(2)], policy=POLICY)
        tx.repositories.update(known(tx), {"rules_file_error": "services: is no object"})
    assert "path rules cannot be used" in findings(looked_at(database))
    assert "services: is no object" in findings(looked_at(database))


def test_a_repository_of_which_everything_arrives_is_healthy(database: Database) -> None:
    with database.write() as tx:
        told(tx, pushed(1), a_pull_request(1))
        register(tx, [a_deployment(2)], policy=POLICY)
    found = looked_at(database)
    assert found.is_healthy
    (one,) = found.repositories
    assert {(last.kind, last.via) for last in one.received} == {
        (kind, Via.WEBHOOK) for kind in (Kind.REPOSITORY, Kind.PUSHES, Kind.PULL_REQUESTS)
    }
    assert (one.last_merged_at, one.last_deployed_at) == (at(1), at(2))
    assert found.forges[0].last_delivery_at == NOW


def test_what_was_received_last_is_kept_for_each_way(database: Database, clock: Clock) -> None:
    with database.write() as tx:
        told(tx, pushed(1), via=Via.FORGE_API)
    clock.advance(hours=3)
    with database.write() as tx:
        told(tx, pushed(1))
    (one,) = looked_at(database).repositories
    pushes = {last.via: last.at for last in one.received if last.kind is Kind.PUSHES}
    assert pushes == {Via.FORGE_API: NOW, Via.WEBHOOK: NOW + timedelta(hours=3)}


def test_a_repository_of_which_nothing_came_says_so(database: Database) -> None:
    with database.write() as tx:
        known(tx, default_branch=None, source="github")
    found = findings(looked_at(database))
    assert "default branch is not known" in found
    assert "No pull request and no commit" in found
    assert "No webhook was ever received from GitHub for this repository" in found


def test_a_forge_without_token_and_secret_is_told(database: Database) -> None:
    with database.write() as tx:
        known(tx, source="github")
    silent = ForgeSetup(
        source="github", title="GitHub", is_asked=False, takes_webhooks=False, docs=GITHUB.docs
    )
    assert "no webhooks are taken and which cannot be asked" in findings(
        looked_at(database, Setup(forges={"github": silent}, patterns=ENGINE))
    )


def test_an_import_that_fails_is_told_with_its_reason(database: Database) -> None:
    with database.write() as tx:
        told(tx, a_pull_request(1))
        register(tx, [a_deployment(2)], policy=POLICY)
        before = tx.forge_imports.find_or_add(known(tx))
        failing = {"attempts": 3, "error": "The token is refused.", "due_at": at(48)}
        after = type(before)(repository_id=before.repository_id, **failing)
        assert tx.forge_imports.replace(before, after)
    found = looked_at(database)
    assert "fails after 3 attempts" in findings(found)
    assert "The token is refused." in findings(found)
    assert found.repositories[0].import_state is not None


def test_pull_requests_without_deployments_are_told_with_the_rules_about_them(
    database: Database,
) -> None:
    with database.write() as tx:
        told(tx, a_pull_request(1))
    assert "Pull requests arrive, and no deployments." in findings(looked_at(database))
    for name, repository in (("Shop", "acme/*"), ("Other", "other/*")):
        rule = a_rule(repository=repository)
        draft = RuleDraft(name=name, source=rule.source, when=rule.when, make=rule.make)
        with database.write() as tx:
            upsert_rule(tx, draft, policy=POLICY)
    found = looked_at(database)
    assert [one.name for one in found.repositories[0].rules] == ["Shop"]
    assert "the deploy rules 'Shop' are about it, and made none of it" in findings(found)


def test_deployments_that_wait_are_counted_with_examples(database: Database, clock: Clock) -> None:
    with database.write() as tx:
        told(tx, pushed(1))
    clock.advance(days=3)
    waiting = [a_deployment(n, reference_id=f"d{n}", commit_sha=sha(90 + n)) for n in range(5)]
    with database.write() as tx:
        register(tx, waiting, policy=POLICY)
    assert looked_at(database).is_healthy, "they were registered just now"
    clock.advance(minutes=30)
    found = findings(looked_at(database))
    assert "5 deployments of it wait: no imported pull request or commit" in found
    assert "the newest push was received 3 days ago, no pull request ever was" in found
    assert f"The latest: 'd4' (commit {sha(94)[:12]}), 'd3'" in found
    assert "'d1'" not in found


def test_a_trunk_without_pull_requests_is_not_said_to_lack_them(
    database: Database, clock: Clock
) -> None:
    with database.write() as tx:
        told(tx, pushed(1, 2))
        register(tx, [a_deployment(3, commit_sha=sha(2))], policy=POLICY)
    clock.advance(minutes=30)
    assert "wait" not in findings(looked_at(database))


@pytest.mark.parametrize("is_asked", [True, False])
def test_where_there_are_pull_requests_one_may_be_lost_unless_its_forge_was_asked(
    database: Database, clock: Clock, is_asked: bool
) -> None:
    with database.write() as tx:
        told(tx, pushed(1, 2), a_pull_request(1))
        first, second = (a_deployment(n + 1, commit_sha=sha(n)) for n in (1, 2))
        register(tx, [first, second], policy=POLICY)
    clock.advance(minutes=30)
    setup = Setup(forges={"github": replace(GITHUB, is_asked=is_asked)}, patterns=ENGINE)
    waits = "wait: no pull request is known in what they reached"
    assert (waits in findings(looked_at(database, setup))) is not is_asked


def test_deployments_of_no_repository_that_wait_are_told_in_general(
    database: Database, clock: Clock
) -> None:
    policy = Policy(wait_for_unknown_merge_commits=True)
    listing = a_deployment(1, repository=None, merge_commit_shas=(sha(1),))
    with database.write() as tx:
        register(tx, [listing], policy=policy)
    clock.advance(minutes=30)
    found = looked_at(database)
    assert "1 deployment of no named repository wait" in in_general(found)
    assert found.without_repository[0].count == 1


def failing(tx: StorageTransaction, delivery_id: str, repository: str | None) -> None:
    one = Delivery(forge="github", delivery_id=delivery_id, headers={}, body=delivery_id.encode())
    assert tx.deliveries.add(one)
    (claimed,) = tx.deliveries.claim_due(limit=1, lease_until=at(100))
    tx.deliveries.finish(claimed.id, error="It makes no sense.", repository=repository)


def test_deliveries_that_fail_are_told_with_their_repository_or_in_general(
    database: Database,
) -> None:
    with database.write() as tx:
        told(tx, a_pull_request(1))
        for delivery_id, name in (("a", REPOSITORY), ("b", None), ("c", "nobody/knows")):
            failing(tx, delivery_id, name)
    found = looked_at(database)
    assert "about acme/shop cannot be recorded" in findings(found)
    assert {one.repository for one in found.deliveries} == {None, "nobody/knows"}
    assert in_general(found).count("It makes no sense.") == 2


def test_what_a_forge_refused_to_tell_is_told_as_such(database: Database) -> None:
    with database.write() as tx:
        told(tx, a_pull_request(1))
        tx.deliveries.add(Delivery(forge="github", delivery_id="a", headers={}, body=b"{}"))
        (claimed,) = tx.deliveries.claim_due(limit=1, lease_until=at(100))
        why = f"{REST_REFUSED}it answered 401: Bad credentials"
        tx.deliveries.postpone(claimed.id, due_at=at(100), error=why, repository=REPOSITORY)
    (one,) = looked_at(database).repositories
    (finding,) = [each for each in one.findings if "Bad credentials" in each.what]
    assert "1 delivery of github about acme/shop cannot be completed" in finding.what
    assert "What it tells by itself is recorded" in finding.what
    assert "Correct the token" in finding.mend


def test_work_that_nobody_does_is_told(database: Database, clock: Clock) -> None:
    with database.write() as tx:
        known(tx)
        register(tx, [a_deployment(1, commit_sha=sha(1))], policy=POLICY)
        tx.connection.execute(update(deployments).values(attribution_due_at=NOW))
        tx.deliveries.add(Delivery(forge="github", delivery_id="a", headers={}, body=b"{}"))
    assert not looked_at(database).overdue
    clock.advance(hours=2)
    found = looked_at(database)
    assert [(one.what, one.count) for one in found.overdue] == [
        ("attributions", 1),
        ("deliveries", 1),
    ]
    assert "the first was due 2 hours ago" in in_general(found)


def test_refused_webhooks_add_up_and_are_told_for_a_week(database: Database, clock: Clock) -> None:
    for refused in (2, 3):
        with database.write() as tx:
            tx.received.note_refusals(Refusals(forge="github", refused=refused, last_at=tx.now))
    assert "5 or more" in in_general(looked_at(database))
    clock.advance(days=8)
    assert "refused" not in in_general(looked_at(database))


def test_a_budget_that_is_nearly_spent_is_told_until_it_is_full_again(
    database: Database, clock: Clock
) -> None:
    def left(remaining: int) -> str:
        with database.write() as tx:
            tx.received.note_budget(
                Budget(
                    source="github",
                    remaining=remaining,
                    most=5000,
                    resets_at=NOW + timedelta(hours=1),
                    told_at=tx.now,
                )
            )
        return in_general(looked_at(database))

    assert "may be asked" not in left(4000)
    clock.advance(minutes=5)
    assert "GitHub may be asked 12 times more" in left(12)
    assert looked_at(database).forges[0].budget is not None
    clock.advance(hours=2)
    assert "may be asked" not in in_general(looked_at(database))


def test_it_takes_as_many_statements_for_many_repositories_as_for_one(database: Database) -> None:
    def statements() -> int:
        with recorded(database.engine) as seen:
            looked_at(database)
        return len(seen)

    def adds(first: int, last: int) -> None:
        with database.write() as tx:
            for number in range(first, last):
                name = f"acme/shop-{number}"
                upsert_repository(tx, name, {"default_branch": "main"}, policy=POLICY)
                record_pulls(tx, [a_pull_request(1, repository=name)], policy=POLICY)
                one = a_deployment(2, repository=name, commit_sha=sha(9))
                register(tx, [one], policy=POLICY)

    adds(0, 1)
    one = statements()
    adds(1, 60)
    assert statements() == one


def test_repositories_come_in_pages_by_name(database: Database) -> None:
    names = [f"acme/shop-{number}" for number in range(5)]
    with database.write() as tx:
        for name in reversed(names):
            upsert_repository(tx, name, {"default_branch": "main"}, policy=POLICY)
    with database.read() as tx:
        first = examine(tx, SETUP, Page(limit=3)).repositories
        rest = examine(tx, SETUP, Page(limit=3, after=(first[-1].repository,))).repositories
    assert [one.repository for one in (*first, *rest)] == names
    (only,) = looked_at(database, repository="SHOP-3").repositories
    assert only.repository == "acme/shop-3"


def test_how_long_ago_is_said_in_the_largest_unit() -> None:
    said = {
        timedelta(0): "0 seconds ago",
        timedelta(seconds=1): "1 second ago",
        timedelta(minutes=59, seconds=59): "59 minutes ago",
        timedelta(hours=25): "1 day ago",
        -timedelta(hours=1): "0 seconds ago",
    }
    assert {span: ago(NOW, NOW - span) for span in said} == said
