"""Commands about API tokens."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from shipmark.application.tokens import (
    DEFAULT_ACCOUNT,
    DEFAULT_SCOPES,
    Scope,
    Token,
    create_token,
    revoke_token,
)
from shipmark.application.writer import transact
from shipmark.cli.session import database
from shipmark.settings import time_span

app = typer.Typer(help="API tokens: what clients send to be let in.", no_args_is_help=True)


def _duration(text: str) -> timedelta:
    try:
        return time_span(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text} {error}") from None


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What it is for; shown in lists.")],
    account: Annotated[str, typer.Option(help="Whose it is.")] = DEFAULT_ACCOUNT,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What it may do; repeat for several.", show_default="all but admin"),
    ] = None,
    expires_in: Annotated[
        timedelta | None,
        typer.Option(parser=_duration, metavar="SPAN", help="90d, 12h: after that it is refused."),
    ] = None,
) -> None:
    """Make a token and print it, alone, this once."""
    with database() as (opened, _):
        secret = transact(
            opened,
            lambda tx: create_token(
                tx,
                name=name,
                account=account,
                scopes=scope or DEFAULT_SCOPES,
                expires_in=expires_in,
            ),
        )
    typer.echo(secret)


@app.command(name="list")
def list_tokens() -> None:
    """List the tokens, without their secrets."""
    with database() as (opened, _), opened.read() as tx:
        tokens = tx.tokens.all()
    table = Table("Id", "Name", "Account", "Scopes", "State", "Last used", box=None, pad_edge=False)
    for token in tokens:
        used = f"{token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never"
        scopes = " ".join(sorted(token.scopes))
        table.add_row(str(token.id), token.name, token.account.name, scopes, _state(token), used)
    Console().print(table)


def _state(token: Token) -> str:
    if token.revoked_at is not None:
        return f"revoked {token.revoked_at:%Y-%m-%d}"
    if token.expires_at is None:
        return "in force"
    tense = "expires" if token.expires_at > datetime.now(UTC) else "expired"
    return f"{tense} {token.expires_at:%Y-%m-%d %H:%M}"


@app.command()
def revoke(
    which: Annotated[str, typer.Argument(help="The token's id or name, as token list shows it.")],
) -> None:
    """Refuse a token from now on."""
    with database() as (opened, _):
        revoked = transact(opened, lambda tx: revoke_token(tx, which))
    typer.echo(f"Revoked: {', '.join(f'{token.id} ({token.name})' for token in revoked)}.")
