"""What clients send, in any of the forms they send it in, to one normal form.

Each function takes the argument's name and its value, answers the normal form, or None for a
blank that counts as absent, and raises an InvalidArgument that names the value and what would
be right.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import msgspec

from shipmark.domain.errors import (
    CommitSHAInvalid,
    InvalidArgument,
    MergeCommitSHAsBlank,
    MergeCommitSHAsInvalid,
    MetadataInvalid,
)
from shipmark.domain.instants import AHEAD, EARLIEST

MILLISECONDS_FROM = 100_000_000_000
NAME_LENGTH = 255
URL_LENGTH = 2048
TEXT_LENGTH = 65_536
METADATA_BYTES = 64 * 1024
LARGEST_NUMBER = 2**63 - 2
"""One less than the number that stands for everything merged at an instant."""

SHA = re.compile(r"[0-9a-fA-F]{7,40}")
NUMBER = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,9})?")
METADATA_KEY = re.compile(r"[A-Za-z0-9_-]+")
YES = {"true", "1", "yes", "y", "on"}
NO = {"false", "0", "no", "n", "off"}

Coercion = Callable[[str, Any], Any]


def shown(value: Any) -> str:
    """A value as messages show it: short, text in quotes, anything else as the JSON it was."""
    try:
        text = f"'{value}'" if isinstance(value, str) else msgspec.json.encode(value).decode()
    except RecursionError:
        text = "nested very deeply"
    return text if len(text) <= 100 else text[:97] + "..."


def _wrong(name: str, value: Any, right: str) -> InvalidArgument:
    return InvalidArgument(f"{name} is {shown(value)}; it must be {right}.", argument=name)


def _clean(argument: str, value: Any, longest: int) -> str:
    """Text that both databases can hold, without blanks around it."""
    if not isinstance(value, str):
        raise _wrong(argument, value, "text")
    stripped = value.strip()
    if "\0" in stripped:
        raise _wrong(argument, value, "text without NUL characters")
    if len(stripped) > longest:
        raise InvalidArgument(
            f"{argument} has {len(stripped)} characters; at most {longest} are taken.",
            argument=argument,
        )
    return stripped


def short_text(argument: str, value: Any) -> str | None:
    """A name, an environment, an author. Blank counts as absent."""
    return _clean(argument, value, NAME_LENGTH) or None


def repository(argument: str, value: Any) -> str | None:
    """A repository's name: parts in one line, with a slash between them. Blank counts as absent."""
    text = short_text(argument, value)
    if text and not (text.isprintable() and all(part.strip() for part in text.split("/"))):
        raise _wrong(argument, value, "a name like organization/name")
    return text


def long_text(argument: str, value: Any) -> str | None:
    """A title. Blank counts as absent."""
    return _clean(argument, value, TEXT_LENGTH) or None


def identifier(argument: str, value: Any) -> str | None:
    """Text or a whole number, kept as text: a reference_id, or a forge's id."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return _clean(argument, value, NAME_LENGTH) or None


def branch(argument: str, value: Any) -> str | None:
    """A branch name; refs/heads/ is cut off."""
    text = short_text(argument, value)
    return text and (text.removeprefix("refs/heads/") or None)


def instant(argument: str, value: Any) -> datetime:
    """Unix seconds or milliseconds (number or digits), or ISO-8601; no zone means UTC."""
    at = _instant(argument, value)
    if at < EARLIEST:
        raise _wrong(argument, value, "in 1990 or later: Unix seconds, milliseconds, or ISO-8601")
    return at


def past_instant(argument: str, value: Any) -> datetime:
    """An instant that is at most a day ahead: clocks differ, but not by more."""
    at = instant(argument, value)
    if at > datetime.now(UTC) + AHEAD:
        raise _wrong(argument, value, "at most a day ahead of now")
    return at


def _instant(argument: str, value: Any) -> datetime:
    right = "Unix seconds, Unix milliseconds, or ISO-8601 like 2026-03-12T10:00:00Z"
    if isinstance(value, str):
        text = value.strip()
        if not NUMBER.fullmatch(text):
            return _iso_instant(argument, text, right)
        value = float(text) if "." in text else int(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(argument, value, right)
    seconds, milliseconds = (0, value) if abs(value) >= MILLISECONDS_FROM else (value, 0)
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            seconds=seconds, milliseconds=milliseconds
        )
    except OverflowError:
        raise _wrong(argument, value, right) from None


def _iso_instant(argument: str, text: str, right: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong(argument, text, right) from None


def boolean(argument: str, value: Any) -> bool | None:
    """A boolean, or true/false, 1/0, yes/no as text. Blank counts as absent."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower() if isinstance(value, str | int) else None
    if text == "":
        return None
    if text in YES or text in NO:
        return text in YES
    raise _wrong(argument, value, "true or false")


