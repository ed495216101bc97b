"""The description of the API, from the route table and the wire types themselves."""

from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, select_autoescape

from shipmark.api.arguments import FORM, NDJSON
from shipmark.api.decoding import JSONSchema, forms, schema_of
from shipmark.api.endpoint import Method
from shipmark.api.pull_import import PullItem
from shipmark.api.routes import METHODS

REFUSALS = {
    "400": "The request is malformed: the body is not valid JSON (invalid_json).",
    "401": "No token was sent (not_authed), or one that is unknown, expired or revoked "
    "(invalid_auth).",
    "403": "The account is inactive (account_inactive), or the token lacks the scope "
    "(missing_scope).",
    "404": "There is no such method, deployment, pull request or incident.",
    "405": "The method does not answer this HTTP verb (method_not_allowed).",
    "409": "The reference_id exists with other values (reference_id_exists).",
    "413": "The body is too large (payload_too_large).",
    "422": "An argument is missing or wrong, or names something that is not known here.",
    "500": "Something went wrong here (internal_error).",
    "503": "The server cannot take this now (unavailable); nothing was stored.",
}
ERROR: JSONSchema = {
    "type": "object",
    "required": ["ok", "error", "message", "request_id"],
    "properties": {
        "ok": {"const": False},
        "error": {"type": "string", "description": "A code to test for."},
        "message": {"type": "string", "description": "What is wrong and what would be right."},
        "argument": {"type": "string", "description": "The argument at fault, if it is one."},
        "request_id": {"type": "string"},
    },
}
FILE: JSONSchema = {
    "required": True,
    "description": "The file: CSV in UTF-8, or NDJSON; packed with gzip or not.",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
PAGES = Environment(loader=PackageLoader("shipmark.api"), autoescape=select_autoescape())


def document(server: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document, as a client of that address needs it."""
    return _described() | {"servers": [{"url": server}]}


@cache
def _described() -> dict[str, Any]:
    _, components = msgspec.json.schema_components(
        [method.answers for method in METHODS], ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Shipmark",
            "version": version("shipmark"),
            "description": "Registers deployments and finds which pull requests each shipped.",
        },
        "security": [{"token": []}],
        "paths": {method.path: _operations(method) for method in METHODS},
        "components": {
            "schemas": components | {"Error": ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operations(method: Method) -> dict[str, Any]:
    shared = {
        "summary": (method.handler.__doc__ or "").strip().partition("\n")[0],
        "description": f"Needs a token with the scope {' or '.join(method.scopes)}.",
        "tags": [method.name.partition(".")[0]],
        "responses": _responses(method),
    }
    operations: dict[str, Any] = {
        "post": shared | {"operationId": method.name, "requestBody": _request_body(method)}
    }
    if method.streams:
        operations["post"] |= {"parameters": _parameters(method), "requestBody": FILE}
    if method.reads:
        operations["get"] = shared | {
            "operationId": f"{method.name}.get",
            "parameters": _parameters(method),
        }
    return operations


def _responses(method: Method) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{method.answers.__name__}"}
    error = {"$ref": "#/components/schemas/Error"}
    return {
        "200": {
            "description": (method.answers.__doc__ or "").strip(),
            "content": {"application/json": {"schema": schema}},
        }
    } | {
        status: {"description": about, "content": {"application/json": {"schema": error}}}
        for status, about in REFUSALS.items()
    }


def _request_body(method: Method) -> dict[str, Any]:
    schema = schema_of(method.documents)
    if not forms(method.takes):
        # The body is read by the method: JSON, or the same items one a line.
        lines = {"schema": {"type": "string", "description": "One item a line."}}
        return {
            "required": True,
            "content": {"application/json": {"schema": schema}, NDJSON: lines},
        }
    return {
        "required": bool(schema.get("required")),
        "content": {"application/json": {"schema": schema}, FORM: {"schema": schema}},
    }


def _parameters(method: Method) -> list[dict[str, Any]]:
    schema = schema_of(method.takes)
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": {key: value for key, value in form.items() if key != "description"},
            "description": form.get("description", ""),
        }
        for name, form in schema["properties"].items()
    ]


def page(described: dict[str, Any]) -> str:
    """The document as an HTML page."""
    return PAGES.get_template("docs.html").render(
        document=described, methods=METHODS, schema_of=schema_of, item=PullItem, statuses=REFUSALS
    )
