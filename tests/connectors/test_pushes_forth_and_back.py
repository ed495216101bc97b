"""A branch may be set back by force and go forward again: by the webhooks of every forge that is a
push each time, and none is one that is told again."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from shipmark.connectors.webhooks import WEBHOOKS
from shipmark.domain.events import SourceEvent

FIRST, LATER = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)
OLD, NEW, ZEROS = "a" * 40, "b" * 40, "0" * 40
AT = "2026-03-01T12:00:00Z"

Push = Callable[[str, str], dict[str, Any]]


def of_github(before: str, after: str) -> dict[str, Any]:
    commit = {"id": after, "timestamp": AT}
    repository = {"id": 7, "full_name": "acme/shop"}
    return {
        "ref": "refs/heads/main",
        "before": before,
        "after": after,
        "forced": True,
        "commits": [],
        "head_commit": commit,
        "repository": repository,
    }


def of_gitlab(before: str, after: str) -> dict[str, Any]:
    address = "https://gitlab.example/acme/shop"
    project = {"id": 7, "path_with_namespace": "acme/shop", "web_url": address}
    return {
        "object_kind": "push",
        "ref": "refs/heads/main",
        "before": before,
        "after": after,
        "commits": [],
        "project": project,
    }


def of_cloud(before: str, after: str) -> dict[str, Any]:
    new = {"type": "branch", "name": "main", "target": {"hash": after, "date": AT}}
    old = None if before == ZEROS else {"type": "branch", "target": {"hash": before}}
    repository = {"uuid": "{7}", "full_name": "acme/shop"}
    return {"repository": repository, "push": {"changes": [{"new": new, "old": old}]}}


def of_data_center(before: str, after: str) -> dict[str, Any]:
    change = {
        "ref": {"id": "refs/heads/main", "displayId": "main"},
        "type": "UPDATE",
        "fromHash": before,
        "toHash": after,
    }
    repository = {"id": 7, "slug": "shop", "project": {"key": "acme"}}
    return {"date": "2026-03-01T12:00:00+0000", "repository": repository, "changes": [change]}


FORGES: dict[str, tuple[str, dict[str, str], Push]] = {
    "GitHub": ("github", {"x-github-event": "push"}, of_github),
    "GitLab": ("gitlab", {}, of_gitlab),
    "Gitea": ("gitea", {"x-gitea-event": "push"}, of_github),
    "Bitbucket Cloud": ("bitbucket", {"x-event-key": "repo:push"}, of_cloud),
    "Bitbucket Data Center": ("bitbucket", {"x-event-key": "repo:refs_changed"}, of_data_center),
}


@pytest.mark.parametrize("forge", FORGES)
def test_a_branch_that_is_set_back_and_goes_forward_again_has_an_event_each_time(
    forge: str,
) -> None:
    endpoint, headers, push = FORGES[forge]

    def key(before: str, after: str, received_at: datetime = FIRST) -> str:
        body = json.dumps(push(before, after)).encode()
        facts = WEBHOOKS[endpoint].facts(headers, body, received_at=received_at)
        (event,) = [one for one in facts if isinstance(one, SourceEvent)]
        return event.key

    ways = [(ZEROS, NEW), (NEW, OLD), (OLD, NEW)]
    assert len({key(*way) for way in ways}) == len(ways)
    assert [key(*way, LATER) for way in ways] == [key(*way) for way in ways]
