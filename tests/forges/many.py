"""A GitHub with very many pull requests, made up as they are asked for, which counts what it is
asked and keeps a primary and a secondary limit."""

import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.builders import NOON, sha
from tests.forges.fake import as_json, text

from shipmark.connectors.exchange import Request, Response

NAME = "acme/shop"
FIRST_CREATED = NOON - timedelta(days=400)
EMPTY = {"pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": []}


class ManyPulls:
    """Answers for ``count`` pull requests, all merged, as `FakeGitHub` does for a few.

    Of ``budget`` calls in ``period`` seconds it tells what is left, and refuses what is more, which
    are ``overdrawn``. One call in ``slowed_every`` it refuses for a secondary limit, with
    Retry-After; what is asked before that is over is ``impatient``.
    """

    def __init__(self, count: int, *, budget: int, period: float, slowed_every: int) -> None:
        self.count = count
        self.budget, self.period, self.slowed_every = budget, period, slowed_every
        self.cursors: list[str | None] = []
        self.calls = self.overdrawn = self.slowed = self.impatient = 0
        self._began, self._spent = time.time(), 0
        self._closed_until = 0.0
        self._one_at_a_time = threading.Lock()

    def __call__(self, request: Request) -> Response:
        with self._one_at_a_time:
            return self._limited() or self._told(self._answer(request))

    def _limited(self) -> Response | None:
        now = time.time()
        if now >= self._began + self.period:
            self._began, self._spent = now, 0
        if now < self._closed_until:
            self.impatient += 1
            return self._slow_down()
        if self._spent >= self.budget:
            self.overdrawn += 1
            return self._told(as_json({"message": "API rate limit exceeded"}, status=403))
        self.calls += 1
        if self.calls % self.slowed_every == 0:
            self.slowed += 1
            self._closed_until = now + 0.9
            return self._slow_down()
        self._spent += 1
        return None

    def _slow_down(self) -> Response:
        said = {"message": "You have exceeded a secondary rate limit."}
        return as_json(said, status=403, retry_after="1")

    def _told(self, response: Response) -> Response:
        told = {
            "x-ratelimit-limit": str(self.budget),
            "x-ratelimit-remaining": str(max(0, self.budget - self._spent)),
            "x-ratelimit-reset": str(int(self._began + self.period) + 1),
        }
        return replace(response, headers={**response.headers, **told})

    def _answer(self, request: Request) -> Response:
        path = request.path.removeprefix("/api").removeprefix("/v3")
        if path == "/graphql":
            return self._page(request.body["variables"])
        if path == f"/repos/{NAME}":
            told = {"id": 77, "full_name": NAME, "default_branch": "main"}
            return as_json(told | {"updated_at": text(FIRST_CREATED)})
        if path == f"/repos/{NAME}/commits":
            return as_json([])
        return as_json({"message": "Not Found"}, status=404)

    def _page(self, variables: dict[str, Any]) -> Response:
        self.cursors.append(variables["after"])
        start = int(variables["after"] or 0)
        end = min(start + variables["first"], self.count)
        more = {"hasNextPage": end < self.count, "endCursor": str(end)}
        nodes = [_node(number) for number in range(start + 1, end + 1)]
        pulls = {"pageInfo": more, "nodes": nodes}
        return as_json({"data": {"repository": {"pullRequests": pulls}}})


def _node(number: int) -> dict[str, Any]:
    at = text(FIRST_CREATED + timedelta(minutes=number))
    return {
        "fullDatabaseId": str(1000 + number),
        "number": number,
        "title": f"Change {number}",
        "url": f"https://github.example/{NAME}/pull/{number}",
        "isDraft": False,
        "createdAt": at,
        "updatedAt": at,
        "mergedAt": at,
        "closedAt": at,
        "baseRefName": "main",
        "headRefName": f"work-{number}",
        "headRefOid": sha(500_000 + number),
        "author": {"__typename": "User", "login": "ada"},
        "mergeCommit": {"oid": sha(number)},
        "labels": {"nodes": []},
        "timelineItems": {"nodes": []},
        "commits": EMPTY
        | {"nodes": [{"commit": {"oid": sha(500_000 + number), "authoredDate": at}}]},
        "files": EMPTY | {"nodes": [{"path": f"src/{number}.py"}]},
    }
