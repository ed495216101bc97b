"""A made-up history of one repository, which each fake forge tells in its own way.

One thing happens an hour, counted as by `builders.at`. What is pushed was committed half an hour
before; what a merge makes, at once. Whatever a forge answers or sends follows from the happenings
up to that instant.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hypothesis import strategies as st
from tests.builders import at, sha

TRUNK, SIDE = "main", "develop"
"""The branches that pull requests are merged to. Each begins with a commit of its own."""

FIRST_OF_TRUNK, FIRST_OF_SIDE = 1, 2
PEOPLE = ("ada", "ben", "cleo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    sha: str
    at: datetime
    message: str = "Work on it"
    parents: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A pull request as it was at some time. ``state`` is open, merged or closed, ``ended_at``
    since when. Merged by a fast-forward, it has no ``merge``."""

    number: int
    title: str
    author: str
    base: str
    head: str
    commits: tuple[Commit, ...]
    created_at: datetime
    updated_at: datetime
    state: str = "open"
    ended_at: datetime | None = None
    merge: Commit | None = None

    @property
    def head_sha(self) -> str:
        return self.commits[-1].sha

    @property
    def files(self) -> list[str]:
        return sorted({file for commit in self.commits for file in commit.files})

    @property
    def merged_at(self) -> datetime | None:
        return self.ended_at if self.state == "merged" else None

    @property
    def landed_as(self) -> str | None:
        """The commit with which it came to its base branch."""
        if self.state != "merged":
            return None
        return self.merge.sha if self.merge else self.head_sha

    @property
    def is_squashed(self) -> bool:
        return self.merge is not None and len(self.merge.parents) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Commits that a branch got, the oldest first. ``direct``: not by merging."""

    branch: str
    before: str | None
    commits: tuple[Commit, ...]
    direct: bool

    @property
    def after(self) -> Commit:
        return self.commits[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    name: str
    default_branch: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release of a tag, of which no forge that has these tells the commit at once."""

    id: int
    tag: str
    commit: Commit
    published_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """``what`` is opened, synchronized, edited, retargeted, merged, closed, reopened, pushed,
    tagged, released, renamed or default branch changed. All else is as it was afterwards."""

    number: int
    at: datetime
    what: str
    repository: Repository
    pull: Pull | None = None
    push: Push | None = None
    tag: tuple[str, Commit] | None = None
    release: Release | None = None
    former: Repository | None = None


