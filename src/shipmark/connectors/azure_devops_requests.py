"""How the API of Azure DevOps is asked, and how it answers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeVar
from urllib.parse import quote

from shipmark.connectors import forge_errors
from shipmark.connectors.exchange import Request, Response
from shipmark.connectors.forge_errors import TokenRefused
from shipmark.connectors.limits import Limits, at_second, pause, retry_after, whole

API_VERSION: Final = "6.0"
"""Understood by Azure DevOps Services and by every Server since 2020."""

PAGE_SIZE: Final = 100
CONTINUATION: Final = "x-ms-continuationtoken"
"""The header that tells where to go on, where there is more."""

TOO_MANY: Final = 429
SIGN_IN: Final = frozenset({203, 302})
"""The page to sign in on, which is what it answers to a token that is wrong or expired."""

Query = Mapping[str, str | int]
Shape = TypeVar("Shape")


def get(path: str, query: Query | None = None) -> Request:
    return Request(path=path, query={**(query or {}), "api-version": API_VERSION})


def post(path: str, body: object) -> Request:
    return Request(path=path, method="POST", query={"api-version": API_VERSION}, body=body)


def project_path(project: str) -> str:
    """Where the API of a project is; by its name or its id."""
    return f"/{quote(project, safe='')}/_apis"


def repository_path(name: str) -> str:
    """Where the API of a repository is, given its name ``project/repository``."""
    project, _, repository = name.partition("/")
    return f"{project_path(project)}/git/repositories/{quote(repository, safe='')}"


def limits(response: Response, *, now: datetime, refused: int = 0) -> Limits:
    """How much more may be asked. It asks for a pause, too, where it still answers, but late.

    What is counted are not requests but what they cost; ``refused`` counts how often the same was
    refused before.
    """
    is_refused = response.status == TOO_MANY
    wait_until = retry_after(response.headers, now)
    return Limits(
        wait_until=wait_until or (now + pause(refused) if is_refused else None),
        is_refused=is_refused,
        remaining=whole(response.headers, "x-ratelimit-remaining"),
        limit=whole(response.headers, "x-ratelimit-limit"),
        resets_at=at_second(whole(response.headers, "x-ratelimit-reset")),
    )


def answer(shape: type[Shape], response: Response, asked: str) -> Shape:
    """An answer as what it must be. Raises ForgeError and UnreadablePayload."""
    _check_signed_in(response, asked)
    return forge_errors.answer(shape, response, asked)


def answer_if_any(shape: type[Shape], response: Response, asked: str) -> Shape | None:
    """The same, None where there is no such thing."""
    _check_signed_in(response, asked)
    return forge_errors.answer_if_any(shape, response, asked)


def file_if_any(response: Response, asked: str) -> bytes | None:
    """A file; None where there is none. Raises ForgeError."""
    _check_signed_in(response, asked)
    return forge_errors.file_if_any(response, asked)


def _check_signed_in(response: Response, asked: str) -> None:
    if response.status in SIGN_IN:
        raise TokenRefused(
            f"Azure DevOps answered with its page to sign in when asked for {asked}: "
            "the token is wrong or has expired.",
            said="the token is wrong or has expired.",
        )
