"""Records of files, right and broken ones: an error is one of its line, and nothing is lost."""

import csv
import gzip
import io
import tracemalloc
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipmark.api.arguments import json_object
from shipmark.application.file_layout import read_layout
from shipmark.application.file_lines import LONGEST_RECORD, lines
from shipmark.application.file_reader import Record, records
from shipmark.application.uploads import Parts
from shipmark.domain.errors import InvalidFile, PayloadTooLarge, ShipmarkError

KNOWN = ("deployed_at", "service", "metadata")


def parts_of(content: bytes, size: int = 100_000) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


def read(
    content: bytes, mapping: Mapping[str, str] | None = None, size: int = 100_000
) -> list[Record]:
    layout, offset, line, _ = read_layout(lines(parts_of(content, size), 0), KNOWN, mapping or {})
    rest = lines(parts_of(content[offset:], size), offset)
    return list(records(rest, layout, line, json_object))


def told(found: list[Record]) -> list[tuple[int, Any]]:
    """Each record by its line; an error by its code."""
    return [
        (one.line, one.content.code if isinstance(one.content, ShipmarkError) else one.content)
        for one in found
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("begins", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_names_come_in_any_order_and_case(delimiter: str, begins: bytes, ends: str) -> None:
    text = ends.join(["Deployed At; SERVICE ;x", "1;shop;y", "", ";;", "2;;"]).replace(
        ";", delimiter
    )
    assert told(read(begins + text.encode())) == [
        (2, {"deployed_at": "1", "service": "shop"}),
        (5, {"deployed_at": "2"}),
    ]


def test_quotes_hold_delimiters_quotes_and_lines() -> None:
    content = b'service,metadata\n"a,b","x\ny ""z"""\r\nc,d"e\nf,g\n'
    assert told(read(content)) == [
        (2, {"service": "a,b", "metadata": 'x\ny "z"'}),
        (4, {"service": "c", "metadata": 'd"e'}),
        (5, {"service": "f", "metadata": "g"}),
    ]


def test_what_cannot_be_read_is_an_error_of_its_line() -> None:
    content = b'service,metadata\na,"x\nb,y\n\xff,z\nc,"d"e\nf,g,h\ni\0,j\nk\rl,"m"n\n=1+1,n\n'
    assert told(read(content)) == [
        (2, "invalid_file"),
        (3, {"service": "b", "metadata": "y"}),
        (4, "invalid_file"),
        (5, "invalid_file"),
        (6, "invalid_file"),
        (7, {"service": "i\0", "metadata": "j"}),
        (8, {"service": "k"}),
        (9, "invalid_file"),
        (10, {"service": "=1+1", "metadata": "n"}),
    ]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_lines_end_as_they_may_in_one_file(size: int) -> None:
    content = b'service,metadata\ra,b\r\n"c\rd",e\n\r\rf,g\r\nh,i\r'
    assert told(read(content, size=size)) == [
        (2, {"service": "a", "metadata": "b"}),
        (3, {"service": "c\rd", "metadata": "e"}),
        (7, {"service": "f", "metadata": "g"}),
        (8, {"service": "h", "metadata": "i"}),
    ]


@pytest.mark.parametrize("size", [LONGEST_RECORD + 20, 1000])
def test_a_line_that_is_too_long_ends_in_cr_as_well(size: int) -> None:
    content = b"service,\r" + b"x" * (LONGEST_RECORD + 10) + b"\rb,\r"
    assert told(read(content, size=size)) == [(2, "invalid_file"), (3, {"service": "b"})]


def test_ndjson_is_read_like_a_body() -> None:
    content = b'\n{"App": "a", "deployed-at": 1, "x": 2}\n[1]\n{\n\xff\n{"app": null}'
    assert told(read(content, {"service": "app"})) == [
        (2, {"service": "a", "deployed_at": 1}),
        (3, "invalid_json"),
        (4, "invalid_json"),
        (5, "invalid_json"),
        (6, {"service": None}),
    ]


def test_a_key_that_means_nothing_is_told_with_its_line() -> None:
    found = read(b'{"service": "a", "x": 1, "\\u0058": 2}\n{"service": "b"}\n')
    assert [one.unknown for one in found] == [("x", "X"), ()]


@pytest.mark.parametrize(
    "line",
    [
        '{"Service": "a", "service": "b"}',
        '{"service": "a", "x": {"y": [1.5, {}]}, "service": "a"}',
        '{"App": "b", "app": null}',
    ],
)
def test_two_keys_of_one_meaning_are_an_error_of_their_line(line: str) -> None:
    mapping = {"service": "app"} if "app" in line else {}
    wrong, right = read(f'{line}\n{{"service": "c", "app": "c"}}\n'.encode(), mapping)
    assert isinstance(wrong.content, InvalidFile)
    assert wrong.content.message.startswith("Two keys are called 'service': ")
    assert (wrong.content.argument, wrong.begins) == ("service", line)
    assert right.content == {"service": "c"}


def test_numbers_of_any_length_are_read_and_what_is_nested_deeply_is_an_error() -> None:
    long = b'{"service": ' + b"9" * 5000 + b"}\n"
    deep = b"".join(b'{"x":' * n + b"1" + b"}" * n + b"\n" for n in range(900, 1010))
    found = read(long + deep + b'{"service": "b"}\n')
    assert [one.line for one in found] == list(range(1, 113))
    assert isinstance(found[-2].content, ShipmarkError)
    assert found[-1].content == {"service": "b"}


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_names_go_on_over_lines_in_quotes_and_have_delimiters_in_them(
    delimiter: str, ends: str
) -> None:
    text = ends.join(['"Deployed', 'at";"Service";"a,b;c\t,;\td";"no', "", 'te"', "1;shop;x;y"])
    separated = text.replace(';"', f'{delimiter}"').replace("1;shop;x;y", delimiter.join("1sxy"))
    assert told(read(separated.encode())) == [(5, {"deployed_at": "1", "service": "s"})]


def test_columns_are_mapped() -> None:
    content = b"app,finished,service\na,1,b\n"
    mapping = {"service": "App", "deployed_at": "finished"}
    assert told(read(content, mapping)) == [(2, {"service": "a", "deployed_at": "1"})]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"a,b\n1,2\n", "none of these is known: 'a', 'b'"),
        (b"service,Service\n", "Two columns are called 'service'"),
        ("service\n".encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04...", "spreadsheet"),
        (b'[{"service": "a"}]', "JSON array"),
        ("service,x\n".encode("utf-16-le"), "UTF-16"),
        (gzip.compress(b"service\n", mtime=0), "packed twice"),
        (b'service,"x\na,b\n', "never closed"),
        (b'"service"x,deployed_at\n', "not CSV"),
        (b"\xff\n", "not UTF-8"),
        (b"service," + b"x" * LONGEST_RECORD, "too long"),
        (b"service" + b",x" * 2000 + b"\n", "more than 1000 columns"),
    ],
)
def test_a_file_of_which_nothing_can_be_read_says_why(content: bytes, why: str) -> None:
    with pytest.raises(InvalidFile, match=why):
        read(content)


