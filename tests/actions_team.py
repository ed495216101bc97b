"""The runs of a team that deploys by GitHub Actions, made of one that GitHub told somebody."""

from copy import deepcopy
from typing import Any

from tests.builders import at, sha
from tests.connectors.recorded import octokit

RUNS = [
    # (commit, hours after noon, conclusion, attempt)
    (1, 1.5, "success", 1),
    (3, 3.5, "failure", 1),
    (3, 4.0, "success", 2),
    (4, 4.5, "skipped", 1),
    (2, 5.0, "success", 1),
    (5, 5.5, "success", 1),
    (5, 5.6, "success", 2),
]
"""Two deployments, one of them failed before; one run that did nothing; a rollback, the way
forward again, and a redeploy."""


def recorded_run() -> dict[str, Any]:
    """A workflow run that GitHub told somebody, and that succeeded."""
    return next(
        one
        for one in octokit("workflow_run", "completed")
        if one["workflow_run"]["conclusion"] == "success" and one["workflow_run"]["head_branch"]
    )


def told_runs() -> list[dict[str, Any]]:
    """The recorded run as it would have been told of each of the team's."""
    told = []
    for number, (commit, hours, conclusion, attempt) in enumerate(RUNS):
        payload = deepcopy(recorded_run())
        ended = at(hours).isoformat().replace("+00:00", "Z")
        payload["workflow_run"] |= {
            "id": payload["workflow_run"]["id"] + (number if attempt == 1 else number - 1),
            "run_attempt": attempt,
            "head_sha": sha(commit),
            "conclusion": conclusion,
            "updated_at": ended,
        }
        told.append(payload)
    return told
