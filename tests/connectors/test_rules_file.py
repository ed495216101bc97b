"""A repository's own path rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipmark.connectors.gitignore_paths import GitIgnoreEngine
from shipmark.connectors.rules_file import RulesFileInvalid, read_rules_file
from shipmark.domain.path_rules import (
    PathRules,
    PathRulesInvalid,
    ServicePaths,
    compile_path_rules,
    services_of,
)

FILE = b"""\
# Which services a pull request changed.
version: 1
services:
  billing:
    - services/billing/
    - "!services/billing/docs/"
  search: services/search/
  "{folder}":
    - apps/{folder}/
ignore: ["*.md"]
otherwise: none
"""


def test_the_file_is_read_into_rules() -> None:
    rules = read_rules_file(FILE).rules
    assert rules == PathRules(
        services=(
            ServicePaths(
                service="billing", patterns=("services/billing/", "!services/billing/docs/")
            ),
            ServicePaths(service="search", patterns=("services/search/",)),
            ServicePaths(service="{folder}", patterns=("apps/{folder}/",)),
        ),
        ignore=("*.md",),
        otherwise=("none",),
    )
    compiled = compile_path_rules(rules, GitIgnoreEngine())
    assert services_of(["apps/web/x", "services/search/y"], compiled) == {"web", "search"}


def test_names_are_text_as_they_are_written() -> None:
    rules = read_rules_file(b"version: 1\nservices: {on: yes/, 12: 0x1F/, 1.0: ~x}").rules
    assert [(one.service, one.patterns) for one in rules.services] == [
        ("on", ("yes/",)),
        ("12", ("0x1F/",)),
        ("1.0", ("~x",)),
    ]


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        (b"", 1, "empty"),
        (b"# nothing", 1, "empty"),
        (b"services: {}", 1, "it must say 'version: 1'"),
        (b"version: 2\nservices: {}", 1, "it must say 'version: 1'"),
        (b"version: [1]\nservices: {}", 1, "'version' must be text"),
        (b"version: 1", 1, "must have 'services'"),
        (b"version: 1\nservices:\n  - a", 3, "'services' must be a mapping"),
        (b"version: 1\nservices:\n  a:", 3, "'services.a[0]' must be text"),
        (b"version: 1\nservices:\n  a:\n  - x\n  - {y: z}", 5, "'services.a[1]' must be text"),
        (b"version: 1\nservices:\n  a: x\n  a: y", 4, "'services.a' stands here twice"),
        (b"version: 1\nservices: {}\nignored: x", 3, "'ignored' is not known here"),
        (b"version: 1\nservices:\n  ? [a]\n  : b", 3, "'services' must be text"),
        (b"- version: 1", 1, "the file must be a mapping"),
        (b"version: 1\nservices:\n  a: &x [y]\n  b: *x", 4, "aliases"),
        (b"version: 1\nservices:\n  a: *x", 3, "aliases"),
        (b"version: 1\nservices:\n\ta: b", 3, "cannot start any token"),
        (b"version: 1\nservices: [a", 2, "expected ',' or ']'"),
        (b"version: 1\n---\nversion: 1", 2, "but found another document"),
        (b"version: 1\nservices: " + b"[" * 5000, 2, "nested too deep"),
        (b"a: \x00", 1, "no YAML"),
        (b"a: \xff", 1, "no YAML"),
        (b"#" * 70_000, 1, "larger than"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(body: bytes, line: int, words: str) -> None:
    with pytest.raises(RulesFileInvalid) as refusal:
        read_rules_file(body)
    assert refusal.value.message.startswith(f".shipmark.yml, line {line}: ")
    assert words in refusal.value.message


def test_a_pattern_that_cannot_be_used_is_named_with_its_line() -> None:
    file = read_rules_file(b"version: 1\nservices:\n  a:\n    - x\n    - '#y'\n  b: z")
    with pytest.raises(PathRulesInvalid) as wrong:
        compile_path_rules(file.rules, GitIgnoreEngine())
    assert file.refusal(wrong.value).message == (
        ".shipmark.yml, line 5: services.a[1]: '#y' cannot be used: it is a comment, or matches "
        "nothing."
    )


@given(
    st.binary(max_size=60)
    | st.text(alphabet="version: 1\nservices-[]{}&*!|>'\"#?,%@`\t", max_size=60).map(str.encode)
)
def test_any_file_is_read_or_refused(body: bytes) -> None:
    try:
        assert read_rules_file(body).rules
    except RulesFileInvalid as refusal:
        assert ", line " in refusal.message  # noqa: PT017 - one of two right answers
