"""Deploy rules: saved, tried on the past, and applied to what happens; on both databases."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import REPOSITORY, SERVICE, a_deployment, a_pull_request, at, sha
from tests.domain.rule_builders import ENGINE, a_rule, an_event

from shipmark.application.change import Patch, update
from shipmark.application.policy import Policy
from shipmark.application.queries import DeploymentFilter, Page
from shipmark.application.record_pulls import record_pulls
from shipmark.application.register import Registered, register
from shipmark.application.repositories import upsert_repository
from shipmark.application.rules import (
    RuleDraft,
    SavedRule,
    Trial,
    Tried,
    delete_rule,
    infer,
    try_rule,
    upsert_rule,
)
from shipmark.domain.errors import IntegrationBranchNotValid, InvalidArgument, RepositoryNotFound
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.domain.model import Status
from shipmark.domain.rules import NoMatch
from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction

POLICY = Policy(patterns=ENGINE)
PAGE = Page(limit=10)


def a_draft(name: str = "Deploys", **values: Any) -> RuleDraft:
    """A rule about every run of every workflow, under a name."""
    since = values.pop("since", None)
    rule = a_rule(**values)
    return RuleDraft(
        name=name,
        source=rule.source,
        when=rule.when,
        make=rule.make,
        also_failures=rule.also_failures,
        since=since,
    )


def saved(tx: StorageTransaction, **values: Any) -> SavedRule:
    return upsert_rule(tx, a_draft(**values), policy=POLICY)


def inferred(tx: StorageTransaction, *events: SourceEvent) -> list[Registered]:
    """The deployments that events make, none of which may be refused."""
    results = [one.result for one in infer(tx, events, policy=POLICY)]
    return [result for result in results if _stands(result)]


def _stands(result: object) -> bool:
    assert isinstance(result, Registered), result
    return True


def with_shop(tx: StorageTransaction) -> None:
    upsert_repository(tx, REPOSITORY, {"default_branch": "main"}, policy=POLICY)
    record_pulls(tx, [a_pull_request(number) for number in (1, 2, 3)], policy=POLICY)


def test_a_rule_makes_a_deployment_of_an_event(database: Database) -> None:
    with database.write() as tx:
        with_shop(tx)
        rule = saved(tx, branch="main", to="eu").named.rule
        event = an_event(commit_sha=sha(2), at=at(5), url="https://ci.example/1")
        (made,) = inferred(tx, event)
        (stored,) = tx.deployments.by_reference_ids({made.deployment.reference_id}).values()
        (service,) = tx.services.get({stored.service_id}).values()
    assert (stored.rule_id, stored.rule_version) == (rule.id, 1)
    assert (service.identifier, stored.environment) == (SERVICE, "eu")
    assert (stored.deployed_at, stored.commit_sha) == (at(5), sha(2))
    assert (stored.source_name, stored.source_url) == ("github_actions", "https://ci.example/1")
    assert (made.deployment.attribution.status, made.pull_requests) == (Status.ATTRIBUTED, 2)


def test_a_replay_makes_no_second_deployment_whatever_changed_since(database: Database) -> None:
    event = an_event(commit_sha=sha(2), at=at(5))
    with database.write() as tx:
        with_shop(tx)
        saved(tx)
        (first,) = inferred(tx, event)
        reference_id = first.deployment.reference_id
        update(tx, Patch(reference_id=reference_id, values={"environment": "eu"}), policy=POLICY)
        saved(tx, service="another")
        (again,) = inferred(tx, event)
    assert again.deployment.id == first.deployment.id
    assert (again.deployment.environment, again.deployment.rule_version) == ("eu", 1)


def test_each_rule_makes_its_own_deployment(database: Database) -> None:
    with database.write() as tx:
        with_shop(tx)
        saved(tx, name="one", service="one")
        saved(tx, name="other", service="other")
        saved(tx, name="tags", service="x", source=EventSource.TAG)
        made = inferred(tx, an_event(commit_sha=sha(1)))
    assert len({one.deployment.reference_id for one in made}) == 2


def test_the_same_rule_again_is_no_new_version_and_another_is(database: Database) -> None:
    with database.write() as tx:
        first, again, other = saved(tx), saved(tx), saved(tx, branch="release/*")
        (stands,) = tx.deploy_rules.about({EventSource.GITHUB_ACTIONS})
    versions = [one.named.rule.version for one in (first, again, other)]
    assert versions == [1, 1, 2]
    assert len({one.named.rule.id for one in (first, again, other)}) == 1
    assert stands == other.named.rule


def test_a_deleted_rule_infers_nothing_and_comes_back_with_its_id(database: Database) -> None:
    event = an_event(commit_sha=sha(1))
    with database.write() as tx:
        with_shop(tx)
        before = saved(tx).named.rule
        (made,) = inferred(tx, event)
        assert delete_rule(tx, "Deploys")
        assert not delete_rule(tx, "Deploys")
        assert inferred(tx, replace(event, key="another")) == []
        back = saved(tx).named.rule
        (again,) = inferred(tx, event)
    assert (back.id, back.version) == (before.id, 2)
    assert again.deployment.id == made.deployment.id


def test_a_refused_deployment_does_not_keep_the_others_from_being_made(database: Database) -> None:
    with database.write() as tx:
        with_shop(tx)
        saved(tx)
        events = [an_event(key="a", repository="acme/unknown"), an_event(key="b")]
        refused, made = infer(tx, events, policy=POLICY)
    assert isinstance(refused.result, RepositoryNotFound)
    assert isinstance(made.result, Registered)


def test_what_is_said_of_a_refusal_stands_beside_its_message(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with database.trial() as tx:
        saved(tx)
        infer(tx, [an_event()], policy=replace(POLICY, register_unknown_repositories=False))
    (line,) = caplog.records
    assert line.getMessage().startswith("A deployment that a rule inferred was refused: The rep")
    assert line.__dict__["event_key"] == an_event().key
    # In JSON the message stands under this name.
    assert not hasattr(line, "event")


RELEASE = "release/1"


@pytest.mark.parametrize("order", [*permutations(("pull", "run", "run on main"))], ids=", ".join)
def test_an_integration_branch_is_waited_for_whatever_comes_first(
    database: Database, order: tuple[str, ...]
) -> None:
    def come(what: str) -> None:
        if what == "pull":
            record_pulls(tx, [a_pull_request(4, base_ref=RELEASE)], policy=POLICY)
        elif what == "run":
            inferred(tx, an_event(key="a", commit_sha=sha(4), branch=RELEASE, at=at(6)))
        else:
            inferred(tx, an_event(key="b", commit_sha=sha(2), at=at(7)))

    with database.trial() as tx:
        with_shop(tx)
        saved(tx, integration_branch="{branch}")
        for what in order:
            come(what)
        found = tx.reports.deployments(DeploymentFilter(), PAGE)
        told = {
            row.deployment.integration_branch: (
                row.deployment.attribution.status,
                [one.pull.number for one in tx.reports.shipped_pulls(row.deployment.id, PAGE)],
            )
            for row in found
        }
    assert told == {
        RELEASE: (Status.ATTRIBUTED, [4]),
        "main": (Status.ATTRIBUTED, [1, 2]),
    }


def test_an_inferred_deployment_is_corrected_though_its_branch_has_nothing(
    database: Database,
) -> None:
    with database.trial() as tx:
        with_shop(tx)
        saved(tx, integration_branch="{branch}")
        (made,) = inferred(tx, an_event(branch=RELEASE))

        def corrected(**values: Any) -> Registered:
            patch = Patch(reference_id=made.deployment.reference_id, values=values)
            return update(tx, patch, policy=POLICY)

        assert corrected(environment="eu").deployment.environment == "eu"
        with pytest.raises(IntegrationBranchNotValid, match="has it as its base"):
            corrected(integration_branch="release/2")


def test_a_rule_that_cannot_be_used_is_refused_and_not_stored(database: Database) -> None:
    with database.write() as tx:
        with pytest.raises(InvalidArgument) as wrong:
            saved(tx, branch="regex:(")
        assert tx.deploy_rules.about(set(EventSource)) == []
    assert wrong.value.argument == "when.branch"


# The past


def with_past(tx: StorageTransaction) -> None:
    """Three runs that deployed the commits of the three pull requests, one of another branch."""
    with_shop(tx)
    runs = [
        an_event(key=f"run:{number}", commit_sha=sha(number), at=at(number + 0.5))
        for number in (1, 2, 3)
    ]
    other = an_event(key="run:4", commit_sha=sha(9), at=at(4), branch="feature/x")
    tx.events.add([*runs, other])


def keys(tried: tuple[Tried, ...]) -> list[str]:
    return [one.event.key for one in tried]


def test_a_preview_tells_what_would_be_made_and_why_not(database: Database) -> None:
    draft = a_draft(branch="main")
    with database.write() as tx:
        with_past(tx)
    with database.trial() as tx:
        tried = try_rule(tx, Trial(draft=draft, limit=3), policy=POLICY).tried
    assert keys(tried) == ["run:4", "run:3", "run:2"]
    unlike = tried[0].made
    assert isinstance(unlike, NoMatch)
    assert unlike.condition == "branch"
    results = [one.result for one in tried[1:]]
    assert [one.pull_requests for one in results if isinstance(one, Registered)] == [1, 2]
    assert all(one.is_new for one in tried[1:])
    with database.read() as tx:
        assert tx.deploy_rules.about(set(EventSource)) == []


def test_saving_a_rule_with_since_does_what_its_preview_told(database: Database) -> None:
    draft = a_draft(branch="main", since=at(2))
    with database.write() as tx:
        with_past(tx)
    with database.trial() as tx:
        told = try_rule(tx, Trial(draft=draft, limit=100), policy=POLICY)
    with database.write() as tx:
        done = upsert_rule(tx, draft, policy=POLICY)
        again = upsert_rule(tx, draft, policy=POLICY)
    assert keys(done.tried) == keys(told.tried) == ["run:4", "run:3", "run:2"]
    assert [one.is_new for one in done.tried] == [one.is_new for one in told.tried]
    assert not any(one.is_new for one in again.tried)


def test_a_rule_that_changes_leaves_what_it_made(database: Database) -> None:
    with database.write() as tx:
        with_past(tx)
        upsert_rule(tx, a_draft(branch="main", since=at(0)), policy=POLICY)
    with database.trial() as tx:
        changed = Trial(draft=a_draft(branch="main", service="another"), limit=100)
        tried = try_rule(tx, changed, policy=POLICY).tried
    assert [one.is_new for one in tried if one.result is not None] == [False] * 3


Step = Callable[[StorageTransaction], object]


def history() -> list[Step]:
    """Five merges and the runs that deployed them: one failed, one of an older commit."""

    def merged(number: int) -> Step:
        return lambda tx: record_pulls(tx, [a_pull_request(number)], policy=POLICY)

    def ran(key: int, commit: int, *, success: bool = True) -> Step:
        event = an_event(key=f"run:{key}", commit_sha=sha(commit), at=at(key + 2), success=success)
        return lambda tx: infer(tx, [event], policy=POLICY)

    runs = [ran(1, 1), ran(2, 3, success=False), ran(3, 3), ran(4, 2), ran(5, 5)]
    return [*(merged(number) for number in range(1, 6)), *runs]


def outcome(tx: StorageTransaction) -> dict[str, tuple[Any, ...]]:
    """What each deployment ships, and how it stands."""
    found = {}
    for row in tx.reports.deployments(DeploymentFilter(), Page(limit=100)):
        one = row.deployment
        pulls = [each.pull.number for each in tx.reports.shipped_pulls(one.id, Page(limit=100))]
        standing = (one.attribution.status, one.attribution.reason, row.rolled_back)
        found[one.reference_id] = (*standing, pulls)
    return found


@given(steps=st.permutations([*range(10), *range(10)]))
def test_facts_and_events_in_any_order_and_twice_come_to_the_same(
    sqlite_url: str, steps: list[int]
) -> None:
    def told(order: Iterable[int]) -> dict[str, tuple[Any, ...]]:
        with database.trial() as tx:
            upsert_repository(tx, REPOSITORY, {"default_branch": "main"}, policy=POLICY)
            saved(tx, also_failures=True)
            for step in order:
                history()[step](tx)
            return outcome(tx)

    database = Database(sqlite_url)
    expected = told(range(10))
    assert sorted(pulls for *_, pulls in expected.values()) == [[], [], [1], [2, 3], [4, 5]]
    assert told(steps) == expected
    database.close()


def test_inferred_deployments_are_attributed_as_created_ones_are(database: Database) -> None:
    def shipped(tx: StorageTransaction) -> list[tuple[Any, ...]]:
        deployments = tx.deployments.get(range(1, 10)).values()
        registered = [
            (one.deployed_at, one.commit_sha, one.attribution.status) for one in deployments
        ]
        counts = tx.deployments.count_shipped(deployments)
        return [(*one, counts[id_]) for one, id_ in zip(registered, sorted(counts), strict=True)]

    with database.write() as tx:
        with_past(tx)
    with database.trial() as tx:
        upsert_rule(tx, a_draft(branch="main", since=at(0)), policy=POLICY)
        by_rule = shipped(tx)
    with database.trial() as tx:
        created = [a_deployment(n + 0.5, commit_sha=sha(n)) for n in (3, 2, 1)]
        register(tx, created, policy=POLICY)
        by_hand = shipped(tx)
    assert sorted(by_rule) == sorted(by_hand)
    assert len(by_rule) == 3
