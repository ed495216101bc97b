"""What the reference model expects of a live server, and what the server shows."""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from tests.api.pages import all_pages
from tests.builders import at, sha
from tests.reference_model import NONE, WAITING, Answers, Deployment, Facts, Pull
from tests.server import LiveServer

REPOSITORY = "acme/shop"
STATUSES = {"pending": WAITING, "expired": WAITING, "none": NONE}


def merged_pulls(count: int, repository: str = REPOSITORY) -> list[Pull]:
    """Pull requests merged an hour after each other, every fourth of them to develop."""
    return [
        Pull(
            repository=repository,
            number=number,
            base_ref="main" if number % 4 else "develop",
            merged_at=at(number),
            merge_commit_sha=sha(number),
        )
        for number in range(1, count + 1)
    ]


def as_item(pull: Pull) -> dict[str, Any]:
    """The pull request as pulls.import takes it."""
    assert pull.merged_at is not None
    return {
        "repository": pull.repository,
        "number": pull.number,
        "base_ref": pull.base_ref,
        "merged_at": pull.merged_at.isoformat(),
        "merge_commit_sha": pull.merge_commit_sha,
        "source_id": pull.source_id,
    }


def random_deployments(
    count: int, pulls: int, random: Random, repository: str = REPOSITORY
) -> Iterator[Deployment]:
    """Deployments of three services to two environments, out of order.

    They name their repository, a commit, or a list of commits, half of those of any repository.
    """
    for number in range(count):
        named: dict[str, Any] = {"commit_sha": sha(random.randint(1, pulls))}
        if number % 5 == 0:
            named = {}
        elif number % 5 == 1:
            listed = random.sample(range(1, pulls + 1), 2)
            named = {"merge_commit_shas": tuple(sha(one) for one in listed)}
        yield Deployment(
            reference_id=f"{repository}/{number}",
            repository=None if number % 10 == 1 else repository,
            service=random.choice(("api", "web", "jobs")),
            environment=random.choice(("production", "production", "staging")),
            deployed_at=at(random.randint(1, 2 * pulls) / 2),
            success=random.random() > 0.1,
            **named,
        )


def as_arguments(deployment: Deployment) -> dict[str, Any]:
    """The deployment as deployments.create takes it."""
    arguments: dict[str, Any] = {
        "reference_id": deployment.reference_id,
        "repository": deployment.repository,
        "service": deployment.service,
        "environment": deployment.environment,
        "deployed_at": deployment.deployed_at.isoformat(),
        "success": deployment.success,
    }
    if deployment.commit_sha is not None:
        arguments["commit_sha"] = deployment.commit_sha
    if deployment.merge_commit_shas:
        arguments["merge_commit_shas"] = list(deployment.merge_commit_shas)
    return arguments


def expected_of(facts: Facts) -> dict[str, Any]:
    """Of each deployment: its status, its reason, and what it ships."""
    answers = Answers(facts)
    return {
        reference_id: (*answers.standing(reference_id), sorted(answers.ships[reference_id]))
        for reference_id in facts.deployments
    }


def shown_by(server: LiveServer) -> dict[str, Any]:
    """The same of all deployments that a server has stored."""
    shown = {}
    for reference_id in stored_by(server):
        answer = server.call("deployments.info", reference_id=reference_id)
        attribution = answer["deployment"]["attribution"]
        shipped = [(pull["repository"], pull["number"]) for pull in answer["pull_requests"]]
        status = STATUSES.get(attribution["status"], attribution["status"])
        shown[reference_id] = (status, attribution["reason"], sorted(shipped))
    return shown


def stored_by(server: LiveServer) -> dict[str, int]:
    """The ids of all deployments that a server has stored, by their reference_ids."""
    found = [
        (one["reference_id"], one["id"])
        for page in all_pages(server, "deployments.list", limit=1000)
        for one in page["deployments"]
    ]
    assert len(dict(found)) == len(found)
    return dict(found)


def facts_of(pulls: Iterable[Pull], deployments: Iterable[Deployment]) -> Facts:
    pulls = list(pulls)
    return Facts(
        default_branches={pull.repository: "main" for pull in pulls},
        pulls={pull.key: pull for pull in pulls},
        deployments={one.reference_id: one for one in deployments},
    )
