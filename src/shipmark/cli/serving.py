"""Commands that run and prepare the server."""

import os
import signal
from typing import Annotated

import typer
import uvicorn

from shipmark import logs, settings
from shipmark.app import schema
from shipmark.app.background import Background
from shipmark.app.configured import forges_of
from shipmark.app.schema import open_database, prepare_schema
from shipmark.cli.session import current_settings

GRACE_SECONDS = 30
"""How long a stopping server waits for the requests it has begun to answer."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", min=0, max=65535)] = None,
    workers: Annotated[int, typer.Option(help="Server processes.", min=1, max=64)] = 1,
    with_worker: Annotated[
        bool | None,
        typer.Option(
            "--with-worker/--no-worker",
            help="Retry waiting attributions in the server itself, or leave it to "
            "[bold]shipmark worker[/bold].",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve the API.

    Without a database URL it uses a SQLite file in the data folder (by default where you are) and
    keeps its schema up to date. On PostgreSQL run [bold]shipmark migrate[/bold] first.
    """
    chosen = current_settings()
    if with_worker is not None:
        # The server processes read their settings from the environment they inherit.
        os.environ["SHIPMARK_WITH_WORKER"] = "yes" if with_worker else "no"
    # What is wrong with these is said before a server starts.
    forges_of(chosen).close()
    database = open_database(chosen)
    try:
        prepare_schema(database)
    finally:
        database.close()
    logs.configure(chosen.log_level, chosen.log_format)
    uvicorn.run(
        "shipmark.app.server:create",
        factory=True,
        host=host or chosen.host,
        port=chosen.port if port is None else port,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def worker() -> None:
    """Retry waiting attributions, and import from forges, until stopped.

    Several may run beside each other.
    """
    chosen = current_settings()
    logs.configure(chosen.log_level, chosen.log_format)
    database = open_database(chosen)
    try:
        prepare_schema(database)
        running = Background(chosen, database)
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: running.request_stop())
        try:
            running.run()
        finally:
            running.stop()
    finally:
        database.close()


def migrate() -> None:
    """Bring the database's schema to what this release needs. Repeating it changes nothing."""
    database = open_database(current_settings())
    try:
        version = schema.migrate(database)
    finally:
        database.close()
    typer.echo(f"The schema is at version {version}.")


def show_settings() -> None:
    """Show the settings in force, with secrets masked.

    Each is an environment variable; with [bold]_FILE[/bold] behind its name it is read from a
    file.
    """
    for variable, value, about in settings.shown(current_settings()):
        typer.echo(f"# {about}\n{variable}={value}")
