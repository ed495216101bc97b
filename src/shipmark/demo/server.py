"""A server of the demo's own: a process and a database that are gone when it is over."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from shipmark.app.schema import open_database, prepare_schema
from shipmark.application.tokens import Scope, create_token
from shipmark.application.writer import transact
from shipmark.demo.client import HOST, Client
from shipmark.demo.failure import DemoFailed
from shipmark.settings import PREFIX, load

USUAL_PORT = 8000
START_SECONDS = 30
STOP_SECONDS = 10

COMMAND = (sys.executable, "-m", "shipmark", "serve", "--host", HOST)
"""The installed command's own code, run by this very Python wherever that command may be."""

Pause = Callable[[float], None]
"""Waits so many seconds, or raises because somebody wants the demo to stop."""


class Server:
    """`shipmark serve` in a process of its own."""

    def __init__(self, client: Client, environment: Mapping[str, str], log: Path) -> None:
        self.client = client
        self._log = log
        with log.open("wb") as output:
            # In a group of its own, Ctrl-C reaches the demo alone, which then stops this in order.
            self._process = subprocess.Popen(  # noqa: S603 - a list of our own, without a shell
                [*COMMAND, "--port", str(client.port)],
                cwd=log.parent,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace").strip()

    def becomes_ready(self, pause: Pause) -> bool:
        """Whether it answers before it ends or is given up."""
        deadline = time.monotonic() + START_SECONDS
        while self._is_running() and time.monotonic() < deadline:
            if self.client.is_let_in():
                return True
            pause(0.05)
        return False

    def keep_running(self, pause: Pause) -> None:
        """Serve until ``pause`` raises. Raises DemoFailed if the server ends by itself."""
        while self._is_running():
            pause(0.2)
        raise DemoFailed(f"The server ended by itself. Its log:\n{self.log}")

    def stop(self) -> None:
        """Let it finish what it has begun; end it if that takes too long."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _is_running(self) -> bool:
        return self._process.poll() is None


@contextmanager
def serving(port: int | None, pause: Pause) -> Iterator[Server]:
    """A ready server with an empty database; without ``port``, on the usual one or any other.

    Raises DemoFailed, with the server's log, if it does not start.
    """
    with TemporaryDirectory(prefix="shipmark-demo-") as name:
        folder = Path(name)
        environment = _environment(folder)
        token = _new_token(environment)
        log = ""
        for candidate in [port] if port else _free_ports():
            server = Server(Client(candidate, token), environment, folder / f"{candidate}.log")
            try:
                if server.becomes_ready(pause):
                    yield server
                    return
                log = server.log
            finally:
                server.stop()
        raise DemoFailed(f"The server did not start. Its log:\n{log}")


def _environment(folder: Path) -> dict[str, str]:
    """The environment of the server. Settings of whoever runs the demo are none of its own."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    return inherited | {
        "SHIPMARK_DATA_DIR": str(folder),
        "SHIPMARK_LOG_LEVEL": "warning",
        "SHIPMARK_LOG_FORMAT": "text",
    }


def _new_token(environment: Mapping[str, str]) -> str:
    """A token for all pages, as `shipmark token create` makes it, in the server's database."""
    with closing(open_database(load(environment))) as database:
        prepare_schema(database)
        return transact(database, lambda tx: create_token(tx, name="demo", scopes=[Scope.ADMIN]))


def _free_ports() -> Iterator[int]:
    """The usual port if it is free, then another: somebody may take the first before the server."""
    for wanted in (USUAL_PORT, 0):
        port = _free_port(wanted)
        if port is not None:
            yield port


def _free_port(wanted: int) -> int | None:
    """The wanted port if nobody listens there; for 0, one that the system chooses."""
    with socket.socket() as trial:
        # The server does the same: connections of a demo that just ended do not keep the port.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, wanted))
        except OSError:
            return None
        return int(trial.getsockname()[1])
