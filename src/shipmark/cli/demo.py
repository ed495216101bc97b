"""The command that shows Shipmark at work."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from shipmark.demo.display import show_address, show_story
from shipmark.demo.failure import DemoFailed
from shipmark.demo.server import serving
from shipmark.demo.story import tell


class StopRequested(Exception):
    """Somebody wants the demo to end."""


class Stop:
    """Whether a signal has come.

    It is only noticed in a pause, so that it never tears what must be whole: a process that was
    just started is always stopped, and the folder is always removed.
    """

    def __init__(self) -> None:
        self._requested = False

    def request(self, _signal: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self._requested = True

    def pause(self, seconds: float) -> None:
        """Wait. Raises StopRequested if a signal has come."""
        time.sleep(seconds)
        if self._requested:
            raise StopRequested


def demo(
    *,
    port: Annotated[
        int | None,
        typer.Option(
            help="Port to listen on. Default: 8000, or a free one.",
            min=1,
            max=65535,
            show_default=False,
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print and stop.")] = False,
) -> None:
    """Load a made-up history into a server of its own and show what each deployment shipped.

    The server uses a temporary SQLite file and keeps running until Ctrl-C; then all of it is
    gone. It ends with an error if any answer is not the one the history must give.
    """
    console = Console(highlight=False)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    try:
        with _signals() as stop, serving(port, stop.pause) as server:
            show_story(console, tell(server.client, now))
            show_address(console, server.client, now)
            if not once:
                console.print("Serving until Ctrl-C; the database is then removed.", style="bold")
                server.keep_running(stop.pause)
    except StopRequested:
        console.print("Stopped.")
    except DemoFailed as error:
        typer.secho(f"shipmark: {error}", fg="red", err=True)
        raise typer.Exit(1) from None


@contextmanager
def _signals() -> Iterator[Stop]:
    """Make signals that end a process be requests to stop, for as long as this lasts."""
    stop = Stop()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {sign: signal.signal(sign, stop.request) for sign in signals}
    try:
        yield stop
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
