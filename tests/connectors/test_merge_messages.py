"""Which pull request a commit merged, in the words of each forge."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipmark.connectors.merge_messages import MergeMessage, read_merge_message

GITLAB_MERGE = """\
Merge branch 'feature/login' into 'main'

Add a login page

Closes #7 and #9

See merge request team/sub/web!123
"""

DATA_CENTER = """\
Merge pull request #123 in WEB/shop from feature/login to main

* commit '38560a7eed06e8d3f3f1aaf091befcdf8bf50fea':
  Draw the page
"""

DATA_CENTER_TITLED = """\
Pull request #123: Add a login page

Merge in WEB/shop from feature/login to main

* commit '38560a7eed06e8d3f3f1aaf091befcdf8bf50fea':
  Draw the page
"""

BITBUCKET_CLOUD = """\
Merged in feature/login (pull request #123)

Add a login page

Approved-by: Ben Example
"""

GITLAB_SQUASH = """\
Add a login page (#45)

* Draw it
* Wire it up

See merge request team/web!123

Changelog: added
Co-authored-by: Ben Example <ben@example.com>
"""


@pytest.mark.parametrize(
    ("message", "head_ref"),
    [
        ("Merge pull request #123 from org/feature/login\n\nAdd a login page\n", "feature/login"),
        ("Merge pull request #123 from org/login [skip ci]\n\nAdd a login page", "login"),
        ("Merge pull request #123 from org/login\r\n\r\nAdd a login page\r\n", "login"),
        ("\n\nMerge pull request #123 from org/login\n\n\n\nAdd a login page", "login"),
        (GITLAB_MERGE, "feature/login"),
        ("Merge branch 'it's' into 'main'\n\nAdd a login page\n\nSee merge request !123", "it's"),
        (
            "Merge branch 'x' into 'main'\n\nAdd a login page\n\n"
            "See merge request https://gitlab.example.com/team/web/-/merge_requests/123",
            "x",
        ),
        (DATA_CENTER_TITLED, "feature/login"),
        (DATA_CENTER_TITLED.replace("feature/login", "~BEN/shop:feature/login"), "feature/login"),
        (BITBUCKET_CLOUD, "feature/login"),
        ("Merge pull request 'Add a login page' (#123) from login into main", "login"),
        ("Merge pull request 'Add a login page' (!123) from ben/shop:a/b into main", "a/b"),
        ("Merge pull request 123 from login into main\n\nAdd a login page", "login"),
        ("Merged PR 123: Add a login page\n\nWith a description", None),
        ("Merge PR 123: Add a login page", None),
        ("Pull request #123: Add a login page\n\nSquashed commit of the following:", None),
        ("Add a login page (#123)\n\n* Draw it\n\n* Wire it up (#99)", None),
        ("Add a login page (!123)", None),
        ("Add a login page\n\nDescription\n\nSee merge request team/web!123", None),
        ("Add a login page (!123)\n\nSee merge request team/web!123", None),
    ],
)
def test_each_forges_wording_gives_number_title_and_branch(
    message: str, head_ref: str | None
) -> None:
    assert read_merge_message(message) == MergeMessage(
        number=123, title="Add a login page", head_ref=head_ref
    )


@pytest.mark.parametrize(
    ("message", "number", "title"),
    [
        ('Revert "Add a login page (#12)" (#34)', 34, 'Revert "Add a login page (#12)"'),
        ("Add a login page (#12) (#34)", 34, "Add a login page (#12)"),
        ("Merge branch 'main' into next (#34)", 34, "Merge branch 'main' into next"),
        (
            "Merge pull request #12 from fork/main (#34)",
            34,
            "Merge pull request #12 from fork/main",
        ),
        (
            "Merged in login (pull request #12) (#34)",
            34,
            "Merged in login (pull request #12)",
        ),
        ("Merged PR 34: Fix what #12 broke (#12)", 34, "Fix what #12 broke (#12)"),
        ("Pull request #34: Finish (#12)", 34, "Finish (#12)"),
        (GITLAB_SQUASH, 123, "Add a login page (#45)"),
        ("Merge pull request 'It's (#12) done' (#34) from x into main", 34, "It's (#12) done"),
    ],
)
def test_a_message_that_holds_several_numbers_means_the_forges_own(
    message: str, number: int, title: str
) -> None:
    read = read_merge_message(message)
    assert read is not None
    assert (read.number, read.title) == (number, title)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "\n \n",
        "Fix the parser",
        "fixes (#12) in parser",
        "Fix the parser (#12).",
        "Fix the parser, #12",
        "Fix the parser #12",
        "Fix the parser (org/other#12)",
        "Fix the parser (#12, #13)",
        "Fix the parser(#12)",
        "Fix the parser (#0)",
        "Fix the parser (#012)",
        "Fix the parser (#12345678901)",
        "Fix the parser (#1٢)",
        "x" * 3000 + " (#12)",
        "Fix\n\nSee merge request " + "x" * 3000 + "!12",
        "(#12)",
        "Fix the parser\n\nAdd a login page (#12)",
        'Revert "Add a login page (#12)"',
        'Revert "Merge pull request #12 from org/login"',
        "Revert \"Merge branch 'x' into 'main'\"\n\nThis reverts merge request !12",
        "Merge branch 'main' into feature",
        "Merge branch 'main' of https://git.example.com/org/shop",
        "Merge remote-tracking branch 'origin/main'",
        "Merge pull request #12",
        "Explain Merge pull request #12 from org/login",
        "Talk of a merge\n\nSee merge request team/web!12 for more",
        "Join\n\n* Merge branch 'x' into 'y'\n\nSee merge request team/web!12\n\n* fix: more work",
        "Join\n\nSee merge request team/web!12\n\nfix: more work",
        "Merged in by hand",
        "Merged PR by hand",
    ],
)
def test_what_is_not_a_forges_wording_is_no_pull_request(message: str) -> None:
    assert read_merge_message(message) is None


@pytest.mark.parametrize(
    "message",
    [
        "Merge pull request #123 from org/login",
        DATA_CENTER,
        "Merged in login (pull request #123)\n\nApproved-by: Ben Example",
        "Merge branch 'login' into 'main'\n\nSee merge request team/web!123",
        "Merged PR 123: ",
    ],
)
def test_a_title_that_the_message_does_not_have_is_not_made_up(message: str) -> None:
    read = read_merge_message(message)
    assert read is not None
    assert (read.number, read.title) == (123, None)


PIECES = (
    "Merge pull request #12 from org/x",
    "Merge pull request '",
    "' (#12) from x into main",
    "See merge request ",
    "https://",
    "/merge_requests/12",
    "Merged in ",
    "(pull request #12)",
    "Merge branch '",
    "Merged PR 12: ",
    "Pull request #12:",
    "(#12)",
    "!12",
    "\n",
    "\r",
    " ",
    "'",
    ":",
    "\ud800",
)


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)))
def test_no_message_whatever_is_refused(message: str) -> None:
    read = read_merge_message(message)
    if read is not None:
        assert 0 < read.number < 10**10
        assert read.title is None or read.title == read.title.strip() != ""
        assert read.head_ref is None or not set(read.head_ref) & set(" \n:")


@given(title=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=250))
def test_any_title_survives_a_squash(title: str) -> None:
    message = f"Say {title} (#123)\n\nAnd why"
    read = read_merge_message(message)
    assert read == MergeMessage(number=123, title=f"Say {title}")


@pytest.mark.parametrize(
    "unit", [" ", "(#12)", " (#12", "a ", "'", "' (#1) from ", "See merge request ", "x!", "\n"]
)
@pytest.mark.parametrize("opening", ["", "Merge pull request '", "Fix\n\nSee merge request "])
def test_a_message_made_to_be_slow_is_read_at_once(opening: str, unit: str) -> None:
    message = opening + unit * (1_990 // len(unit)) + "\n" + unit * 300_000
    started = time.process_time()
    read_merge_message(message)
    assert time.process_time() - started < 1.0
