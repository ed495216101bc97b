"""Build small real repositories with the git executable: fixed dates, made-up people."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
MORNING = 1_700_000_000
"""Unix seconds. Where a test gives no date, commits are a minute apart from here on."""


def instant(seconds: int, microseconds: int = 0) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)


@dataclass
class Builder:
    """A bare repository whose commits have no files: only its history is of interest."""

    path: Path
    clock: int = MORNING

    def git(self, *arguments: str, stdin: bytes = b"", **environment: str) -> str:
        finished = subprocess.run(
            ["git", "-C", str(self.path), *arguments],
            input=stdin,
            check=True,
            capture_output=True,
            env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, **environment},
        )
        return finished.stdout.decode().strip()

    def commit(
        self,
        message: str = "Work",
        *parents: str,
        at: int | None = None,
        authored: int | None = None,
        author: str = "Ada Example",
    ) -> str:
        """A commit with these parents, on no branch yet; its SHA."""
        self.clock += 60
        committed = self.clock if at is None else at
        named = [word for parent in parents for word in ("-p", parent)]
        return self.git(
            "commit-tree",
            EMPTY_TREE,
            *named,
            stdin=message.encode(),
            GIT_AUTHOR_NAME=author,
            GIT_AUTHOR_EMAIL="author@example.com",
            GIT_AUTHOR_DATE=f"@{committed if authored is None else authored} +0200",
            GIT_COMMITTER_NAME="Forge",
            GIT_COMMITTER_EMAIL="forge@example.com",
            GIT_COMMITTER_DATE=f"@{committed} -0500",
        )

    def raw_commit(self, message: bytes, *, date: str = "0 +0000", header: str = "") -> str:
        """A commit as other programs than git have written them; its SHA."""
        person = f"Ada Example <ada@example.com> {date}"
        head = f"tree {EMPTY_TREE}\nauthor {person}\ncommitter {person}\n{header}\n"
        return self.git(
            "hash-object",
            "-t",
            "commit",
            "-w",
            "--literally",
            "--stdin",
            stdin=head.encode() + message,
        )

    def point(self, branch: str, sha: str) -> None:
        self.git("update-ref", f"refs/heads/{branch}", sha)

    def land(self, *messages: str, at: Sequence[int] | None = None) -> list[str]:
        """Single commits, one on the other, that become main; their SHAs."""
        shas: list[str] = []
        for index, message in enumerate(messages):
            shas.append(self.commit(message, *shas[-1:], at=None if at is None else at[index]))
        self.point("main", shas[-1])
        return shas

    def tag(self, name: str, target: str, *, made: int | None = None) -> str:
        """A tag, annotated if it was made at a time of its own."""
        if made is None:
            self.git("tag", name, target)
        else:
            self.git(
                "tag",
                "--annotate",
                "--message",
                name,
                name,
                target,
                GIT_COMMITTER_NAME="Rita Releaser",
                GIT_COMMITTER_EMAIL="rita@example.com",
                GIT_COMMITTER_DATE=f"@{made} +0000",
            )
        return self.git("rev-parse", f"refs/tags/{name}")


def a_repository(path: Path) -> Builder:
    """An empty bare repository whose branch is main."""
    path.mkdir(parents=True)
    builder = Builder(path)
    builder.git("init", "--quiet", "--bare", "--initial-branch=main")
    # Writes the tree that every commit has.
    builder.git("hash-object", "-w", "-t", "tree", "--stdin")
    return builder
