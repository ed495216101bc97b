"""GitHub tells what is merged and what ran, one rule says that it is a deployment: nothing else."""

import time
from typing import Any

from tests.actions_team import RUNS, recorded_run, told_runs
from tests.builders import at, sha
from tests.deliveries import SETTINGS, a_pull_payload, as_body, github_headers, post
from tests.operation.conftest import Serve
from tests.server import PATIENCE, LiveServer

SAVED = ("name", "source", "when", "make", "also_failures")
"""What a rule was saved with."""


def tell(server: LiveServer, event: str, payload: dict[str, Any], delivery_id: str) -> None:
    body = as_body(payload)
    headers = github_headers(event, body, delivery_id=delivery_id)
    assert post(server, "github", body, headers).status_code == 202


def merged(number: int) -> dict[str, Any]:
    """The webhook of a pull request of the team, merged so many hours after noon."""
    run = recorded_run()
    when = at(number).isoformat().replace("+00:00", "Z")
    payload = a_pull_payload(
        run["repository"]["full_name"],
        number,
        base={"ref": run["workflow_run"]["head_branch"], "sha": sha(99)},
        updated_at=when,
        merged_at=when,
        closed_at=when,
        merge_commit_sha=sha(number),
    )
    payload["repository"]["id"] = run["repository"]["id"]
    return payload


def shipped(server: LiveServer) -> list[list[int]]:
    """What each deployment ships, in the order of the deployments."""
    found = server.call("deployments.list")["deployments"]
    names = [one["reference_id"] for one in reversed(found)]
    answers = [server.call("deployments.info", reference_id=name) for name in names]
    return [[pull["number"] for pull in one["pull_requests"]] for one in answers]


def test_one_rule_and_webhooks_in_any_order_are_enough(serve: Serve) -> None:
    server = serve(**SETTINGS)
    rule = server.call(
        "rules.upsert",
        name="deploys",
        source="github_actions",
        when={"branch": recorded_run()["workflow_run"]["head_branch"]},
        make={"service": "{repository_name}"},
        also_failures=True,
    )["rule"]
    for round_ in ("first", "again"):
        for index, payload in enumerate(told_runs()):
            tell(server, "workflow_run", payload, f"{round_} run {index}")
        for number in range(5, 0, -1):
            tell(server, "pull_request", merged(number), f"{round_} pull {number}")
    expected = [[1], [], [2, 3], [], [4, 5], []]
    deadline = time.monotonic() + PATIENCE
    while shipped(server) != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    assert shipped(server) == expected
    found = server.call("deployments.list")["deployments"]
    assert len(found) == len([one for one in RUNS if one[2] != "skipped"])
    made_by = {(one["rule"], one["rule_id"], one["rule_version"]) for one in found}
    assert made_by == {(rule["name"], rule["id"], 1)}
    assert server.call("deployments.list", rule=rule["name"])["deployments"] == found
    previewed = server.call("rules.preview", **{name: rule[name] for name in SAVED})
    assert (previewed["created"], previewed["kept"]) == (0, len(found))
