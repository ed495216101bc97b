"""What can go wrong in asking a forge, and what of it an answer says.

ForgeError
├── ForgeUnavailable      it is down, or its answer broke off; try later
├── RateLimited           it has been asked too much; try at `until`
├── ForgeRefused          the token lacks a permission
│   └── TokenRefused      the token is wrong, or has expired
└── ForgeNotFound         there is no such thing, or the token may not see it
"""

import json
from datetime import datetime
from typing import Any, TypeVar

from shipmark.connectors.exchange import Response
from shipmark.connectors.payloads import read
from shipmark.connectors.rules_file import LARGEST_FILE
from shipmark.domain.errors import ShipmarkError

LONGEST_REASON = 200
NOT_MODIFIED = 304
GONE = {404, 410}
UNAUTHORIZED = 401
REFUSED = {UNAUTHORIZED, 403}
TOO_MANY = 429
TIMEOUT = 408
FAILED_FROM = 500


class ForgeError(ShipmarkError):
    """The forge's answer is none that can be used. ``said`` is that without what was asked for."""

    def __init__(self, message: str | None = None, *, said: str | None = None) -> None:
        super().__init__(message)
        self.said = said or self.message


class ForgeUnavailable(ForgeError):
    """The forge cannot be asked now."""


class RateLimited(ForgeError):
    """The forge has been asked too much. ``until`` is when it may be asked again, if it told."""

    def __init__(self, message: str | None = None, *, until: datetime | None = None) -> None:
        super().__init__(message)
        self.until = until


class ForgeRefused(ForgeError):
    """The forge does not let this token read what it was asked for."""


class TokenRefused(ForgeRefused):
    """The forge does not know who we say we are."""


class ForgeNotFound(ForgeError):
    """The forge has no such thing, or does not show it to this token."""


Shape = TypeVar("Shape")


def check(response: Response, asked: str) -> None:
    """Raise the ForgeError of an answer that is none. ``asked`` is what messages call it by."""
    status = response.status
    if 200 <= status < 300 or status == NOT_MODIFIED:
        return
    reason = _reason(response)
    said = f"The forge answered {status} when asked for {asked}{reason}"
    briefly = f"it answered {status}{reason}"
    if status in GONE:
        raise ForgeNotFound(said, said=briefly)
    if status == UNAUTHORIZED:
        raise TokenRefused(said, said=briefly)
    if status in REFUSED:
        raise ForgeRefused(said, said=briefly)
    if status == TOO_MANY:
        raise RateLimited(said)
    raise ForgeUnavailable(said) if status >= FAILED_FROM or status == TIMEOUT else ForgeError(said)


def json_of(response: Response, asked: str) -> Any:
    """The JSON of an answer. Raises ForgeError, ForgeUnavailable also for JSON that breaks off."""
    check(response, asked)
    try:
        return response.json()
    except (ValueError, RecursionError) as error:
        raise ForgeUnavailable(f"The answer to {asked} is not whole: {error}.") from error


def answer(shape: type[Shape], response: Response, asked: str) -> Shape:
    """An answer as what it must be. Raises ForgeError and UnreadablePayload."""
    return read(shape, json_of(response, asked))


def answer_if_any(shape: type[Shape], response: Response, asked: str) -> Shape | None:
    """The same, None where there is no such thing."""
    return None if response.status in GONE else answer(shape, response, asked)


def file_if_any(response: Response, asked: str) -> bytes | None:
    """A file, as far as one may be of use; None where there is no such file. Raises ForgeError."""
    if response.status in GONE:
        return None
    check(response, asked)
    return response.body[: LARGEST_FILE + 1]


def _reason(response: Response) -> str:
    """What the forge says of it: almost all have a message somewhere near the top."""
    try:
        said = json.loads(response.body)
    except (ValueError, RecursionError):
        return "."
    for key in ("message", "error", "error_description", "errors", "message"):
        if isinstance(said, list) and said:
            said = said[0]
        if isinstance(said, dict) and key in said:
            said = said[key]
    return f": {said[:LONGEST_REASON]}" if isinstance(said, str) and said else "."
