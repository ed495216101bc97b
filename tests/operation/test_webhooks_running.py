"""POST /webhooks/cdevents, /webhooks/argo-cd and /webhooks/flux, and artifacts.set, over HTTP."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.operation.conftest import Serve
from tests.server import LiveServer, refused
from tests.shops import Shop

from shipmark.settings import load, shown

SECRETS = {
    "cdevents": "of the events",
    "argo-cd": "of Argo CD",
    "flux": "of Flux",
}
SETTINGS = {f"{name.replace('-', '_')}_webhook_secret": secret for name, secret in SECRETS.items()}
IMAGE = "ghcr.io/acme/shop:1.2"

PAYLOADS: dict[str, dict[str, Any]] = {
    "cdevents": {
        "context": {
            "id": "e-1",
            "source": "/ci/shop",
            "type": "dev.cdevents.service.deployed.0.2.0",
            "timestamp": "2024-06-01T17:00:00Z",
        },
        "subject": {
            "id": "shop",
            "content": {
                "environment": {"id": "eu"},
                "artifactId": "pkg:docker/acme/shop@1.2?repository_url=ghcr.io",
            },
        },
    },
    "argo-cd": {
        "uid": "4bc14d40",
        "application": "shop",
        "environment": "eu",
        "phase": "Succeeded",
        "started_at": "2024-06-01T16:59:00Z",
        "finished_at": "2024-06-01T17:00:00Z",
        "images": [IMAGE],
    },
    "flux": {
        "involvedObject": {"kind": "Kustomization", "name": "shop", "uid": "4bc14d40"},
        "timestamp": "2024-06-01T17:00:00Z",
        "reason": "ReconciliationSucceeded",
        "metadata": {"environment": "eu", "image": IMAGE},
    },
}
"""What each tells of the same deployment."""


def proof(name: str, body: bytes) -> dict[str, str]:
    """The headers by which a sender shows that it is the right one."""
    if name == "flux":
        code = hmac.new(SECRETS[name].encode(), body, hashlib.sha256).hexdigest()
        return {"X-Signature": f"sha256={code}"}
    return {"Authorization": f"Bearer {SECRETS[name]}"}


def send(
    server: LiveServer, name: str, payload: Any, headers: dict[str, str] | None = None
) -> httpx.Response:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return server.http.post(
        f"{server.base_url}/webhooks/{name}",
        content=body,
        headers=proof(name, body) if headers is None else headers,
    )


def deployed(server: LiveServer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.call("deployments.list")["deployments"]
    return found


def test_each_of_them_tells_a_deployment(serve: Serve) -> None:
    server = serve(**SETTINGS)
    shop = Shop(server)
    shop.merge_all([1, 2])
    for name, payload in PAYLOADS.items():
        sent = send(server, name, payload)
        assert (sent.status_code, sent.json()) == (202, {"ok": True}), name
    assert deployed(server) == []
    built = server.call(
        "artifacts.set", artifact=IMAGE, repository=shop.repository, commit_sha=shop.sha(2)
    )
    assert built["artifact_ids"] == [IMAGE]
    assert (built["repository"], built["commit_sha"]) == (shop.repository, shop.sha(2))
    found = deployed(server)
    assert sorted(built["deployments"]) == sorted(one["reference_id"] for one in found)
    assert {one["source_name"] for one in found} == {"cdevents", "argo_cd", "flux"}
    for one in found:
        told = (one["service"], one["environment"], one["deployed_at"], one["commit_sha"])
        assert told == ("shop", "eu", "2024-06-01T17:00:00Z", shop.sha(2))
    for name, payload in PAYLOADS.items():
        assert send(server, name, payload).status_code == 202
    assert deployed(server) == found


def test_a_forged_one_is_refused_and_stores_nothing(serve: Serve) -> None:
    server = serve(**SETTINGS)
    shop = Shop(server)
    for name, payload in PAYLOADS.items():
        body = json.dumps(payload).encode()
        others = next(one for one in SECRETS if one not in (name, "flux"))
        forged: list[dict[str, str]] = [
            {},
            {"Authorization": "Bearer"},
            {"Authorization": f"Bearer {SECRETS[others]}"},
            {"Authorization": f"Bearer {server.default_token}"},
            {"X-Signature": "sha256=" + "0" * 64},
            {"X-Signature": ""},
        ]
        for headers in forged:
            answer = refused(send(server, name, body, headers))
            assert (answer.status, answer.error) == (401, "invalid_signature"), (name, headers)
        if name == "flux":
            answer = refused(send(server, name, body + b" ", proof(name, body)))
            assert answer.error == "invalid_signature"
    built = server.call(
        "artifacts.set", artifact=IMAGE, repository=shop.repository, commit_sha=shop.sha(2)
    )
    assert built["deployments"] == []


def test_without_a_secret_nothing_is_taken(serve: Serve) -> None:
    server = serve(**{name: text for name, text in SETTINGS.items() if name.startswith("flux")})
    for name in ("cdevents", "argo-cd"):
        answer = refused(send(server, name, PAYLOADS[name]))
        assert (answer.status, answer.error) == (404, "unknown_method")
    assert send(server, "flux", PAYLOADS["flux"]).status_code == 202


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"", 400), (b"\xff", 400), (b"{}", 422), (b"[]", 422), (b"7", 422)],
)
def test_what_cannot_be_read_is_refused(serve: Serve, body: bytes, status: int) -> None:
    server = serve(**SETTINGS)
    for name in PAYLOADS:
        assert refused(send(server, name, body)).status == status, name


def test_the_secrets_are_not_shown(serve: Serve) -> None:
    server = serve(log_level="debug", **SETTINGS)
    send(server, "argo-cd", PAYLOADS["argo-cd"])
    assert not any(secret in server.log for secret in SECRETS.values())


def test_the_settings_mask_them(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("of a file\n")
    found = load(
        {
            "SHIPMARK_ARGO_CD_WEBHOOK_SECRET": "of Argo CD",
            "SHIPMARK_FLUX_WEBHOOK_SECRET_FILE": str(file),
        }
    )
    assert (found.argo_cd_webhook_secret, found.flux_webhook_secret) == ("of Argo CD", "of a file")
    seen = {name: value for name, value, _ in shown(found)}
    told = [seen[f"SHIPMARK_{name}_WEBHOOK_SECRET"] for name in ("ARGO_CD", "FLUX", "CDEVENTS")]
    assert told == ["***", "***", ""]
    assert "of Argo CD" not in repr(found)
