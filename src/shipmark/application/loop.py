"""A thread that does what is due, again and again, until it is told to stop."""

import logging
import threading
from collections.abc import Callable

from shipmark.domain.errors import ShipmarkError

log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between looks when nothing is due."""


class Loop:
    """Runs ``work_once`` until stopped; it answers how much it found to do.

    ``stopping`` is set when it is time to stop: long work looks at it now and then. ``grace`` is
    how many seconds the work under way is then waited for; None: until it is done.
    """

    def __init__(
        self,
        name: str,
        work_once: Callable[[], int],
        *,
        stopping: threading.Event,
        grace: float | None = None,
        pause: float = PAUSE,
    ) -> None:
        self._work_once = work_once
        self._stopping = stopping
        self._grace = grace
        self._pause = pause
        self._thread = threading.Thread(target=self.run, name=name, daemon=grace is not None)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way and stop. What is not done when its grace is over is left to
        itself: it waits for someone else's answer, and has nothing that could be lost."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(self._grace)

    def run(self) -> None:
        """Work until stopped. An error is logged and tried again: nothing is lost by it."""
        while not self._stopping.is_set():
            try:
                busy = self._work_once() > 0
            except ShipmarkError as error:
                log.warning("Work in the background failed: %s", error.message)
                busy = False
            except Exception:
                log.exception("Work in the background met an error")
                busy = False
            if not busy:
                self._stopping.wait(self._pause)
