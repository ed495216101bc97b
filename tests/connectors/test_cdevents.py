"""CDEvents about services, however CloudEvents carry them."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipmark.connectors.cdevents import delivery_id, is_genuine, read_webhook
from shipmark.connectors.payloads import UnreadablePayload
from shipmark.domain.artifacts import ServiceDeployed

ARTIFACT = "pkg:oci/shop@sha256%3A" + "0" * 64
BINARY = {
    "content-type": "application/json",
    "ce-specversion": "1.0",
    "ce-id": "e-1",
    "ce-source": "/ci/shop",
    "ce-type": "dev.cdevents.service.deployed.0.2.0",
}
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
BATCHED = {"content-type": "application/cloudevents-batch+json"}

DEPLOYED = ServiceDeployed(
    key="cdevents:/ci/shop:e-1",
    source="cdevents",
    at=datetime(2026, 3, 1, 12, 0, 0, 315384, tzinfo=UTC),
    success=True,
    artifacts=(ARTIFACT,),
    service="shop/api",
    environment="production",
)


def an_event(kind: str = "deployed", version: str = "0.2.0", **content: Any) -> dict[str, Any]:
    return {
        "context": {
            "version": "0.4.1",
            "id": "e-1",
            "source": "/ci/shop",
            "type": f"dev.cdevents.service.{kind}.{version}",
            "timestamp": "2026-03-01T12:00:00.315384Z",
        },
        "subject": {
            "id": "shop/api",
            "type": "service",
            "content": {"environment": {"id": "production"}, "artifactId": ARTIFACT} | content,
        },
        "customData": {"any": "thing"},
    }


def in_envelope(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/ci/shop",
        "type": event["context"]["type"],
        "datacontenttype": "application/json",
        "data": event,
    }


@pytest.mark.parametrize("kind", ["deployed", "upgraded", "rolledback"])
@pytest.mark.parametrize("version", ["0.1.0", "0.2.0", "0.3.0-draft", "1.0.0"])
def test_a_service_was_deployed_in_every_form_of_cloud_events(kind: str, version: str) -> None:
    event = an_event(kind, version)
    binary = BINARY | {"ce-type": event["context"]["type"]}
    assert read_webhook(binary, event) == [DEPLOYED]
    assert read_webhook(STRUCTURED, in_envelope(event)) == [DEPLOYED]
    assert read_webhook({}, in_envelope(event)) == [DEPLOYED]
    assert read_webhook(BATCHED, [in_envelope(event)] * 2) == [DEPLOYED] * 2
    assert read_webhook({"content-type": "application/json"}, event) == [DEPLOYED]


@pytest.mark.parametrize("kind", ["removed", "published", "deployedish"])
def test_other_events_say_nothing(kind: str) -> None:
    event = an_event(kind)
    assert read_webhook(BINARY | {"ce-type": event["context"]["type"]}, event) == []
    assert read_webhook(STRUCTURED, in_envelope(event)) == []
    assert read_webhook({}, {"context": {"type": "dev.cdevents.build.finished.0.2.0"}}) == []


def test_artifact_and_environment_may_be_missing() -> None:
    (told,) = read_webhook(BINARY, an_event(environment=None, artifactId=None))
    assert (told.artifacts, told.environment) == ((), None)


@pytest.mark.parametrize(
    ("headers", "payload", "words"),
    [
        (BINARY, {}, "context"),
        (BINARY, {"context": an_event()["context"]}, "subject"),
        (STRUCTURED, an_event(), "id"),
        (STRUCTURED, in_envelope(an_event()) | {"data": None}, "Expected `object`"),
        (BATCHED, an_event(), "must be a list"),
        ({}, [], "Expected `object`"),
    ],
)
def test_an_event_that_cannot_be_read_is_refused(
    headers: dict[str, str], payload: Any, words: str
) -> None:
    with pytest.raises(UnreadablePayload) as refusal:
        read_webhook(headers, payload)
    assert words in refusal.value.message


def test_a_repeat_has_its_id_again() -> None:
    assert delivery_id(BINARY, b"{}") == delivery_id(BINARY, b"{ }") == "/ci/shop e-1"
    assert delivery_id(STRUCTURED, b"{}") != delivery_id(STRUCTURED, b"{ }")
    assert len(delivery_id(BINARY | {"ce-id": "x" * 300}, b"{}")) == 64


def test_who_knows_the_secret_is_genuine() -> None:
    assert is_genuine("s3cret", {"authorization": "Bearer s3cret"}, b"")
    assert not is_genuine("s3cret", {"authorization": "Bearer other"}, b"")
    assert not is_genuine("", {"authorization": "Bearer "}, b"")
    assert not is_genuine("s3cret", {}, b"")


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("deployed"),
    lambda below: (
        st.lists(below, max_size=2)
        | st.dictionaries(
            st.sampled_from(["context", "subject", "type", "id", "data", "specversion"]), below
        )
    ),
)


@given(st.sampled_from([BINARY, STRUCTURED, BATCHED, {}]), json_like)
def test_nothing_but_a_refusal_comes_of_any_json(headers: dict[str, str], payload: Any) -> None:
    with suppress(UnreadablePayload):
        read_webhook(headers, payload)
