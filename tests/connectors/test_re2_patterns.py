"""Regular expressions of users take linear time, whatever they are."""

import time

import pytest

from shipmark.connectors.re2_patterns import Re2Engine
from shipmark.domain.patterns import PatternInvalid

CATASTROPHES = [
    r"(a+)+b",
    r"(a|a)*b",
    r"(a|aa)+b",
    r"(.*a){25}b",
    r"([a-z]+)*[0-9]",
    r"(a?){30}a{30}b",
]


@pytest.mark.parametrize("expression", CATASTROPHES)
def test_a_catastrophic_expression_takes_linear_time(expression: str) -> None:
    compiled = Re2Engine().compile(expression, ignore_case=False)
    began = time.perf_counter()
    assert compiled.fullmatch("a" * 20_000) is None
    assert time.perf_counter() - began < 2


def test_named_groups_are_told() -> None:
    compiled = Re2Engine().compile(r"(?P<name>\pL+)(?:-(?P<part>.*))?", ignore_case=False)
    assert compiled.groups == {"name", "part"}
    assert compiled.fullmatch("größe") == {"name": "größe", "part": None}


def test_case_is_ignored_where_asked() -> None:
    assert Re2Engine().compile("É", ignore_case=True).fullmatch("é") == {}
    assert Re2Engine().compile("É", ignore_case=False).fullmatch("é") is None


def test_text_that_is_not_unicode_matches_nothing() -> None:
    assert Re2Engine().compile(".*", ignore_case=False).fullmatch("\ud800") is None
    with pytest.raises(PatternInvalid, match="Unicode"):
        Re2Engine().compile("\ud800", ignore_case=False)


def test_an_expression_that_is_too_large_is_refused() -> None:
    with pytest.raises(PatternInvalid):
        Re2Engine().compile(r"(\pL{1000}\pN{1000}){10}", ignore_case=False)


def test_a_refusal_is_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PatternInvalid, match="missing"):
        Re2Engine().compile("(", ignore_case=False)
    assert capfd.readouterr().err == ""
