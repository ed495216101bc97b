"""A Gitea with one repository, and its objects, written from the description of its API."""

import json
from typing import Any

from shipmark.connectors.exchange import Request, Response

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "org/app"
HOME = "/repos/org/app"


def a_repository(**changes: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "name": "app",
        "full_name": NAME,
        "default_branch": "main",
        "archived": False,
        "updated_at": "2026-03-01T13:00:00Z",
    } | changes


def a_pull_request(number: int = 5, **changes: Any) -> dict[str, Any]:
    return {
        "id": number + 6,
        "number": number,
        "user": {"id": 1, "login": "someone"},
        "title": "Add a thing",
        "labels": [{"id": 2, "name": "b"}, {"id": 1, "name": "a"}],
        "state": "closed",
        "html_url": f"https://git.example.com/org/app/pulls/{number}",
        "merged": True,
        "merged_at": "2026-03-01T13:00:00+01:00",
        "merge_commit_sha": COMMIT,
        "base": {"label": "main", "ref": "main", "sha": "b" * 40},
        "head": {"label": "thing", "ref": "thing", "sha": "a" * 40},
        "created_at": "2026-02-28T12:00:00Z",
        "updated_at": "2026-03-01T12:00:00Z",
        "closed_at": "2026-03-01T12:00:00Z",
    } | changes


def a_commit(sha: str = COMMIT, at: str = "2026-03-01T12:00:00Z") -> dict[str, Any]:
    """A commit as webhooks have it."""
    return {"id": sha, "timestamp": at, "added": ["b.txt"], "removed": None, "modified": ["a.txt"]}


def an_api_commit(sha: str = COMMIT, at: str = "2026-03-01T12:00:00Z") -> dict[str, Any]:
    dates = {"author": {"date": at}, "committer": {"date": "2026-03-02T12:00:00Z"}}
    return {"sha": sha, "created": at, "commit": dates}


class FakeGitea:
    """Answers with what is at a path; a list comes in pages of at most ``most``."""

    def __init__(self, most: int = 50, *, links: bool = True, **paths: Any) -> None:
        self.most, self.links = most, links
        self.paths: dict[str, Any] = {HOME: a_repository()}
        self.paths |= {f"{HOME}{path}": answer for path, answer in paths.items()}

    def __call__(self, request: Request) -> Response:
        found = self.paths.get(request.path)
        if isinstance(found, Response):
            return found
        if found is None:
            return Response(status=404, body=b'{"message": "not found"}')
        if not isinstance(found, list):
            return Response(status=200, body=json.dumps(found).encode())
        return self._listed(found, request)

    def _listed(self, found: list[Any], request: Request) -> Response:
        size = min(int(request.query["limit"]), self.most)
        page = int(request.query["page"])
        headers = {"x-total-count": str(len(found))}
        if self.links and page * size < len(found):
            headers["link"] = f'<https://git.example.com/api/v1?page={page + 1}>; rel="next"'
        elif self.links and len(found) > size:
            headers["link"] = '<https://git.example.com/api/v1?page=1>; rel="first"'
        body = json.dumps(found[(page - 1) * size : page * size]).encode()
        return Response(status=200, body=body, headers=headers)
