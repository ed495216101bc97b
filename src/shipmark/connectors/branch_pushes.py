"""The commits that came to a branch, alike for every forge."""

from collections.abc import Iterable

from shipmark.application.facts import BranchPush, Fact, PushedCommit


def branch_push(repository: str, branch: str, commits: Iterable[PushedCommit]) -> list[Fact]:
    """The push that brought commits to a branch; none if there are none."""
    pushed = tuple(commits)
    return [BranchPush(repository=repository, branch=branch, commits=pushed)] if pushed else []
