"""Patterns that people write for names: exact, glob or regex.

Regular expressions come from users, so the engine that runs them must take time linear in the
text whatever the expression is. The domain knows no library: a `PatternEngine` is handed in.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

LONGEST_PATTERN = 500
"""Characters."""


class PatternKind(StrEnum):
    EXACT = "exact"
    GLOB = "glob"
    REGEX = "regex"


class PatternInvalid(ValueError):
    """A pattern that cannot be understood; its text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a name must be. All of the name must match, not only a part of it."""

    kind: PatternKind
    text: str

    def __str__(self) -> str:
        """The form that `read_pattern` reads."""
        plain = self.text if self.kind is not PatternKind.REGEX else ""
        if plain and read_pattern(plain) == self:
            return plain
        return f"{self.kind}:{self.text}"


class Expression(Protocol):
    """A compiled regular expression."""

    @property
    def groups(self) -> frozenset[str]:
        """The names of its named groups."""

    def fullmatch(self, text: str) -> Mapping[str, str | None] | None:
        """Its named groups where all of the text matches, None where it does not."""


class PatternEngine(Protocol):
    """Compiles regular expressions into ones that run in linear time."""

    def compile(self, expression: str, *, ignore_case: bool) -> Expression:
        """Raises PatternInvalid with the reason."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """A pattern that is ready to be tried."""

    pattern: Pattern
    ignore_case: bool
    expression: Expression | None

    @property
    def groups(self) -> frozenset[str]:
        return self.expression.groups if self.expression else frozenset()

    def match(self, text: str) -> Mapping[str, str | None] | None:
        """The named groups where the pattern matches, None where it does not."""
        if self.expression is not None:
            return self.expression.fullmatch(text)
        if self.ignore_case:
            return {} if text.casefold() == self.pattern.text.casefold() else None
        return {} if text == self.pattern.text else None


def read_pattern(text: str) -> Pattern:
    """A pattern as people write it.

    ``exact:``, ``glob:`` or ``regex:`` before it says of which kind it is. Without one, text with
    ``*`` or ``?`` in it is a glob, and any other is exact.
    """
    for kind in PatternKind:
        if text.startswith(f"{kind}:"):
            return Pattern(kind, text.removeprefix(f"{kind}:"))
    return Pattern(PatternKind.GLOB if "*" in text or "?" in text else PatternKind.EXACT, text)


def compile_pattern(
    pattern: Pattern, engine: PatternEngine, *, ignore_case: bool = False
) -> Matcher:
    """Raises PatternInvalid."""
    if not pattern.text.strip():
        raise PatternInvalid("it is blank; leave it out where any value will do")
    if len(pattern.text) > LONGEST_PATTERN:
        raise PatternInvalid(f"it is longer than {LONGEST_PATTERN} characters")
    if pattern.kind is PatternKind.EXACT:
        return Matcher(pattern, ignore_case, None)
    expression = (
        pattern.text if pattern.kind is PatternKind.REGEX else _glob_expression(pattern.text)
    )
    return Matcher(pattern, ignore_case, engine.compile(expression, ignore_case=ignore_case))


def _glob_expression(glob: str) -> str:
    """``*`` is anything but a slash, ``**`` anything at all, ``?`` one character but a slash."""
    meanings = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*|\*|\?)", re.sub(r"\*{3,}", "**", glob))
    return "(?s)" + "".join(meanings.get(piece) or re.escape(piece) for piece in pieces)
