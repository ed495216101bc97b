"""What GitLab would send, made up: the fields that are read, and a few that are not."""

import copy
from typing import Any

NAME = "shop/web/checkout"
HEAD = "a" * 40
MERGE = "b" * 40
SQUASHED = "c" * 40
OTHER = "d" * 40
ZEROS = "0" * 40

PROJECT: dict[str, Any] = {
    "id": 7,
    "name": "Checkout",
    "path_with_namespace": NAME,
    "default_branch": "main",
    "web_url": "https://gitlab.example/shop/web/checkout",
}
REQUEST_URL = PROJECT["web_url"] + "/-/merge_requests/12"


def changed(payload: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A payload with other values, those deeper down by their names with a double underscore."""
    payload = copy.deepcopy(payload)
    for path, value in changes.items():
        holder = payload
        *above, last = path.split("__")
        for step in above:
            holder = holder[step]
        holder[last] = value
    return payload


MERGED_HOOK: dict[str, Any] = {
    "object_kind": "merge_request",
    "user": {"id": 3, "username": "maria"},
    "project": PROJECT,
    "labels": [{"id": 2, "title": "web"}, {"id": 1, "title": "fast"}],
    "object_attributes": {
        "id": 900,
        "iid": 12,
        "target_branch": "main",
        "source_branch": "feature",
        "state": "merged",
        "action": "merge",
        "title": "Pay by card",
        "author_id": 3,
        "created_at": "2026-03-01 09:00:00 UTC",
        "updated_at": "2026-03-02 10:00:00 UTC",
        "merge_commit_sha": MERGE,
        "last_commit": {
            "id": HEAD,
            "message": "Pay",
            "timestamp": "2026-03-01T10:30:00+02:00",
        },
        "url": REQUEST_URL,
    },
    "changes": {"state_id": {"previous": 4, "current": 3}},
}
OPENED_HOOK = changed(
    MERGED_HOOK,
    object_attributes__state="opened",
    object_attributes__action="open",
    object_attributes__merge_commit_sha=None,
    object_attributes__updated_at="2026-03-01 09:00:00 UTC",
)

MERGE_REQUEST: dict[str, Any] = {
    "id": 900,
    "iid": 12,
    "project_id": 7,
    "target_branch": "main",
    "source_branch": "feature",
    "state": "merged",
    "title": "Pay by card",
    "created_at": "2026-03-01T09:00:00.250Z",
    "updated_at": "2026-03-02T10:00:00.600Z",
    "merged_at": "2026-03-02T10:00:00.750Z",
    "closed_at": None,
    "author": {"id": 3, "username": "maria"},
    "labels": ["fast", "web"],
    "sha": HEAD,
    "merge_commit_sha": MERGE,
    "squash_commit_sha": None,
    "web_url": REQUEST_URL,
}

PUSH_HOOK: dict[str, Any] = {
    "object_kind": "push",
    "event_name": "push",
    "ref": "refs/heads/main",
    "before": OTHER,
    "after": MERGE,
    "checkout_sha": MERGE,
    "project_id": 7,
    "project": PROJECT,
    "total_commits_count": 2,
    "commits": [
        {
            "id": HEAD,
            "message": "Say the version",
            "timestamp": "2026-03-02T11:00:00+02:00",
            "added": ["VERSION"],
            "modified": ["setup.cfg"],
            "removed": [],
        },
        {
            "id": MERGE,
            "message": "Release 2",
            "timestamp": "2026-03-02T10:00:00Z",
            "added": [],
            "modified": ["setup.cfg"],
            "removed": ["old.txt"],
        },
    ],
}
TAG_HOOK = changed(
    PUSH_HOOK, object_kind="tag_push", ref="refs/tags/v2", after=OTHER, commits=[], before=ZEROS
)

PIPELINE_HOOK: dict[str, Any] = {
    "object_kind": "pipeline",
    "project": PROJECT,
    "object_attributes": {
        "id": 31,
        "ref": "main",
        "tag": False,
        "sha": MERGE,
        "source": "push",
        "status": "success",
        "name": "Deploy",
        "finished_at": "2026-03-02 10:20:00 UTC",
        "url": "https://gitlab.example/shop/web/checkout/-/pipelines/31",
    },
    "builds": [],
}
PIPELINE: dict[str, Any] = {
    "id": 31,
    "ref": "main",
    "tag": False,
    "sha": MERGE,
    "source": "push",
    "status": "success",
    "name": "Deploy",
    "updated_at": "2026-03-02T10:21:00.100Z",
    "finished_at": "2026-03-02T10:20:00.420Z",
    "web_url": "https://gitlab.example/shop/web/checkout/-/pipelines/31",
}

JOB_HOOK: dict[str, Any] = {
    "object_kind": "build",
    "ref": "main",
    "tag": False,
    "sha": MERGE,
    "build_id": 88,
    "build_name": "deploy to production",
    "build_stage": "deploy",
    "build_status": "success",
    "build_finished_at": "2026-03-02 10:19:00 UTC",
    "commit": {"id": 31, "name": "Deploy", "sha": MERGE},
    "repository": {"homepage": "https://gitlab.example/shop/web/checkout"},
    "project": PROJECT,
    "environment": {"name": "production", "action": "start"},
}
JOB: dict[str, Any] = {
    "id": 88,
    "name": "deploy to production",
    "stage": "deploy",
    "status": "success",
    "ref": "main",
    "tag": False,
    "created_at": "2026-03-02T10:10:00.000Z",
    "finished_at": "2026-03-02T10:19:00.990Z",
    "commit": {"id": MERGE},
    "pipeline": {"id": 31, "name": "Deploy"},
    "web_url": "https://gitlab.example/shop/web/checkout/-/jobs/88",
}

DEPLOYMENT_HOOK: dict[str, Any] = {
    "object_kind": "deployment",
    "status": "success",
    "status_changed_at": "2026-03-02 12:19:00 +0200",
    "deployment_id": 15,
    "deployable_id": 88,
    "deployable_url": "https://gitlab.example/shop/web/checkout/-/jobs/88",
    "environment": "production",
    "project": PROJECT,
    "short_sha": MERGE[:8],
    "commit_url": f"https://gitlab.example/shop/web/checkout/-/commit/{MERGE}",
    "ref": "main",
}
DEPLOYMENT: dict[str, Any] = {
    "id": 15,
    "iid": 1,
    "ref": "main",
    "sha": MERGE,
    "status": "success",
    "created_at": "2026-03-02T10:10:00.000Z",
    "updated_at": "2026-03-02T10:30:00.000Z",
    "environment": {"id": 1, "name": "production"},
    "deployable": JOB,
}

RELEASE_HOOK: dict[str, Any] = {
    "object_kind": "release",
    "action": "create",
    "tag": "v2",
    "name": "Two",
    "created_at": "2026-03-02 10:00:00 UTC",
    "released_at": "2026-03-02 11:00:00 UTC",
    "project": PROJECT,
    "commit": {"id": MERGE},
    "url": "https://gitlab.example/shop/web/checkout/-/releases/v2",
}
RELEASE: dict[str, Any] = {
    "tag_name": "v2",
    "released_at": "2026-03-02T11:00:00.500Z",
    "commit": {"id": MERGE, "committed_date": "2026-03-02T10:00:00.000Z"},
    "_links": {"self": "https://gitlab.example/shop/web/checkout/-/releases/v2"},
}

RENAMED_HOOK: dict[str, Any] = {
    "event_name": "project_rename",
    "project_id": 7,
    "path_with_namespace": NAME,
    "old_path_with_namespace": "shop/web/till",
    "updated_at": "2026-03-03T00:00:00Z",
}

HOOKS = [
    MERGED_HOOK,
    OPENED_HOOK,
    PUSH_HOOK,
    TAG_HOOK,
    PIPELINE_HOOK,
    JOB_HOOK,
    changed(JOB_HOOK, project=None),
    DEPLOYMENT_HOOK,
    RELEASE_HOOK,
    RENAMED_HOOK,
]
