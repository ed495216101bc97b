"""Where pull requests are, as pages and badges tell it, agrees with the reference model."""

from collections.abc import Set as AbstractSet
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.metric_histories import histories, tell
from tests.reference_model import Answers, Pull, PullKey

from shipmark.application.activity import service_view
from shipmark.application.whereabouts import Whereabouts, whereabouts
from shipmark.domain.errors import UnknownMethod
from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction

SERVICES = "api", "web"
ENVIRONMENTS = "production", "staging", "PROD-eu", "moon"

Place = tuple[str, str]
"""A service and an environment."""


@settings(max_examples=settings.default.max_examples // 2)
@given(history=histories, between=st.permutations(ENVIRONMENTS[:3]))
def test_they_agree_where_pull_requests_are(
    database: Database, history: Any, between: list[str]
) -> None:
    ahead, behind, _ = between
    with database.trial() as tx:
        expected = Answers(tell(tx, history).facts)
        for key, pull in expected.facts.pulls.items():
            found = whereabouts(tx, *key)
            _targets_agree(found, expected, pull)
            _verdicts_agree(found, expected, pull)
        for service in SERVICES:
            _comparison_agrees(tx, expected, service, ahead, behind)


def _targets_agree(found: Whereabouts, expected: Answers, pull: Pull) -> None:
    """Shipped when and by what; or why not yet, in every place that its branch is deployed to."""
    shipped = {
        (one.service, one.environment, one.reference_id, one.deployed_at, None)
        for one in expected.in_order
        if pull.key in expected.ships[one.reference_id]
    }
    passed = {
        (*place, None, None, _why(expected, pull, place[0]))
        for place in _deployed_to(expected, pull) - _shipped_to(expected, pull)
    }
    told = [
        (one.service, one.environment, one.shipped_by, one.deployed_at, one.reason)
        for one in found.explanation.targets
    ]
    assert len(told) == len(set(told))
    assert set(told) == shipped | passed
    assert found.explanation.merged == (pull.merged_at is not None)


def _why(expected: Answers, pull: Pull, service: str) -> str:
    return "not_deployed_yet" if _is_for(expected, pull, service) else "assigned_to_other_services"


def _is_for(expected: Answers, pull: Pull, service: str) -> bool:
    assigned = expected.facts.services.get(pull.key, frozenset())
    return not assigned or service in assigned


def _deployed_to(expected: Answers, pull: Pull) -> set[Place]:
    return {
        lane[-2:] for lane in expected.windows() if lane[:2] == (pull.repository, pull.base_ref)
    }


def _shipped_to(expected: Answers, pull: Pull) -> set[Place]:
    return {
        (one.service, one.environment)
        for one in expected.in_order
        if pull.key in expected.ships[one.reference_id]
    }


def _verdicts_agree(found: Whereabouts, expected: Answers, pull: Pull) -> None:
    shipped = _shipped_to(expected, pull)
    places = shipped | {
        place for place in _deployed_to(expected, pull) if _is_for(expected, pull, place[0])
    }
    assert found.environments == sorted({environment for _, environment in places})
    for environment in (None, *ENVIRONMENTS):
        for service in (None, *SERVICES):
            asked = {
                one
                for one in places
                if (environment == one[1] or (environment is None and "prod" in one[1].lower()))
                and service in (None, one[0])
            }
            liveness = found.liveness(environment, service)
            assert liveness.verdict == _verdict(pull, asked, shipped)
            assert (liveness.shipped, liveness.places) == (len(asked & shipped), len(asked))


def _verdict(pull: Pull, places: AbstractSet[Place], shipped: AbstractSet[Place]) -> str:
    if pull.merged_at is None:
        return "not merged"
    if not places:
        return "never deployed"
    if places <= shipped:
        return "live"
    return "partly live" if places & shipped else "not yet"


def _comparison_agrees(
    tx: StorageTransaction, expected: Answers, service: str, ahead: str, behind: str
) -> None:
    """What was shipped to one environment and not to another, the oldest first."""
    try:
        view = service_view(tx, service, ahead=ahead, behind=behind)
    except UnknownMethod:
        assert service not in {one.service for one in expected.in_order}
        return
    assert view.comparison is not None
    found = [(one.repository, one.pull.number) for one in view.comparison.pulls]
    between = _in(expected, service, ahead) - _in(expected, service, behind)
    pulls = expected.facts.pulls
    assert found == sorted(between, key=lambda key: pulls[key].position)


def _in(expected: Answers, service: str, environment: str) -> set[PullKey]:
    """What was shipped to a place."""
    return {
        key
        for one in expected.in_order
        if (one.service, one.environment) == (service, environment)
        for key in expected.ships[one.reference_id]
    }