def test_a_mapping_to_a_column_that_is_not_there_says_which_are() -> None:
    with pytest.raises(InvalidFile, match="no column 'app' as the mapping says"):
        read(b"service\na\n", {"service": "app"})


@pytest.mark.parametrize("content", [b"app\na\n", b'{"app": "a"}\n'])
def test_a_mapping_that_gives_a_column_two_names_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidFile, match="two names, service and environment"):
        read(content, {"service": "app", "environment": "App"})


def test_a_line_of_100_megabytes_is_an_error_and_is_never_held() -> None:
    def parts() -> Iterator[bytes]:
        yield b"service\na\nb"
        for _ in range(1000):
            yield b"x" * 100_000
        yield b"\nc\n"

    read_layout(lines(parts(), 0), KNOWN, {})
    tracemalloc.start()
    try:
        found = list(lines(parts(), 0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [one.raw for one in found] == [b"service\n", b"a\n", None, b"c\n"]
    assert found[-1].offset == sum(map(len, parts()))
    assert peak < 3 * LONGEST_RECORD


def test_a_quote_that_never_closes_costs_its_line_alone() -> None:
    content = b'service,metadata\na,"x\n' + b"b,y\n" * 400_000
    found = read(content)
    assert (found[0].line, len(found)) == (2, 400_001)
    assert isinstance(found[0].content, InvalidFile)
    assert found[-1].content == {"service": "b", "metadata": "y"}


@given(
    rows=st.lists(
        st.lists(
            st.text(alphabet=st.sampled_from('ab,;"\n\r\t '), max_size=6), min_size=2, max_size=2
        )
    ),
    delimiter=st.sampled_from(",;\t"),
    size=st.integers(1, 50),
)
def test_what_a_writer_of_csv_writes_is_read(
    rows: list[list[str]], delimiter: str, size: int
) -> None:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["service", "metadata"], *rows])
    expected = [
        {
            name: cell
            for name, cell in zip(("service", "metadata"), row, strict=True)
            if cell.strip()
        }
        for row in rows
    ]
    found = read(written.getvalue().encode(), size=size)
    assert [one.content for one in found] == [one for one in expected if one]


@given(content=st.binary(max_size=200) | st.text('a,;"\n{}:1').map(str.encode), data=st.data())
def test_whatever_it_is_reading_goes_on_from_any_record_as_from_the_beginning(
    content: bytes, data: st.DataObject
) -> None:
    whole = b"service,metadata\n" + content
    layout, offset, line, _ = read_layout(lines(parts_of(whole), 0), KNOWN, {})
    found = list(records(lines(iter([whole[offset:]]), offset), layout, line, json_object))
    for one in found:
        assert isinstance(one.content, dict | ShipmarkError)
    if found:
        at = data.draw(st.integers(0, len(found) - 1))
        rest = lines(parts_of(whole[found[at].offset :], 7), found[at].offset)
        again = list(records(rest, layout, found[at].next_line, json_object))
        assert told(again) == told(found[at + 1 :])


class TestParts:
    @given(content=st.binary(max_size=2000), size=st.integers(1, 300), is_packed=st.booleans())
    def test_they_are_the_file_however_it_is_sent(
        self, content: bytes, size: int, is_packed: bool
    ) -> None:
        if content.startswith(b"\x1f\x8b"):
            return
        sent = gzip.compress(content[:700]) + gzip.compress(content[700:]) if is_packed else content
        parts = Parts(10_000)
        found = [part for piece in parts_of(sent, size) for part in parts.feed(piece)]
        assert b"".join([*found, *parts.finish()]) == content

    def test_what_unpacks_to_more_than_is_taken_is_refused_before_it_is_unpacked(self) -> None:
        bomb = gzip.compress(b"\0" * 50_000_000)
        parts = Parts(2_000_000)
        taken = 0
        found = parts.feed(bomb)
        with suppress(PayloadTooLarge):
            while part := next(found):
                taken += len(part)
        assert 1_000_000 < taken <= 2_000_000
        assert list(found) == []

    @pytest.mark.parametrize(
        "sent", [gzip.compress(b"service\n", mtime=0)[:-5], b"\x1f\x8bservice"]
    )
    def test_a_broken_archive_is_refused(self, sent: bytes) -> None:
        parts = Parts(10_000)
        with pytest.raises(InvalidFile):
            _ = [*parts.feed(sent), *parts.finish()]
