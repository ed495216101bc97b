"""Path patterns mean what they mean to git, and take linear time."""

import subprocess
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipmark.connectors.gitignore_paths import GitIgnoreEngine
from shipmark.domain.path_rules import Decision
from shipmark.domain.patterns import PatternInvalid


def test_a_catastrophic_pattern_takes_linear_time() -> None:
    matcher = GitIgnoreEngine().compile(["*a" * 200 + "b"])
    began = time.perf_counter()
    assert matcher.decide("a" * 4000) is None
    assert time.perf_counter() - began < 2


def test_the_last_match_decides_and_says_which_it_was() -> None:
    matcher = GitIgnoreEngine().compile(["docs/", "*.md", "!docs/api.md"])
    assert matcher.decide("docs/x.txt") == Decision(0, included=True)
    assert matcher.decide("docs/x.md") == Decision(1, included=True)
    assert matcher.decide("docs/api.md") == Decision(2, included=False)
    assert matcher.decide("src/x.py") is None


names = st.text(alphabet="ab.", min_size=1, max_size=3).filter(lambda name: name.strip("."))
files = st.lists(names, min_size=1, max_size=4).map("/".join)
parts = st.sampled_from(["a", "b", "*", "a*", "?", "**", "[ab]", "[!a]"])
patterns = st.builds(
    lambda first, middle, last: first + "/".join(middle) + last,
    st.sampled_from(["", "/"]),
    st.lists(parts, min_size=1, max_size=3),
    st.sampled_from(["", "/"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(patterns, st.lists(files, min_size=1, max_size=12, unique=True))
def test_a_pattern_matches_what_git_says_it_does(
    tmp_path: Path, pattern: str, changed: list[str]
) -> None:
    try:
        matcher = GitIgnoreEngine().compile([pattern])
    except PatternInvalid:
        return
    if not (tmp_path / ".git").exists():
        subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text(pattern + "\n")
    said = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"],
        cwd=tmp_path,
        input="\n".join(changed),
        capture_output=True,
        text=True,
        check=False,
    )
    ignored = set(said.stdout.splitlines())
    assert {file for file in changed if matcher.decide(file)} == ignored
