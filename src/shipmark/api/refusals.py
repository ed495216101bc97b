"""Count the webhooks that are refused, so that whoever looks for what is missing is told.

Anyone may send what is refused, so it costs next to nothing: it is counted here, and written down
once a minute at most for each forge.
"""

import time
from collections import Counter
from dataclasses import dataclass, field

WRITTEN_EVERY = 60.0
"""Seconds."""


@dataclass(slots=True)
class RefusalCounter:
    """Refusals of this process, by the last part of the address they were sent to."""

    _waiting: Counter[str] = field(default_factory=Counter)
    _written: dict[str, float] = field(default_factory=dict)

    def count(self, forge: str) -> int:
        """Count one more; how many are to be written down now, or none."""
        self._waiting[forge] += 1
        now = time.monotonic()
        if now - self._written.get(forge, -WRITTEN_EVERY) < WRITTEN_EVERY:
            return 0
        self._written[forge] = now
        return self._waiting.pop(forge)
