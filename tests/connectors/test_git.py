"""Reading real clones: branches, tags, and whatever bytes a history holds."""

import os
import shutil
from pathlib import Path

import pytest
from tests.connectors.clones import MORNING, Builder, a_repository, instant

from shipmark.connectors.git import Branch, Clone, Tag
from shipmark.connectors.git_history import HistoryEntry, MergedPull
from shipmark.domain.errors import InvalidArgument


@pytest.fixture
def repository(tmp_path: Path) -> Builder:
    return a_repository(tmp_path / "shop.git")


def history(repository: Builder, branch: str = "main") -> list[HistoryEntry]:
    clone = Clone(repository.path)
    return list(clone.history(clone.branch(branch)))


def pulls(repository: Builder) -> dict[int, MergedPull]:
    return {entry.pull.number: entry.pull for entry in history(repository) if entry.pull}


def test_an_email_address_given_as_a_name_is_not_recorded(repository: Builder) -> None:
    sha = repository.commit("Add a login page (#12)", author="ada@example.com")
    repository.point("main", sha)
    assert pulls(repository)[12].author is None


def test_a_person_has_the_name_that_the_mailmap_gives(repository: Builder, tmp_path: Path) -> None:
    sha = repository.commit("Add a login page (#12)", author="ada-laptop")
    repository.point("main", sha)
    tree = tmp_path / "tree"
    repository.git("clone", "--quiet", str(repository.path), str(tree))
    (tree / ".mailmap").write_text("Ada Example <author@example.com>\n")
    clone = Clone(tree)
    (entry,) = clone.history(clone.branch())
    assert entry.pull is not None
    assert entry.pull.author == "Ada Example"


def test_bytes_that_are_no_text_are_replaced(repository: Builder) -> None:
    repository.point("main", repository.raw_commit(b"Caf\xe9 \xff (#12)\n"))
    assert pulls(repository)[12].title == "Caf\ufffd \ufffd"


def test_a_message_in_another_encoding_is_read_in_it(repository: Builder) -> None:
    sha = repository.raw_commit(b"Caf\xe9 (#12)\n", header="encoding ISO-8859-1\n")
    repository.point("main", sha)
    assert pulls(repository)[12].title == "Café"


@pytest.mark.parametrize("date", ["", "tomorrow", "99999999999999999999 +0000", "-5 +0000"])
def test_a_commit_whose_date_is_no_date_comes_when_the_one_before_it_came(
    repository: Builder, date: str
) -> None:
    sha = repository.raw_commit(b"One (#1)\n", date=date)
    repository.point("main", repository.commit("Two (#2)", sha, at=MORNING))
    first, second = history(repository)
    assert first.pull is not None
    assert (first.at, first.pull.first_commit_at) == (instant(0), None)
    assert second.at == instant(MORNING)


def test_a_message_of_many_megabytes_does_not_disturb_its_neighbours(repository: Builder) -> None:
    repository.land("One (#1)", "Two (#2)\n\n" + "words " * 1_000_000, "Three (#3)")
    assert [pull.title for pull in pulls(repository).values()] == ["One", "Two", "Three"]


