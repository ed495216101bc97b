"""The command line: every command in one tree."""

import os
import sys

import typer

from shipmark.cli import accounts, backfill, demo, forge_imports, imports, serving, tokens
from shipmark.domain.errors import ShipmarkError, Unavailable
from shipmark.settings import SettingsError

app = typer.Typer(
    name="shipmark",
    help="Register deployments and find out which pull requests each of them shipped.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serving.serve)
app.command()(serving.worker)
app.command()(serving.migrate)
app.command(name="settings")(serving.show_settings)
app.command(name="demo")(demo.demo)
app.command(name="backfill")(backfill.backfill)
app.add_typer(accounts.app, name="account")
app.add_typer(tokens.app, name="token")
imports.app.command(name="forge")(forge_imports.forge)
app.add_typer(imports.app, name="import")
app.add_typer(imports.repository_app, name="repository")


def main() -> None:
    """Run a command. What it refuses is said in a line, without a traceback."""
    try:
        app()
    except Unavailable as error:
        cause = error.__cause__ or error
        why = getattr(cause, "orig", cause)
        typer.secho(f"shipmark: The database cannot be used: {why}", fg="red", err=True)
        sys.exit(1)
    except (SettingsError, ShipmarkError) as error:
        typer.secho(f"shipmark: {error}", fg="red", err=True)
        sys.exit(1)
    except UnicodeEncodeError:
        typer.secho("shipmark: An argument is not valid UTF-8.", fg="red", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
