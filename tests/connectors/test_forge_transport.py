"""The transport, held against a forge that speaks real HTTP."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders import Clock
from tests.connectors.http_forge import HTTPForge, answers, breaks_off, hangs_up, is_slow
from tests.connectors.talks import ok

from shipmark.connectors.exchange import Dialogue, Request, Response
from shipmark.connectors.forge_errors import ForgeUnavailable, RateLimited, json_of
from shipmark.connectors.github_limits import limits
from shipmark.connectors.transport import ATTEMPTS, Caller, Server, Transport

ANN = Caller(name="ann", headers={"authorization": "Bearer s3cret"})
THINGS = Request(path="/things", headers={"accept": "application/json"})


def a_thing(request: Request) -> Response:
    return ok({"path": request.path, "query": dict(request.query)})


@pytest.fixture
def forge() -> Iterator[HTTPForge]:
    with HTTPForge(a_thing) as running:
        yield running


class Slept:
    """Sleeps by moving the clock, and remembers."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.naps: list[float] = []
        self.woken = False

    def __call__(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.clock.advance(seconds=0 if self.woken else seconds)


@pytest.fixture
def slept(clock: Clock) -> Slept:
    return Slept(clock)


@pytest.fixture
def transport(forge: HTTPForge, clock: Clock, slept: Slept) -> Iterator[Transport]:
    made = a_transport(forge, clock, slept)
    yield made
    made.close()


def a_transport(
    forge: HTTPForge, clock: Clock, slept: Slept, *, patience: float = 100, **options: bool
) -> Transport:
    def address(path: str) -> str:
        return f"{forge.url}{path}"

    return Transport(
        Server(source="github", address=address, limits=limits, **options),
        patience=timedelta(seconds=patience),
        clock=clock,
        sleep=slept,
        timeouts=(5, 0.3),
    )


def test_a_dialogue_is_held_to_its_end(transport: Transport, forge: HTTPForge) -> None:
    def two_questions() -> Dialogue[list[str]]:
        first = yield THINGS
        second = yield Request(path="/more", method="POST", query={"page": 2}, body={"x": [1]})
        return [json_of(one, "it")["path"] for one in (first, second)]

    assert transport.hold(two_questions(), ANN) == ["/things", "/more"]
    get, post = forge.asked
    assert (post.method, post.query, post.body) == ("POST", {"page": "2"}, {"x": [1]})
    assert get.headers["authorization"] == "Bearer s3cret"
    assert get.headers["accept"] == "application/json"


def test_what_is_encoded_in_a_path_stays_encoded(transport: Transport, forge: HTTPForge) -> None:
    path = "/projects/group%2Fsub%2Fa%20b/x%25y"
    transport.ask(Request(path=path, query={"q": "a b&c", "$top": 1}), ANN)
    assert forge.asked[0].path == path
    assert forge.asked[0].query == {"q": "a b&c", "$top": "1"}


@pytest.mark.parametrize(
    "fault", [hangs_up, breaks_off, is_slow(0.6), answers(500), answers(502), answers(503)]
)
def test_a_failure_that_passes_is_not_noticed(
    transport: Transport, forge: HTTPForge, slept: Slept, fault: object
) -> None:
    forge.faults.extend([fault, fault])  # type: ignore[list-item]
    assert transport.ask(THINGS, ANN).status == 200
    assert len(forge.asked) == 3
    assert slept.naps == [1, 2]


@pytest.mark.parametrize("fault", [hangs_up, breaks_off, is_slow(0.6)])
def test_a_forge_that_never_answers_is_away(
    transport: Transport, forge: HTTPForge, fault: object
) -> None:
    forge.faults.extend([fault] * 9)  # type: ignore[list-item]
    with pytest.raises(ForgeUnavailable, match=r"127\.0\.0\.1 did not answer"):
        transport.ask(THINGS, ANN)
    assert len(forge.asked) == ATTEMPTS


def test_a_server_that_is_not_there_is_away(clock: Clock, slept: Slept) -> None:
    with HTTPForge(a_thing) as gone:
        transport = a_transport(gone, clock, slept)
    with pytest.raises(ForgeUnavailable):
        transport.ask(THINGS, ANN)


def test_a_failure_that_stays_is_left_to_the_dialogue(
    transport: Transport, forge: HTTPForge
) -> None:
    forge.faults.extend([answers(503)] * 9)
    assert transport.ask(THINGS, ANN).status == 503
    assert len(forge.asked) == ATTEMPTS


def test_a_query_that_is_too_heavy_is_not_sent_again(
    transport: Transport, forge: HTTPForge
) -> None:
    forge.faults.append(answers(502))
    assert transport.ask(Request(path="/graphql", method="POST", body={}), ANN).status == 502
    assert len(forge.asked) == 1


def test_the_pause_that_a_failing_forge_asks_for_is_made(
    transport: Transport, forge: HTTPForge, slept: Slept
) -> None:
    forge.faults.append(answers(503, retry_after="7"))
    assert transport.ask(THINGS, ANN).status == 200
    assert slept.naps == [7]


# Limits


def test_a_refusal_for_a_limit_is_waited_for(
    transport: Transport, forge: HTTPForge, clock: Clock, slept: Slept
) -> None:
    resets = str(int(clock.now.timestamp()) + 60)
    forge.faults.append(answers(403, x_ratelimit_remaining="0", x_ratelimit_reset=resets))
    assert transport.ask(THINGS, ANN).status == 200
    assert slept.naps == [60]
    assert len(forge.asked) == 2


def test_the_last_call_of_a_budget_delays_the_next_and_only_of_the_same_caller(
    transport: Transport, forge: HTTPForge, clock: Clock, slept: Slept
) -> None:
    resets = str(int(clock.now.timestamp()) + 60)
    last = {"x_ratelimit_remaining": "0", "x_ratelimit_limit": "5000", "x_ratelimit_reset": resets}
    forge.faults.append(answers(200, **last))
    assert transport.ask(THINGS, ANN).status == 200
    assert transport.budget(ANN).remaining == 0
    assert transport.budget(ANN).limit == 5000
    transport.ask(THINGS, Caller(name="bob"))
    assert slept.naps == []
    transport.ask(THINGS, ANN)
    assert slept.naps == [60]


def test_a_limit_beyond_patience_is_an_error_and_the_forge_is_left_alone(
    forge: HTTPForge, clock: Clock, slept: Slept
) -> None:
    transport = a_transport(forge, clock, slept, patience=59)
    until = clock.now.replace(microsecond=0) + timedelta(seconds=60)
    resets = str(int(until.timestamp()))
    forge.faults.append(answers(429, x_ratelimit_remaining="0", x_ratelimit_reset=resets))
    for _ in range(2):
        with pytest.raises(RateLimited) as refused:
            transport.ask(THINGS, ANN)
        assert refused.value.until == until
    assert len(forge.asked) == 1
    clock.advance(seconds=61)
    assert transport.ask(THINGS, ANN).status == 200
    transport.close()


def test_a_pause_that_is_cut_short_ends_in_an_error(
    forge: HTTPForge, clock: Clock, slept: Slept
) -> None:
    transport = a_transport(forge, clock, slept)
    forge.faults.append(answers(429, retry_after="60"))
    slept.woken = True
    with pytest.raises(RateLimited):
        transport.ask(THINGS, ANN)
    assert len(forge.asked) == 1
    transport.close()


def test_a_forge_that_refuses_for_ever_is_given_up(transport: Transport, forge: HTTPForge) -> None:
    forge.faults.extend([answers(429, retry_after="1")] * 99)
    with pytest.raises(RateLimited, match="refused the same 8 times"):
        transport.ask(THINGS, ANN)


def test_a_permission_that_is_missing_is_no_limit(
    transport: Transport, forge: HTTPForge, slept: Slept
) -> None:
    forge.faults.append(answers(403, b'{"message": "Resource not accessible"}'))
    assert transport.ask(THINGS, ANN).status == 403
    assert (len(forge.asked), slept.naps) == (1, [])


# What is kept


def test_what_has_not_changed_is_not_sent_again(transport: Transport, forge: HTTPForge) -> None:
    first = transport.ask(THINGS, ANN)
    second = transport.ask(THINGS, ANN)
    assert forge.not_modified == 1
    assert (second.status, second.body) == (200, first.body)


def test_what_one_caller_may_see_is_not_kept_for_another(
    transport: Transport, forge: HTTPForge
) -> None:
    transport.ask(THINGS, ANN)
    transport.ask(THINGS, Caller(name="bob"))
    assert "if-none-match" not in forge.asked[1].headers


# Redirects


def test_a_renamed_thing_is_followed(transport: Transport, forge: HTTPForge) -> None:
    forge.faults.append(answers(301, location="/things%2Fnew?page=2"))
    body = json_of(transport.ask(THINGS, ANN), "it")
    assert body == {"path": "/things%2Fnew", "query": {"page": "2"}}
    assert forge.asked[1].headers["authorization"] == "Bearer s3cret"


def test_another_server_is_not_told_the_token(transport: Transport, forge: HTTPForge) -> None:
    with HTTPForge(a_thing) as other:
        forge.faults.append(answers(302, location=f"{other.url}/elsewhere"))
        assert transport.ask(THINGS, ANN).status == 200
        assert "authorization" not in other.asked[0].headers
        other.faults.append(answers(302, location=f"{forge.url}/back"))
        forge.faults.append(answers(302, location=f"{other.url}/elsewhere"))
        transport.ask(THINGS, ANN)
        assert "authorization" not in other.asked[1].headers


def test_turning_in_a_circle_is_given_up(transport: Transport, forge: HTTPForge) -> None:
    forge.faults.extend([answers(302, location="/things")] * 20)
    with pytest.raises(ForgeUnavailable, match="one address to the next"):
        transport.ask(THINGS, ANN)


def test_a_body_is_not_sent_elsewhere(transport: Transport, forge: HTTPForge) -> None:
    forge.faults.append(answers(307, location="/other"))
    assert transport.ask(Request(path="/x", method="POST", body={}), ANN).status == 307


def test_a_page_to_sign_in_on_is_not_gone_to(forge: HTTPForge, clock: Clock, slept: Slept) -> None:
    transport = a_transport(forge, clock, slept, follows_redirects=False)
    forge.faults.append(answers(302, location="/_signin"))
    assert transport.ask(THINGS, ANN).status == 302
    transport.close()


# Logs


def test_the_budget_is_logged_and_the_token_is_not(
    transport: Transport, forge: HTTPForge, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = {"x_ratelimit_remaining": "4999", "x_ratelimit_limit": "5000"}
    forge.faults.append(answers(200, **told))
    transport.ask(Request(path="/things", query={"q": "hidden"}), ANN)
    (line,) = [one for one in caplog.records if one.getMessage() == "forge asked"]
    assert (line.__dict__["remaining"], line.__dict__["limit"]) == (4999, 5000)
    ours = [one for one in caplog.records if one.name.startswith("shipmark")]
    assert not any("s3cret" in str(one.__dict__) or "hidden" in str(one.__dict__) for one in ours)


def test_a_token_that_cannot_be_sent_is_not_quoted(
    transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = replace(ANN, headers={"authorization": "Bearer # ci\ns3cret"})
    with pytest.raises(ForgeUnavailable) as refused:
        transport.ask(THINGS, wrong)
    assert "s3cret" not in refused.value.message
    assert refused.value.__cause__ is None
    ours = [one for one in caplog.records if one.name.startswith("shipmark")]
    assert not any("s3cret" in str(one.__dict__) for one in ours)
