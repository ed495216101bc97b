"""Accounts and the API tokens that belong to them."""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from shipmark.domain.errors import AccountInactive, InvalidArgument, InvalidAuth

PREFIX = "smk_"
RANDOM_BYTES = 24
"""192 random bits; the contract asks for at least 160."""

DEFAULT_ACCOUNT = "default"
LONGEST_NAME = 100


class Scope(StrEnum):
    """What a token may do. ``admin`` may do everything."""

    DEPLOYMENTS_WRITE = "deployments:write"
    PULLS_WRITE = "pulls:write"
    READ = "read"
    ADMIN = "admin"


DEFAULT_SCOPES = (Scope.DEPLOYMENTS_WRITE, Scope.PULLS_WRITE, Scope.READ)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    id: int
    name: str
    active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it is stored: without the secret."""

    id: int
    name: str
    account: Account
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def is_valid_at(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def may(self, scopes: Collection[Scope]) -> bool:
        """Whether it has any one of these scopes, or ``admin``."""
        return bool(self.scopes & {Scope.ADMIN, *scopes})


class Tokens(Protocol):
    def by_digests(self, digests: Collection[str]) -> dict[str, Token]: ...
    def all(self) -> list[Token]: ...
    def add(self, token: Token, digest: str) -> int: ...
    def revoke(self, ids: Collection[int], now: datetime) -> None: ...
    def mark_used(self, used: Sequence[tuple[int, datetime]]) -> None: ...
    def accounts(self) -> list[Account]: ...
    def account_named(self, name: str) -> Account | None: ...
    def add_account(self, name: str, now: datetime) -> Account: ...
    def set_active(self, account_id: int, *, active: bool) -> None: ...


class TokenTransaction(Protocol):
    """A transaction in which tokens can be read and changed."""

    @property
    def now(self) -> datetime: ...
    @property
    def tokens(self) -> Tokens: ...


def digest(secret: str) -> str:
    """How a token is stored and found: SHA-256 as hexadecimal text.

    A random secret needs no salt and no slow hash; nobody can guess 192 bits.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def authenticate(
    tx: TokenTransaction, secrets_: Collection[str]
) -> dict[str, Token | InvalidAuth | AccountInactive]:
    """The token behind each secret, or why it is refused."""
    digests = {secret: digest(secret) for secret in secrets_}
    found = tx.tokens.by_digests(digests.values())
    return {secret: checked(found.get(one), tx.now) for secret, one in digests.items()}


def checked(token: Token | None, now: datetime) -> Token | InvalidAuth | AccountInactive:
    """The token, or why it is refused at that instant."""
    if token is None or not token.is_valid_at(now):
        return InvalidAuth()
    if not token.account.active:
        return AccountInactive(f"The account '{token.account.name}' of this API token is inactive.")
    return token


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDraft:
    """A token to be made; see `create_token`."""

    name: str
    account: str
    scopes: Collection[Scope]
    expires_in: timedelta | None = None


def create_token(
    tx: TokenTransaction,
    *,
    name: str,
    account: str = DEFAULT_ACCOUNT,
    scopes: Collection[Scope] = DEFAULT_SCOPES,
    expires_in: timedelta | None = None,
) -> str:
    """Make a token and answer its secret, which is shown this once and stored nowhere.

    The default account is made when it is first needed; any other must exist.
    """
    _check_name("a token", name)
    owner = tx.tokens.account_named(account)
    if owner is None and account == DEFAULT_ACCOUNT:
        owner = tx.tokens.add_account(account, tx.now)
    if owner is None:
        raise InvalidArgument(f"There is no account '{account}'. Make it with account create.")
    secret = PREFIX + secrets.token_hex(RANDOM_BYTES)
    token = Token(
        id=0,
        name=name,
        account=owner,
        scopes=frozenset(scope.value for scope in scopes),
        created_at=tx.now,
        expires_at=None if expires_in is None else tx.now + expires_in,
    )
    tx.tokens.add(token, digest(secret))
    return secret


def revoke_token(tx: TokenTransaction, which: str) -> list[Token]:
    """Revoke tokens by their id or by name; those that were revoked by this."""
    found = [
        token
        for token in tx.tokens.all()
        if token.revoked_at is None and which in (str(token.id), token.name)
    ]
    if not found:
        raise InvalidArgument(f"There is no token in force with the id or name '{which}'.")
    tx.tokens.revoke([token.id for token in found], tx.now)
    return found


def revoke_by_id(tx: TokenTransaction, token_id: int) -> None:
    """Revoke one token, if it is in force; a name that is a number is not taken for an id."""
    tx.tokens.revoke([token_id], tx.now)


def create_account(tx: TokenTransaction, name: str) -> Account:
    """Make an account. Raises InvalidArgument if the name is taken."""
    _check_name("an account", name)
    if tx.tokens.account_named(name) is not None:
        raise InvalidArgument(f"There is an account '{name}' already.")
    return tx.tokens.add_account(name, tx.now)


def set_account_active(tx: TokenTransaction, name: str, *, active: bool) -> None:
    """Activate or deactivate an account, and with it all its tokens."""
    account = tx.tokens.account_named(name)
    if account is None:
        raise InvalidArgument(f"There is no account '{name}'.")
    tx.tokens.set_active(account.id, active=active)


def _check_name(what: str, name: str) -> None:
    if name != name.strip() or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidArgument(
            f"'{name[:LONGEST_NAME]}' is no name for {what}; it "
            f"must be 1 to {LONGEST_NAME} characters in one line, without blanks around them."
        )