def one_of(choices: type[StrEnum]) -> Coercion:
    """One of a few words."""

    def coerce(argument: str, value: Any) -> StrEnum | None:
        if value == "":
            return None
        try:
            return choices(value)
        except ValueError:
            raise _wrong(argument, value, "one of " + ", ".join(choices)) from None

    return coerce


def whole_number(argument: str, value: Any, largest: int = LARGEST_NUMBER) -> int:
    """A positive whole number, or its digits as text."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,20}\s*", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(argument, value, "a whole number")
    if not 0 < value <= largest:
        raise _wrong(argument, value, f"between 1 and {largest}")
    return value


def commit_sha(argument: str, value: Any) -> str:
    """7 to 40 hexadecimal characters, in lower case."""
    if isinstance(value, str) and SHA.fullmatch(value.strip()):
        return value.strip().lower()
    raise CommitSHAInvalid(
        f"{argument} is {shown(value)}; it must be 7 to 40 hexadecimal characters.",
        argument=argument,
    )


def merge_commit_shas(argument: str, value: Any) -> tuple[str, ...]:
    """An array of SHAs, or text that separates them by , ; | or white space; each once."""
    value = _json_text(value, "[")
    if isinstance(value, str):
        value = [part for part in re.split(r"[,;|\s]+", value) if part]
    if not isinstance(value, list):
        raise MergeCommitSHAsInvalid(
            f"{argument} is {shown(value)}; it must be an array of SHAs.", argument=argument
        )
    if not any(value):
        raise MergeCommitSHAsBlank(argument=argument)
    wrong = [one for one in value if not (isinstance(one, str) and SHA.fullmatch(one.strip()))]
    if wrong:
        raise MergeCommitSHAsInvalid(
            f"{argument} has {shown(wrong[0])}; each must be 7 to 40 hexadecimal characters.",
            argument=argument,
        )
    return tuple(dict.fromkeys(one.strip().lower() for one in value))


def full_sha(argument: str, value: Any) -> str | None:
    """The SHA of an imported commit, in lower case. Blank counts as absent."""
    if isinstance(value, str) and not value.strip():
        return None
    if isinstance(value, str) and SHA.fullmatch(value.strip()):
        return value.strip().lower()
    raise _wrong(argument, value, "the SHA of a commit, 7 to 40 hexadecimal characters")


def full_shas(argument: str, value: Any) -> frozenset[str]:
    """The SHAs of imported commits."""
    return frozenset(
        sha for sha in (full_sha(argument, one) for one in _array(argument, value)) if sha
    )


def texts(argument: str, value: Any) -> tuple[str, ...]:
    """An array of texts: labels, files."""
    return tuple(
        text for text in (long_text(argument, one) for one in _array(argument, value)) if text
    )


def texts_by_name(argument: str, value: Any, known: Collection[str]) -> dict[str, str]:
    """An object of texts under names that are known; what is null is left out."""
    value = _json_text(value, "{")
    if not isinstance(value, Mapping):
        raise _wrong(argument, value, "an object")
    for name in value:
        if name not in known:
            raise InvalidArgument(
                f"{argument} has {shown(name)}; known are {', '.join(known)}.",
                argument=f"{argument}.{name[:NAME_LENGTH]}",
            )
    return {
        name: _clean(f"{argument}.{name}", one, TEXT_LENGTH)
        for name, one in value.items()
        if one is not None
    }


def one_or_more_texts(argument: str, value: Any) -> tuple[str, ...]:
    """An array of texts, or one text alone."""
    value = _json_text(value, "[")
    if isinstance(value, str):
        value = [value]
    return texts(argument, value)


def lists_by_name(argument: str, value: Any) -> dict[str, tuple[str, ...]]:
    """An object of arrays of texts, or of single texts."""
    value = _json_text(value, "{")
    if not isinstance(value, Mapping):
        raise _wrong(argument, value, "an object")
    lists: dict[str, tuple[str, ...]] = {}
    for key, one in value.items():
        name = _clean(argument, key, NAME_LENGTH)
        lists[name] = one_or_more_texts(f"{argument}.{name}", one)
    return lists


def url(argument: str, value: Any) -> str | None:
    """An http or https URL. Blank counts as absent."""
    text = _clean(argument, value, URL_LENGTH)
    try:
        parts = urlsplit(text)
        right = not text or (parts.scheme in {"http", "https"} and bool(parts.netloc))
    except ValueError:
        right = False
    if not right:
        raise _wrong(argument, value, "an http or https URL")
    return text or None


def metadata(argument: str, value: Any) -> str | None:
    """An object, as canonical JSON text: keys in order, so that equal objects are equal text."""
    value = _json_text(value, "{")
    if isinstance(value, str) and not value.strip():
        return None
    if not isinstance(value, Mapping):
        raise MetadataInvalid(
            f"metadata is {shown(value)}{_why_no_json(value)}; it must be an object, like "
            '{"version": "2.4.0"}.',
            argument=argument,
        )
    for key in value:
        if not METADATA_KEY.fullmatch(key):
            raise MetadataInvalid(
                f"metadata has the key {shown(key)}; keys are letters, digits, dashes and "
                "underscores.",
                argument=argument,
            )
    try:
        text = msgspec.json.encode(value, order="sorted")
    except RecursionError:
        raise MetadataInvalid("metadata is nested too deeply.", argument=argument) from None
    if len(text) > METADATA_BYTES:
        raise MetadataInvalid(
            f"metadata is {len(text)} bytes of JSON; at most {METADATA_BYTES} are taken.",
            argument=argument,
        )
    return text.decode()


def _why_no_json(value: Any) -> str:
    """What is wrong with text that was meant as JSON."""
    if not isinstance(value, str):
        return ""
    try:
        msgspec.json.decode(value)
    except msgspec.MsgspecError as error:
        return f", which is not valid JSON ({error})"
    except RecursionError:
        return ", which is nested too deeply"
    return ""


ServiceName = tuple[str, str | None]


def service(argument: str, value: Any) -> ServiceName | None:
    """Text, or an object of identifier and name: (identifier, name if given apart)."""
    value = _json_text(value, "{")
    if not isinstance(value, Mapping):
        named = short_text(argument, value)
        return (named, None) if named else None
    display = short_text(f"{argument}.name", value.get("name") or "")
    key = short_text(f"{argument}.identifier", value.get("identifier") or display or "")
    return (key, display) if key else None


def services(argument: str, value: Any) -> tuple[ServiceName, ...]:
    """An array of services, or one text of them in brackets, quotes, blanks, commas or bars."""
    value = _json_text(value, "[")
    if isinstance(value, str):
        value = [one for one in re.split(r"[\s,|]+", re.sub(r"[\[\]\"']", "", value)) if one]
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list):
        raise _wrong(argument, value, "an array of service names")
    named = (service(argument, one) for one in value if one is not None)
    return tuple({one[0]: one for one in named if one is not None}.values())


def _array(argument: str, value: Any) -> list[Any]:
    value = _json_text(value, "[")
    if not isinstance(value, list):
        raise _wrong(argument, value, "an array")
    return value


def _json_text(value: Any, begins: str) -> Any:
    """What stands in a field as JSON text, as forms and query strings send structures."""
    if isinstance(value, str) and value.lstrip().startswith(begins):
        try:
            return msgspec.json.decode(value)
        except (msgspec.MsgspecError, RecursionError):
            return value
    return value