def test_settings_of_whoever_runs_it_do_not_change_what_is_read(
    repository: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n c2lnbmVk\n -----END PGP SIGNATURE-----\n"
    signed = repository.raw_commit(b"One (#1)\n", header=signature)
    repository.point("main", repository.commit("Two (#2)", signed))
    for name in ("v1", "v2", "v3"):
        repository.tag(name, "main")
    before = (history(repository), Clone(repository.path).tags("*"))
    assert [len(found) for found in before] == [2, 3]
    checker = tmp_path / "gpg"
    checker.write_text("#!/bin/sh\necho '[GNUPG:] GOODSIG 1 Ada'\necho 'Good signature' >&2\n")
    checker.chmod(0o755)
    monkeypatch.setenv("COLUMNS", "1000")
    for setting in (
        f"gpg.program={checker}",
        "log.showSignature=true",
        "log.follow=true",
        "log.date=human",
        "format.pretty=oneline",
        "i18n.logOutputEncoding=UTF-16",
        "column.ui=always",
        "color.ui=always",
        "tag.sort=-refname",
        "core.pager=false",
    ):
        repository.git("config", *setting.split("="))
    assert (history(repository), Clone(repository.path).tags("*")) == before


# Branches


def test_the_default_branch_is_what_origin_calls_so(repository: Builder, tmp_path: Path) -> None:
    repository.point("trunk", repository.commit())
    repository.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    copy = tmp_path / "copy"
    repository.git("clone", "--quiet", str(repository.path), str(copy))
    mine = Builder(copy)
    mine.git("checkout", "--quiet", "-b", "feature")
    assert Clone(copy).default_branch() == "trunk"
    mine.git("remote", "set-head", "origin", "--delete")
    assert Clone(copy).default_branch() == "feature"


def test_without_a_branch_checked_out_the_default_is_main_or_master(repository: Builder) -> None:
    sha = repository.commit()
    repository.point("master", sha)
    assert Clone(repository.path).default_branch() == "master", "HEAD is a main without commits"
    repository.git("update-ref", "--no-deref", "HEAD", sha)
    repository.point("main", sha)
    assert Clone(repository.path).default_branch() == "main"


def test_a_repository_without_commits_asks_for_the_branch(repository: Builder) -> None:
    with pytest.raises(InvalidArgument, match="default branch"):
        Clone(repository.path).branch()


def test_a_branch_is_found_here_or_at_origin_and_named_without_it(
    repository: Builder, tmp_path: Path
) -> None:
    main, release = repository.commit(), repository.commit("Other")
    repository.point("main", main)
    repository.point("release/1", release)
    copy = tmp_path / "copy"
    repository.git("clone", "--quiet", str(repository.path), str(copy))
    clone = Clone(copy)
    for name in ("release/1", "origin/release/1"):
        assert clone.branch(name) == Branch(name="release/1", tip=release)
    for given in (None, "main", "refs/heads/main", "origin/main"):
        assert clone.branch(given) == Branch(name="main", tip=main)


def test_of_a_branch_here_and_at_origin_the_one_that_went_further_is_read(
    repository: Builder, tmp_path: Path
) -> None:
    one = repository.commit("One")
    two = repository.commit("Two", one)
    other = repository.commit("Other", one)
    repository.point("main", two)
    repository.point("spare", other)
    copy = Builder(tmp_path / "copy")
    repository.git("clone", "--quiet", str(repository.path), str(copy.path))

    def read(here: str, at_origin: str) -> str:
        copy.point("main", here)
        copy.git("update-ref", "refs/remotes/origin/main", at_origin)
        return Clone(copy.path).branch("main").tip

    assert read(here=one, at_origin=two) == two
    assert read(here=two, at_origin=one) == two
    assert read(here=two, at_origin=other) == other


@pytest.mark.parametrize("name", ["gone", "origin/gone", "-x", "--all", "main~1", "HEAD", "", "*"])
def test_a_branch_that_is_not_there_is_refused_by_name(repository: Builder, name: str) -> None:
    repository.land("One", "Two")
    repository.git("update-ref", "--no-deref", "HEAD", "main~1")
    repository.git("branch", "-m", "main", "trunk")
    with pytest.raises(InvalidArgument, match="branch"):
        Clone(repository.path).branch(name)


def test_count_is_the_number_of_entries(repository: Builder) -> None:
    root = repository.commit("Begin")
    side = repository.commit("More", repository.commit("Side", root))
    repository.point("main", repository.commit("Merge branch 'x'", root, side))
    clone = Clone(repository.path)
    assert clone.count(clone.branch("main")) == len(history(repository)) == 2


# Tags


def test_an_annotated_tag_has_its_own_time_and_a_light_one_its_commits(repository: Builder) -> None:
    one, two = repository.land("One", "Two", at=[MORNING, MORNING + 60])
    repository.tag("v1.1", two)
    repository.tag("v1.0", one, made=MORNING + 600)
    repository.tag("nightly", two)
    assert Clone(repository.path).tags("v*") == [
        Tag(name="v1.1", sha=two, at=instant(MORNING + 60)),
        Tag(name="v1.0", sha=one, at=instant(MORNING + 600)),
    ]


def test_tags_of_one_second_follow_their_commits_and_not_their_names(repository: Builder) -> None:
    one, two, three = repository.land("One", "Two", "Three", at=[MORNING, MORNING + 1, MORNING + 2])
    for name, sha in (("v1.10", two), ("v1.9", one), ("v1.11", three)):
        repository.tag(name, sha, made=MORNING + 600)
    assert [(tag.name, tag.at) for tag in Clone(repository.path).tags("v*")] == [
        ("v1.9", instant(MORNING + 600)),
        ("v1.10", instant(MORNING + 600, 1)),
        ("v1.11", instant(MORNING + 600, 2)),
    ]


def test_a_tag_of_a_tag_is_its_commit_and_a_tag_of_a_file_is_left_out(repository: Builder) -> None:
    (sha,) = repository.land("One", at=[MORNING])
    inner = repository.tag("v1-rc", sha, made=MORNING + 10)
    repository.tag("v1", inner, made=MORNING + 20)
    blob = repository.git("hash-object", "-w", "--stdin", stdin=b"a public key")
    repository.tag("v-key", blob)
    repository.tag("v-signed-key", blob, made=MORNING)
    assert [(tag.name, tag.sha, tag.at) for tag in Clone(repository.path).tags("v*")] == [
        ("v1-rc", sha, instant(MORNING + 10)),
        ("v1", sha, instant(MORNING + 20)),
    ]


def test_a_tag_that_does_not_say_when_it_was_made_has_its_commits_time(repository: Builder) -> None:
    (sha,) = repository.land("One", at=[MORNING])
    ancient = f"object {sha}\ntype commit\ntag v0.1\n\nThe first\n".encode()
    made = repository.git("hash-object", "-t", "tag", "-w", "--stdin", stdin=ancient)
    repository.git("update-ref", "refs/tags/v0.1", made)
    assert Clone(repository.path).tags("*") == [Tag(name="v0.1", sha=sha, at=instant(MORNING))]


def test_patterns_are_gits_own_and_never_options(repository: Builder) -> None:
    (sha,) = repository.land("One")
    for name in ("v1", "shop/v1", "shop/v2", "w1"):
        repository.tag(name, sha)
    clone = Clone(repository.path)
    assert {tag.name for tag in clone.tags("*v[12]")} == {"v1", "shop/v1", "shop/v2"}
    assert {tag.name for tag in clone.tags("shop/*")} == {"shop/v1", "shop/v2"}
    for pattern in ("--delete", "-d", "nothing"):
        assert clone.tags(pattern) == []
    assert len(clone.tags("*")) == 4


# What is no clone, or not a whole one


def test_a_directory_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="not a git repository"):
        Clone(tmp_path)
    with pytest.raises(InvalidArgument, match=r"No such file|cannot change"):
        Clone(tmp_path / "-gone")


