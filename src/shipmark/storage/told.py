"""When a forge told what, as JSON in one column."""

import json
from collections import defaultdict
from datetime import datetime
from typing import Any

from shipmark.application.told import Guess, Told
from shipmark.storage.columns import EPOCH, MICROSECOND


def as_text(told: Told) -> str | None:
    """As JSON: most fields were told as of one instant, so their names stand under it."""
    if not told.certain and not told.guesses:
        return None
    certain: dict[int, list[str]] = defaultdict(list)
    for name, as_of in sorted(told.certain.items()):
        certain[_sent(as_of)].append(name)
    guesses = {
        name: [_sent(one.as_of), _value(one.value), one.hidden]
        for name, one in sorted(told.guesses.items())
    }
    return json.dumps([certain, guesses] if guesses else [certain], separators=(",", ":"))


def from_text(text: str | None) -> Told:
    """What was stored."""
    certain, guesses = (*json.loads(text or "[{}]"), {})[:2]
    return Told(
        certain={name: _instant(int(as_of)) for as_of, names in certain.items() for name in names},
        guesses={
            name: Guess(as_of=_instant(as_of), value=_read(value), hidden=hidden)
            for name, (as_of, value, hidden) in guesses.items()
        },
    )


def _value(value: Any) -> Any:
    """A value as JSON; what JSON has no form for goes as an object that names its own."""
    if isinstance(value, datetime):
        return {"at": _sent(value)}
    return {"set": sorted(value)} if isinstance(value, frozenset) else value


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return _instant(value["at"]) if "at" in value else frozenset(value["set"])
    return tuple(value) if isinstance(value, list) else value


def _sent(at: datetime) -> int:
    return (at - EPOCH) // MICROSECOND


def _instant(microseconds: int) -> datetime:
    return EPOCH + microseconds * MICROSECOND
