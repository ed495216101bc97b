"""Ask a forge who we are to it: whose token it is, or which App."""

from collections.abc import Mapping
from typing import Any

from shipmark.connectors.exchange import Dialogue, Request
from shipmark.connectors.forge_errors import json_of

APP = "github app"
DATA_CENTER = "bitbucket data center"

PATHS = {
    "github": "/user",
    APP: "/app",
    "gitlab": "/api/v4/user",
    "bitbucket": "/2.0/user",
    DATA_CENTER: "/rest/api/1.0/application-properties",
    "azure_devops": "/_apis/connectionData",
    "gitea": "/user",
}
NAMES = ("login", "slug", "username", "nickname", "providerDisplayName", "display_name")
"""The fields in which one forge or the other tells a name, the best first."""


def identity(kind: str) -> Dialogue[str | None]:
    """The name we have there; None: it tells none. Raises ForgeError for a token it refuses."""
    response = yield Request(path=PATHS[kind], headers={"accept": "application/json"})
    told = json_of(response, "who is asking")
    if kind == DATA_CENTER:
        return response.headers.get("x-ausername")
    return _name(told.get("authenticatedUser") or told) if isinstance(told, dict) else None


def _name(told: Mapping[str, Any]) -> str | None:
    return next((told[key] for key in NAMES if isinstance(told.get(key), str)), None)
