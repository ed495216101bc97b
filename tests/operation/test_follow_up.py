"""What a service hook of Azure DevOps does not say is asked for when it is read."""

import json
from collections.abc import Iterator

import pytest
from tests.connectors import azure_devops_payloads as given_
from tests.connectors.http_forge import HTTPForge, answers, hangs_up
from tests.connectors.talks import ok

from shipmark.app import Deliveries
from shipmark.application.deliveries import Delivery
from shipmark.application.forges import ForgeAway
from shipmark.connectors.exchange import Request, Response
from shipmark.connectors.forge_servers import Access
from shipmark.connectors.forges import connect
from shipmark.domain.events import SourceEvent

HOOK = given_.hook("build.complete", {"id": 99})


def a_build(request: Request) -> Response:
    return ok(given_.build()) if request.path.endswith("/build/builds/99") else Response(status=204)


@pytest.fixture
def forge() -> Iterator[HTTPForge]:
    with HTTPForge(a_build) as running:
        yield running


@pytest.fixture
def deliveries(forge: HTTPForge) -> Iterator[Deliveries]:
    access = Access(source="azure_devops", url=forge.url)
    forges = connect([access], sleep=lambda _: None)
    yield Deliveries(forges, forge.url)
    forges.close()


def a_delivery(forge: str = "azure-devops") -> Delivery:
    return Delivery(forge=forge, delivery_id="1", headers={}, body=json.dumps(HOOK).encode())


def test_the_commit_of_a_run_is_asked_for(deliveries: Deliveries) -> None:
    (event,) = deliveries.follow_up(a_delivery())
    assert isinstance(event, SourceEvent)
    assert event.commit_sha


def test_other_forges_say_all(deliveries: Deliveries, forge: HTTPForge) -> None:
    assert deliveries.follow_up(a_delivery("github")) == ()
    assert forge.asked == []


def test_without_a_way_in_nothing_is_asked(forge: HTTPForge) -> None:
    assert Deliveries().follow_up(a_delivery()) == ()


def test_a_forge_that_is_away_is_waited_for(deliveries: Deliveries, forge: HTTPForge) -> None:
    forge.faults.extend([hangs_up] * 3)
    with pytest.raises(ForgeAway):
        deliveries.follow_up(a_delivery())


def test_one_that_refuses_is_not(deliveries: Deliveries, forge: HTTPForge) -> None:
    forge.faults.append(answers(403))
    assert deliveries.follow_up(a_delivery()) == ()
