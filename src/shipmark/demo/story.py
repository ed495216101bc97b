"""Tell the history to the API, and hold what it answers against what must come of it."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shipmark.demo import history
from shipmark.demo.client import Client
from shipmark.demo.facts import Deployment, Outcome, Pull
from shipmark.demo.failure import DemoFailed
from shipmark.demo.habits import HABITS
from shipmark.demo.year import PRODUCTION, Year, make_year

PIPELINES = 16
"""How many callers register the deployments of the year at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the API answered; all of it is as it must be.

    ``outcomes`` are by reference_id. ``while_waiting`` is that of the deployment whose commit
    was imported late, before it was.
    """

    outcomes: Mapping[str, Outcome]
    while_waiting: Outcome
    deployment_words: tuple[str, ...]
    pull_words: tuple[str, ...]


def tell(client: Client, now: datetime) -> Story:
    """Tell the whole history. Raises DemoFailed at the first answer that is wrong."""
    for repository in history.REPOSITORIES:
        client.call(
            "repositories.upsert", name=repository.name, default_branch=repository.default_branch
        )
    _import(client, now, *history.PULLS)
    _assign_services(client)
    for deployment in history.DEPLOYMENTS:
        client.call("deployments.create", **deployment.arguments(now))
    while_waiting = _deploy_before_import(client, now)
    _import(client, now, history.LATE_PULL)
    _check_next(client, now)
    return Story(
        outcomes={one.reference_id: _checked(client, one) for one in _registered()},
        while_waiting=while_waiting,
        deployment_words=_explained_deployment(client),
        pull_words=_located_pull(client),
    )


def tell_year(client: Client, now: datetime) -> Year:
    """Tell the year of the other organisation, for a look at longer times.

    Raises DemoFailed if something else waits for production than must.
    """
    year = make_year(now)
    for habit in HABITS:
        client.call("repositories.upsert", name=habit.repository, default_branch="main")
        if len(habit.services) > 1:
            paths = {name: [f"{name}/**"] for name in habit.services}
            client.call("path_rules.upsert", repository=habit.repository, services=paths)
    client.call("pulls.import", pulls=year.pulls)
    # As many pipelines would, at once: these are committed together.
    with ThreadPoolExecutor(PIPELINES) as pipelines:
        list(pipelines.map(lambda one: client.call("deployments.create", **one), year.deployments))
    for incident in year.incidents:
        client.call("incidents.upsert", **incident)
    for repository, count in year.waiting.items():
        answer = client.call(
            "pulls.list", repository=repository, environment=PRODUCTION, deployed=False, limit=1000
        )
        _expect(f"In {repository} wait", count, len(answer["pull_requests"]))
    return year


def _registered() -> tuple[Deployment, ...]:
    return (*history.DEPLOYMENTS, history.EARLY_DEPLOYMENT)


def _import(client: Client, now: datetime, *pulls: Pull) -> None:
    answer = client.call("pulls.import", pulls=[pull.item(now) for pull in pulls])
    _expect("The import creates", len(pulls), answer["created"])


def _assign_services(client: Client) -> None:
    for pull in history.PULLS:
        if pull.services:
            client.call(
                "deployments.setPullServices",
                repository=pull.repository,
                pull_number=pull.number,
                services=pull.services,
            )


def _deploy_before_import(client: Client, now: datetime) -> Outcome:
    """Register the deployment whose commit is not imported yet; how it stands meanwhile."""
    early = history.EARLY_DEPLOYMENT
    client.call("deployments.create", **early.arguments(now))
    outcome = _outcome(client, early.reference_id)
    _expect(f"Before the import {early.reference_id} is", history.WHILE_WAITING, outcome)
    return outcome


def _check_next(client: Client, now: datetime) -> None:
    """See that the deployment that is left to register will ship what is said of it."""
    following = history.NEXT_DEPLOYMENT
    answer = client.call("deployments.create", **following.arguments(now), dry_run=True)
    _expect(f"{following.reference_id} would ship", following.ships, _numbers(answer["would_ship"]))


def _checked(client: Client, deployment: Deployment) -> Outcome:
    outcome = _outcome(client, deployment.reference_id)
    _expect(f"{deployment.reference_id} is", deployment.expected, outcome)
    return outcome


def _outcome(client: Client, reference_id: str) -> Outcome:
    answer = client.call("deployments.info", reference_id=reference_id)
    attribution = answer["deployment"]["attribution"]
    return Outcome(
        method=attribution["method"],
        status=attribution["status"],
        reason=attribution["reason"],
        ships=_numbers(answer["pull_requests"]),
    )


def _explained_deployment(client: Client) -> tuple[str, ...]:
    which = history.EXPLAINED_DEPLOYMENT
    explanation = client.call("deployments.explain", reference_id=which)["explanation"]
    _expect(f"{which} leaves out", history.LEFT_OUT, _numbers(explanation["left_out"]))
    return tuple(explanation["words"])


def _located_pull(client: Client) -> tuple[str, ...]:
    pull = history.LOCATED_PULL
    answer = client.call("pulls.explain", repository=pull.repository, number=pull.number)
    explanation = answer["explanation"]
    targets = {
        (one["service"], one["environment"]): one["shipped_by"] or one["reason"]
        for one in explanation["targets"]
    }
    _expect(f"#{pull.number} of {pull.repository} is", history.TARGETS, targets)
    return tuple(explanation["words"])


def _numbers(pulls: list[dict[str, Any]]) -> tuple[int, ...]:
    return tuple(pull["number"] for pull in pulls)


def _expect(what: str, expected: object, answered: object) -> None:
    if answered != expected:
        raise DemoFailed(
            f"The API answers otherwise than the history says. {what} {answered}, "
            f"and must be {expected}."
        )
