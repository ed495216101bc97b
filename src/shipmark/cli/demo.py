"""The command that shows Shipmark at work."""

import signal
import time
from datetime import UTC, datetime
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from shipmark.demo.display import show_address, show_story, show_year
from shipmark.demo.failure import DemoFailed
from shipmark.demo.server import serving
from shipmark.demo.story import tell, tell_year


class StopRequested(Exception):
    """Somebody wants the demo to end."""


class Stop:
    """Whether a signal to end has come. From now on such signals only do this.

    They are noticed in a pause and nowhere else, so that they never tear what must be whole: a
    server that was just started is always stopped, and its folder always removed.
    """

    def __init__(self) -> None:
        self._requested = False
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(sign, self._request)

    def _request(self, _signal: int, _frame: FrameType | None) -> None:
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

    The server uses a temporary SQLite file. Both are there until Ctrl-C.
    Any answer that is not the one the history must give is an error.
    """
    stop = Stop()
    console = Console(markup=False, emoji=False, highlight=False)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    try:
        with serving(port, stop.pause) as server:
            show_story(console, tell(server.client, now))
            show_year(console, tell_year(server.client, now))
            show_address(console, server.client, now)
            if once:
                console.print("This was once; without --once the server is there to be tried.")
                return
            console.print("Serving until Ctrl-C; then the database is removed.", style="bold")
            server.keep_running(stop.pause)
    except StopRequested:
        console.print("Stopped.")
    except DemoFailed as error:
        typer.secho(f"shipmark: {error}", fg="red", err=True)
        raise typer.Exit(1) from None
