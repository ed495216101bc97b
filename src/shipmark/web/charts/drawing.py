"""Charts as SVG, for pages as they arrive and for browsers without JavaScript."""

import asyncio
import json
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections import OrderedDict
from contextlib import suppress
from typing import Any

from shipmark.web.charts.specification import Specification

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "shipmark.web.charts.process")
DRAWN_WIDTH = 640
"""Pixels to draw for where the width is not known; it is scaled to what there is."""

PATIENCE = 2.0
"""Seconds that one drawing may take: a page waits for it."""

LONGEST_START = 20.0
"""Seconds that the first answer of a process may take, and the script for browsers."""

LONGEST_ANSWER = 16 * 1024 * 1024
MOST_KEPT = 256


class Drawing:
    """Draws in a process of its own, which is started when the first chart is wanted.

    What cannot be drawn in time is None: the page then shows the chart's table.
    """

    def __init__(self) -> None:
        self._process: Process | None = None
        self._has_answered = False
        self._turn = asyncio.Lock()
        self._kept: OrderedDict[str, str] = OrderedDict()

    async def svg(self, specification: Specification) -> str | None:
        """The SVG of a specification; the same one is drawn once."""
        asked = json.dumps({"specification": specification | {"width": DRAWN_WIDTH}})
        return await self._answer(asked, PATIENCE)

    async def script(self) -> str | None:
        """The script with which a browser draws the same."""
        return await self._answer(json.dumps({"script": True}), LONGEST_START)

    async def _answer(self, asked: str, patience: float) -> str | None:
        if asked in self._kept:
            self._kept.move_to_end(asked)
            return self._kept[asked]
        async with self._turn:
            said = self._kept.get(asked) or await self._ask(asked, patience)
        if said is not None:
            self._kept[asked] = said
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return said

    async def _ask(self, asked: str, patience: float) -> str | None:
        # A process that had nothing to draw for a while may end just now: then another is asked.
        for _ in range(2):
            try:
                patience = patience if self._has_answered else LONGEST_START
                said = await asyncio.wait_for(self._exchange(asked), patience)
            except (OSError, ValueError) as error:
                log.warning("cannot draw chart: %r", error)
                await self.close()
                if isinstance(error, TimeoutError):
                    return None
                continue
            self._has_answered = True
            if "error" in said:
                log.warning("cannot draw chart: %s", said["error"])
                return None
            return str(said["answer"])
        return None

    async def _exchange(self, asked: str) -> dict[str, Any]:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *COMMAND, stdin=PIPE, stdout=PIPE, limit=LONGEST_ANSWER
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # noqa: S101, PT018 - both are pipes
        stdin.write(asked.encode() + b"\n")
        await stdin.drain()
        said: dict[str, Any] = json.loads(await stdout.readline())
        return said

    async def close(self) -> None:
        """End the process."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None
            self._has_answered = False
