"""What forges would deliver of a made-up history, webhook by webhook, in the order it happened.

Hours are counted as by `builders.at`. Every payload tells the repository as it was at its hour:
its default branch becomes another at 10, and its name at 20.
"""

import json
from datetime import datetime
from typing import Any

from tests.builders import at, sha

from shipmark.application.deliveries import Delivery

NAME, NEW_NAME = "acme/shop", "acme/store"
BUMP, INNER, SIDE, ON_TRUNK = sha(100), sha(101), sha(102), sha(103)


def _name(hour: float) -> str:
    return NAME if hour < 20 else NEW_NAME


def _branch(hour: float) -> str:
    return "trunk" if hour < 10 else "main"


def _changed_at(hour: float) -> datetime:
    return at(max(one for one in (0, 10, 20) if one <= hour))


class GitHub:
    """Webhooks as GitHub sends them: the fields that are read, and few that are not."""

    def __init__(self) -> None:
        self.sent: list[Delivery] = []

    def send(self, hour: float, event: str, **payload: Any) -> None:
        repository = {
            "id": 77,
            "full_name": _name(hour),
            "default_branch": _branch(hour),
            "updated_at": _text(_changed_at(hour)),
            "pushed_at": int(at(hour).timestamp()),
        }
        self.sent.append(
            _delivery(
                "github",
                len(self.sent),
                hour,
                {"x-github-event": event},
                {"repository": repository, **payload},
            )
        )

    def pull(self, hour: float, action: str, number: int, **changes: Any) -> None:
        pull = {
            "id": 1000 + number,
            "number": number,
            "title": f"Change {number}",
            "html_url": f"https://github.example/acme/shop/pull/{number}",
            "head": {"ref": f"feature-{number}", "sha": sha(10 + number)},
            "base": {"ref": "main", "sha": sha(0)},
            "created_at": _text(at(number)),
            "updated_at": _text(at(hour)),
            "user": {"login": "maria"},
            **changes,
        }
        self.send(hour, "pull_request", action=action, number=number, pull_request=pull)

    def push(self, hour: float, branch: str, *commits: str, before: int = 0) -> None:
        told = [{"id": one, "timestamp": _text(at(hour - 0.5))} for one in commits]
        self.send(
            hour,
            "push",
            ref=f"refs/heads/{branch}",
            before=sha(before),
            after=commits[-1],
            commits=told,
            head_commit=told[-1],
        )


def github_history() -> list[Delivery]:
    forge = GitHub()
    forge.pull(1, "opened", 1, draft=True)
    forge.push(2, "feature-1", INNER, SIDE)
    forge.pull(3, "ready_for_review", 1)
    forge.pull(4, "opened", 4, title="Take it back")
    forge.pull(5, "closed", 4, title="Take it back", closed_at=_text(at(5)))
    forge.pull(6, "reopened", 4, title="Take it back")
    forge.push(7, "trunk", ON_TRUNK)
    forge.pull(8, "edited", 1, title="Change one", labels=[{"name": "web"}])
    _merge(forge, 9, 1, title="Change one", labels=[{"name": "web"}])
    forge.push(9, "main", INNER, sha(1))
    forge.send(10, "repository", action="edited", changes={})
    forge.pull(11, "opened", 2)
    forge.pull(12, "edited", 2, base={"ref": "develop", "sha": sha(0)})
    _merge(forge, 13, 2, base={"ref": "develop", "sha": sha(0)})
    forge.push(13, "develop", sha(2))
    forge.push(14, "feature-bump", BUMP)
    forge.push(15, "main", BUMP)
    forge.send(16, "workflow_run", action="completed", workflow_run=_run(16))
    forge.pull(17, "converted_to_draft", 4, title="Take it back", draft=True)
    forge.pull(18, "labeled", 1, **_merged(9, 1), title="Change one", labels=[])
    forge.send(
        20,
        "repository",
        action="renamed",
        changes={"repository": {"name": {"from": "shop"}}},
    )
    _merge(forge, 21, 4, title="Take it back")
    forge.push(21, "main", sha(4))
    return forge.sent


