"""The arguments of a request: JSON, form and query string become one mapping."""

import re
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from shipmark.domain.errors import InvalidJSON

FORM = "application/x-www-form-urlencoded"
CSV = "text/csv"
NDJSON = "application/x-ndjson"
A_BODY = f"Send a JSON object, or a form with Content-Type: {FORM}."
NESTED = re.compile(r"(?P<name>[^\[\]]+)\[(?P<key>[^\[\]]*)\]")


def merged(query: bytes, body: bytes, content_type: str) -> dict[str, Any]:
    """All arguments; where both name one, the body wins. Raises InvalidJSON."""
    of_query, of_body = _form(query), _body(body, content_type)
    said = {name: value for name, value in of_body.items() if value is not None}
    return of_body | of_query | said


def _body(body: bytes, content_type: str) -> dict[str, Any]:
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        return {}
    kind = content_type.partition(";")[0].strip().lower()
    if text.startswith(b"{") or kind not in (FORM, ""):
        return json_object(text)
    return _form(text)


def json_object(text: bytes, *, of: str = "body", instead: str = A_BODY) -> dict[str, Any]:
    """The object that JSON text holds. Raises InvalidJSON, which says what would be right
    ``instead`` of what the text is ``of``."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidJSON(f"The {of} is not valid JSON: {error}. {instead}") from None
    except RecursionError:
        raise InvalidJSON(f"The JSON of the {of} is nested too deeply.") from None
    if not isinstance(value, dict):
        raise InvalidJSON(f"The {of} must be a JSON object, from '{{' to '}}'.")
    return value


def _form(encoded: bytes) -> dict[str, Any]:
    """URL-encoded pairs. ``a[]=1`` and repeats make lists, ``a[k]=1`` makes an object."""
    arguments: dict[str, Any] = {}
    try:
        pairs = parse_qsl(encoded.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise InvalidJSON("A form or the query string is not UTF-8, as all text must be.") from None
    for name, value in pairs:
        nested = NESTED.fullmatch(name)
        if nested is None:
            _repeat(arguments, name, value)
        elif nested["key"]:
            inner = arguments.setdefault(nested["name"], {})
            if isinstance(inner, dict):
                inner[nested["key"]] = value
        else:
            _append(arguments, nested["name"], value)
    return arguments


def _repeat(arguments: dict[str, Any], name: str, value: str) -> None:
    if name in arguments:
        _append(arguments, name, value)
    else:
        arguments[name] = value


def _append(arguments: dict[str, Any], name: str, value: str) -> None:
    present = arguments.get(name)
    if isinstance(present, list):
        present.append(value)
    else:
        arguments[name] = [value] if present is None else [present, value]
