"""How much more GitHub may be asked, and when."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.connectors.talks import ok

from shipmark.connectors.exchange import Response
from shipmark.connectors.github_limits import limits
from shipmark.connectors.limits import Limits, plain_limits

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HALF_PAST = NOON + timedelta(minutes=30)
SPENT = {
    "x-ratelimit-limit": "5000",
    "x-ratelimit-remaining": "0",
    "x-ratelimit-reset": str(int(HALF_PAST.timestamp())),
}
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}


def test_an_answer_tells_what_is_left() -> None:
    told = limits(ok({}, **SPENT | {"x-ratelimit-remaining": "4999"}), now=NOON)
    assert told == Limits(remaining=4999, limit=5000, resets_at=HALF_PAST)


def test_the_last_answer_of_the_hour_is_one_and_the_next_waits() -> None:
    told = limits(ok({}, **SPENT), now=NOON)
    assert (told.is_refused, told.wait_until) == (False, HALF_PAST)
    assert limits(ok({}, **SPENT), now=HALF_PAST).wait_until is None


@pytest.mark.parametrize("status", [403, 429])
def test_who_asks_too_much_waits_for_the_next_hour(status: int) -> None:
    told = limits(ok({"message": "API rate limit exceeded"}, status=status, **SPENT), now=NOON)
    assert (told.is_refused, told.wait_until) == (True, HALF_PAST)


def test_graphql_refuses_in_an_answer_that_looks_like_a_success() -> None:
    body = {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}
    told = limits(ok(body, **SPENT), now=NOON)
    assert (told.is_refused, told.wait_until) == (True, HALF_PAST)


def test_a_refusal_may_say_how_long_to_wait() -> None:
    for said in ("90", "Sun, 01 Mar 2026 12:01:30 GMT"):
        told = limits(ok(SECONDARY, status=403, **{"retry-after": said}), now=NOON)
        assert (told.is_refused, told.wait_until) == (True, NOON + timedelta(seconds=90))


def test_a_secondary_limit_that_does_not_is_waited_for_longer_each_time() -> None:
    waits = [
        limits(ok(SECONDARY, status=403), now=NOON, refused=refused).wait_until
        for refused in (0, 1, 2, 50)
    ]
    assert waits == [NOON + timedelta(minutes=minutes) for minutes in (1, 2, 4, 64)]


@pytest.mark.parametrize(
    "body", [b'{"message": "Resource not accessible by integration"}', b"<html>", b"[]", b""]
)
def test_a_missing_permission_is_no_limit(body: bytes) -> None:
    response = Response(status=403, body=body, headers={"x-ratelimit-remaining": "4000"})
    assert limits(response, now=NOON) == Limits(remaining=4000)


@pytest.mark.parametrize("odd", ["", "-1", "soon", "9" * 30, "²"])
def test_headers_that_cannot_be_read_tell_nothing(odd: str) -> None:
    headers = dict.fromkeys((*SPENT, "retry-after"), odd)
    told = limits(ok({}, status=429, **headers), now=NOON)
    assert (told.is_refused, told.remaining, told.limit) == (True, None, None)
    assert told.wait_until == NOON + timedelta(minutes=1)


def test_a_forge_that_only_refuses_is_waited_for_too() -> None:
    assert plain_limits(ok({}), now=NOON) == Limits()
    told = plain_limits(ok({}, status=429, **{"retry-after": "5"}), now=NOON)
    assert told == Limits(is_refused=True, wait_until=NOON + timedelta(seconds=5))
    assert plain_limits(ok({}, status=429), now=NOON, refused=1).wait_until == (
        NOON + timedelta(minutes=2)
    )
