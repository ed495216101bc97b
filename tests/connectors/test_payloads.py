"""What forges send is read into plain values, or refused with the path of what is wrong."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipmark.connectors.exchange import Response
from shipmark.connectors.forge_errors import (
    ForgeError,
    ForgeNotFound,
    ForgeRefused,
    ForgeUnavailable,
    RateLimited,
    TokenRefused,
    answer,
    answer_if_any,
    check,
)
from shipmark.connectors.payloads import (
    SHA,
    Instant,
    Number,
    Text,
    UnreadablePayload,
    Wire,
    branch_of,
    read,
    tag_of,
    told,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Inner(Wire):
    sha: SHA | None = None
    at: Instant | None = None


class Outer(Wire):
    number: Number = 1
    title: Text = ""
    commits: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00.0000000Z",
        "2026-03-01T14:00:00+02:00",
        "2026-03-01T12:00:00",
        "2026-03-01 12:00:00 UTC",
        "2026-03-01 14:00:00 +0200",
        1772366400,
        1772366400000,
    ],
)
def test_instants_are_read_in_every_form_that_forges_have(written: object) -> None:
    assert read(Inner, {"at": written}).at == NOON
    assert type(read(Inner, {"at": written}).at) is datetime


def test_an_instant_that_stands_for_none_is_told() -> None:
    assert told(read(Inner, {"at": "0001-01-01T00:00:00Z"}).at) is None
    assert told(read(Inner, {"at": None}).at) is None
    assert told(NOON) == NOON


def test_shas_are_lower_case_and_zeros_are_no_commit() -> None:
    assert read(Inner, {"sha": COMMIT.upper()}).sha == COMMIT
    assert read(Inner, {"sha": "0" * 40}).sha == ""
    assert read(Inner, {"sha": ""}).sha == ""
    assert read(Inner, {"sha": "a" * 64}).sha == "a" * 64


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({"commits": [{}, {"sha": "abc"}]}, "$.commits[1].sha"),
        ({"commits": [{"at": "yesterday"}]}, "$.commits[0].at"),
        ({"commits": [{"at": 10**30}]}, "$.commits[0].at"),
        ({"commits": [{"at": True}]}, "$.commits[0].at"),
        ({"number": "5"}, "$.number"),
        ({"number": 2**63 - 1}, "$.number"),
        ({"title": 5}, "$.title"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(payload: object, path: str) -> None:
    with pytest.raises(UnreadablePayload) as refused:
        read(Outer, payload)
    assert f"`{path}`" in refused.value.message


def test_text_can_be_stored_whatever_it_holds() -> None:
    assert read(Outer, {"title": "a\0b\ud800c"}).title == "a�b�c"
    assert len(read(Outer, {"title": "x" * 70_000}).title) == 65_536


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from(["number", "title", "commits", "sha", "at"]) | st.text(), below
        )
    ),
)


@given(JSON)
def test_nothing_but_its_own_refusal_comes_of_any_json(payload: object) -> None:
    with suppress(UnreadablePayload):
        read(Outer, payload)


def test_references_name_branches_or_tags() -> None:
    assert branch_of("refs/heads/team/main") == "team/main"
    assert branch_of("refs/tags/v1") is None
    assert tag_of("refs/tags/v1") == "v1"
    assert tag_of("refs/heads/v1") is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ForgeError),
        (401, TokenRefused),
        (403, ForgeRefused),
        (404, ForgeNotFound),
        (408, ForgeUnavailable),
        (410, ForgeNotFound),
        (429, RateLimited),
        (500, ForgeUnavailable),
        (503, ForgeUnavailable),
    ],
)
def test_an_answer_that_is_none_is_an_error(status: int, kind: type[ForgeError]) -> None:
    with pytest.raises(ForgeError) as raised:
        check(Response(status=status), "the repository org/app")
    assert type(raised.value) is kind
    assert raised.value.message == (
        f"The forge answered {status} when asked for the repository org/app."
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"message": "no such scope"}',
        b'{"error": {"message": "no such scope"}}',
        b'{"error": "no such scope"}',
        b'{"errors": [{"message": "no such scope"}]}',
        b'[{"message": "no such scope"}]',
    ],
)
def test_an_error_says_what_the_forge_says(body: bytes) -> None:
    with pytest.raises(ForgeRefused, match="403 when asked for it: no such scope"):
        check(Response(status=403, body=body), "it")


def test_json_that_breaks_off_means_to_try_later() -> None:
    with pytest.raises(ForgeUnavailable, match="not whole"):
        answer(Outer, Response(status=200, body=b'{"number": 5, "ti'), "it")


def test_what_is_not_there_is_no_answer() -> None:
    assert answer_if_any(Outer, Response(status=404), "it") is None
    assert answer(Outer, Response(status=200, body=b'{"number": 5}'), "it").number == 5
