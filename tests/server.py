"""A real Shipmark server in a process of its own, and what a client needs to call it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

import httpx

from shipmark.application.tokens import Scope, create_token
from shipmark.application.writer import transact
from shipmark.storage.database import Database

SCRIPT = Path(sys.executable).with_name("shipmark")
PATIENCE = 60
"""Seconds that anything may take on a machine that does other things as well."""


def environment(database_url: str | None, data_dir: Path, **settings: str) -> dict[str, str]:
    """The environment of a Shipmark process. ``settings`` are named as in `Settings`."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("SHIPMARK")}
    chosen = {"data_dir": str(data_dir), **settings}
    if database_url is not None:
        chosen["database_url"] = database_url
    return inherited | {f"SHIPMARK_{name.upper()}": text for name, text in chosen.items()}


def shipmark(
    *arguments: str, environment: Mapping[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line to its end."""
    return subprocess.run(
        [SCRIPT, *arguments],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def new_token(
    database_url: str,
    *scopes: Scope | str,
    name: str = "test",
    account: str = "default",
    expires_in: timedelta | None = None,
) -> str:
    """A token as `shipmark token create` makes it, without waiting for a process to start.

    Without scopes it has those of every method, and not ``admin``.
    """
    making = partial(
        create_token,
        name=name,
        account=account,
        scopes=[Scope(scope) for scope in scopes] or [one for one in Scope if one != Scope.ADMIN],
        expires_in=expires_in,
    )
    with closing(Database(database_url)) as database:
        return transact(database, making)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An answer that says no."""

    status: int
    error: str
    message: str
    argument: str | None

    @property
    def what(self) -> tuple[int, str, str | None]:
        return self.status, self.error, self.argument


class Process:
    """A long-running Shipmark command, and its log. `stop` ends it gracefully, `kill` at once."""

    def __init__(self, command: str, *arguments: str, environment: Mapping[str, str]) -> None:
        self.command = (str(SCRIPT), command, *arguments)
        self.environment = environment
        self.log_file = Path(environment["SHIPMARK_DATA_DIR"], f"{command}-{id(self)}.log")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self.stop()
        finally:
            self.close()

    def start(self) -> None:
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    @property
    def errors(self) -> list[str]:
        """The lines of its log that report an error."""
        return [line for line in self.log.splitlines() if not line.startswith("{") or _fails(line)]

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def terminate(self) -> None:
        """Ask it to stop, and do not wait."""
        assert self._process is not None
        self._process.terminate()

    def wait(self) -> int:
        """Its exit code, once it has stopped."""
        assert self._process is not None
        return self._process.wait(PATIENCE)

    def stop(self) -> None:
        """Stop gracefully, unless it was killed. It must do so by itself and without an error."""
        if self._process is None:
            return
        self.terminate()
        try:
            code = self.wait()
        finally:
            self.kill()
        assert code in (0, -signal.SIGTERM), self.log
        assert not self.errors, "\n".join(self.errors)

    def kill(self) -> None:
        """End it, and all it started, with SIGKILL: nothing it does can be finished."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE)
            self._process = None

    def close(self) -> None:
        """End it however it stands, and let go of all that belongs to it."""
        self.kill()


def _fails(line: str) -> bool:
    return json.loads(line)["level"] in ("error", "critical")


class LiveServer(Process):
    """`shipmark serve` on a port that was free, and a client with a token for every method."""

    def __init__(self, database_url: str, data_dir: Path, *arguments: str, **settings: str) -> None:
        super().__init__(
            "serve",
            "--port=0",
            *arguments,
            environment=environment(database_url, data_dir, **settings),
        )
        self.database_url = database_url
        self.base_url = ""
        self.http = httpx.Client(timeout=PATIENCE, trust_env=False)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        super().start()
        deadline = time.monotonic() + PATIENCE
        while not self._is_ready():
            if not self.is_running or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"The server did not start:\n{self.log}")
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        listening = re.search(r"running on (http://[\d.]+:\d+)", self.log)
        if listening is None:
            return False
        self.base_url = listening[1]
        try:
            return self.http.get(f"{self.base_url}/readyz").status_code == 200
        except httpx.TransportError:
            # Several processes share a socket that is bound before any of them listens.
            return False

    def close(self) -> None:
        super().close()
        self.http.close()

    def token(self, *scopes: Scope | str, **options: Any) -> str:
        """A new token with these scopes; without any, with those of every method."""
        return new_token(self.database_url, *scopes, **options)

    @cached_property
    def default_token(self) -> str:
        return self.token()

    def call(self, method: str, /, **arguments: Any) -> dict[str, Any]:
        """Call a method with JSON; what it answers, which must be a success."""
        return succeeded(self.send(method, json=arguments))

    def refusal(self, method: str, /, **arguments: Any) -> Refusal:
        """Call a method with JSON; its answer, which must be a refusal."""
        return refused(self.send(method, json=arguments))

    def send(
        self, method: str, /, *, verb: str = "POST", token: str | None = "", **request: Any
    ) -> httpx.Response:
        """Send a request as it is. Without ``token`` it goes with the default one; None: none."""
        headers = dict(request.pop("headers", {}))
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token or self.default_token}")
        url = f"{self.base_url}/api/{method}"
        return self.http.request(verb, url, headers=headers, **request)


def succeeded(response: httpx.Response) -> dict[str, Any]:
    """What a success answers, after a check that clients would take it for one."""
    answer = _answer(response)
    assert (response.status_code, answer["ok"]) == (200, True), response.text
    return answer


def refused(response: httpx.Response) -> Refusal:
    """What a refusal says, after a check that it has the shape of every refusal."""
    answer = _answer(response)
    assert response.status_code >= 400, response.text
    assert answer.keys() - {"argument"} == {"ok", "error", "message", "request_id"}, answer
    assert answer["ok"] is False
    assert answer["request_id"] == response.headers["X-Request-Id"]
    assert re.fullmatch("[a-z_]+", answer["error"]), answer
    assert len(answer["message"]) > 10, answer
    return Refusal(
        status=response.status_code,
        error=answer["error"],
        message=answer["message"],
        argument=answer.get("argument"),
    )


def _answer(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["Content-Type"] == "application/json", response.text
    answer = response.json()
    assert isinstance(answer, dict)
    return answer
