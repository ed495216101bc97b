"""What a commit is found to be, where a deployment reaches, and how that leaves it standing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.builders import NOON, at, sha

from shipmark.domain.attribution import (
    Candidate,
    Match,
    Reach,
    Window,
    listed_pulls,
    match_commit,
    reach,
    standing,
)
from shipmark.domain.model import (
    BEGINNING,
    LAST_NUMBER,
    Attribution,
    Deployment,
    MatchRule,
    Method,
    Order,
    Position,
    Reason,
    Status,
    everything_by,
)

MERGE, COMMIT, BRANCH = MatchRule


def a_candidate(rule: MatchRule = MERGE, number: int | None = 1, **values: Any) -> Candidate:
    """A pull request merged to main, as many hours after noon as its number says."""
    defaults: dict[str, Any] = {
        "rule": rule,
        "sha": sha(1),
        "repository_id": 1,
        "branch": "main",
        "at": at(number or 0),
        "pull_id": number,
        "number": number,
    }
    return Candidate(**defaults | values)


def a_deployment(**values: Any) -> Deployment:
    defaults: dict[str, Any] = dict.fromkeys(
        ("commit_sha", "integration_branch", "source_url", "source_name", "metadata", "account_id")
    ) | {
        "id": 1,
        "reference_id": "deploy-1",
        "service_id": 1,
        "environment": "production",
        "deployed_at": NOON,
        "success": True,
        "repository_id": 1,
        "merge_commit_shas": (),
        "created_at": NOON,
        "updated_at": NOON,
        "attribution": Attribution(
            status=Status.PENDING,
            reason=None,
            attributed_at=None,
            due_at=None,
            retry_until=NOON + timedelta(days=3),
        ),
    }
    return Deployment(**defaults | values)


def matched(candidate: Candidate) -> Match:
    return Match(found=candidate, reason=None, candidates=(candidate,))


def a_window(*, raises: bool) -> Window:
    reached = everything_by(NOON)
    return Window(
        lane_id=1,
        deployment_id=1,
        order=Order(NOON, "deploy-1"),
        reached=reached,
        opened=BEGINNING if raises else reached,
    )


# Matching


@pytest.mark.parametrize("length", [7, 8, 39, 40])
def test_a_commit_is_found_by_as_many_characters_as_are_given(length: int) -> None:
    candidate = a_candidate()
    assert match_commit(sha(1)[:length], [candidate]).found is candidate


def test_a_commit_nobody_has_is_not_imported() -> None:
    assert match_commit(sha(2), [a_candidate()]) == Match(
        found=None, reason=Reason.COMMIT_NOT_IMPORTED, candidates=()
    )


def test_a_merge_commit_goes_before_a_commit_of_a_pull_request_before_a_push() -> None:
    push = a_candidate(BRANCH, None)
    commit = a_candidate(COMMIT, 2)
    merge = a_candidate(MERGE, 1)
    assert match_commit(sha(1), [push, commit, merge]).found is merge
    assert match_commit(sha(1), [push, commit]).found is commit
    assert match_commit(sha(1), [push]).found is push


def test_a_better_rule_that_is_ambiguous_does_not_leave_it_to_the_next() -> None:
    merges = (a_candidate(MERGE, 1), a_candidate(MERGE, 2, sha=sha(1)[:-1] + "0"))
    match = match_commit(sha(1)[:10], [a_candidate(COMMIT, 3), *merges])
    assert match == Match(found=None, reason=Reason.AMBIGUOUS_COMMIT, candidates=merges)


def test_pull_requests_with_one_merge_commit_on_one_branch_reach_the_last_of_them() -> None:
    first, last = a_candidate(MERGE, 1), a_candidate(MERGE, 2)
    assert match_commit(sha(1), [last, first]).found is last


def test_pull_requests_with_one_merge_commit_on_two_branches_are_ambiguous() -> None:
    candidates = [a_candidate(MERGE, 1), a_candidate(MERGE, 2, branch="develop")]
    assert match_commit(sha(1), candidates).reason is Reason.AMBIGUOUS_COMMIT


def test_a_commit_of_two_pull_requests_is_ambiguous() -> None:
    candidates = [a_candidate(COMMIT, 1), a_candidate(COMMIT, 2)]
    assert match_commit(sha(1), candidates).reason is Reason.AMBIGUOUS_COMMIT


def test_two_commits_of_one_pull_request_mean_that_pull_request() -> None:
    candidates = [a_candidate(COMMIT, 1), a_candidate(COMMIT, 1, sha=sha(1)[:-1] + "0")]
    found = match_commit(sha(1)[:10], candidates).found
    assert found is not None
    assert found.pull_id == 1


def test_a_commit_on_two_branches_is_ambiguous() -> None:
    candidates = [a_candidate(BRANCH, None), a_candidate(BRANCH, None, branch="develop")]
    assert match_commit(sha(1), candidates).reason is Reason.AMBIGUOUS_COMMIT


# Lists


def test_a_list_names_every_pull_request_that_one_commit_merged() -> None:
    merged = a_candidate(MERGE, 1), a_candidate(MERGE, 2, branch="develop")
    assert listed_pulls(sha(1)[:7], [*merged, a_candidate(COMMIT, 3)]) == merged


def test_a_listed_commit_that_could_be_several_names_none() -> None:
    candidates = [a_candidate(MERGE, 1), a_candidate(MERGE, 2, sha=sha(1)[:-1] + "0")]
    found = listed_pulls(sha(1)[:7], candidates)
    assert isinstance(found, Match)
    assert found.reason is Reason.AMBIGUOUS_COMMIT


@pytest.mark.parametrize("rule", [COMMIT, BRANCH])
def test_a_listed_commit_that_is_known_but_merged_nothing_waits_for_pull_requests(
    rule: MatchRule,
) -> None:
    found = listed_pulls(sha(1), [a_candidate(rule)])
    assert isinstance(found, Match)
    assert found.reason is Reason.NO_PULL_REQUESTS_YET


def test_a_listed_commit_nobody_has_is_not_imported() -> None:
    found = listed_pulls(sha(2), [a_candidate()])
    assert isinstance(found, Match)
    assert found.reason is Reason.COMMIT_NOT_IMPORTED


# Reach


def test_a_repository_alone_reaches_everything_merged_by_then_on_the_default_branch() -> None:
    one = a_deployment(deployed_at=at(5))
    assert one.method is Method.DEPLOYED_AT
    assert reach(one, "trunk", None) == (
        Reach(repository_id=1, branch="trunk", position=Position(at(5), LAST_NUMBER)),
    )


def test_a_repository_alone_waits_while_the_default_branch_is_unknown() -> None:
    assert reach(a_deployment(), None, None) is Reason.DEFAULT_BRANCH_UNKNOWN


def test_a_commit_reaches_its_pull_request_on_the_branch_it_was_merged_to() -> None:
    one = a_deployment(commit_sha=sha(1))
    assert one.method is Method.COMMIT_SHA
    assert reach(one, "main", matched(a_candidate(MERGE, 4, branch="release"))) == (
        Reach(repository_id=1, branch="release", position=Position(at(4), 4)),
    )


def test_a_pushed_commit_reaches_everything_merged_by_then_on_its_branch() -> None:
    match = matched(a_candidate(BRANCH, None, branch="develop", at=at(2)))
    assert reach(a_deployment(commit_sha=sha(1)), "main", match) == (
        Reach(repository_id=1, branch="develop", position=everything_by(at(2))),
    )


def test_an_integration_branch_is_reached_as_it_was_when_the_pull_request_was_merged() -> None:
    one = a_deployment(commit_sha=sha(1), integration_branch="develop")
    assert one.method is Method.INTEGRATION_BRANCH
    assert reach(one, "main", matched(a_candidate(MERGE, 4))) == (
        Reach(repository_id=1, branch="develop", position=everything_by(at(4))),
    )


@pytest.mark.parametrize("reason", [Reason.AMBIGUOUS_COMMIT, Reason.COMMIT_NOT_IMPORTED])
@pytest.mark.parametrize("integration_branch", [None, "develop"])
def test_a_commit_that_is_not_found_says_why(
    reason: Reason, integration_branch: str | None
) -> None:
    one = a_deployment(commit_sha=sha(1), integration_branch=integration_branch)
    assert reach(one, "main", Match(found=None, reason=reason, candidates=())) is reason


@pytest.mark.parametrize(
    "one",
    [
        a_deployment(merge_commit_shas=(sha(1),)),
        a_deployment(success=False),
        a_deployment(success=False, commit_sha=sha(1)),
    ],
    ids=["a list", "failed", "a failed commit"],
)
def test_it_reaches_nothing(one: Deployment) -> None:
    assert reach(one, "main", matched(a_candidate())) == ()


# Standing


def stands(**values: Any) -> tuple[Status, Reason | None]:
    defaults: dict[str, Any] = {
        "success": True,
        "ships": False,
        "window": None,
        "waits_for": None,
        "may_wait": True,
    }
    return standing(**defaults | values)


def test_a_failed_deployment_ships_nothing_whatever_it_carried() -> None:
    window = a_window(raises=True)
    assert stands(success=False, ships=True, window=window) == (Status.NONE, Reason.FAILED)


def test_one_that_ships_something_is_attributed() -> None:
    assert stands(ships=True, window=a_window(raises=True)) == (Status.ATTRIBUTED, None)
    assert stands(ships=True, waits_for=Reason.AMBIGUOUS_COMMIT) == (Status.ATTRIBUTED, None)


def test_one_that_does_not_raise_the_mark_has_nothing_to_wait_for() -> None:
    assert stands(window=a_window(raises=False)) == (Status.NONE, None)


def test_an_empty_window_waits_for_pull_requests() -> None:
    window = a_window(raises=True)
    assert stands(window=window, waits_for=Reason.COMMIT_NOT_IMPORTED) == (
        Status.PENDING,
        Reason.NO_PULL_REQUESTS_YET,
    )


@pytest.mark.parametrize(("may_wait", "status"), [(True, "pending"), (False, "expired")])
def test_what_waits_in_vain_expires_with_its_reason(may_wait: bool, status: str) -> None:
    for reason in (Reason.AMBIGUOUS_COMMIT, Reason.DEFAULT_BRANCH_UNKNOWN):
        assert stands(waits_for=reason, may_wait=may_wait) == (Status(status), reason)


# Registering the same again


def test_the_order_of_a_list_makes_no_other_deployment() -> None:
    one = a_deployment(merge_commit_shas=(sha(1), sha(2)))
    assert one.registers_the_same_as(replace(one, merge_commit_shas=(sha(2), sha(1))))
    assert not one.registers_the_same_as(replace(one, merge_commit_shas=(sha(1),)))
