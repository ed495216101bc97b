"""Something to deploy on a live server: a repository of its own, so that tests never meet."""

from collections.abc import Iterable
from itertools import count
from typing import Any

from tests.builders import at
from tests.server import LiveServer, Refusal

NUMBERS = count(1)


def when(hours: float) -> str:
    """The instant so many hours after noon of the day of the tests, as answers write it."""
    return at(hours).isoformat().replace("+00:00", "Z")


class Shop:
    """A repository whose default branch is main, with a service and commits nobody else has.

    What its pull requests and deployments do not say is valid, and is theirs alone.
    """

    def __init__(self, server: LiveServer, *, default_branch: str | None = "main") -> None:
        self.server = server
        self.number = next(NUMBERS)
        self.repository = f"acme/shop-{self.number}"
        self.service = f"shop-api-{self.number}"
        if default_branch is not None:
            server.call("repositories.upsert", name=self.repository, default_branch=default_branch)

    def sha(self, number: int) -> str:
        """The full SHA of a commit; the first 7 characters are those of no other."""
        return f"{self.number:04x}{number:03x}".ljust(40, "e")

    def reference(self, name: object) -> str:
        """A reference_id that no other shop uses."""
        return f"{self.repository}/{name}"

    def item(self, number: int, /, **facts: Any) -> dict[str, Any]:
        """A pull request as pulls.import takes it: merged to main ``number`` hours after noon."""
        return {
            "repository": self.repository,
            "number": number,
            "base_ref": "main",
            "merged_at": when(number),
            "merge_commit_sha": self.sha(number),
        } | facts

    def merge(self, number: int, /, **facts: Any) -> dict[str, Any]:
        """Import a merged pull request; the answer."""
        return self.import_pulls(self.item(number, **facts))

    def merge_all(self, numbers: Iterable[int], /, **facts: Any) -> None:
        self.import_pulls(*(self.item(number, **facts) for number in numbers))

    def import_pulls(self, *items: dict[str, Any]) -> dict[str, Any]:
        answer = self.server.call("pulls.import", pulls=list(items))
        assert answer["failed"] == 0, answer
        return answer

    def deployment(self, hours: float, /, **arguments: Any) -> dict[str, Any]:
        """The arguments of a deployment so many hours after noon; None leaves one out."""
        everything = {
            "deployed_at": when(hours),
            "service": self.service,
            "repository": self.repository,
        } | arguments
        return {name: value for name, value in everything.items() if value is not None}

    def deploy(self, hours: float = 1, /, **arguments: Any) -> dict[str, Any]:
        """Register a deployment; the answer."""
        return self.server.call("deployments.create", **self.deployment(hours, **arguments))

    def refused_deploy(self, hours: float = 1, /, **arguments: Any) -> Refusal:
        return self.server.refusal("deployments.create", **self.deployment(hours, **arguments))

    def right(self, method: str) -> dict[str, Any]:
        """Arguments with which one of the methods of the contract succeeds; none for others."""
        return {
            "deployments.create": self.deployment(2),
            "deployments.setPullServices": {
                "repository": self.repository,
                "pull_number": 1,
                "services": [self.service],
            },
        }.get(method, {})

    def info(self, reference_id: str) -> dict[str, Any]:
        """The deployment with this reference_id, as deployments.info shows it."""
        deployment: dict[str, Any] = self.server.call(
            "deployments.info", reference_id=reference_id
        )["deployment"]
        return deployment

    def shipped(self, deployment: dict[str, Any]) -> list[int]:
        """The numbers of the pull requests that a deployment ships, in their order."""
        answer = self.server.call("deployments.info", reference_id=deployment["reference_id"])
        assert answer["deployment"]["attribution"]["pull_requests"] == len(answer["pull_requests"])
        return [pull["number"] for pull in answer["pull_requests"]]

    def shipping(self, number: int) -> list[str]:
        """The reference_ids of the deployments that ship a pull request."""
        answer = self.server.call("pulls.info", repository=self.repository, number=number)
        return [one["reference_id"] for one in answer["deployments"]]
