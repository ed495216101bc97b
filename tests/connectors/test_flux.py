"""What Flux sends by its generic providers."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipmark.connectors.flux import delivery_id, is_genuine, read_webhook
from shipmark.connectors.payloads import UnreadablePayload
from shipmark.domain.artifacts import ServiceDeployed

FOLDER = Path(__file__).parents[2] / "integrations/flux"
DIGEST = "sha256:" + "a" * 64
PREFIX = "kustomize.toolkit.fluxcd.io/"


def an_event(kind: str = "Kustomization", **values: Any) -> dict[str, Any]:
    defaults = {
        "involvedObject": {
            "kind": kind,
            "namespace": "apps",
            "name": "shop",
            "uid": "4bc14d40",
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        },
        "severity": "info",
        "timestamp": "2026-03-01T12:00:00Z",
        "message": "Reconciliation finished",
        "reason": "ReconciliationSucceeded",
        "metadata": {
            "revision": "main@sha1:8ecc5ef0d2a4e1c83d4d53d6a59b0e1f2a3b4c5d",
            "environment": "production",
            "image": "ghcr.io/acme/shop:1.2",
        },
        "reportingController": "kustomize-controller",
    }
    return defaults | values


def signed(body: bytes, secret: str = "s3cret") -> dict[str, str]:  # noqa: S107
    return {"x-signature": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"}


def test_a_reconciliation_tells_what_runs() -> None:
    assert read_webhook({}, an_event()) == [
        ServiceDeployed(
            key="flux:Kustomization:4bc14d40:2026-03-01T12:00:00+00:00:succeeded",
            source="flux",
            at=datetime(2026, 3, 1, 12, tzinfo=UTC),
            success=True,
            artifacts=("ghcr.io/acme/shop:1.2",),
            service="shop",
            environment="production",
            application="shop",
            manifest_revision="main@sha1:8ecc5ef0d2a4e1c83d4d53d6a59b0e1f2a3b4c5d",
            subject="flux:Kustomization:4bc14d40",
        )
    ]


@pytest.mark.parametrize(
    ("reason", "success"),
    [
        ("InstallSucceeded", True),
        ("UpgradeSucceeded", True),
        ("RollbackSucceeded", True),
        ("UpgradeFailed", False),
        ("ReconciliationFailed", False),
        ("HealthCheckFailed", False),
    ],
)
def test_the_reason_says_whether_it_succeeded(reason: str, success: bool) -> None:
    (told,) = read_webhook({}, an_event("HelmRelease", reason=reason))
    assert told.success is success


def test_what_failed_and_succeeded_within_one_second_is_told_twice_and_in_this_order() -> None:
    (failed,) = read_webhook({}, an_event(reason="HealthCheckFailed"))
    (succeeded,) = read_webhook({}, an_event())
    assert failed.at == succeeded.at
    assert failed.key < succeeded.key


@pytest.mark.parametrize(
    "event",
    [
        an_event(reason="Progressing"),
        an_event(reason="DependencyNotReady"),
        an_event("HelmRelease", reason="TestSucceeded"),
        an_event("GitRepository", reason="NewArtifact"),
    ],
)
def test_other_events_say_nothing(event: dict[str, Any]) -> None:
    assert read_webhook({}, event) == []


@pytest.mark.parametrize(
    ("metadata", "artifacts"),
    [
        (None, ()),
        ({}, ()),
        ({"image-api": "a:1", "image-web": "b:1"}, ("a:1", "b:1")),
        ({"images": "a:1, b:2\nc:3"}, ("a:1", "b:2", "c:3")),
        ({"revision": f"6.1.8@{DIGEST}"}, (DIGEST,)),
        ({f"{PREFIX}revision": f"latest@{DIGEST}", f"{PREFIX}image": "a:1"}, ("a:1", DIGEST)),
        ({"revision": "main@sha1:" + "b" * 40}, ()),
    ],
)
def test_images_come_from_metadata_and_from_the_digest_of_the_revision(
    metadata: dict[str, str] | None, artifacts: tuple[str, ...]
) -> None:
    (told,) = read_webhook({}, an_event(metadata=metadata))
    assert told.artifacts == artifacts


def test_metadata_may_name_the_service_and_the_environment() -> None:
    metadata = {"service": "billing", "env": "staging"}
    (told,) = read_webhook({}, an_event(metadata=metadata))
    assert (told.service, told.environment) == ("billing", "staging")


@pytest.mark.parametrize(
    "payload", [None, [], {}, an_event(timestamp="soon"), an_event(metadata={"image": 5})]
)
def test_what_cannot_be_read_is_refused(payload: Any) -> None:
    with pytest.raises(UnreadablePayload):
        read_webhook({}, payload)


def test_a_body_that_is_signed_with_the_secret_is_genuine() -> None:
    body = json.dumps(an_event()).encode()
    assert is_genuine("s3cret", signed(body), body)
    assert not is_genuine("s3cret", signed(body), body + b" ")
    assert not is_genuine("other", signed(body), body)
    assert not is_genuine("", signed(body, ""), body)


@pytest.mark.parametrize("signature", ["", "sha256=", "sha256=ü", "sha1=" + "0" * 40, "x"])
def test_a_wrong_signature_is_not_made_good_for_by_a_header(signature: str) -> None:
    headers = {"x-signature": signature, "authorization": "Bearer s3cret"}
    assert not is_genuine("s3cret", headers, b"{}")


def test_without_a_signature_the_secret_itself_counts() -> None:
    assert is_genuine("s3cret", {"authorization": "Bearer s3cret"}, b"{}")
    assert not is_genuine("s3cret", {}, b"{}")


def test_a_repeat_has_its_id_again() -> None:
    assert delivery_id({}, b"x") == delivery_id({}, b"x") != delivery_id({}, b"y")


def test_the_alert_that_we_ship_is_signed_and_tells_the_environment() -> None:
    _, provider, alert = yaml.safe_load_all((FOLDER / "alert.yaml").read_text())
    assert provider["spec"]["type"] == "generic-hmac"
    assert alert["spec"]["providerRef"]["name"] == provider["metadata"]["name"]
    assert "environment" in alert["spec"]["eventMetadata"]


def test_the_annotations_that_we_ship_are_read() -> None:
    annotations = yaml.safe_load((FOLDER / "annotations.yaml").read_text())["metadata"][
        "annotations"
    ]
    metadata = {name.removeprefix("event.toolkit.fluxcd.io/"): v for name, v in annotations.items()}
    (told,) = read_webhook({}, an_event(metadata=metadata))
    assert (told.service, told.artifacts) == ("billing", ("ghcr.io/acme/billing:1.4.2",))
