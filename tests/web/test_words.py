"""Values as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from shipmark.web import words
from shipmark.web.figures import per_day
from shipmark.web.sign_in import own_path

NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (90061, "1 d 1 h"),
        (40 * 86400, "1 mo 10 d"),
        (-61, "−1 min 1 s"),
        (None, "–"),
    ],
)
def test_a_span_has_its_two_largest_units(seconds: float | None, text: str) -> None:
    assert words.span(seconds) == text


def test_a_name_in_a_sentence_does_not_turn_the_rest_of_it() -> None:
    assert words.in_order("'a\u202eb' and '\u2067c' wait") == "'ab' and 'c' wait"
    assert words.in_order("'\u062e\u0644\u0644' waits") == "'\u062e\u0644\u0644' waits"


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (1, "repository", "1 repository"),
        (7, "repository", "7 repositories"),
        (0, "service", "0 services"),
        (1204, "pull request", "1\u202f204 pull requests"),
    ],
)
def test_things_are_counted_in_the_plural(number: int, noun: str, text: str) -> None:
    assert words.count(number, noun) == text


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (timedelta(seconds=30), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(days=400), "1 y ago"),
        (-timedelta(hours=3), "in 3 h"),
    ],
)
def test_how_long_ago_is_said_in_the_largest_unit(before: timedelta, text: str) -> None:
    assert words.ago(NOON - before, NOON) == text


def test_frequencies_beside_each_other_are_in_one_unit() -> None:
    assert per_day(1.1) == "1.1 a day"
    assert per_day(1.1, as_is=0.7) == "7.7 a week"
    assert per_day(0.01, as_is=2) == "below 0.1 a day"
    assert per_day(0.1, as_is=0) == "3 a month"
    assert per_day(0, as_is=2) == "none"


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "JAVASCRIPT:alert(1)", " javascript:x", "data:text/html,x", "//x", "x"],
)
def test_only_what_is_on_the_web_becomes_a_link(url: str) -> None:
    assert words.web_address(url) is None
    assert words.web_address("http://[") is None
    assert words.web_address("https://ci.example/1") == "https://ci.example/1"


@pytest.mark.parametrize(
    "path",
    [None, "", "a", "//evil", "/\\evil", "\\\\evil", "http:evil", "/a\r\nb", "/\t/evil"],
)
def test_a_path_of_another_server_is_none_of_ours(path: str | None) -> None:
    assert own_path(path) is None
    assert own_path("/pulls?q=%2F%2Fevil") == "/pulls?q=%2F%2Fevil"


def test_counts_beyond_what_is_counted_say_so() -> None:
    assert words.shipped(999) == "999"
    assert words.shipped(1000) == "1\u202f000+"
