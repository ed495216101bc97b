"""Sessions end with time and with their token, and go on under other secrets."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from tests.builders import Clock

from shipmark.application import sessions
from shipmark.application.sessions import Renewal, SignedIn, SigningIn, find_session
from shipmark.application.tokens import Scope, create_token, revoke_token
from shipmark.application.writer import transact
from shipmark.domain.errors import InvalidAuth
from shipmark.storage.database import Database

DAY = timedelta(days=1)


@pytest.fixture
def sign_in(database: Database) -> Callable[[], SignedIn]:
    """Sign in for a day, with a token that is good for a week."""
    making = partial(create_token, name="mine", scopes=[Scope.READ], expires_in=7 * DAY)
    token = transact(database, making)

    def sign_in(lifetime: timedelta = DAY) -> SignedIn:
        signing_in = SigningIn(secret=token, lifetime=lifetime)
        return transact(database, partial(sessions.sign_in, signing_in=signing_in))

    return sign_in


def is_signed_in(database: Database, signed_in: SignedIn) -> bool:
    with database.read() as tx:
        return find_session(tx, signed_in.secret) is not None


def renewed(database: Database, signed_in: SignedIn) -> SignedIn:
    renewal = Renewal(secret=signed_in.secret)
    return transact(database, partial(sessions.renew, renewal=renewal))


def test_a_session_ends_when_its_time_is_over(
    database: Database, clock: Clock, sign_in: Callable[..., SignedIn]
) -> None:
    one = sign_in()
    clock.advance(hours=23, minutes=59)
    assert is_signed_in(database, one)
    clock.advance(minutes=1)
    assert not is_signed_in(database, one)


def test_a_session_ends_when_its_token_expires_or_is_revoked(
    database: Database, clock: Clock, sign_in: Callable[..., SignedIn]
) -> None:
    one = sign_in(30 * DAY)
    clock.advance(days=7)
    assert not is_signed_in(database, one)
    clock.advance(days=-1)
    assert is_signed_in(database, one)
    transact(database, partial(revoke_token, which="mine"))
    assert not is_signed_in(database, one)


def test_a_renewed_session_goes_on_and_its_old_secret_stays_good_for_a_minute(
    database: Database, clock: Clock, sign_in: Callable[..., SignedIn]
) -> None:
    before = sign_in()
    clock.advance(hours=2)
    after = renewed(database, before)
    assert after.secret != before.secret
    assert after.session.form_token == before.session.form_token
    assert after.session.expires_at == before.session.expires_at
    clock.advance(seconds=59)
    assert is_signed_in(database, before)
    clock.advance(seconds=1)
    assert not is_signed_in(database, before)
    assert is_signed_in(database, after)
    with pytest.raises(InvalidAuth):
        renewed(database, before)


def test_signing_out_ends_it_under_each_of_its_secrets(
    database: Database, sign_in: Callable[..., SignedIn]
) -> None:
    before = sign_in()
    after = renewed(database, before)
    transact(database, partial(sessions.sign_out, secret=before.secret))
    assert not is_signed_in(database, before)
    assert not is_signed_in(database, after)


def test_what_has_ended_is_forgotten_when_someone_signs_in(
    database: Database, clock: Clock, sign_in: Callable[..., SignedIn]
) -> None:
    one = sign_in()
    clock.advance(days=2)
    sign_in()
    clock.advance(days=-2)
    assert not is_signed_in(database, one)
