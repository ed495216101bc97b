"""Who asks GitHub, and where: addresses, tokens, and the installation of a GitHub App.

An App signs a JSON Web Token with its private key. That opens `installation_of` and
`installation_token` alone; all else is asked with the token of the installation that has the
repository, which lasts an hour.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import jwt

from shipmark.connectors.exchange import Dialogue, Request
from shipmark.connectors.forge_errors import ForgeRefused, answer, answer_if_any
from shipmark.connectors.github import HEADERS, get, home
from shipmark.connectors.github_graphql import GRAPHQL
from shipmark.connectors.payloads import Instant, Text, Wire

PUBLIC = "github.com"
RESIDENT = ".ghe.com"
"""Where GitHub keeps the data of an enterprise in its own region."""

CLOCKS_DIFFER = timedelta(seconds=60)
SIGNED_FOR = timedelta(minutes=9)
"""GitHub takes no token that is signed for more than 10 minutes."""


def address(server: str, path: str) -> str:
    """The URL of a request, on the server that people open in their browsers.

    On github.com and its like, the API has a host of its own; on an Enterprise Server, a path.
    A whole URL is none of ours: raises ValueError, before a token is sent to it.
    """
    if not path.startswith("/"):
        raise ValueError(f"{path} is not a path of GitHub's API")
    base = server.rstrip("/")
    parts = urlsplit(base)
    host = parts.netloc.lower().removeprefix("api.").removeprefix("www.")
    if host == PUBLIC or host.endswith(RESIDENT):
        return f"{parts.scheme}://api.{host}{path}"
    home = base.removesuffix("/v3").removesuffix("/api")
    return f"{home}/api{path}" if path == GRAPHQL else f"{home}/api/v3{path}"


def bearer(token: str) -> dict[str, str]:
    """The header that a token is sent in, of whatever kind it is."""
    return {"authorization": f"Bearer {token}"}


def app_token(app_id: str, private_key: str, now: datetime) -> str:
    """The signed token by which a GitHub App proves to be itself, good for nine minutes.

    ``app_id`` is its App ID or client ID, ``private_key`` the PEM file that GitHub made. Raises
    ForgeRefused for a key that is none.
    """
    claims = {
        "iss": app_id,
        "iat": int((now - CLOCKS_DIFFER).timestamp()),
        "exp": int((now + SIGNED_FOR).timestamp()),
    }
    try:
        return jwt.encode(claims, private_key, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise ForgeRefused("The private key of the GitHub App is not a PEM file.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationToken:
    """The token of an installation. It is not shown where it is printed or logged."""

    token: str = field(repr=False)
    expires_at: datetime

    def is_good(self, now: datetime) -> bool:
        """Whether there is time left to use it."""
        return now + CLOCKS_DIFFER < self.expires_at


class Installation(Wire):
    """An App in an account; it may be suspended, and then its token opens nothing."""

    id: int
    suspended_at: Instant | None = None


class NewToken(Wire):
    token: Text
    expires_at: Instant


def installation_of(name: str) -> Dialogue[int | None]:
    """The installation of the App that may see a repository; None: there is none."""
    response = yield get(f"{home(name)}/installation")
    found = answer_if_any(Installation, response, f"the installation for {name}")
    return found.id if found and found.suspended_at is None else None


def installation_token(installation: int) -> Dialogue[InstallationToken]:
    """A new token of an installation. Raises ForgeNotFound, ForgeRefused."""
    path = f"/app/installations/{installation}/access_tokens"
    response = yield Request(method="POST", path=path, headers=HEADERS)
    made = answer(NewToken, response, f"a token of installation {installation}")
    return InstallationToken(token=made.token, expires_at=made.expires_at)
