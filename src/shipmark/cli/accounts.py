"""Commands about accounts."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from shipmark.application.tokens import create_account, set_account_active
from shipmark.application.writer import transact
from shipmark.cli.session import database

app = typer.Typer(
    help="Accounts: whom API tokens belong to. An inactive account's tokens are all refused.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="The account's name.")]


@app.command()
def create(name: Name) -> None:
    """Make an account."""
    with database() as (opened, _):
        transact(opened, lambda tx: create_account(tx, name))
    typer.echo(f"Account '{name}' created.")


@app.command(name="list")
def list_accounts() -> None:
    """List the accounts."""
    with database() as (opened, _), opened.read() as tx:
        accounts = tx.tokens.accounts()
    table = Table("Name", "Active", "Created", box=None, pad_edge=False)
    for account in accounts:
        active = "yes" if account.active else "no"
        table.add_row(account.name, active, f"{account.created_at:%Y-%m-%d %H:%M}")
    Console().print(table)


@app.command()
def activate(name: Name) -> None:
    """Let the account's tokens be used again."""
    with database() as (opened, _):
        transact(opened, lambda tx: set_account_active(tx, name, active=True))
    typer.echo(f"Account '{name}' is active.")


@app.command()
def deactivate(name: Name) -> None:
    """Refuse all tokens of the account from now on."""
    with database() as (opened, _):
        transact(opened, lambda tx: set_account_active(tx, name, active=False))
    typer.echo(f"Account '{name}' is inactive.")