def _merged(hour: float, number: int) -> dict[str, Any]:
    ended = _text(at(hour))
    return {"merged_at": ended, "closed_at": ended, "merge_commit_sha": sha(number)}


def _merge(forge: GitHub, hour: float, number: int, **changes: Any) -> None:
    forge.pull(hour, "closed", number, **_merged(hour, number), **changes)


def _run(hour: float) -> dict[str, Any]:
    return {
        "id": 5,
        "head_sha": BUMP,
        "html_url": "https://github.example/acme/shop/actions/runs/5",
        "created_at": _text(at(hour)),
        "updated_at": _text(at(hour)),
        "name": "Deploy",
        "head_branch": "main",
        "conclusion": "success",
        "head_repository": {"id": 77, "full_name": _name(hour)},
    }


class GitLab:
    """Webhooks as GitLab sends them, which tell less."""

    def __init__(self) -> None:
        self.sent: list[Delivery] = []

    def send(self, hour: float, **payload: Any) -> None:
        project = {"id": 77, "path_with_namespace": _name(hour), "default_branch": _branch(hour)}
        whole = {"project": project, **payload}
        self.sent.append(_delivery("gitlab", len(self.sent), hour, {}, whole))

    def request(self, hour: float, action: str, number: int, **changes: Any) -> None:
        state = {"merge": "merged", "close": "closed"}.get(action, "opened")
        attributes = {
            "id": 1000 + number,
            "iid": number,
            "target_branch": "main",
            "source_branch": f"feature-{number}",
            "state": state,
            "action": action,
            "title": f"Change {number}",
            "author_id": 3,
            "created_at": _text(at(number)),
            "updated_at": _text(at(hour)),
            "last_commit": {"id": sha(10 + number), "timestamp": _text(at(number))},
            "merge_commit_sha": sha(number) if state == "merged" else None,
            **changes,
        }
        user = {"id": 3, "username": "maria"}
        self.send(hour, object_kind="merge_request", user=user, object_attributes=attributes)

    def push(self, hour: float, branch: str, *commits: str) -> None:
        told = [{"id": one, "timestamp": _text(at(hour - 0.5)), "message": "x"} for one in commits]
        self.send(
            hour,
            object_kind="push",
            ref=f"refs/heads/{branch}",
            after=commits[-1],
            checkout_sha=commits[-1],
            commits=told,
        )


def gitlab_history() -> list[Delivery]:
    forge = GitLab()
    forge.request(1, "open", 1)
    forge.push(2, "feature-1", INNER, SIDE)
    forge.request(3, "update", 1, title="Change one")
    forge.request(4, "open", 4)
    forge.request(5, "close", 4)
    forge.request(6, "reopen", 4)
    forge.push(7, "trunk", ON_TRUNK)
    forge.request(9, "merge", 1, title="Change one")
    forge.push(9, "main", sha(1))
    forge.request(11, "open", 2)
    forge.request(12, "update", 2, target_branch="develop")
    forge.request(13, "merge", 2, target_branch="develop")
    forge.push(13, "develop", sha(2))
    forge.push(14, "feature-bump", BUMP)
    forge.push(15, "main", BUMP)
    forge.request(16, "close", 4)
    forge.request(16.5, "reopen", 4)
    forge.request(18, "update", 1, title="Change the first", state="merged")
    forge.send(
        20,
        event_name="project_rename",
        project_id=77,
        path_with_namespace=NEW_NAME,
        old_path_with_namespace=NAME,
        updated_at=_text(at(20)),
    )
    forge.request(21, "merge", 4)
    forge.push(21, "main", sha(4))
    return forge.sent


def _text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def _delivery(
    forge: str, number: int, hour: float, headers: dict[str, str], payload: dict[str, Any]
) -> Delivery:

    return Delivery(
        forge=forge,
        delivery_id=f"{forge}-{number}",
        headers=headers,
        body=json.dumps(payload).encode(),
        received_at=at(hour + 0.01),
    )


HISTORIES = {"github": github_history(), "gitlab": gitlab_history()}
