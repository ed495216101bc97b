"""Webhooks as forges send them over HTTP, proven with a secret."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import httpx
from tests.server import LiveServer

SECRET = "a secret that only the forge and we know"  # noqa: S105 - of the tests alone
SETTINGS = {
    f"{forge}_webhook_secret": SECRET for forge in ("github", "gitlab", "bitbucket", "azure_devops")
}
"""Of all forges but Gitea: webhooks of a forge without a secret are not taken."""


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def as_body(payload: Any) -> bytes:
    return json.dumps(payload).encode()


def github_headers(
    event: str, body: bytes, *, delivery_id: str, secret: str = SECRET
) -> dict[str, str]:
    return {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery_id,
        "X-Hub-Signature-256": signature(body, secret),
        "Content-Type": "application/json",
    }


def post(server: LiveServer, forge: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
    return server.http.post(
        f"{server.base_url}/webhooks/{forge}", content=body, headers=dict(headers)
    )


def a_pull_payload(repository: str, number: int = 1, **changes: Any) -> dict[str, Any]:
    """The webhook of a pull request that was merged, as GitHub sends it."""
    merged = "2024-06-01T13:00:00Z"
    pull = {
        "id": 1000 + number,
        "number": number,
        "title": "Sell apples",
        "html_url": f"https://github.example/{repository}/pull/{number}",
        "head": {"ref": "apples", "sha": f"{number:040x}"},
        "base": {"ref": "main", "sha": f"{0:040x}"},
        "created_at": "2024-06-01T12:00:00Z",
        "updated_at": merged,
        "merged_at": merged,
        "closed_at": merged,
        "merge_commit_sha": f"{number + 100:040x}",
        **changes,
    }
    named = {"id": int(hashlib.sha256(repository.encode()).hexdigest()[:8], 16)}
    named |= {"full_name": repository, "default_branch": "main", "updated_at": merged}
    return {"action": "closed", "number": number, "pull_request": pull, "repository": named}
