"""Read a local clone with the git executable: its branches, their history, its tags.

Git is given lists of arguments, never a shell line; branches as full references or commits, so
that none is taken for an option; and answers in NUL-separated fields, so that nothing in a
message is taken for structure.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from shipmark.connectors.git_history import (
    EPOCH,
    MICROSECOND,
    Commit,
    HistoryEntry,
    Landing,
    instant,
    read_history,
)
from shipmark.domain.errors import InvalidArgument

CHUNK = 1 << 16
LAST_SECOND = 253_370_764_800
"""The year 9999 in Unix seconds. Git keeps later dates than that; they are nobody's."""
LOCAL = "refs/heads/"
REMOTE = "refs/remotes/origin/"
USUAL_NAMES = ("main", "master")

# The names are those of the project's mailmap, if it has one; e-mail addresses are not asked for.
COMMIT_FIELDS = ("%H", "%P", "%at", "%aN")
LANDING_FIELDS = (*COMMIT_FIELDS, "%ct", "%B")
TAG_FIELDS = (
    "%(objecttype)",
    "%(objectname)",
    "%(*objecttype)",
    "%(*objectname)",
    "%(creatordate:unix)",
    "%(committerdate:unix)",
    "%(*committerdate:unix)",
    "%(refname:strip=2)",
)
_EMAIL = re.compile(r"\S@\S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch of the clone: its name without a remote's, and the commit it ends in."""

    name: str
    tip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag: the commit it stands for in the end, and when it was made, in UTC."""

    name: str
    sha: str
    at: datetime


class Clone:
    """A repository on this machine, bare or with a working tree.

    Everything here raises InvalidArgument when git is missing or cannot do what is asked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        git = shutil.which("git")
        if git is None:
            raise InvalidArgument("git was not found; install it, or add it to the PATH.")
        # A signature would be checked, and printed, for each commit.
        self._command = [git, "-C", str(self.path), "--no-pager", "-c", "log.showSignature=false"]
        asked = self._run("rev-parse", "--git-dir")
        if asked.returncode:
            raise InvalidArgument(f"{path} is not a git repository: {_complaint(asked.stderr)}")

    @property
    def is_shallow(self) -> bool:
        """Whether old commits were left out: what they merged is then missing here too, and so
        are commits of pull requests; what lies beyond the first commits is not known."""
        return self._read("rev-parse", "--is-shallow-repository").strip() == "true"

    def default_branch(self) -> str:
        """The name of the branch that origin calls its default, or else the one checked out.

        On a commit that no branch is checked out for (as build servers do), main or master.
        """
        origin = self._ask("symbolic-ref", "--quiet", f"{REMOTE}HEAD") or ""
        here = self._ask("symbolic-ref", "--quiet", "HEAD") or ""
        for name in (origin.removeprefix(REMOTE), here.removeprefix(LOCAL), *USUAL_NAMES):
            if name and self._tip(name):
                return name
        raise InvalidArgument(f"{self.path} does not tell its default branch; name the branch.")

    def branch(self, name: str | None = None) -> Branch:
        """The branch of this name (`main` or `origin/main`), or the default branch."""
        short = (name or self.default_branch()).removeprefix(LOCAL)
        tip = self._tip(short)
        if tip is None and short.startswith("origin/"):
            short = short.removeprefix("origin/")
            tip = self._ask("show-ref", "--verify", "--hash", REMOTE + short)
        if tip is None:
            raise InvalidArgument(f"{self.path} has no branch '{short}', nor has its origin.")
        return Branch(name=short, tip=tip)

    def _tip(self, name: str) -> str | None:
        """The last commit of a branch: here or at origin, whichever has gone further.

        A clone's own branch is stale after a fetch; a fork's origin is, after a pull from where
        it was forked. Where both went their own ways, what origin has is what was merged.
        """
        here = self._ask("show-ref", "--verify", "--hash", LOCAL + name)
        origin = self._ask("show-ref", "--verify", "--hash", REMOTE + name)
        if here is None or origin is None:
            return here or origin
        ahead = self._run("merge-base", "--is-ancestor", origin, here).returncode == 0
        return here if ahead else origin

    def count(self, branch: Branch) -> int:
        """How many entries the whole history of the branch has."""
        return int(self._read("rev-list", "--count", "--first-parent", branch.tip, "--"))

    def history(self, branch: Branch, since: datetime | None = None) -> Iterator[HistoryEntry]:
        """The first-parent history of the branch, oldest first, from ``since`` (aware) on.

        All of it is read in any case, so that an entry is the same whatever ``since`` is.
        """
        walk = ("log", "--encoding=UTF-8", "--reverse", "-z")
        chain = self._rows(LANDING_FIELDS, *walk, "--first-parent", branch.tip)
        graph = self._rows(COMMIT_FIELDS, *walk, "--topo-order", branch.tip)
        with closing(chain), closing(graph):
            for entry in read_history(branch.name, map(_landing, chain), map(_commit, graph)):
                if since is None or entry.at >= since:
                    yield entry

    def tags(self, pattern: str) -> list[Tag]:
        """The tags of commits that match a pattern as of `git tag --list`, oldest first.

        An annotated tag has the time it was made; another has that of its commit. Tags of one
        second are in the order of their commits' dates, and a microsecond apart: deployments
        of one instant would be in the order of their names, where v1.10 comes before v1.9.
        """
        listed = self._read(
            "tag", "--list", "--no-column", f"--format={' '.join(TAG_FIELDS)}", "--", pattern
        )
        found = sorted(filter(None, map(self._tag, listed.split("\n")[:-1])))
        tags: list[Tag] = []
        at = EPOCH - MICROSECOND
        for seconds, _, name, sha in found:
            at = max(instant(seconds), at + MICROSECOND)
            tags.append(Tag(name=name, sha=sha, at=at))
        return tags

    def _tag(self, line: str) -> tuple[int, int, str, str] | None:
        """Its time and its commit's in Unix seconds, its name and its commit; None: no commit's."""
        kind, sha, inner_kind, inner_sha, created, committed, inner_committed, name = line.split(
            " "
        )
        if kind == "tag":
            kind, sha, committed = inner_kind, inner_sha, inner_committed
        if kind == "tag":
            # A tag of a tag, which git before 2.45 follows one step only.
            peeled = self._ask("rev-parse", "--verify", "--quiet", f"refs/tags/{name}^{{commit}}")
            kind, sha = ("commit", peeled) if peeled else ("", "")
        if kind != "commit":
            return None
        # The oldest annotated tags do not say when they were made.
        return _seconds(created or committed) or 0, _seconds(committed) or 0, name, sha

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(  # noqa: S603 - a list, without a shell; see the module's docstring
            [*self._command, *arguments], capture_output=True, check=False, env=_environment()
        )

    def _ask(self, *arguments: str) -> str | None:
        """What git answers, on one line; None if it has no answer."""
        asked = self._run(*arguments)
        return None if asked.returncode else _text(asked.stdout).strip()

    def _read(self, *arguments: str) -> str:
        asked = self._run(*arguments)
        if asked.returncode:
            raise InvalidArgument(f"git cannot read {self.path}: {_complaint(asked.stderr)}")
        return _text(asked.stdout)

    def _rows(self, form: tuple[str, ...], *arguments: str) -> Generator[list[str], None, None]:
        """Run git log and give out its commits as they come, each as the fields of ``form``."""
        command = [*self._command, *arguments, f"--format=tformat:{'%x00'.join(form)}", "--"]
        with (
            tempfile.TemporaryFile() as complaints,
            subprocess.Popen(  # noqa: S603 - as above
                command,
                # Unbuffered: what git has said so far is read, however little it is.
                bufsize=0,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=_environment(),
            ) as process,
        ):
            assert process.stdout is not None  # noqa: S101 - asked for just above
            try:
                yield from _records(process.stdout, len(form))
                process.wait()
            finally:
                # Whoever stops reading early must not wait for git to finish.
                process.kill()
            if process.returncode:
                complaints.seek(0)
                raise InvalidArgument(
                    f"git cannot read {self.path}: {_complaint(complaints.read())}"
                )


def _environment() -> dict[str, str]:
    """Where Shipmark runs inside a git hook, GIT_DIR and its like name another repository."""
    kept = ("GIT_CONFIG", "GIT_EXEC_PATH")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(kept)
    }
    ours = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    return inherited | ours


