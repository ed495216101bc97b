"""Tokens that are refused, each in its own way."""

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from tests.server import new_token
from tests.shops import Shop

from shipmark.application.tokens import create_account, revoke_token, set_account_active
from shipmark.application.writer import transact
from shipmark.storage.database import Database


@dataclass(frozen=True)
class Tokens:
    """Tokens that are refused, each in its own way."""

    expired: str
    revoked: str
    inactive: str
    """Of an account that is inactive; it has the scope ``read`` alone."""
    reading: str


def tokens_of(shop: Shop) -> Tokens:
    """Such tokens; their names, and that of the inactive account, are the shop's own."""
    server = shop.server
    names = {name: f"{name}-{shop.number}" for name in ("revoked", "inactive", "reading")}
    with closing(Database(server.database_url)) as database:
        transact(database, partial(create_account, name=names["inactive"]))
        made = Tokens(
            expired=server.token(expires_in=timedelta(seconds=-1)),
            revoked=server.token(name=names["revoked"]),
            inactive=new_token(server.database_url, "read", account=names["inactive"]),
            reading=server.token("read", name=names["reading"]),
        )
        transact(database, partial(revoke_token, which=names["revoked"]))
        transact(database, partial(set_account_active, name=names["inactive"], active=False))
    return made
