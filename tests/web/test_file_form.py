"""Forms with a file, in whatever pieces they come."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipmark.domain.errors import InvalidFile, PayloadTooLarge
from shipmark.web.file_form import LARGEST_FIELD, MOST_FIELDS, FileForm

BOUNDARY = "----WebKitFormBoundaryx7"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def field(name: str, text: str) -> bytes:
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
    ).encode()


def file(content: bytes, filename: str = "years.csv") -> bytes:
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    )
    return head.encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


async def sent(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def read(
    pieces: Sequence[bytes], content_type: str = CONTENT_TYPE
) -> tuple[dict[str, str], str | None, bytes]:
    async def whole() -> tuple[dict[str, str], str | None, bytes]:
        form = FileForm(content_type, sent(pieces))
        fields = await form.fields()
        content = b"".join([piece async for piece in form.content()]) if form.filename else b""
        return fields, form.filename, content

    return asyncio.run(whole())


near_misses = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"-", b"--", BOUNDARY.encode(), b"a,b", b"\0", b"\xff"])
).map(b"".join)


@given(
    content=near_misses.filter(lambda one: f"\r\n--{BOUNDARY}".encode() not in one),
    cuts=st.sets(st.integers(1, 400)),
)
def test_a_file_is_what_was_sent_however_it_is_cut(content: bytes, cuts: set[int]) -> None:
    body = field("kind", "deployments") + field("map", "") + file(content) + END
    places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    pieces = [body[begin:end] for begin, end in pairwise(places)]
    assert read(pieces) == ({"kind": "deployments", "map": ""}, "years.csv", content)


def test_names_are_read_as_browsers_write_them() -> None:
    body = field("say %22it%22", "ü") + file(b"1", "a %22b%22;%0D%0A.csv") + END
    assert read([body]) == ({'say "it"': "ü"}, 'a "b";\r\n.csv', b"1")


def test_a_form_without_a_file_has_none() -> None:
    assert read([field("kind", "pulls") + END]) == ({"kind": "pulls"}, None, b"")


@pytest.mark.parametrize("end", range(1, 400, 37))
def test_what_breaks_off_is_refused(end: int) -> None:
    body = field("kind", "deployments") + file(b"a,b\r\n1,2\r\n" * 20) + END
    with pytest.raises(InvalidFile, match="before the file was complete"):
        read([body[:end]])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (file(b"c,d\r\n", "other.csv"), "There is a second file, 'other.csv'; send one at a time."),
        (field("kind", "pulls"), "The field 'kind' comes behind the file; send it before."),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_what_comes_behind_the_file_is_refused(more: bytes, said: str, size: int) -> None:
    body = field("kind", "deployments") + file(b"a,b\r\n") + more + END
    with pytest.raises(InvalidFile, match=re.escape(said)):
        read([body[begin : begin + size] for begin in range(0, len(body), size)])


@pytest.mark.parametrize(
    "content_type",
    ["", "text/csv", "application/x-www-form-urlencoded", "multipart/form-data; charset=utf-8"],
)
def test_anything_but_such_a_form_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidFile, match="multipart/form-data"):
        read([b"a=b"], content_type)


def test_a_field_is_not_held_however_large() -> None:
    with pytest.raises(PayloadTooLarge, match="64 KiB"):
        read([field("map", "x" * 1000)[:-2], *[b"x" * 1000] * (LARGEST_FIELD // 1000)])
    with pytest.raises(PayloadTooLarge, match=str(MOST_FIELDS)):
        read([field(f"f{n}", "") for n in range(MOST_FIELDS + 1)])
