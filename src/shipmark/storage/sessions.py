"""Queries about who is signed in. A session is stored only as the digest of its secret."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, update

from shipmark.application.sessions import Session
from shipmark.storage.session_tables import sessions
from shipmark.storage.tables import tokens
from shipmark.storage.tokens import TOKENS, token_of

_SESSIONS = TOKENS.add_columns(
    sessions.c.form_token,
    sessions.c.signed_in_at,
    sessions.c.renewed_at,
    sessions.c.expires_at.label("session_expires_at"),
)


class Sessions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def by_digest(self, digest: str) -> Session | None:
        query = _SESSIONS.join(sessions, sessions.c.token_id == tokens.c.id)
        row = self._connection.execute(query.where(sessions.c.digest == digest)).one_or_none()
        if row is None:
            return None
        return Session(
            token=token_of(row),
            form_token=row.form_token,
            signed_in_at=row.signed_in_at,
            renewed_at=row.renewed_at,
            expires_at=row.session_expires_at,
        )

    def add(self, session: Session, digest: str) -> None:
        self._connection.execute(
            insert(sessions).values(
                digest=digest,
                token_id=session.token.id,
                form_token=session.form_token,
                signed_in_at=session.signed_in_at,
                renewed_at=session.renewed_at,
                expires_at=session.expires_at,
            )
        )

    def expire(self, digest: str, at: datetime) -> None:
        self._connection.execute(
            update(sessions)
            .where(sessions.c.digest == digest, sessions.c.expires_at > at)
            .values(expires_at=at)
        )

    def end(self, form_token: str) -> None:
        self._connection.execute(delete(sessions).where(sessions.c.form_token == form_token))

    def forget(self, *, expired_before: datetime) -> None:
        self._connection.execute(delete(sessions).where(sessions.c.expires_at < expired_before))