def test_a_directory_whose_name_looks_like_an_option_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_repository(tmp_path / "--bare").land("One (#1)")
    monkeypatch.chdir(tmp_path)
    assert Clone(Path("--bare")).default_branch() == "main"


def test_a_machine_without_git_is_told_so(
    repository: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidArgument, match="git was not found"):
        Clone(repository.path)


def test_the_repository_of_a_hook_that_runs_it_is_not_mistaken_for_the_one_named(
    repository: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.land("One (#1)")
    other = a_repository(tmp_path / "other.git")
    monkeypatch.setenv("GIT_DIR", str(other.path))
    clone = Clone(repository.path)
    assert [entry.pull.number for entry in clone.history(clone.branch("main")) if entry.pull] == [1]


def test_a_shallow_clone_is_read_as_far_as_it_goes_and_says_so(
    repository: Builder, tmp_path: Path
) -> None:
    root = repository.commit("Begin")
    side = repository.commit("Draw", root)
    merge = repository.commit("Merge pull request #1 from org/x", root, side)
    last = repository.commit("Two (#2)", merge)
    repository.point("main", last)
    copy = tmp_path / "copy"
    repository.git("clone", "--quiet", "--depth=2", f"file://{repository.path}", str(copy))
    clone = Clone(copy)
    assert clone.is_shallow
    assert not Clone(repository.path).is_shallow
    assert [entry.sha for entry in clone.history(clone.branch())] == [merge, last]


def test_a_damaged_repository_is_an_error_and_not_a_short_history(repository: Builder) -> None:
    shas = repository.land("One (#1)", "Two (#2)", "Three (#3)")
    (repository.path / "objects" / shas[0][:2] / shas[0][2:]).unlink()
    with pytest.raises(InvalidArgument, match="cannot read"):
        history(repository)


def test_a_reader_that_stops_early_leaves_no_git_behind(
    repository: Builder, tmp_path: Path
) -> None:
    """The git on the PATH here hands over to the real one and then never ends by itself."""
    repository.land("One (#1)", "Two (#2)")
    clone = Clone(repository.path)
    branch = clone.branch("main")
    pids = tmp_path / "pids"
    slow = tmp_path / "git"
    slow.write_text(
        f'#!/bin/sh\necho $$ >> "{pids}"\n"{shutil.which("git")}" "$@"\nexec sleep 600\n'
    )
    slow.chmod(0o755)
    clone._command[0] = str(slow)  # noqa: SLF001 - only the constructor looks for git
    entries = clone.history(branch)
    next(entries)
    entries.close()  # type: ignore[attr-defined]
    started = pids.read_text().split()
    assert len(started) == 2
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
