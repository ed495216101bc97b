"""Path patterns as git understands them in `.gitignore`, matched in linear time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import re2
from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

from shipmark.domain.path_rules import Decision
from shipmark.domain.patterns import PatternInvalid

_ODD_CLASS = re.compile(r"\[[^\]]*?(?:\[|--|&&|~~|\|\|)")
"""A class in brackets that git, Python and RE2 do not all read alike."""


@dataclass(frozen=True, slots=True)
class GitIgnoreMatcher:
    """A compiled list of patterns."""

    spec: GitIgnoreSpec

    def decide(self, file: str) -> Decision | None:
        try:
            found = self.spec.check_file(file)
        except UnicodeEncodeError:
            # A path that is not UTF-8, which git allows.
            return None
        if found.include is None or found.index is None:
            return None
        return Decision(found.index, included=found.include)


class GitIgnoreEngine:
    """A `PathEngine`."""

    def compile(self, patterns: Sequence[str]) -> GitIgnoreMatcher:
        for index, pattern in enumerate(patterns):
            _check(pattern, index)
        # RE2, because the patterns may be anybody's: with Python's own expressions one of a few
        # dozen characters can take hours.
        lines = [_as_git_means(pattern) for pattern in patterns]
        return GitIgnoreMatcher(GitIgnoreSpec.from_lines(lines, backend="re2"))


def _as_git_means(pattern: str) -> str:
    """For git the directories below, and what is in them; pathspec takes the files beside too."""
    return f"{pattern}*/" if pattern.endswith("**/") else pattern


def _check(pattern: str, index: int) -> None:
    if not pattern.strip():
        raise PatternInvalid("it is blank", index)
    if _ODD_CLASS.search(pattern):
        raise PatternInvalid("its class in brackets is not supported", index)
    try:
        (only,) = GitIgnoreSpec.from_lines([pattern], backend="re2").patterns
    except (GitIgnorePatternError, re2.error, UnicodeEncodeError, ValueError):
        raise PatternInvalid("it is not a pattern as in .gitignore", index) from None
    if only.include is None:
        raise PatternInvalid("it is a comment, or matches nothing", index)
