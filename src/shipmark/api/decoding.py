"""From a mapping of arguments to a wire type, and from a wire type to its description.

A wire type is a msgspec Struct whose fields are annotated with a `Form`: how the value is
brought to normal form, and what may be sent. The same annotation decodes and documents.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any, ClassVar, TypeVar, get_type_hints

import msgspec

from shipmark.api import coercions
from shipmark.domain.errors import RequiredParamsMissing

JSONSchema = dict[str, Any]

MOST_WARNINGS = 20


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

    one_of: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Groups of arguments of which one must be sent whole, in the order they are asked for."""

    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """What an optional argument needs beside it."""

    clearable: ClassVar[Collection[str]] = ()
    """Optional arguments for which null says something, and not the same as leaving them out."""

    def check(self) -> None:
        """Refuse what is right by itself and wrong together."""


Kind = TypeVar("Kind", bound=Arguments)


def decode(kind: type[Kind], sent: Mapping[str, Any]) -> Kind:
    """The arguments in normal form. Checks what is required first, then the form of each.

    Raises RequiredParamsMissing, or the InvalidArgument of the first that is wrong.
    """
    given = {name: value for name, value in sent.items() if value is not None}
    blank = {name for name in (*required(kind), *kind.needs) if is_blank(given.get(name))}
    require(kind, given.keys() - blank)
    values: dict[str, Any] = {name: None for name in kind.clearable if sent.get(name, ...) is None}
    for name, form in forms(kind).items():
        if name in given:
            value = form.coerce(name, given[name])
            if value is not None:
                values[name] = value
    require(kind, values.keys())
    arguments = kind(**values)
    arguments.check()
    return arguments


def require(kind: type[Arguments], given: Collection[str]) -> None:
    """Raises RequiredParamsMissing unless all that must be sent is given."""
    missing = [name for name in required(kind) if name not in given]
    words = list(missing)
    if kind.one_of and not any(all(name in given for name in group) for group in kind.one_of):
        nearest = max(kind.one_of, key=lambda group: sum(name in given for name in group))
        missing += [name for name in nearest if name not in given]
        words.append(" or ".join(" and ".join(group) for group in kind.one_of))
    for name, others in kind.needs.items():
        needed = [other for other in others if name in given and other not in given]
        missing += needed
        words += [f"{other}, which {name} needs" for other in needed]
    if missing:
        raise RequiredParamsMissing(
            f"Required and missing: {'; '.join(words)}.", argument=missing[0]
        )


def is_blank(value: Any) -> bool:
    """Whether an argument counts as not sent where it matters that it is."""
    return value is None or (isinstance(value, str) and not value.strip())


def unknown(kind: type[Arguments], sent: Mapping[str, Any]) -> list[str]:
    """The names that were sent and mean nothing here."""
    return [name for name in sent if name not in forms(kind)]


def warnings(ignored: Collection[str], what: str = "argument") -> list[str]:
    """What to tell of names that were ignored: the first few, and the beginning of each."""
    return [f"Unknown {what} ignored: {name[:100]}" for name in islice(ignored, MOST_WARNINGS)]


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
        schema["anyOf"] = [{"required": list(group)} for group in kind.one_of]
    if kind.needs:
        schema["dependentRequired"] = {name: list(others) for name, others in kind.needs.items()}
    return schema
