"""Sessions: a token exchanged for a cookie, so that a browser need not keep the token.

A session is as good as its token: what revokes, expires or deactivates the one ends the other.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from shipmark.application.tokens import (
    RANDOM_BYTES,
    Scope,
    Token,
    TokenTransaction,
    authenticate,
    checked,
    digest,
)
from shipmark.domain.errors import InvalidAuth, MissingScope, ShipmarkError

OVERLAP = timedelta(minutes=1)
"""How long a cookie is good after it was renewed: other tabs may still be sending it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is signed in. ``form_token`` stands in every form, and stays when the cookie changes."""

    token: Token
    form_token: str
    signed_in_at: datetime
    renewed_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session, and the secret in its cookie, which is stored nowhere."""

    session: Session
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningIn:
    """A token's secret, for how long it is exchanged, and the cookie that this one replaces."""

    secret: str
    lifetime: timedelta
    replaces: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """The secret of a session whose cookie is to change."""

    secret: str


class Sessions(Protocol):
    def by_digest(self, digest: str) -> Session | None: ...
    def add(self, session: Session, digest: str) -> None: ...
    def expire(self, digest: str, at: datetime) -> None:
        """Let a session end at an instant, if it does not end before."""

    def end(self, form_token: str) -> None:
        """Delete a session under each of its secrets."""

    def forget(self, *, expired_before: datetime) -> None: ...


class SessionTransaction(TokenTransaction, Protocol):
    """A transaction in which tokens and sessions can be read and changed."""

    @property
    def sessions(self) -> Sessions: ...


def find_session(tx: SessionTransaction, secret: str) -> Session | None:
    """The session of a cookie; None for one that has ended, for whichever reason."""
    session = tx.sessions.by_digest(digest(secret))
    if session is None or tx.now >= session.expires_at:
        return None
    return None if isinstance(checked(session.token, tx.now), ShipmarkError) else session


def sign_in(tx: SessionTransaction, signing_in: SigningIn) -> SignedIn:
    """Exchange a token for a session. Raises InvalidAuth, AccountInactive or MissingScope."""
    token = authenticate(tx, [signing_in.secret])[signing_in.secret]
    if isinstance(token, ShipmarkError):
        raise token
    if not token.may([Scope.READ]):
        raise MissingScope(
            f"The token '{token.name}' has the scopes {', '.join(sorted(token.scopes)) or 'none'}; "
            "to look at pages it needs read."
        )
    tx.sessions.forget(expired_before=tx.now)
    if signing_in.replaces:
        sign_out(tx, signing_in.replaces)
    session = Session(
        token=token,
        form_token=secrets.token_urlsafe(RANDOM_BYTES),
        signed_in_at=tx.now,
        renewed_at=tx.now,
        expires_at=tx.now + signing_in.lifetime,
    )
    return _store(tx, session)


def renew(tx: SessionTransaction, renewal: Renewal) -> SignedIn:
    """Go on with a session under another secret. Raises InvalidAuth if it has ended."""
    session = find_session(tx, renewal.secret)
    if session is None:
        raise InvalidAuth("The session has ended.")
    tx.sessions.expire(digest(renewal.secret), tx.now + OVERLAP)
    return _store(tx, replace(session, renewed_at=tx.now))


def _store(tx: SessionTransaction, session: Session) -> SignedIn:
    secret = secrets.token_urlsafe(RANDOM_BYTES)
    tx.sessions.add(session, digest(secret))
    tx.tokens.mark_used([(session.token.id, tx.now)])
    return SignedIn(session=session, secret=secret)


def sign_out(tx: SessionTransaction, secret: str) -> None:
    """End a session, and whatever of it was renewed a moment ago."""
    session = tx.sessions.by_digest(digest(secret))
    if session is not None:
        tx.sessions.end(session.form_token)
