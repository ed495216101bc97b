"""From a mapping of arguments to a wire type, and from a wire type to its description.

A wire type is a msgspec Struct whose fields are annotated with a `Form`: how the value is
brought to normal form, and what may be sent. The same annotation decodes and documents.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, TypeVar, get_type_hints

import msgspec

from shipmark.api import coercions
from shipmark.domain.errors import RequiredParamsMissing

JSONSchema = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """The form of one argument. ``schema`` describes what may be sent, as JSON Schema."""

    coerce: coercions.Coercion
    schema: JSONSchema = field(default_factory=dict)
    about: str = ""

    def described(self, about: str, **schema: Any) -> "Form":
        """The same form as another argument, with its own words and examples."""
        return Form(self.coerce, self.schema | schema, about)


class Arguments(msgspec.Struct, kw_only=True, frozen=True):
    """What a method takes. Fields without a default are required."""

    one_of: ClassVar[tuple[str, ...]] = ()
    """Arguments of which at least one is required, in the order in which they are asked for."""

    def check(self) -> None:
        """Refuse what is right by itself and wrong together."""


Kind = TypeVar("Kind", bound=Arguments)


def decode(kind: type[Kind], sent: Mapping[str, Any]) -> Kind:
    """The arguments in normal form. Checks what is required first, then the form of each.

    Raises RequiredParamsMissing, or the InvalidArgument of the first that is wrong.
    """
    given = {name: value for name, value in sent.items() if value is not None}
    missing = [name for name in required(kind) if is_blank(given.get(name))]
    if kind.one_of and not any(name in given for name in kind.one_of):
        missing.append(kind.one_of[0])
    if missing:
        raise RequiredParamsMissing(_asking_for(missing, kind), argument=missing[0])
    values = {}
    for name, form in forms(kind).items():
        if name in given:
            value = form.coerce(name, given[name])
            if value is not None:
                values[name] = value
    still_missing = [name for name in required(kind) if name not in values]
    if still_missing:
        raise RequiredParamsMissing(_asking_for(still_missing, kind), argument=still_missing[0])
    arguments = kind(**values)
    arguments.check()
    return arguments


def is_blank(value: Any) -> bool:
    """Whether a required argument counts as not sent."""
    return value is None or (isinstance(value, str) and not value.strip())


def _asking_for(missing: list[str], kind: type[Arguments]) -> str:
    words = "; ".join(
        " or ".join(kind.one_of) if name in kind.one_of and name not in required(kind) else name
        for name in missing
    )
    return f"Required and missing: {words}."


def unknown(kind: type[Arguments], sent: Mapping[str, Any]) -> list[str]:
    """The names that were sent and mean nothing here."""
    return [name for name in sent if name not in forms(kind)]


@cache
def forms(kind: type[Arguments]) -> dict[str, Form]:
    """The form of each argument, in the order in which they are checked."""
    hints = get_type_hints(kind, include_extras=True)
    return {
        one.name: next(extra for extra in hints[one.name].__metadata__ if isinstance(extra, Form))
        for one in msgspec.structs.fields(kind)
    }


@cache
def required(kind: type[Arguments]) -> tuple[str, ...]:
    """The names of the arguments that must be sent."""
    return tuple(one.name for one in msgspec.structs.fields(kind) if one.required)


def schema_of(kind: type[Arguments]) -> JSONSchema:
    """JSON Schema of what may be sent."""
    properties = {}
    for one in msgspec.structs.fields(kind):
        form = forms(kind)[one.name]
        properties[one.name] = form.schema | ({"description": form.about} if form.about else {})
        if isinstance(one.default, str | int | bool):
            properties[one.name] |= {"default": one.default}
    schema: JSONSchema = {"type": "object", "properties": properties}
    if required(kind):
        schema["required"] = list(required(kind))
    if kind.one_of:
        schema["anyOf"] = [{"required": [name]} for name in kind.one_of]
    return schema
