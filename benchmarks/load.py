"""Load over HTTP: many connections, each sending its next request when it has its answer.

wrk drives it where that is installed: it takes little of the processors it shares with the
server. Elsewhere aiohttp does, in a process of its own.
"""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp

from benchmarks.measure import BenchmarkFailed, require
from benchmarks.servers import HOST, Server

SCRIPT = Path(__file__).with_name("create.lua")
CREATE = "/api/deployments.create"
GRACE_SECONDS = 60


class BodiesRanOut(BenchmarkFailed):
    """The server was faster than anybody had thought: there is nothing left to send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How a round of load went. Percentiles are milliseconds.

    What was on its way when time was up is ``sent`` and not ``answered``.
    """

    answered: int
    sent: int
    seconds: float
    refused: int
    broken: int
    exhausted: bool
    p50: float
    p90: float
    p99: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds


def tool() -> str:
    """What drives the load on this machine."""
    return "wrk" if shutil.which("wrk") else "aiohttp"


def drive(
    server: Server,
    bodies: Path,
    *,
    connections: int,
    seconds: int,
    again: bool = False,
    by: str | None = None,
) -> Load:
    """Send creates for so long. Raises BenchmarkFailed if any is refused, BodiesRanOut at the end
    of the file unless it may be sent ``again``."""
    run = _wrk if (by or tool()) == "wrk" else _aiohttp
    load = run(server, bodies, connections, seconds, again=again)
    require(
        not load.refused and not load.broken,
        f"{load.refused} of {load.answered} requests were refused and {load.broken} broke.",
    )
    if load.exhausted:
        raise BodiesRanOut(f"All {load.sent} bodies were sent before {seconds} s were over.")
    return load


def _wrk(server: Server, bodies: Path, connections: int, seconds: int, *, again: bool) -> Load:
    run = subprocess.run(
        [
            *("wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "-s", str(SCRIPT)),
            *(f"http://{HOST}:{server.port}", "--", str(bodies), CREATE, server.token),
            "again" if again else "once",
        ],
        capture_output=True,
        text=True,
        timeout=seconds + GRACE_SECONDS,
        check=False,
    )
    lines = [line for line in run.stdout.splitlines() if line.startswith("{")]
    require(lines, f"wrk failed:\n{run.stdout}{run.stderr}")
    return Load(**json.loads(lines[-1]))


def _aiohttp(server: Server, bodies: Path, connections: int, seconds: int, *, again: bool) -> Load:
    given = [str(server.port), server.token, str(bodies), str(connections), str(seconds)]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", *given, "again" if again else "once"],
        capture_output=True,
        text=True,
        timeout=seconds + GRACE_SECONDS,
        check=False,
    )
    require(run.returncode == 0, f"The load generator failed:\n{run.stderr}")
    return Load(**json.loads(run.stdout))


class _Clients:
    """The connections of the load generator, and what they found."""

    def __init__(self, server: Server, bodies: Sequence[bytes], *, again: bool) -> None:
        self._server = server
        self._bodies = bodies
        self._again = again
        self.times: list[float] = []
        self.sent = self.refused = self.broken = 0
        self.exhausted = False

    async def run(self, connections: int, seconds: float) -> Load:
        began = time.perf_counter()
        connector = aiohttp.TCPConnector(limit=connections)
        async with aiohttp.ClientSession(connector=connector) as session:
            deadline = began + seconds
            await asyncio.gather(*(self._client(session, deadline) for _ in range(connections)))
        took = time.perf_counter() - began
        times = sorted(self.times) or [0.0]
        p50, p90, p99 = (times[int(share * (len(times) - 1))] * 1000 for share in (0.5, 0.9, 0.99))
        return Load(
            answered=len(self.times),
            sent=self.sent,
            seconds=took,
            refused=self.refused,
            broken=self.broken,
            exhausted=self.exhausted,
            p50=p50,
            p90=p90,
            p99=p99,
        )

    async def _client(self, session: aiohttp.ClientSession, deadline: float) -> None:
        url = f"http://{HOST}:{self._server.port}{CREATE}"
        while (began := time.perf_counter()) < deadline:
            if self.sent >= len(self._bodies) and not self._again:
                self.exhausted = True
                return
            body = self._bodies[self.sent % len(self._bodies)]
            self.sent += 1
            try:
                async with session.post(url, data=body, headers=self._server.headers) as answer:
                    await answer.read()
                    self.refused += answer.status != 200
            except aiohttp.ClientError:
                self.broken += 1
                return
            self.times.append(time.perf_counter() - began)


def main(port: str, token: str, file: str, connections: str, seconds: str, again: str) -> None:
    """Drive load in this process and write how it went to standard output."""
    bodies = Path(file).read_bytes().splitlines()
    clients = _Clients(Server(int(port), token), bodies, again=again == "again")
    load = asyncio.run(clients.run(int(connections), float(seconds)))
    sys.stdout.write(json.dumps(asdict(load)))


if __name__ == "__main__":
    main(*sys.argv[1:])
