"""What Bitbucket Cloud and Data Center would send, made up: the fields that are read."""

import copy
from typing import Any

HEAD = "a" * 40
MERGE = "b" * 40
OLD = "c" * 40
OTHER = "d" * 40
ZEROS = "0" * 40

CLOUD = "acme/shop"
SERVER = "PRJ/shop"


def changed(payload: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A payload with other values, those deeper down by their names with a double underscore."""
    payload = copy.deepcopy(payload)
    for path, value in changes.items():
        holder = payload
        *above, last = path.split("__")
        for step in above:
            holder = holder[int(step)] if isinstance(holder, list) else holder[step]
        holder[last] = value
    return payload


REPOSITORY: dict[str, Any] = {
    "type": "repository",
    "uuid": "{2b92}",
    "name": "Shop",
    "full_name": CLOUD,
}
PULL_URL = "https://bitbucket.example/acme/shop/pull-requests/13"
PULL: dict[str, Any] = {
    "type": "pullrequest",
    "id": 13,
    "title": "Pay by card",
    "state": "MERGED",
    "created_on": "2026-03-01T09:00:00.250000+00:00",
    "updated_on": "2026-03-02T10:00:01.500000+00:00",
    "author": {"nickname": "maria", "display_name": "Maria"},
    "source": {
        "branch": {"name": "feature"},
        "commit": {"hash": HEAD[:12]},
        "repository": REPOSITORY,
    },
    "destination": {
        "branch": {"name": "main"},
        "commit": {"hash": OLD[:12]},
        "repository": REPOSITORY,
    },
    "merge_commit": {"hash": MERGE[:12]},
    "links": {"html": {"href": PULL_URL}},
}
MERGED_HOOK: dict[str, Any] = {"repository": REPOSITORY, "pullrequest": PULL}
OPENED_HOOK = changed(MERGED_HOOK, pullrequest__state="OPEN", pullrequest__merge_commit=None)

MERGE_COMMIT: dict[str, Any] = {
    "type": "commit",
    "hash": MERGE,
    "date": "2026-03-02T10:00:00+00:00",
    "message": "Merged in feature (pull request #13)\n\nPay by card\n",
    "parents": [{"hash": OLD}, {"hash": HEAD}],
}
HEAD_COMMIT: dict[str, Any] = {
    "type": "commit",
    "hash": HEAD,
    "date": "2026-03-01T08:00:00+00:00",
    "message": "Pay by card\n",
    "parents": [{"hash": OLD}],
}
PUSH_HOOK: dict[str, Any] = {
    "repository": REPOSITORY,
    "push": {
        "changes": [
            {
                "old": {"type": "branch", "name": "main", "target": {"hash": OLD}},
                "new": {
                    "type": "branch",
                    "name": "main",
                    "target": MERGE_COMMIT,
                    "links": {"html": {"href": "https://bitbucket.example/acme/shop/branch/main"}},
                },
                "commits": [MERGE_COMMIT, HEAD_COMMIT],
                "truncated": False,
            }
        ]
    },
}
TAG_HOOK = changed(
    PUSH_HOOK,
    push__changes=[
        {
            "old": None,
            "new": {
                "type": "annotated_tag",
                "name": "v2",
                "date": "2026-03-02T12:00:00+00:00",
                "target": MERGE_COMMIT,
            },
            "commits": [],
        }
    ],
)
STATUS_HOOK: dict[str, Any] = {
    "repository": REPOSITORY,
    "commit_status": {
        "key": "33",
        "type": "build",
        "state": "SUCCESSFUL",
        "name": "Pipeline #4 for main",
        "refname": "main",
        "url": "https://bitbucket.example/acme/shop/addon/pipelines/home#!/results/4",
        "commit": {"hash": MERGE},
        "created_on": "2026-03-02T10:01:00+00:00",
        "updated_on": "2026-03-02T10:05:00+00:00",
    },
}
RENAMED_HOOK: dict[str, Any] = {
    "repository": REPOSITORY,
    "changes": {"full_name": {"new": CLOUD, "old": "acme/till"}},
}
CLOUD_HOOKS: dict[str, dict[str, Any]] = {
    "pullrequest:created": OPENED_HOOK,
    "pullrequest:fulfilled": MERGED_HOOK,
    "repo:push": PUSH_HOOK,
    "repo:commit_status_updated": STATUS_HOOK,
    "repo:updated": RENAMED_HOOK,
}

SERVER_REPOSITORY: dict[str, Any] = {
    "slug": "shop",
    "id": 4,
    "name": "Shop",
    "project": {"key": "PRJ", "id": 2, "name": "Project"},
    "archived": False,
}
SERVER_URL = "https://git.example/projects/PRJ/repos/shop/pull-requests/5"
SERVER_PULL: dict[str, Any] = {
    "id": 5,
    "version": 2,
    "title": "Pay by card",
    "state": "MERGED",
    "open": False,
    "closed": True,
    "createdDate": 1772355600250,
    "updatedDate": 1772445601500,
    "closedDate": 1772445601500,
    "fromRef": {
        "id": "refs/heads/feature",
        "displayId": "feature",
        "latestCommit": HEAD,
        "repository": SERVER_REPOSITORY,
    },
    "toRef": {
        "id": "refs/heads/main",
        "displayId": "main",
        "latestCommit": OLD,
        "repository": SERVER_REPOSITORY,
    },
    "author": {"user": {"name": "maria", "displayName": "Maria"}},
    "properties": {"mergeCommit": {"displayId": MERGE[:11], "id": MERGE}},
    "links": {"self": [{"href": SERVER_URL}]},
}
SERVER_MERGED_HOOK: dict[str, Any] = {
    "eventKey": "pr:merged",
    "date": "2026-03-02T11:00:01+0100",
    "pullRequest": SERVER_PULL,
}
SERVER_OPENED_HOOK = changed(
    SERVER_MERGED_HOOK,
    pullRequest__state="OPEN",
    pullRequest__closedDate=None,
    pullRequest__properties=None,
    pullRequest__links={"self": [None]},
)
SERVER_MERGE_COMMIT: dict[str, Any] = {
    "id": MERGE,
    "displayId": MERGE[:11],
    "authorTimestamp": 1772445600000,
    "committerTimestamp": 1772445600000,
    "message": "Pull request #5: Pay by card",
    "parents": [{"id": OLD}, {"id": HEAD}],
}
SERVER_HEAD_COMMIT: dict[str, Any] = {
    "id": HEAD,
    "authorTimestamp": 1772350000000,
    "committerTimestamp": 1772350000000,
    "message": "Pay by card",
    "parents": [{"id": OLD}],
}
SERVER_PUSH_HOOK: dict[str, Any] = {
    "eventKey": "repo:refs_changed",
    "date": "2026-03-02T11:00:02+0100",
    "repository": SERVER_REPOSITORY,
    "changes": [
        {
            "ref": {"id": "refs/heads/main", "displayId": "main", "type": "BRANCH"},
            "refId": "refs/heads/main",
            "fromHash": OLD,
            "toHash": MERGE,
            "type": "UPDATE",
        }
    ],
    "toCommit": SERVER_MERGE_COMMIT,
    "commits": [SERVER_MERGE_COMMIT, SERVER_HEAD_COMMIT],
}
SERVER_TAG_HOOK = changed(
    SERVER_PUSH_HOOK,
    changes=[
        {
            "ref": {"id": "refs/tags/v2", "displayId": "v2", "type": "TAG"},
            "fromHash": ZEROS,
            "toHash": OTHER,
            "type": "ADD",
        }
    ],
    commits=[],
)
SERVER_RENAMED_HOOK: dict[str, Any] = {
    "eventKey": "repo:modified",
    "date": "2026-03-02T11:00:02+0100",
    "old": changed(SERVER_REPOSITORY, slug="till"),
    "new": SERVER_REPOSITORY,
}
SERVER_HOOKS: dict[str, dict[str, Any]] = {
    "pr:opened": SERVER_OPENED_HOOK,
    "pr:merged": SERVER_MERGED_HOOK,
    "repo:refs_changed": SERVER_PUSH_HOOK,
    "repo:modified": SERVER_RENAMED_HOOK,
}