class History:
    """What happened, and the state of everything at any instant of it.

    ``names`` are the repository's first name, and the one it may get; ``methods`` are how pull
    requests may be merged: merge, squash or fast-forward.
    """

    def __init__(self, names: tuple[str, str], methods: tuple[str, ...]) -> None:
        self.names = names
        self.methods = methods
        self.happenings: list[Happening] = []
        self.commits: dict[str, Commit] = {}
        self._tips: dict[str, str] = {}
        self._pulls: dict[int, Pull] = {}
        self._now = at(0)
        self._repository = Repository(name=names[0], default_branch=TRUNK, changed_at=at(0))
        for number, branch in ((FIRST_OF_TRUNK, TRUNK), (FIRST_OF_SIDE, SIDE)):
            self._tips[branch] = self._commit(sha(number)).sha
        self._first_tips = dict(self._tips)

    # What was so at an instant

    @property
    def ended_at(self) -> datetime:
        return self._now

    def until(self, now: datetime) -> Iterator[Happening]:
        return (one for one in self.happenings if one.at <= now)

    def repository(self, now: datetime) -> Repository:
        first = Repository(name=self.names[0], default_branch=TRUNK, changed_at=at(0))
        return next(iter([one.repository for one in self.until(now)][-1:]), first)

    def pulls(self, now: datetime) -> dict[int, Pull]:
        """By their numbers, in the order in which they were opened."""
        return {one.pull.number: one.pull for one in self.until(now) if one.pull}

    def tips(self, now: datetime) -> dict[str, str]:
        pushed = {one.push.branch: one.push.after.sha for one in self.until(now) if one.push}
        return self._first_tips | pushed

    def tags(self, now: datetime) -> dict[str, Commit]:
        return dict(one.tag for one in self.until(now) if one.tag)

    def releases(self, now: datetime) -> list[Release]:
        return [one.release for one in self.until(now) if one.release]

    def reachable(self, tip: str) -> list[Commit]:
        """A commit and all before it, the newest first."""
        found: dict[str, Commit] = {}
        waiting = [tip]
        while waiting:
            commit = self.commits[waiting.pop()]
            if commit.sha not in found:
                found[commit.sha] = commit
                waiting += commit.parents
        return sorted(found.values(), key=lambda one: (one.at, one.sha), reverse=True)

    def first_parents(self, tip: str | None) -> list[Commit]:
        """A branch's own commits, the newest first."""
        line: list[Commit] = []
        while tip:
            line.append(self.commits[tip])
            tip = next(iter(line[-1].parents), None)
        return line

    def known(self, prefix: str, now: datetime) -> Commit | None:
        """The commit that begins so, if it was pushed by then."""
        there = {one.sha for tip in self.tips(now).values() for one in self.reachable(tip)}
        return next((self.commits[one] for one in there if one.startswith(prefix.lower())), None)

    # What happens

    def happen(self, what: str, which: int, how: int) -> None:
        """Let something of a kind happen an hour later; where it cannot, something else."""
        hour = len(self.happenings) + 1
        self._now = at(hour)
        chosen = [one for one in self._pulls.values() if one.state == STATE_BEFORE.get(what)]
        if what in STATE_BEFORE and not chosen:
            what, chosen = "open", []
        if what == "rename" and self._repository.name == self.names[1]:
            what = "commit_to"
        pull = chosen[which % len(chosen)] if chosen else None
        getattr(self, f"_{what}")(pull, how)

    def _open(self, _: Pull | None, how: int) -> None:
        number = len(self._pulls) + 1
        base = SIDE if how % 4 == 3 else TRUNK
        branch = f"work-{number}"
        commits = self._commits(self._tips[base], 1 + how % 3)
        self._push(branch, commits, before=None)
        pull = Pull(
            number=number,
            title=f"Change {number}",
            author=PEOPLE[how % 3],
            base=base,
            head=branch,
            commits=commits,
            created_at=self._now,
            updated_at=self._now,
        )
        self._tell("opened", pull=pull)

    def _synchronize(self, pull: Pull, how: int) -> None:
        commits = self._commits(pull.head_sha, 1 + how % 2)
        self._push(pull.head, commits, before=pull.head_sha)
        self._change("synchronized", pull, commits=(*pull.commits, *commits))

    def _edit(self, pull: Pull, how: int) -> None:
        self._change("edited", pull, title=f"Change {pull.number}, said better {how}")

    _edit_merged = _edit

    def _retarget(self, pull: Pull, _: int) -> None:
        self._change("retargeted", pull, base=SIDE if pull.base == TRUNK else TRUNK)

    def _close(self, pull: Pull, _: int) -> None:
        self._change("closed", pull, state="closed", ended_at=self._now)

    def _reopen(self, pull: Pull, _: int) -> None:
        self._change("reopened", pull, state="open", ended_at=None)

    def _merge(self, pull: Pull, how: int) -> None:
        before = self._tips[pull.base]
        method = self.methods[how % len(self.methods)]
        landed: tuple[Commit, ...]
        if method == "fast-forward" and before in {
            one.sha for one in self.reachable(pull.head_sha)
        }:
            merge, landed = None, pull.commits
        else:
            parents = (before,) if method == "squash" else (before, pull.head_sha)
            merge = self._commit(
                sha(1000 + pull.number),
                parents=parents,
                files=tuple(pull.files),
                message=f"{method} {pull.number}",
                at=self._now,
            )
            landed = (merge,) if method == "squash" else (*pull.commits, merge)
        self._push(pull.base, landed, before=before, direct=False)
        self._change("merged", pull, state="merged", ended_at=self._now, merge=merge)

    def _commit_to(self, _: Pull | None, how: int) -> None:
        branch = SIDE if how % 4 == 3 else TRUNK
        before = self._tips[branch]
        self._push(branch, self._commits(before, 1 + how % 2), before=before)

    def _tag(self, _: Pull | None, how: int) -> None:
        tip = self.commits[self._tips[SIDE if how % 4 == 3 else TRUNK]]
        self._tell("tagged", tag=(f"v{len(self.happenings)}", tip))

    def _release(self, _: Pull | None, how: int) -> None:
        """Publish a tag: one that is there, or a new one, which may be of an old commit."""
        released = {one.tag for one in self.releases(self._now)}
        there = [one for one in self.tags(self._now).items() if one[0] not in released]
        line = self.first_parents(self._tips[TRUNK])
        new = f"v{len(self.happenings)}", line[how % len(line)]
        name, commit = there[0] if there and how % 2 else new
        id_ = 500 + len(self.happenings)
        release = Release(id=id_, tag=name, commit=commit, published_at=self._now)
        tag = new if name == new[0] else None
        self._tell("released", tag=tag, release=release)

    def _rename(self, _: Pull | None, __: int) -> None:
        former = self._repository
        self._repository = replace(former, name=self.names[1], changed_at=self._now)
        self._tell("renamed", former=former)

    def _redirect(self, _: Pull | None, __: int) -> None:
        former = self._repository
        branch = SIDE if former.default_branch == TRUNK else TRUNK
        self._repository = replace(former, default_branch=branch, changed_at=self._now)
        self._tell("default branch changed", former=former)

    def _commits(self, parent: str, count: int) -> tuple[Commit, ...]:
        made: list[Commit] = []
        for _ in range(count):
            number = 10 + len(self.commits)
            parent_sha = made[-1].sha if made else parent
            files = (f"src/{number}.py", "README.md")
            made.append(self._commit(sha(number), parents=(parent_sha,), files=files))
        return tuple(made)

    def _commit(self, of: str, **values: Any) -> Commit:
        hour = len(self.happenings) + 1
        order = len(self.commits) / 3600
        made = Commit(**{"sha": of, "at": at(hour - 0.5 + order)} | values)
        self.commits[of] = made
        return made

    def _push(
        self, branch: str, commits: tuple[Commit, ...], *, before: str | None, direct: bool = True
    ) -> None:
        self._tips[branch] = commits[-1].sha
        self._pushed = Push(branch=branch, before=before, commits=commits, direct=direct)
        if direct and branch in (TRUNK, SIDE):
            self._tell("pushed")

    _pushed: Push | None = None

    def _change(self, what: str, pull: Pull, **changes: Any) -> None:
        self._tell(what, pull=replace(pull, updated_at=self._now, **changes))

    def _tell(self, what: str, *, pull: Pull | None = None, **more: Any) -> None:
        if pull:
            self._pulls[pull.number] = pull
        self.happenings.append(
            Happening(
                number=len(self.happenings),
                at=self._now,
                what=what,
                repository=self._repository,
                pull=pull,
                push=self._pushed,
                **more,
            )
        )
        self._pushed = None


STATE_BEFORE = {
    "synchronize": "open",
    "edit": "open",
    "retarget": "open",
    "close": "open",
    "merge": "open",
    "reopen": "closed",
    "edit_merged": "merged",
}
"""In which state a pull request must be for something to happen to it."""

OFTEN = ("open", "open", "merge", "merge", "merge", "commit_to")
SOMETIMES = ("synchronize", "edit", "retarget", "close", "tag", "rename", "redirect")


@st.composite
def histories(
    draw: st.DrawFn, names: tuple[str, str], methods: tuple[str, ...], also: tuple[str, ...]
) -> History:
    """Histories of a forge that merges by ``methods``; ``also`` is what else happens there."""
    kinds = st.sampled_from((*OFTEN, *OFTEN, *SOMETIMES, *also))
    drawn = draw(
        st.lists(st.tuples(kinds, st.integers(0, 3), st.integers(0, 11)), min_size=5, max_size=16)
    )
    history = History(names, methods)
    for what, which, how in drawn:
        history.happen(what, which, how)
    return history