def _records(stream: IO[bytes], width: int) -> Iterator[list[str]]:
    """Cut a stream of NUL-terminated fields into records of ``width`` fields."""
    record: list[str] = []
    pieces: list[bytes] = []
    while chunk := stream.read(CHUNK):
        piece, *following = chunk.split(b"\0")
        pieces.append(piece)
        for start in following:
            record.append(_text(b"".join(pieces)))
            pieces = [start]
            if len(record) == width:
                yield record
                record = []


def _landing(row: list[str]) -> Landing:
    *commit, committed, message = row
    return Landing(commit=_commit(commit), committed=_seconds(committed), message=message)


def _commit(row: list[str]) -> Commit:
    sha, parents, authored, author = row
    # Some have put their e-mail address where their name goes.
    name = None if _EMAIL.search(author) else author.strip() or None
    return Commit(sha, tuple(parents.split()), _seconds(authored), name)


def _seconds(text: str) -> int | None:
    """A date in Unix seconds; None for what is no date. Git leaves empty what it cannot read."""
    seconds = int(text) if text.isdecimal() else None
    return None if seconds is None or seconds > LAST_SECOND else seconds


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="replace")


def _complaint(stderr: bytes) -> str:
    """The first line of what git complained of."""
    said = _text(stderr).replace("\0", "").strip() or "it does not say why"
    return said.splitlines()[0].removeprefix("fatal: ")
