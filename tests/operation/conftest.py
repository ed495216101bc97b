"""Servers that a test may break: each has a database of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.server import LiveServer

Serve = Callable[..., LiveServer]


@pytest.fixture
def serve(database_url: str, tmp_path: Path) -> Iterator[Serve]:
    """Starts a server on the database with these settings; all are stopped at the end."""
    with ExitStack() as servers:

        def started(*arguments: str, **settings: Any) -> LiveServer:
            return servers.enter_context(LiveServer(database_url, tmp_path, *arguments, **settings))

        yield started
