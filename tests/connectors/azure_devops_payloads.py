"""What Azure DevOps sends, in the forms that its documentation gives: minimal, and made up."""

from typing import Any

from tests.builders import sha

BASE = "https://dev.azure.com/acme"
PROJECT_ID = "6ce954b1-0000-0000-0000-000000000001"
REPOSITORY_ID = "4bc14d40-0000-0000-0000-000000000002"
PROJECT = "Web Team"
NAME = "Web Team/shop api"


def repository(**values: Any) -> dict[str, Any]:
    defaults = {
        "id": REPOSITORY_ID,
        "name": "shop api",
        "url": f"{BASE}/{PROJECT_ID}/_apis/git/repositories/{REPOSITORY_ID}",
        "project": {"id": PROJECT_ID, "name": PROJECT, "state": "wellFormed"},
        "defaultBranch": "refs/heads/main",
    }
    return defaults | values


def listed_repository() -> dict[str, Any]:
    """As lists have it: without the default branch, and with another form of the URL."""
    short = repository(url=f"{BASE}/_apis/git/repositories/{REPOSITORY_ID}")
    del short["defaultBranch"]
    return short


def pull(**values: Any) -> dict[str, Any]:
    """A completed pull request."""
    defaults = {
        "repository": repository(),
        "pullRequestId": 17,
        "status": "completed",
        "createdBy": {"displayName": "Ada Example", "uniqueName": "ada@example.com"},
        "creationDate": "2026-03-01T10:00:00.1234567Z",
        "closedDate": "2026-03-02T11:30:00Z",
        "title": "Sell shoes",
        "sourceRefName": "refs/heads/feature/shoes",
        "targetRefName": "refs/heads/main",
        "mergeStatus": "succeeded",
        "lastMergeSourceCommit": {"commitId": sha(1), "url": "x"},
        "lastMergeTargetCommit": {"commitId": sha(2), "url": "x"},
        "lastMergeCommit": {"commitId": sha(3).upper(), "url": "x"},
    }
    return defaults | values


def commit(number: int, day: int = 1) -> dict[str, Any]:
    stamp = {"name": "Ada", "email": "ada@example.com", "date": f"2026-03-0{day}T09:00:00Z"}
    return {"commitId": sha(number), "author": stamp, "committer": stamp, "comment": "Sell"}


def push(*updates: tuple[str, int], commits: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A push that set references to commits; 0: it deleted the reference."""
    return {
        "pushId": 14,
        "date": "2026-03-02T11:30:01.5Z",
        "repository": repository(),
        "commits": [commit(3)] if commits is None else commits,
        "refUpdates": [
            {
                "name": name,
                "oldObjectId": "0" * 40,
                "newObjectId": sha(number) if number else "0" * 40,
            }
            for name, number in updates
        ],
    }


def hook(kind: str, resource: dict[str, Any], **values: Any) -> dict[str, Any]:
    defaults = {
        "subscriptionId": "cccccccc-0000-0000-0000-000000000003",
        "notificationId": 5,
        "id": "dddddddd-0000-0000-0000-000000000004",
        "eventType": kind,
        "publisherId": "tfs",
        "resource": resource,
        "resourceContainers": {"project": {"id": PROJECT_ID}},
        "createdDate": "2026-03-02T11:30:05Z",
    }
    return defaults | values


def build(**values: Any) -> dict[str, Any]:
    """A run that succeeded on main."""
    defaults = {
        "id": 99,
        "status": "completed",
        "result": "succeeded",
        "finishTime": "2026-03-02T12:00:00.0000001Z",
        "sourceBranch": "refs/heads/main",
        "sourceVersion": sha(3),
        "definition": {"id": 2, "name": "Deploy"},
        "project": {"id": PROJECT_ID, "name": PROJECT},
        "repository": {"id": REPOSITORY_ID, "type": "TfsGit", "name": "shop api"},
        "_links": {"web": {"href": f"{BASE}/_build/results?buildId=99"}},
    }
    return defaults | values


def record(kind: str, name: str, parent: str | None = None, **values: Any) -> dict[str, Any]:
    """A line of a timeline; its id is its kind and name."""
    defaults = {
        "id": f"{kind}-{name}",
        "parentId": parent,
        "type": kind,
        "name": name,
        "state": "completed",
        "result": "succeeded",
        "finishTime": "2026-03-02T11:59:00Z",
        "attempt": 1,
    }
    return defaults | values


def deployment(**values: Any) -> dict[str, Any]:
    """A release that was deployed to its stage."""
    defaults = {
        "id": 70,
        "attempt": 1,
        "release": {
            "id": 5,
            "name": "Release-5",
            "artifacts": [
                {"type": "Build", "alias": "tools", "definitionReference": {}},
                {
                    "type": "Build",
                    "alias": "shop",
                    "isPrimary": True,
                    "definitionReference": {
                        "project": {"id": PROJECT_ID, "name": PROJECT},
                        "version": {"id": "99", "name": "20260302.1"},
                    },
                },
            ],
        },
        "releaseDefinition": {"id": 1, "name": "Shop CD"},
        "releaseEnvironment": {"id": 8, "name": "Production"},
        "deploymentStatus": "succeeded",
        "completedOn": "2026-03-02T13:00:00Z",
    }
    return defaults | values
