"""Servers that a test may break: each has a database of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.operation.commands import CommandLine
from tests.server import LiveServer, environment

Serve = Callable[..., LiveServer]


@pytest.fixture
def serve(database_url: str, tmp_path: Path) -> Iterator[Serve]:
    """Starts a server on the database with these settings; all are stopped at the end."""
    with ExitStack() as servers:

        def started(*arguments: str, **settings: Any) -> LiveServer:
            return servers.enter_context(LiveServer(database_url, tmp_path, *arguments, **settings))

        yield started


@pytest.fixture
def commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    """Runs commands on a SQLite file in a folder of the test's own."""
    settings = environment(None, tmp_path) | {"COLUMNS": "200"}
    return CommandLine(settings, monkeypatch, capsys)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    """A server on the database of the commands."""
    with LiveServer(f"sqlite:///{tmp_path}/shipmark.db", tmp_path) as server:
        yield server
