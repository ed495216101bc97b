"""What a forge told when: the same values stand in whatever order its messages come.

Each fact of a pull request has two places. In one stands what the forge told for certain as of the
latest instant; in the other what a message only lets us guess. The guess counts while nothing is
known for certain, or while it is newer than the certainty that there is nothing. Each place keeps
the greatest it was ever told, by one order; so the order of arrival cannot show.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A value that a message lets us guess. ``hidden``: a certain but older one stands before it.

    It is kept then, as the next thing told for certain may be that there is nothing any more.
    """

    as_of: datetime
    value: Any
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """As of when a forge told each value for certain, and what is guessed beside it.

    A value that is stored and told by no forge is a client's. Every forge's word replaces that.
    """

    certain: Mapping[str, datetime] = field(default_factory=dict)
    guesses: Mapping[str, Guess] = field(default_factory=dict)

    @property
    def as_of(self) -> datetime | None:
        """As of when anything was last told for certain."""
        return max(self.certain.values(), default=None)


def hear(
    stored: Mapping[str, Any], told: Told, values: Mapping[str, Any], as_of: datetime
) -> tuple[dict[str, Any], Told]:
    """What stands after a message told ``values`` for certain, and when all of it was told.

    ``stored`` are the values that stand for those that the message tells.
    """
    standing, certain, guesses = {}, dict(told.certain), dict(told.guesses)
    for name, value in values.items():
        before = certain.get(name)
        guess = guesses.pop(name, None)
        known = None if _shows(guess, stored[name]) else stored[name]
        if before is None or (as_of, _rank(value)) > (before, _rank(known)):
            certain[name], known = as_of, value
        standing[name], kept = _settled(known, certain[name], guess)
        if kept is not None:
            guesses[name] = kept
    return standing, Told(certain=certain, guesses=guesses)


def guess(
    stored: Mapping[str, Any], told: Told, values: Mapping[str, Any], as_of: datetime
) -> tuple[dict[str, Any], Told]:
    """The same for a message of which ``values`` can only be guessed."""
    standing, guesses = {}, dict(told.guesses)
    for name, value in values.items():
        old = guesses.pop(name, None)
        known = None if _shows(old, stored[name]) else stored[name]
        new = Guess(as_of=as_of, value=value)
        best = new if old is None or _order(new) > _order(old) else old
        standing[name], kept = _settled(known, told.certain.get(name, BEFORE_ALL), best)
        if kept is not None:
            guesses[name] = kept
    return standing, Told(certain=told.certain, guesses=guesses)


def _shows(guess: Guess | None, stored: Any) -> bool:
    """Whether it is the guess that stands; a client may have written over it."""
    return guess is not None and not guess.hidden and guess.value == stored


def _settled(known: Any, as_of: datetime, guess: Guess | None) -> tuple[Any, Guess | None]:
    """What stands of a certain value and a guess, and the guess if it may still come to count."""
    if guess is None:
        return known, None
    if known:
        kept = Guess(as_of=guess.as_of, value=guess.value, hidden=True)
        return known, kept if guess.as_of > as_of else None
    if guess.as_of < as_of:
        return known, None
    return guess.value, Guess(as_of=guess.as_of, value=guess.value)


def _order(guess: Guess) -> tuple[datetime, tuple[bool, str]]:
    return guess.as_of, _rank(guess.value)


def _rank(value: Any) -> tuple[bool, str]:
    """An order of values told as of the same instant: any will do, but something beats nothing."""
    if isinstance(value, datetime):
        return True, value.isoformat()
    return bool(value), repr(sorted(value) if isinstance(value, frozenset) else value)
