"""A GitLab with one project and many merge requests, made up as they are asked for."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from tests.builders import sha
from tests.connectors.talks import ok

from shipmark.connectors.exchange import Request, Response

NAME = "shop/web/checkout"
BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)
LISTS = ("pipelines", "jobs", "deployments", "releases", "repository/tags")
PROJECT = re.compile(r"/api/v4/projects/([^/]+)(.*)")


def merged_at(number: int) -> str:
    return (BEGINNING + timedelta(minutes=number)).isoformat()


class FakeGitLab:
    """Has merge requests 1 to ``count``, each merged by ``sha(number)`` a minute after the one
    before, and ``pushed`` commits on main besides. All may have been ``changed_at`` an instant.
    ``rules`` is its file .shipmark.yml, ``lists`` what other lists hold, by their path."""

    def __init__(
        self,
        count: int = 0,
        *,
        name: str = NAME,
        pushed: tuple[str, ...] = (),
        changed_at: datetime | None = None,
        rules: bytes | None = None,
        lists: Mapping[str, list[dict[str, Any]]] | None = None,
    ) -> None:
        self.name = name
        self.changed_at = changed_at
        self.count = count
        self.pushed = pushed
        self.rules = rules
        self.lists = {path: [] for path in LISTS} | dict(lists or {})

    def __call__(self, request: Request) -> Response:
        found = PROJECT.fullmatch(request.path)
        if found is None or unquote(found[1]).lower() != self.name.lower():
            return ok({"message": "404 Project Not Found"}, status=404)
        below = found[2].strip("/")
        if below in self.lists:
            return ok(self.lists[below])
        if below == "repository/files/.shipmark.yml/raw" and self.rules is not None:
            return Response(status=200, body=self.rules)
        return self._answer(request, below.split("/"))

    def _answer(self, request: Request, below: list[str]) -> Response:
        match below:
            case [""]:
                return ok({"id": 7, "path_with_namespace": self.name, "default_branch": "main"})
            case ["merge_requests"]:
                return self._listed(request)
            case ["merge_requests", number]:
                return ok(self.merge_request(int(number)))
            case ["merge_requests", number, "commits"]:
                return ok([self._commit(sha(500_000 + int(number)))])
            case ["merge_requests", _, "diffs"]:
                return ok([{"old_path": "a.txt", "new_path": "a.txt"}])
            case ["repository", "commits"]:
                return ok([self._commit(one) for one in self.pushed])
            case ["repository", "commits", commit, *rest]:
                return self._about(commit, rest)
        return ok({"message": "404 Not Found"}, status=404)

    def merge_request(self, number: int) -> dict[str, Any]:
        at = merged_at(number)
        return {
            "id": 1000 + number,
            "iid": number,
            "target_branch": "main",
            "source_branch": f"work-{number}",
            "state": "merged",
            "title": f"Change {number}",
            "created_at": BEGINNING.isoformat(),
            "updated_at": self.changed_at.isoformat() if self.changed_at else at,
            "merged_at": at,
            "closed_at": None,
            "sha": sha(500_000 + number),
            "merge_commit_sha": sha(number),
        }

    def _listed(self, request: Request) -> Response:
        size, page = int(request.query["per_page"]), int(request.query["page"])
        first = 1
        if "updated_after" in request.query and self.changed_at is None:
            since = datetime.fromisoformat(str(request.query["updated_after"]))
            first = max(1, -((BEGINNING - since) // timedelta(minutes=1)))
        first += (page - 1) * size
        numbers = range(first, min(first + size, self.count + 1))
        return ok([self.merge_request(number) for number in numbers])

    def _about(self, commit: str, rest: list[str]) -> Response:
        number = int(commit[:7], 16)
        by_merge = 1 <= number <= self.count
        full = sha(number)
        if not full.startswith(commit) or not (by_merge or full in self.pushed):
            return ok({"message": "404 Commit Not Found"}, status=404)
        if rest == ["merge_requests"]:
            return ok([{"iid": number, "state": "merged"}] if by_merge else [])
        return ok([{"name": "main"}] if rest == ["refs"] else self._commit(full))

    def _commit(self, of: str) -> dict[str, Any]:
        return {"id": of, "authored_date": merged_at(1), "committed_date": merged_at(1)}
