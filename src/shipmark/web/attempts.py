"""How often someone may fail to sign in."""

import time
from collections import OrderedDict
from collections.abc import Callable

MOST = 10
WITHIN = 300.0
"""Seconds in which so many attempts may fail from one address."""

MOST_ADDRESSES = 10_000


class Attempts:
    """Failures of late, by address, in this process. Whoever failed longest ago is forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def wait(self, address: str) -> int:
        """Seconds until another attempt may be made from an address; 0 if it may be made now."""
        since = self._clock() - WITHIN
        recent = [at for at in self._failures.get(address, []) if at > since]
        return int(recent[-MOST] - since) + 1 if len(recent) >= MOST else 0

    def failed(self, address: str) -> None:
        since = self._clock() - WITHIN
        recent = [at for at in self._failures.pop(address, []) if at > since]
        self._failures[address] = [*recent, self._clock()][-MOST:]
        while len(self._failures) > MOST_ADDRESSES:
            self._failures.popitem(last=False)
