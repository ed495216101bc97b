"""Hold a dialogue with answers that a test has prepared."""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from shipmark.connectors.exchange import Dialogue, Request, Response

Result = TypeVar("Result")


def an_answer(body: Any = None, status: int = 200, **headers: str) -> Response:
    """An answer in JSON; headers with underscores for dashes."""
    return Response(
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=b"" if body is None else json.dumps(body).encode(),
    )


def hold(dialogue: Dialogue[Result], answers: Sequence[Response]) -> tuple[Result, list[Request]]:
    """What a dialogue results in, and what it asked; all answers must be asked for."""
    asked: list[Request] = []
    try:
        asked.append(next(dialogue))
        while len(asked) <= len(answers):
            asked.append(dialogue.send(answers[len(asked) - 1]))
    except StopIteration as end:
        assert len(asked) == len(answers), "fewer questions than answers"
        return end.value, asked
    raise AssertionError(f"no answer was prepared to {asked[-1]}")
