"""Queries about accounts and API tokens. A token is stored only as its digest."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from shipmark.application.tokens import Account, Token
from shipmark.storage.sent_rows import among
from shipmark.storage.tables import accounts, tokens

TOKENS = select(
    tokens,
    accounts.c.name.label("account_name"),
    accounts.c.active.label("account_active"),
    accounts.c.created_at.label("account_created_at"),
).join(accounts, accounts.c.id == tokens.c.account_id)
_BY_DIGEST = TOKENS.where(among(tokens.c.digest, "digests"))


class Tokens:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def by_digests(self, digests: Collection[str]) -> dict[str, Token]:
        found = self._connection.execute(_BY_DIGEST, {"digests": list(digests)})
        return {row.digest: token_of(row) for row in found}

    def all(self) -> list[Token]:
        return [token_of(row) for row in self._connection.execute(TOKENS.order_by(tokens.c.id))]

    def add(self, token: Token, digest: str) -> int:
        result = self._connection.execute(
            insert(tokens)
            .values(
                account_id=token.account.id,
                name=token.name,
                digest=digest,
                scopes=" ".join(sorted(token.scopes)),
                created_at=token.created_at,
                expires_at=token.expires_at,
            )
            .returning(tokens.c.id)
        )
        return int(result.scalar_one())

    def revoke(self, ids: Collection[int], now: datetime) -> None:
        self._connection.execute(
            update(tokens)
            .where(tokens.c.id.in_(list(ids)), tokens.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )

    def mark_used(self, used: Sequence[tuple[int, datetime]]) -> None:
        self._connection.execute(
            update(tokens).where(tokens.c.id == bindparam("token")),
            [{"token": id_, "last_used_at": at} for id_, at in used],
        )

    def accounts(self) -> list[Account]:
        return [_account(row) for row in self._connection.execute(select(accounts).order_by("id"))]

    def account_named(self, name: str) -> Account | None:
        row = self._connection.execute(
            select(accounts).where(accounts.c.name == name)
        ).one_or_none()
        return None if row is None else _account(row)

    def add_account(self, name: str, now: datetime) -> Account:
        self._connection.execute(insert(accounts).values(name=name, active=True, created_at=now))
        query = select(accounts).where(accounts.c.name == name)
        return _account(self._connection.execute(query).one())

    def set_active(self, account_id: int, *, active: bool) -> None:
        self._connection.execute(
            update(accounts).where(accounts.c.id == account_id).values(active=active)
        )


def token_of(row: Row[Any]) -> Token:
    """The token in a row of `TOKENS`."""
    return Token(
        id=row.id,
        name=row.name,
        account=Account(
            id=row.account_id,
            name=row.account_name,
            active=row.account_active,
            created_at=row.account_created_at,
        ),
        scopes=frozenset(row.scopes.split()),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


def _account(row: Row[Any]) -> Account:
    return Account(id=row.id, name=row.name, active=row.active, created_at=row.created_at)
