"""Servers to put load on: Shipmark's own, and the one that is floor (a)."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks.databases import text_of
from benchmarks.measure import BenchmarkFailed
from shipmark.application.tokens import create_token
from shipmark.application.writer import transact
from shipmark.settings import PREFIX
from shipmark.storage.database import Database

HOST = "127.0.0.1"
START_SECONDS = 30
STOP_SECONDS = 40
FLOOR_TOKEN = "smk_" + 48 * "0"
"""As long as a real one: the floor reads it and looks it up nowhere."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers on a port of this machine, and a token it lets in."""

    port: int
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}


@contextmanager
def shipmark(database: Database, folder: Path) -> Iterator[Server]:
    """`shipmark serve` with the settings it has by default, on a migrated database."""
    token = transact(database, lambda tx: create_token(tx, name="benchmark"))
    environment = {"SHIPMARK_DATABASE_URL": text_of(database.url)}
    with _running(("-m", "shipmark", "serve"), environment, folder) as port:
        yield Server(port, token)


@contextmanager
def floor(folder: Path) -> Iterator[Server]:
    """The same server, with an application that validates and answers and stores nothing."""
    with _running(("-m", "benchmarks.floor_server"), {}, folder) as port:
        yield Server(port, FLOOR_TOKEN)


@contextmanager
def _running(command: Sequence[str], more: dict[str, str], folder: Path) -> Iterator[int]:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    port = _free_port()
    settings = {"SHIPMARK_DATA_DIR": str(folder), "SHIPMARK_PORT": str(port)}
    log = folder / f"server-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            env=inherited | settings | more,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(process, port, log)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.unlink()


def _wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(port):
            return
        time.sleep(0.05)
    raise BenchmarkFailed(f"A server did not start. Its log:\n{log.read_text(errors='replace')}")


def _answers(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind((HOST, 0))
        return int(trial.getsockname()[1])
