"""Answers are as the API describes itself, whatever fits its description or does not."""

from functools import cache
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import given
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.api.fuzzing import few, understood
from tests.server import LiveServer

from shipmark.api.routes import METHODS

OPERATIONS = [(method.name, verb) for method in METHODS for verb in method.verbs]


@cache
def described_at(base_url: str) -> Any:
    return schemathesis.openapi.from_url(f"{base_url}/openapi.json")


def has_the_shape_of_every_answer(_context: Any, response: Any, _case: Any) -> None:
    sent = httpx.Response(
        response.status_code,
        headers=[(name, value) for name, values in response.headers.items() for value in values],
        content=response.content,
    )
    understood(sent)


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    has_the_shape_of_every_answer,
]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
@pytest.mark.parametrize(("method", "verb"), OPERATIONS)
def test_answers_are_as_the_description_says(
    server: LiveServer, method: str, verb: str, mode: GenerationMode
) -> None:
    operation = described_at(server.base_url)[f"/api/{method}"][verb]
    headers = {"Authorization": f"Bearer {server.default_token}"}

    @few
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    call()
