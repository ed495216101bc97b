"""Requests and responses as plain values: connectors build and read them, and do no I/O.

What needs several requests is a generator, a `Dialogue`: it yields a request and is sent the
response, until it returns its result. `transport` holds it with a forge, a test with a recording.
"""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to ask a forge. ``path`` is below the forge's base URL, unless it is a whole URL."""

    path: str
    method: str = "GET"
    query: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    """Sent as JSON; None: no body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a forge answered. The names of ``headers`` are lower-case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body)


Dialogue = Generator[Request, Response, Result]
