"""The made-up history that everything is measured on. The same call makes the same history.

Facts are in the form in which clients send them, so that they take the way a client's would.
"""

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=1)
"""Between the merges of two pull requests; no two are merged at once."""

PULLS_EACH = 10
"""Pull requests for each deployment."""

MAIN, DEVELOP = "main", "develop"

OrderOfArrival = Literal["in time order", "shuffled", "newest first"]
ORDERS: tuple[OrderOfArrival, ...] = ("in time order", "shuffled", "newest first")

Fact = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class History:
    """Pull requests 1 to ``pulls``, and a deployment for every ten of them.

    Where it is ``mixed``, every third pull request is merged to develop, the others to main; and
    deployments name a commit, only the repository, or an integration branch, in turn. Otherwise
    all is on main and by commit. ``merge_shas`` are those of a real clone, if there is one.
    """

    repository: str
    pulls: int
    mixed: bool = True
    merge_shas: Sequence[str] | None = None

    @property
    def deployments(self) -> int:
        return self.pulls // PULLS_EACH

    def branch(self, number: int) -> str:
        """The branch that a pull request was merged to."""
        return DEVELOP if self.mixed and number % 3 == 2 else MAIN

    def merge_sha(self, number: int) -> str:
        if self.merge_shas is not None:
            return self.merge_shas[number - 1]
        return _sha(self.repository, "merge", number)

    def pull(self, number: int, *, merged_at: datetime | None = None) -> Fact:
        """A pull request as `pulls.import` takes it; it has two commits and its merge commit."""
        merged = merged_at or merge_time(number)
        head = _sha(self.repository, "head", number)
        return {
            "repository": self.repository,
            "number": number,
            "base_ref": self.branch(number),
            "source_id": f"{number + 1_000_000_000}",
            "title": f"Change {number}: make the {_sha('', 'title', number)[:8]} work as it should",
            "author": f"author-{number % 50}",
            "url": f"https://forge.example/{self.repository}/pull/{number}",
            "head_ref": f"topic-{number}",
            "head_sha": head,
            "commit_shas": [_sha(self.repository, "commit", number), head],
            "merge_commit_sha": self.merge_sha(number),
            "created_at": written(merged - timedelta(hours=number % 40 + 1)),
            "merged_at": written(merged),
        }

    def deployment_at(
        self,
        number: int,
        *,
        reference_id: str,
        service: str = "shop",
        environment: str = "production",
    ) -> Fact:
        """A deployment soon after a pull request was merged, before the next one was.

        It reaches that pull request: by its merge commit or by time on main; and on develop by the
        next one's, which is the release that brought it to main.
        """
        fact: Fact = {
            "repository": self.repository,
            "service": service,
            "environment": environment,
            "reference_id": reference_id,
            "deployed_at": written(merge_time(number) + STEP / 2),
            "source_name": "benchmark",
        }
        if not self.mixed or number % 3 == 0:
            fact["commit_sha"] = self.merge_sha(number)
        elif number % 3 == 2:
            fact["commit_sha"] = self.merge_sha(number + 1)
            fact["integration_branch"] = DEVELOP
        return fact

    def deployment(self, number: int) -> Fact:
        """The deployment so many in time order, counting from 1."""
        return self.deployment_at(reached_by(number), reference_id=f"deployment-{number:08}")

    def write(self, folder: Path, order: OrderOfArrival) -> tuple[Path, Path]:
        """The files of all pull requests and of all deployments, one a line, in an order."""
        pulls, deployments = folder / "pulls.ndjson", folder / "deployments.ndjson"
        _write(pulls, (self.pull(one) for one in arranged(self.pulls, order)))
        _write(deployments, (self.deployment(one) for one in arranged(self.deployments, order)))
        return pulls, deployments


def reached_by(deployment: int) -> int:
    """The number of the pull request that a deployment in time order reaches."""
    return PULLS_EACH * deployment - PULLS_EACH // 2


def merge_time(number: int) -> datetime:
    """When the pull request of a number was merged."""
    return BEGINNING + number * STEP


def written(at: datetime) -> str:
    """An instant as clients write it."""
    return at.isoformat().replace("+00:00", "Z")


def arranged(count: int, order: OrderOfArrival) -> Sequence[int]:
    """The numbers from 1 to ``count`` in an order of arrival."""
    if order == "newest first":
        return range(count, 0, -1)
    numbers = list(range(1, count + 1))
    if order == "shuffled":
        random.Random(count).shuffle(numbers)  # noqa: S311 - the same shuffle in every run
    return numbers


def _sha(repository: str, kind: str, number: int) -> str:
    text = f"{repository}:{kind}:{number}".encode()
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def _write(path: Path, facts: Iterable[Fact]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for fact in facts:
            file.write(json.dumps(fact, separators=(",", ":")) + "\n")
