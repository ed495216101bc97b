"""Regular expressions of users, run by RE2: linear in the text whatever the expression is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import re2

from shipmark.domain.patterns import PatternInvalid

MEMORY = 1 << 20
"""Bytes that one compiled expression may take. RE2 refuses larger ones."""


@dataclass(frozen=True, slots=True)
class Re2Expression:
    """A compiled expression."""

    compiled: Any
    groups: frozenset[str]

    def fullmatch(self, text: str) -> Mapping[str, str | None] | None:
        try:
            found = self.compiled.fullmatch(text)
        except UnicodeEncodeError:
            # Half of a surrogate pair, which JSON can carry and UTF-8 cannot.
            return None
        return None if found is None else dict(found.groupdict())


class Re2Engine:
    """A `PatternEngine`."""

    def compile(self, expression: str, *, ignore_case: bool) -> Re2Expression:
        options = re2.Options()
        options.log_errors = False
        options.case_sensitive = not ignore_case
        options.max_mem = MEMORY
        try:
            compiled = re2.compile(expression, options)
        except UnicodeEncodeError:
            raise PatternInvalid("it is not valid Unicode") from None
        except re2.error as error:
            raise PatternInvalid(_reason(error)) from None
        return Re2Expression(compiled, frozenset(compiled.groupindex))


def _reason(error: Exception) -> str:
    (said,) = error.args
    words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return f"{words} (the syntax is RE2's, which has no look-around and no back-references)"
