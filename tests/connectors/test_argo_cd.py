"""What Argo CD sends by our template."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from shipmark.connectors.argo_cd import Notification, delivery_id, is_genuine, read_webhook
from shipmark.connectors.payloads import UnreadablePayload
from shipmark.domain.artifacts import ServiceDeployed

TEMPLATE = Path(__file__).parents[2] / "integrations/argo-cd/notifications.yaml"
PLACEHOLDER = re.compile(r"\{\{.*?\}\}(?=,?\n)")


def a_sync(**values: Any) -> dict[str, Any]:
    defaults = {
        "uid": "4bc14d40-0000-0000-0000-000000000002",
        "namespace": "argocd",
        "application": "shop",
        "service": "",
        "environment": "production",
        "phase": "Succeeded",
        "started_at": "2026-03-01T11:59:30Z",
        "finished_at": "2026-03-01T12:00:00Z",
        "repository": "https://git.example.com/acme/manifests.git",
        "revision": "8ecc5ef0d2a4e1c83d4d53d6a59b0e1f2a3b4c5d",
        "images": ["ghcr.io/acme/shop:1.2", "envoyproxy/envoy:v1.30.1"],
        "url": "https://argo.example.com/applications/shop",
    }
    return defaults | values


def test_a_sync_that_succeeded_tells_what_runs() -> None:
    assert read_webhook({}, a_sync()) == [
        ServiceDeployed(
            key="argo_cd:4bc14d40-0000-0000-0000-000000000002:2026-03-01T11:59:30Z",
            source="argo_cd",
            at=datetime(2026, 3, 1, 12, tzinfo=UTC),
            success=True,
            artifacts=("ghcr.io/acme/shop:1.2", "envoyproxy/envoy:v1.30.1"),
            service="shop",
            environment="production",
            application="shop",
            manifest_repository="https://git.example.com/acme/manifests.git",
            manifest_revision="8ecc5ef0d2a4e1c83d4d53d6a59b0e1f2a3b4c5d",
            url="https://argo.example.com/applications/shop",
            subject="argo_cd:4bc14d40-0000-0000-0000-000000000002",
        )
    ]


def test_an_application_may_name_its_service() -> None:
    (told,) = read_webhook({}, a_sync(service="billing", environment=""))
    assert (told.service, told.application, told.environment) == ("billing", "shop", None)


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_a_sync_that_failed_is_a_failure(phase: str) -> None:
    (told,) = read_webhook({}, a_sync(phase=phase))
    assert not told.success


@pytest.mark.parametrize(
    "values", [{"phase": "Running"}, {"phase": "Terminating"}, {"finished_at": None}]
)
def test_a_sync_that_goes_on_says_nothing(values: dict[str, Any]) -> None:
    assert read_webhook({}, a_sync(**values)) == []


def test_a_url_that_is_none_is_left_out() -> None:
    (told,) = read_webhook({}, a_sync(url="%!s(<nil>)/applications/shop"))
    assert told.url is None


def test_what_an_application_lacks_is_null() -> None:
    lacking = dict.fromkeys(["uid", "service", "environment", "repository", "revision", "images"])
    (told,) = read_webhook({}, a_sync(**lacking))
    assert told.key == "argo_cd:argocd/shop:2026-03-01T11:59:30Z"
    assert told.artifacts == ()


@pytest.mark.parametrize("payload", [[], {}, None, a_sync(images="x"), a_sync(finished_at="soon")])
def test_what_cannot_be_read_is_refused(payload: Any) -> None:
    with pytest.raises(UnreadablePayload):
        read_webhook({}, payload)


def test_who_knows_the_secret_is_genuine_and_a_repeat_has_its_id_again() -> None:
    assert is_genuine("s3cret", {"authorization": "Bearer s3cret"}, b"")
    assert not is_genuine("s3cret", {}, b"")
    assert delivery_id({}, b"x") == delivery_id({}, b"x") != delivery_id({}, b"y")


def test_the_template_that_we_ship_fills_in_exactly_what_we_read() -> None:
    data = yaml.safe_load(TEMPLATE.read_text())["data"]
    (webhook,) = yaml.safe_load(data["template.shipmark"])["webhook"].values()
    filled = PLACEHOLDER.sub('"x"', webhook["body"])
    assert set(json.loads(filled)) == {field.name for field in msgspec.structs.fields(Notification)}
    assert all("toJson" in found for found in PLACEHOLDER.findall(webhook["body"]))


def test_the_template_subscribes_to_its_own_triggers() -> None:
    data = yaml.safe_load(TEMPLATE.read_text())["data"]
    triggers = {name.removeprefix("trigger.") for name in data if name.startswith("trigger.")}
    (subscription,) = yaml.safe_load(data["subscriptions"])
    assert set(subscription["triggers"]) == triggers
    assert subscription["recipients"] == ["shipmark"]
    assert all(
        sent["send"] == ["shipmark"]
        for name in triggers
        for sent in yaml.safe_load(data[f"trigger.{name}"])
    )
