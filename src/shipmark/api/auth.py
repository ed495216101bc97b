"""Who calls, and whether they may."""

from collections.abc import Collection

from shipmark.api.calls import Api
from shipmark.application.tokens import Scope, Token, authenticate
from shipmark.domain.errors import MissingScope, NotAuthed


async def authorise(api: Api, header: str | None, scopes: Collection[Scope]) -> Token:
    """The token of a request. Raises NotAuthed, InvalidAuth, AccountInactive or MissingScope.

    ``scopes`` are those of which any one is enough; ``admin`` always is.
    """
    scheme, _, secret = (header or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise NotAuthed
    token = await api.read(lambda tx: authenticate(tx, secret.strip()))
    if not token.scopes & {Scope.ADMIN, *scopes}:
        raise MissingScope(
            f"The token '{token.name}' has the scopes {', '.join(sorted(token.scopes)) or 'none'}; "
            f"this method needs {' or '.join(scopes)}."
        )
    return token
