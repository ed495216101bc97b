"""Who calls, and whether they may."""

from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from shipmark.api.calls import Api
from shipmark.application.tokens import Scope, Token
from shipmark.domain.errors import MissingScope, NotAuthed, ShipmarkError, Unavailable

USE_NOTED_EVERY = timedelta(minutes=1)
"""When a token was last used is kept to the minute: more would make a write of every read."""


async def authorise(api: Api, header: str | None, scopes: Collection[Scope]) -> Token:
    """The token of a request. Raises NotAuthed, InvalidAuth, AccountInactive or MissingScope.

    ``scopes`` are those of which any one is enough; ``admin`` always is.
    """
    scheme, _, secret = (header or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise NotAuthed
    token = await api.tokens.get(secret.strip())
    if isinstance(token, ShipmarkError):
        raise token
    _note_use(api, token)
    if not token.may(scopes):
        raise MissingScope(
            f"The token '{token.name}' has the scopes {', '.join(sorted(token.scopes)) or 'none'}; "
            f"this method needs {' or '.join(scopes)}."
        )
    return token


def _note_use(api: Api, token: Token) -> None:
    """Have it written down that the token was used, without waiting for it."""
    now = datetime.now(UTC)
    noted = api.last_noted.get(token.id, token.last_used_at)
    if noted is None or now - noted >= USE_NOTED_EVERY:
        api.last_noted[token.id] = now
        with suppress(Unavailable):
            api.writer.submit(api.works.mark_used, (token.id, now))
