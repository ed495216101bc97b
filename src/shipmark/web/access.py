"""API tokens and the accounts they belong to, for those who administer."""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

from starlette.responses import Response

from shipmark.application.queries import ReadTransaction
from shipmark.application.tokens import (
    DEFAULT_ACCOUNT,
    DEFAULT_SCOPES,
    Account,
    Scope,
    Token,
    TokenDraft,
)
from shipmark.domain.errors import InvalidArgument
from shipmark.web.headers import PRIVATE
from shipmark.web.visit import Visit

TOKENS, ACCOUNTS = "/access", "/access/accounts"


class Expiry(StrEnum):
    """When a token expires, in days."""

    MONTH = "30"
    QUARTER = "90"
    YEAR = "365"
    NEVER = "never"


EXPIRIES = (
    (Expiry.MONTH, "In 30 days"),
    (Expiry.QUARTER, "In 90 days"),
    (Expiry.YEAR, "In a year"),
    (Expiry.NEVER, "Never"),
)
SCOPES = (
    (Scope.READ, "look at everything, sign in to these pages"),
    (Scope.DEPLOYMENTS_WRITE, "register and change deployments"),
    (Scope.PULLS_WRITE, "tell pull requests, commits and repositories"),
    (Scope.ADMIN, "everything, these pages too"),
)


async def tokens(visit: Visit) -> Response:
    """The tokens, without their secrets, and the form for another one."""
    chosen = dict.fromkeys(DEFAULT_SCOPES, "yes") | {"expiry": Expiry.QUARTER.value}
    return await _tokens(visit, chosen)


async def create_token(visit: Visit) -> Response:
    """Make a token. Its secret stands on the page that answers, and nowhere else."""
    sent = visit.form.sent
    scopes = [scope for scope in Scope if sent.get(scope) == "yes"]
    expiry = visit.form.choice("expiry", Expiry) or Expiry.QUARTER
    if not scopes:
        visit.form.problems["scopes"] = "Choose at least one scope."
    secret = None
    if not visit.form.problems:
        draft = TokenDraft(
            name=sent.get("name", "").strip(),
            account=sent.get("account") or DEFAULT_ACCOUNT,
            scopes=scopes,
            expires_in=None if expiry is Expiry.NEVER else timedelta(days=int(expiry)),
        )
        try:
            secret = await visit.write(visit.site.calls.works.create_token, draft)
        except InvalidArgument as error:
            visit.form.problems["name"] = error.message
    return await _tokens(visit, sent, secret)


async def _tokens(visit: Visit, values: dict[str, str], secret: str | None = None) -> Response:
    found, accounts = await visit.read(_tokens_and_accounts)
    usable = [one for one in found if one.is_valid_at(visit.now)]
    answer = visit.render(
        "tokens.html",
        secret=secret,
        values={} if secret else values,
        usable=usable[::-1],
        others=[one for one in found if one not in usable][::-1],
        accounts=[one.name for one in accounts if one.active] or [DEFAULT_ACCOUNT],
        scopes=SCOPES,
        defaults=DEFAULT_SCOPES,
        expiries=EXPIRIES,
    )
    answer.headers.update(PRIVATE)
    return answer


def _tokens_and_accounts(tx: ReadTransaction) -> tuple[Sequence[Token], Sequence[Account]]:
    return tx.tokens.all(), tx.tokens.accounts()


async def revoke_token(visit: Visit) -> Response:
    """Refuse a token from now on."""
    await visit.write(visit.site.calls.works.revoke_token, visit.path("id"))
    return visit.go_to(TOKENS, done="token-revoked")


async def accounts(visit: Visit) -> Response:
    """The accounts, and the form for another one."""
    return await _accounts(visit)


async def create_account(visit: Visit) -> Response:
    """Make an account."""
    try:
        name = visit.form.sent.get("name", "").strip()
        await visit.write(visit.site.calls.works.create_account, name)
    except InvalidArgument as error:
        visit.form.problems["name"] = error.message
        return await _accounts(visit)
    return visit.go_to(ACCOUNTS, done="account-created")


async def change_account(visit: Visit) -> Response:
    """Activate or deactivate an account, and with it all its tokens."""
    name, active = visit.form.sent.get("name", ""), visit.form.flag("active")
    assert visit.session is not None  # noqa: S101 - the page asks for a scope
    if active is None:
        said = visit.form.sent.get("active", "")
        raise InvalidArgument(f"active is '{said[:60]}'; it must be yes or no.")
    if not active and name == visit.session.token.account.name:
        raise InvalidArgument(
            "You are signed in with a token of this account. Whoever may use the server's command "
            "line can deactivate it: shipmark account deactivate."
        )
    await visit.write(visit.site.calls.works.set_account_active, (name, active))
    return visit.go_to(ACCOUNTS, done="account-changed")


async def _accounts(visit: Visit) -> Response:
    tokens_, accounts_ = await visit.read(_tokens_and_accounts)
    usable = [one.account.id for one in tokens_ if one.is_valid_at(visit.now)]
    return visit.render("accounts.html", rows=[(one, usable.count(one.id)) for one in accounts_])
