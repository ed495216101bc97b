"""Look-ups and results of requests that wait at the same time: each gets its own, at one's cost."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from shipmark.api.arrivals import Arrivals
from shipmark.api.look_ups import SharedLookUps


class Reads:
    """Answers a key with its length, each read only when it is let go."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []
        self.gates: list[asyncio.Future[None]] = []

    async def read(self, keys: set[str]) -> Mapping[str, int]:
        self.asked.append(keys)
        self.gates.append(asyncio.get_running_loop().create_future())
        await self.gates[-1]
        return {key: len(key) for key in keys}


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_those_that_come_during_a_read_share_the_next() -> None:
    async def scene() -> None:
        reads = Reads()
        look_ups = SharedLookUps(reads.read)
        first = asyncio.create_task(look_ups.get("a"))
        await settled()
        later = [asyncio.create_task(look_ups.get(key)) for key in ("bb", "ccc", "bb")]
        await settled()
        assert reads.asked == [{"a"}]
        reads.gates[0].set_result(None)
        await settled()
        assert reads.asked == [{"a"}, {"bb", "ccc"}]
        reads.gates[1].set_result(None)
        assert [await first, *[await task for task in later]] == [1, 2, 3, 2]

    asyncio.run(scene())


def test_a_read_that_fails_fails_those_who_waited_for_it_and_nobody_else() -> None:
    async def scene() -> None:
        reads = Reads()
        look_ups = SharedLookUps(reads.read)
        first = asyncio.create_task(look_ups.get("a"))
        await settled()
        second = asyncio.create_task(look_ups.get("bb"))
        await settled()
        reads.gates[0].set_exception(RuntimeError("gone"))
        await settled()
        reads.gates[1].set_result(None)
        with pytest.raises(RuntimeError, match="gone"):
            await first
        assert await second == 2

    asyncio.run(scene())


def test_a_client_that_goes_away_does_not_end_the_read_of_others() -> None:
    async def scene() -> None:
        reads = Reads()
        look_ups = SharedLookUps(reads.read)
        gone, staying = (asyncio.create_task(look_ups.get(key)) for key in ("a", "bb"))
        await settled()
        gone.cancel()
        await settled()
        reads.gates[0].set_result(None)
        assert await staying == 2
        assert gone.cancelled()

    asyncio.run(scene())


def test_each_result_from_another_thread_reaches_the_one_who_waits_for_it() -> None:
    async def scene() -> list[int | BaseException]:
        arrivals = Arrivals(asyncio.get_running_loop())
        with ThreadPoolExecutor(4) as pool:
            waits = [arrivals.awaited(pool.submit(_half, number)) for number in range(2000)]
            return await asyncio.gather(*waits, return_exceptions=True)

    results = asyncio.run(scene())
    assert results[0::2] == list(range(1000))
    assert all(isinstance(one, ValueError) for one in results[1::2])


def _half(number: int) -> int:
    if number % 2:
        raise ValueError(number)
    return number // 2


def test_who_stops_waiting_cancels_what_has_not_begun() -> None:
    async def scene() -> bool:
        arrivals = Arrivals(asyncio.get_running_loop())
        future: Future[int] = Future()
        waiting = asyncio.create_task(arrivals.awaited(future))
        await settled()
        waiting.cancel()
        await settled()
        return future.cancelled()

    assert asyncio.run(scene())
