"""What the history of a branch says was merged, and when."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.connectors.clones import MORNING, Builder, a_repository, instant

from shipmark.connectors.git import Clone
from shipmark.connectors.git_history import (
    Commit,
    HistoryEntry,
    InnerCommits,
    Landing,
    MergedPull,
    read_history,
)
from shipmark.domain.model import PullRequest


@pytest.fixture
def repository(tmp_path: Path) -> Builder:
    return a_repository(tmp_path / "shop.git")


def history(repository: Builder, branch: str = "main") -> list[HistoryEntry]:
    clone = Clone(repository.path)
    return list(clone.history(clone.branch(branch)))


def pulls(repository: Builder) -> dict[int, MergedPull]:
    return {entry.pull.number: entry.pull for entry in history(repository) if entry.pull}


# What each commit is


def test_a_merge_commit_is_its_pull_request_with_all_that_the_history_knows(
    repository: Builder,
) -> None:
    root = repository.commit("Begin", at=MORNING)
    draw = repository.commit(
        "Draw", root, at=MORNING + 90, authored=MORNING + 5, author="Ben Example"
    )
    wire = repository.commit("Wire", draw, at=MORNING + 95, author="Cleo Example")
    message = "Merge pull request #12 from org/feature/login\n\nAdd a login page"
    merge = repository.commit(message, root, wire, at=MORNING + 100, author="Dan Merger")
    repository.point("main", merge)
    begun, merged = history(repository)
    assert begun == HistoryEntry(sha=root, at=instant(MORNING), pull=None)
    assert (merged.sha, merged.at) == (merge, instant(MORNING + 100))
    assert merged.pull == MergedPull(
        number=12,
        base_ref="main",
        merged_at=instant(MORNING + 100),
        merge_commit_sha=merge,
        title="Add a login page",
        author="Cleo Example",
        head_ref="feature/login",
        head_sha=wire,
        first_commit_at=instant(MORNING + 5),
        commit_shas=frozenset({draw, wire}),
    )


def test_a_squash_commit_is_its_pull_request_and_has_no_other_commits(repository: Builder) -> None:
    sha = repository.commit(
        "Add a login page (#12)\n\n* Draw\n", at=MORNING + 100, authored=MORNING, author="Zoë 例"
    )
    repository.point("main", sha)
    assert pulls(repository)[12] == MergedPull(
        number=12,
        base_ref="main",
        merged_at=instant(MORNING + 100),
        merge_commit_sha=sha,
        title="Add a login page",
        author="Zoë 例",
        first_commit_at=instant(MORNING),
    )


def test_facts_are_fields_of_a_pull_request_and_leave_out_what_is_not_known(
    repository: Builder,
) -> None:
    (sha,) = repository.land("Add a login page (#12)", at=[MORNING])
    facts = pulls(repository)[12].facts("org/shop")
    assert (facts.repository, facts.number) == ("org/shop", 12)
    assert facts.values == {
        "base_ref": "main",
        "merged_at": instant(MORNING),
        "merge_commit_sha": sha,
        "title": "Add a login page",
        "author": "Ada Example",
        "first_commit_at": instant(MORNING),
    }
    stored = PullRequest(id=1, repository_id=1, number=facts.number, **facts.values)
    assert stored.shas == {sha}


def test_a_direct_push_and_a_plain_merge_are_commits_of_the_branch_alone(
    repository: Builder,
) -> None:
    root = repository.commit("Begin")
    side = repository.commit("Elsewhere (#5)", root)
    merge = repository.commit("Merge branch 'side'", root, side)
    push = repository.commit("Repair in a hurry", merge)
    repository.point("main", push)
    assert [(entry.sha, entry.pull) for entry in history(repository)] == [
        (root, None),
        (merge, None),
        (push, None),
    ]


def test_commits_of_a_rebased_pull_request_are_merged_by_the_last_of_them(
    repository: Builder,
) -> None:
    begin = repository.commit("Begin")
    draw = repository.commit("Draw (#12)", begin, authored=MORNING - 500, author="Ben Example")
    wire = repository.commit("Wire (#12)", draw, authored=MORNING - 900, author="Cleo Example")
    polish = repository.commit("Polish (#12)", wire, author="Dan Example", at=MORNING + 300)
    after = repository.commit("Other (#13)", polish)
    repository.point("main", after)
    entries = history(repository)
    assert [entry.sha for entry in entries] == [begin, draw, wire, polish, after]
    assert [entry.pull.number if entry.pull else None for entry in entries] == [
        None,
        None,
        None,
        12,
        13,
    ]
    assert pulls(repository)[12] == MergedPull(
        number=12,
        base_ref="main",
        merged_at=instant(MORNING + 300),
        merge_commit_sha=polish,
        title="Polish",
        author="Dan Example",
        first_commit_at=instant(MORNING - 900),
        commit_shas=frozenset({draw, wire}),
    )


def test_a_number_that_comes_again_later_is_a_plain_commit(repository: Builder) -> None:
    shas = repository.land("Draw (#12)", "Other (#13)", "Draw again (#12)", "And again (#12)")
    assert [(entry.sha, entry.pull and entry.pull.number) for entry in history(repository)] == [
        (shas[0], 12),
        (shas[1], 13),
        (shas[2], None),
        (shas[3], None),
    ]


def test_a_commit_that_quotes_the_number_of_the_merge_before_it_is_no_part_of_it(
    repository: Builder,
) -> None:
    root = repository.commit("Begin")
    side = repository.commit("Draw", root)
    merge = repository.commit("Merge pull request #12 from org/x", root, side)
    more = repository.commit("Follow up (#12)", merge)
    repository.point("main", more)
    assert [entry.pull is not None for entry in history(repository)] == [False, True, False]
    assert pulls(repository)[12].merge_commit_sha == merge


def test_each_merge_has_the_commits_that_it_was_first_to_bring(repository: Builder) -> None:
    root = repository.commit("Begin")
    a1 = repository.commit("a1", root)
    b1 = repository.commit("b1", root)
    a2 = repository.commit("a2", a1)
    first = repository.commit("Merge pull request #1 from org/a", root, a1)
    # b takes in main, which has a1 by then, and a2, which nobody merged yet.
    b2 = repository.commit("Merge branch 'main' into b", b1, first)
    b3 = repository.commit("Merge branch 'a' into b", b2, a2)
    second = repository.commit("Merge pull request #2 from org/b", first, b3)
    a3 = repository.commit("a3", a2)
    third = repository.commit("Merge pull request #3 from org/a", second, a3)
    repository.point("main", third)
    found = pulls(repository)
    assert found[1].commit_shas == {a1}
    assert found[2].commit_shas == {b1, b2, b3, a2}
    assert found[3].commit_shas == {a3}
    for number, merge in ((1, first), (2, second), (3, third)):
        told = repository.git("rev-list", f"{merge}^1..{merge}").split()
        assert found[number].commit_shas == set(told) - {merge}


def test_a_clock_that_runs_ahead_does_not_move_commits_to_a_later_merge(
    repository: Builder,
) -> None:
    """By date, git would tell of a1 only after the merge that brought it."""
    root = repository.commit("Begin", at=MORNING)
    a1 = repository.commit("a1", root, at=MORNING + 900)
    b1 = repository.commit("b1", a1, at=MORNING + 950)
    first = repository.commit("Merge pull request #1 from org/a", root, a1, at=MORNING + 1)
    second = repository.commit("Merge pull request #2 from org/b", first, b1, at=MORNING + 990)
    repository.point("main", second)
    found = pulls(repository)
    assert (found[1].commit_shas, found[2].commit_shas) == (frozenset({a1}), frozenset({b1}))


def test_a_merge_of_several_branches_has_the_commits_of_all(repository: Builder) -> None:
    root = repository.commit("Begin")
    left = repository.commit("left", root, author="Lena Left")
    right = repository.commit("right", root, author="Rolf Right")
    merge = repository.commit("Merge pull request #1 from org/both", root, left, right)
    repository.point("main", merge)
    found = pulls(repository)[1]
    assert found.commit_shas == {left, right}
    assert (found.head_sha, found.author) == (left, "Lena Left")


def test_a_hotfix_branch_is_merged_when_it_comes_to_the_branch_and_not_before(
    repository: Builder,
) -> None:
    one = repository.commit("One (#1)")
    fix = repository.commit("Hotfix (#9)", one, author="Hana Hotfix")
    two = repository.commit("Two (#2)", one)
    back = repository.commit("Merge pull request #10 from org/hotfix", two, fix)
    repository.point("main", back)
    repository.point("hotfix", fix)
    assert [entry.sha for entry in history(repository)] == [one, two, back]
    assert set(pulls(repository)) == {1, 2, 10}
    assert pulls(repository)[10].commit_shas == {fix}
    assert [entry.sha for entry in history(repository, "hotfix")] == [one, fix]


# When it came to the branch


def test_pull_requests_of_one_second_keep_the_order_of_the_branch(repository: Builder) -> None:
    repository.land("Two (#2)", "Push", "One (#1)", "Three (#3)", at=[MORNING] * 3 + [MORNING + 1])
    entries = history(repository)
    assert [entry.at for entry in entries] == [
        instant(MORNING),
        instant(MORNING, 1),
        instant(MORNING, 2),
        instant(MORNING + 1),
    ]
    assert all(entry.pull is None or entry.pull.merged_at == entry.at for entry in entries)


def test_a_clock_that_went_back_does_not_turn_the_order_around(repository: Builder) -> None:
    repository.land(
        "One (#1)",
        "Two (#2)",
        "Three (#3)",
        "Four (#4)",
        at=[MORNING, MORNING + 9, 50, MORNING + 8],
    )
    assert [entry.at for entry in history(repository)] == [
        instant(MORNING),
        instant(MORNING + 9),
        instant(MORNING + 9, 1),
        instant(MORNING + 9, 2),
    ]


def test_what_lies_between_two_tags_by_time_is_what_git_says_lies_between_them(
    repository: Builder,
) -> None:
    skewed = [MORNING, MORNING, MORNING - 60, MORNING + 5, MORNING + 5, MORNING + 2, MORNING + 9]
    shas = repository.land(*(f"Work (#{7 - place})" for place in range(7)), at=skewed)
    repository.tag("v1", shas[1])
    repository.tag("v2", shas[4])
    told = repository.git("log", "--first-parent", "--format=%H", "v1..v2").split()
    entries = history(repository)
    at = {entry.sha: entry.at for entry in entries}
    first, second = (tag.sha for tag in Clone(repository.path).tags("v*"))
    assert {entry.sha for entry in entries if at[first] < entry.at <= at[second]} == set(told)


def test_since_leaves_out_earlier_entries_and_changes_none(repository: Builder) -> None:
    repository.land(
        "One (#1)",
        "Two (#2)",
        "Three (#3)",
        "Two again (#2)",
        "Four (#4)",
        at=[MORNING, MORNING + 9, MORNING + 3, MORNING + 9, MORNING + 20],
    )
    everything = history(repository)
    clone = Clone(repository.path)
    for start in range(len(everything)):
        since = everything[start].at
        assert list(clone.history(clone.branch("main"), since)) == everything[start:]


def test_since_inside_a_rebased_pull_request_keeps_its_earlier_commits(repository: Builder) -> None:
    shas = repository.land("a (#1)", "b (#1)", "c (#1)", at=[MORNING, MORNING + 5, MORNING + 9])
    clone = Clone(repository.path)
    (entry,) = clone.history(clone.branch("main"), instant(MORNING + 9))
    assert entry.pull is not None
    assert entry.pull.commit_shas == set(shas[:2])


# Any history


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Commit]:
    """Commits by name, parents before children, each with up to three parents; one is the tip."""
    commits: dict[str, Commit] = {}
    for number in range(draw(st.integers(1, 14))):
        earlier = sorted(commits)
        some = st.lists(st.sampled_from(earlier), max_size=3, unique=True)
        parents = draw(some) if earlier else []
        name = f"c{number:02}"
        commits[name] = Commit(name, tuple(parents), number, None)
    return commits


def reachable(commits: dict[str, Commit], *starts: str) -> set[str]:
    found: set[str] = set()
    for start in starts:
        found |= {start} | reachable(commits, *commits[start].parents)
    return found


def first_parents(commits: dict[str, Commit], tip: str) -> list[str]:
    chain = [tip]
    while parents := commits[chain[-1]].parents:
        chain.append(parents[0])
    return chain[::-1]


@st.composite
def parents_first(draw: st.DrawFn, commits: dict[str, Commit], names: set[str]) -> list[Commit]:
    """These commits in some order in which no commit comes before its parents."""
    ordered: list[str] = []
    while left := names - set(ordered):
        ready = [one for one in sorted(left) if not left & set(commits[one].parents)]
        ordered.append(draw(st.sampled_from(ready)))
    return [commits[name] for name in ordered]


@given(st.data())
def test_a_merge_brings_what_its_first_parent_did_not_have(data: st.DataObject) -> None:
    commits = data.draw(graphs())
    tip = max(commits)
    told = data.draw(parents_first(commits, reachable(commits, tip)))
    inner = InnerCommits(told)
    for name in first_parents(commits, tip):
        before = reachable(commits, *commits[name].parents[:1])
        assert set(inner.brought_by(commits[name])) == reachable(commits, name) - before - {name}


@given(st.lists(st.tuples(st.none() | st.integers(0, 9), st.integers(1, 3)), max_size=30))
def test_instants_rise_numbers_come_once_and_every_commit_is_told(
    drawn: list[tuple[int | None, int]],
) -> None:
    landings: list[Landing] = []
    for place, (committed, number) in enumerate(drawn):
        parents = (landings[-1].commit.sha,) if landings else ()
        commit = Commit(f"c{place:02}", parents, committed, None)
        landings.append(Landing(commit, committed, f"Work (#{number})"))
    entries = list(read_history("main", landings, [landing.commit for landing in landings]))
    assert [entry.sha for entry in entries] == [landing.commit.sha for landing in landings]
    instants = [entry.at for entry in entries]
    assert all(earlier < later for earlier, later in pairwise(instants))
    numbers = [entry.pull.number for entry in entries if entry.pull]
    assert len(numbers) == len(set(numbers))
    assert set(numbers) == {number for _, number in drawn}
