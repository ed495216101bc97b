"""Results that come from another thread many at a time, and wake the event loop once for all."""

import asyncio
import threading
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")
Pair = tuple[asyncio.Future[Any], Future[Any]]


class Arrivals:
    """Awaits futures of other threads. A commit that answers sixty requests is one wake-up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._arrived: list[Pair] = []

    async def awaited(self, future: Future[Result]) -> Result:
        """The future's result, or what it raised. Cancelling the wait cancels the future."""
        waiting: asyncio.Future[Result] = self._loop.create_future()
        future.add_done_callback(lambda done: self._note(waiting, done))
        try:
            return await waiting
        except asyncio.CancelledError:
            future.cancel()
            raise

    def _note(self, waiting: asyncio.Future[Any], done: Future[Any]) -> None:
        """In the thread that finished it: the first since the loop looked wakes the loop."""
        with self._lock:
            self._arrived.append((waiting, done))
            is_first = len(self._arrived) == 1
        if is_first:
            self._loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        with self._lock:
            arrived, self._arrived = self._arrived, []
        for waiting, done in arrived:
            if waiting.done() or done.cancelled():
                continue
            error = done.exception()
            if error is None:
                waiting.set_result(done.result())
            else:
                waiting.set_exception(error)
