"""Events of which more is told later: the deployments that were made of them follow."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.application.test_inferring import POLICY, a_draft, with_shop
from tests.builders import REPOSITORY, at, sha
from tests.domain.rule_builders import an_event

from shipmark.application.change import Patch, delete, update
from shipmark.application.queries import DeploymentFilter, Page
from shipmark.application.record_facts import record_facts
from shipmark.application.rules import infer, upsert_rule
from shipmark.domain.events import EventSource, SourceEvent, completed
from shipmark.domain.model import Deployment
from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction

BITBUCKET = EventSource.BITBUCKET_PIPELINES
GUESS = an_event(
    source=BITBUCKET,
    key=f"bitbucket:{REPOSITORY}:pipeline:4:success",
    commit_sha=sha(2)[:12],
    branch="v2",
    workflow=None,
    at=at(5.5),
    is_guessed=True,
)
"""A pipeline as a webhook tells it: what it ran on is taken for a branch."""

CERTAIN = replace(
    GUESS, commit_sha=sha(2), branch=None, tag="v2", workflow="nightly", at=at(5), is_guessed=False
)


def tell(tx: StorageTransaction, *events: SourceEvent) -> None:
    record_facts(tx, events, policy=POLICY, infer=infer)


def made(tx: StorageTransaction) -> list[Deployment]:
    found = tx.reports.deployments(DeploymentFilter(), Page(limit=10))
    return [row.deployment for row in found]


def with_rule(tx: StorageTransaction, **values: Any) -> None:
    upsert_rule(tx, a_draft(source=BITBUCKET, **values), policy=POLICY)


def test_what_a_guess_made_becomes_what_is_certain(database: Database) -> None:
    with database.trial() as tx:
        with_shop(tx)
        with_rule(tx)
        tell(tx, GUESS)
        (guessed,) = made(tx)
        tell(tx, CERTAIN)
        (certain,) = made(tx)
    assert (guessed.deployed_at, guessed.commit_sha) == (at(5.5), sha(2)[:12])
    assert (certain.deployed_at, certain.commit_sha) == (at(5), sha(2))
    assert (certain.id, certain.reference_id) == (guessed.id, guessed.reference_id)


def test_what_only_a_guess_made_is_taken_back_and_what_the_truth_makes_is_made(
    database: Database,
) -> None:
    with database.trial() as tx:
        with_shop(tx)
        with_rule(tx, name="branches", branch="**")
        with_rule(tx, name="tags", tag="v*", to="eu")
        tell(tx, GUESS)
        assert [one.environment for one in made(tx)] == ["production"]
        tell(tx, CERTAIN)
        assert [one.environment for one in made(tx)] == ["eu"]
        tell(tx, GUESS)
        assert [one.environment for one in made(tx)] == ["eu"]


def test_a_guess_and_the_truth_in_one_message_are_one_telling(database: Database) -> None:
    with database.trial() as tx:
        with_shop(tx)
        with_rule(tx, name="branches", branch="**")
        with_rule(tx, name="tags", tag="v*", to="eu")
        tell(tx, GUESS, CERTAIN)
        assert [one.environment for one in made(tx)] == ["eu"]


@pytest.mark.parametrize(
    "correction",
    [
        {"deployed_at": at(4)},
        {"environment": "eu"},
        {"service": "another"},
        {"metadata": '{"by":"hand"}'},
    ],
)
def test_what_was_corrected_by_hand_stays_as_it_was_corrected(
    database: Database, correction: dict[str, Any]
) -> None:
    with database.trial() as tx:
        with_shop(tx)
        with_rule(tx, name="branches", branch="**")
        with_rule(tx, name="all")
        tell(tx, GUESS)
        for one in made(tx):
            update(tx, Patch(reference_id=one.reference_id, values=correction), policy=POLICY)
        corrected = made(tx)
        tell(tx, CERTAIN)
        after = made(tx)
    name, value = next(iter(correction.items()))
    assert len(after) == len(corrected) == 2
    if name in ("deployed_at", "environment"):
        assert {getattr(one, name) for one in after} == {value}
    # The one of a rule that matches still is brought up to date in all else.
    assert sorted(str(one.commit_sha) for one in after) == sorted([sha(2)[:12], sha(2)])


def test_what_was_deleted_by_hand_does_not_come_back(database: Database) -> None:
    with database.trial() as tx:
        with_shop(tx)
        with_rule(tx)
        tell(tx, GUESS)
        (one,) = made(tx)
        assert delete(tx, one.reference_id, policy=POLICY)
        tell(tx, CERTAIN)
        assert made(tx) == []


def test_what_an_earlier_version_of_a_rule_made_stays(database: Database) -> None:
    with database.trial() as tx:
        with_shop(tx)
        with_rule(tx)
        tell(tx, GUESS)
        before = made(tx)
        with_rule(tx, to="eu")
        tell(tx, CERTAIN)
        assert made(tx) == before


A_JOB = an_event(
    source=EventSource.GITLAB_PIPELINES,
    key=f"gitlab:{REPOSITORY}:job:7",
    job="deploy",
    workflow=None,
    at=at(2),
)
TELLINGS = (
    A_JOB,
    replace(A_JOB, environment="staging"),
    replace(A_JOB, workflow="CD", at=at(1), stage="ship"),
)


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
def test_nothing_is_made_of_a_job_until_its_environment_is_told(
    database: Database, order: Sequence[int]
) -> None:
    with database.trial() as tx:
        with_shop(tx)
        rule = a_draft(source=EventSource.GITLAB_PIPELINES, job="deploy", service="{workflow}")
        upsert_rule(tx, rule, policy=POLICY)
        for number in order[:2]:
            tell(tx, TELLINGS[number])
        assert len(made(tx)) == (0 not in order[:2])
        tell(tx, TELLINGS[order[2]], *TELLINGS)
        (one,) = made(tx)
    assert (one.environment, one.deployed_at) == ("staging", at(1))


unknown = st.none()
events = st.builds(
    an_event,
    at=st.sampled_from([at(1), at(2)]),
    commit_sha=unknown | st.sampled_from([sha(1), sha(1)[:12]]),
    branch=unknown | st.just("main"),
    workflow=unknown | st.just("Deploy"),
    environment=unknown | st.just("eu"),
    is_guessed=st.booleans(),
)


@given(events, events, events)
def test_tellings_in_any_order_and_twice_come_to_one(
    one: SourceEvent, other: SourceEvent, third: SourceEvent
) -> None:
    assert completed(one, other) == completed(other, one)
    assert completed(completed(one, other), third) == completed(one, completed(other, third))
    assert completed(completed(one, other), one) == completed(one, other)
