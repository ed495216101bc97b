"""Where services and repositories stand, however long ago an environment was deployed to."""

from collections.abc import Iterable

import pytest
from tests.builders import REPOSITORY, SERVICE, a_deployment, a_pull_request, sha
from tests.engine.both import POLICY

from shipmark.application.activity import (
    DRAWN,
    MOST_PLACES,
    Places,
    repository_view,
    service_view,
)
from shipmark.application.deployment_view import EACH_SIDE, deployment_view
from shipmark.application.drafts import Registration
from shipmark.application.queries import Page
from shipmark.application.record_pulls import record_pulls
from shipmark.application.register import register
from shipmark.application.repositories import upsert_repository
from shipmark.domain.errors import ShipmarkError
from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction

LATER = DRAWN + 10
STEP = 0.01


@pytest.fixture(params=["service", "repository"])
def view(request: pytest.FixtureRequest) -> str:
    which: str = request.param
    return which


def shop(tx: StorageTransaction) -> None:
    """1 and 2 are in production, where 3 failed; 3 was brought to staging by far more deployments
    than are drawn."""
    upsert_repository(tx, REPOSITORY, {"default_branch": "main"}, policy=POLICY)
    record_pulls(tx, [a_pull_request(number) for number in (1, 2, 3)], policy=POLICY)
    deploy(
        tx,
        a_deployment(2.1, reference_id="before", commit_sha=sha(1)),
        a_deployment(2.2, reference_id="live", commit_sha=sha(2)),
        a_deployment(3.1, reference_id="failed", commit_sha=sha(3), success=False),
    )
    deploy(tx, *(to_staging(number) for number in range(LATER)))


def to_staging(number: int) -> Registration:
    return a_deployment(
        4 + number * STEP,
        reference_id=f"stage-{number:03}",
        commit_sha=sha(3),
        environment="staging",
    )


def deploy(tx: StorageTransaction, *drafts: Registration) -> None:
    for one in register(tx, drafts, policy=POLICY):
        assert not isinstance(one, ShipmarkError), one


def places_of(tx: StorageTransaction, view: str) -> Places:
    if view == "service":
        return service_view(tx, SERVICE, ahead=None, behind=None).places
    return repository_view(tx, REPOSITORY).places


def told(places: Places) -> list[tuple[str, str, str | None]]:
    """Each environment, the last attempt, and what is there."""
    return [
        (
            one.environment,
            one.last.deployment.reference_id,
            one.live and one.live.deployment.reference_id,
        )
        for one in places.shown
    ]


def test_an_environment_is_told_of_however_many_deployments_to_others_came_after(
    database: Database, view: str
) -> None:
    with database.trial() as tx:
        shop(tx)
        last = f"stage-{LATER - 1:03}"
        assert told(places_of(tx, view)) == [
            ("staging", last, last),
            ("production", "failed", "live"),
        ]


def test_environments_are_compared_however_long_ago_one_was_deployed_to(
    database: Database,
) -> None:
    with database.trial() as tx:
        shop(tx)
        comparison = service_view(tx, SERVICE, ahead=None, behind=None).comparison
        assert comparison is not None
        assert (comparison.ahead, comparison.behind) == ("staging", "production")
        assert [row.pull.number for row in comparison.pulls] == [3]


def test_what_succeeded_is_told_however_many_attempts_failed_since(
    database: Database, view: str
) -> None:
    with database.trial() as tx:
        shop(tx)
        failing = (
            a_deployment(
                20 + number * STEP,
                reference_id=f"fails-{number:03}",
                commit_sha=sha(3),
                success=False,
            )
            for number in range(LATER)
        )
        deploy(tx, *failing)
        assert told(places_of(tx, view))[0] == ("production", f"fails-{LATER - 1:03}", "live")


def test_an_environment_in_which_nothing_succeeded_has_nothing(
    database: Database, view: str
) -> None:
    with database.trial() as tx:
        shop(tx)
        deploy(tx, a_deployment(30, reference_id="moon", environment="moon", success=False))
        assert told(places_of(tx, view))[0] == ("moon", "moon", None)


def test_a_place_of_another_repository_or_service_is_not_told_of(
    database: Database, view: str
) -> None:
    with database.trial() as tx:
        shop(tx)
        upsert_repository(tx, "acme/else", {"default_branch": "main"}, policy=POLICY)
        record_pulls(tx, [a_pull_request(1, repository="acme/else")], policy=POLICY)
        beside = {"repository": "acme/else", "service": "else", "commit_sha": sha(1)}
        deploy(tx, a_deployment(40, reference_id="beside", environment="canary", **beside))
        # The service is deployed from elsewhere since: that is nothing of the repository.
        moved = beside | {"service": SERVICE}
        deploy(tx, a_deployment(41, reference_id="moved", **moved))
        found = {environment: last for environment, last, _ in told(places_of(tx, view))}
        assert "canary" not in found
        assert found["production"] == {"service": "moved", "repository": "failed"}[view]


def test_of_very_many_environments_the_last_are_told_and_those_of_production(
    database: Database, view: str
) -> None:
    with database.trial() as tx:
        shop(tx)
        deploy(tx, *previews(MOST_PLACES - 2))
        assert (len(places_of(tx, view).shown), places_of(tx, view).has_more) == (
            MOST_PLACES,
            False,
        )
        deploy(tx, *previews(MOST_PLACES + DRAWN))
        places = places_of(tx, view)
        assert places.has_more
        names = [one.environment for one in places.shown]
        assert len(names) == MOST_PLACES
        assert names[0] == f"preview-{MOST_PLACES + DRAWN - 1:03}"
        assert names[-1] == "production"
        assert "staging" not in names


def previews(many: int) -> Iterable[Registration]:
    for number in range(many):
        name = f"preview-{number:03}"
        yield a_deployment(
            50 + number * STEP, reference_id=name, environment=name, commit_sha=sha(3)
        )


def test_what_came_before_and_after_is_told_whatever_went_elsewhere_between(
    database: Database,
) -> None:
    with database.trial() as tx:
        shop(tx)
        deploy(tx, a_deployment(60, reference_id="after", commit_sha=sha(3)))
        ids = tx.deployments.by_reference_ids({"after"})
        neighbours = deployment_view(tx, ids["after"].id, Page(limit=10)).neighbours
        assert [one.deployment.reference_id for one in neighbours] == [
            "after",
            *("failed", "live", "before")[:EACH_SIDE],
        ]
