"""Look-ups of requests that wait at the same time share one read.

While one read is under way, the requests that come gather for the next. Each is so answered by a
read that began after it came: what was changed before then is seen, and nothing is cached.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key")
Found = TypeVar("Found")


class SharedLookUps(Generic[Key, Found]):
    """``look_up`` answers a set of keys at once; it is never run twice at a time."""

    def __init__(self, look_up: Callable[[set[Key]], Awaitable[Mapping[Key, Found]]]) -> None:
        self._look_up = look_up
        self._wanted: set[Key] = set()
        self._gathering: asyncio.Task[Mapping[Key, Found]] | None = None
        self._under_way: asyncio.Task[Mapping[Key, Found]] | None = None

    async def get(self, key: Key) -> Found:
        """What is found for a key. Raises what the read raised."""
        self._wanted.add(key)
        if self._gathering is None:
            self._gathering = asyncio.create_task(self._after(self._under_way))
        # Others wait for the same read: a client that goes away must not end it.
        return (await asyncio.shield(self._gathering))[key]

    async def _after(
        self, previous: asyncio.Task[Mapping[Key, Found]] | None
    ) -> Mapping[Key, Found]:
        if previous is not None:
            await asyncio.wait({previous})
        self._under_way, self._gathering = self._gathering, None
        wanted, self._wanted = self._wanted, set()
        return await self._look_up(wanted)
