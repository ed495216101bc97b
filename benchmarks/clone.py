"""A made-up git repository: a merge commit for each pull request, and a tag for each deployment."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.history import BEGINNING, MAIN, STEP, History, reached_by
from benchmarks.measure import require

WHO = "Somebody <somebody@forge.example>"


@dataclass(frozen=True)
class Repository:
    """A bare repository and the history that is in it."""

    path: Path
    history: History

    def run(self, *arguments: str, sent: str | None = None) -> str:
        """What a git command writes."""
        return git(self.path, *arguments, sent=sent)

    def shipped(self, deployment: int) -> list[str]:
        """The merge commits that a deployment brought since the one before it, newest first."""
        until = tag(deployment)
        reach = until if deployment == 1 else f"{tag(deployment - 1)}..{until}"
        return self.run("log", "--first-parent", "--merges", "--format=%H", reach).split()

    def first_tag_with(self, sha: str) -> str:
        """The first tag that contains a commit; empty if none does."""
        tags = self.run("tag", "--contains", sha, "--sort=creatordate").split()
        return tags[0] if tags else ""

    def nearest_tags(self) -> list[str]:
        """For each pull request, the tag that `git name-rev` names its merge by."""
        shas = self.history.merge_shas or ()
        named = self.run(
            *("name-rev", "--tags", "--name-only", "--annotate-stdin"), sent="\n".join(shas) + "\n"
        )
        return [line.partition("~")[0].partition("^")[0] for line in named.split()]


def git(path: Path, *arguments: str, sent: str | None = None) -> str:
    """What git writes when it is run in a repository."""
    run = subprocess.run(
        ["git", "-C", str(path), *arguments],
        input=sent,
        capture_output=True,
        text=True,
        check=False,
    )
    require(run.returncode == 0, f"git {' '.join(arguments[:2])} failed:\n{run.stderr}")
    return run.stdout


def tag(deployment: int) -> str:
    """The tag of a deployment, which is its reference_id too."""
    return f"deployment-{deployment:08}"


def make(folder: Path, merges: int) -> Repository:
    """Make a repository with so many merged pull requests."""
    path = folder / "clone.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(path)], check=True)
    stream = "".join(_commits(merges)) + "".join(_tags(merges // 10))
    git(path, "fast-import", "--quiet", sent=stream)
    shas = git(path, "log", "--first-parent", "--merges", "--reverse", "--format=%H", MAIN).split()
    require(len(shas) == merges, f"There are {len(shas)} merges and not {merges}.")
    history = History(repository="bench/clone", pulls=merges, mixed=False, merge_shas=shas)
    return Repository(path, history)


def _commits(merges: int) -> Iterator[str]:
    """A first commit; then for each pull request one on its branch, and the merge of that."""
    yield _commit(1, "First", at=0, parents="")
    for number in range(1, merges + 1):
        before, topic = 2 * number - 1, 2 * number
        yield _commit(topic, f"Change {number}", at=number, parents=f"from :{before}\n")
        message = f"Merge pull request #{number} from topic-{number}"
        parents = f"from :{before}\nmerge :{topic}\n"
        yield _commit(topic + 1, message, at=number, parents=parents)


def _commit(mark: int, message: str, *, at: int, parents: str) -> str:
    moment = int((BEGINNING + at * STEP).timestamp())
    return (
        f"commit refs/heads/{MAIN}\nmark :{mark}\ncommitter {WHO} {moment} +0000\n"
        f"data {len(message)}\n{message}\n{parents}\n"
    )


def _tags(deployments: int) -> Iterator[str]:
    for number in range(1, deployments + 1):
        yield f"reset refs/tags/{tag(number)}\nfrom :{2 * reached_by(number) + 1}\n\n"
