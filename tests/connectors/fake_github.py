"""A GitHub with one repository. What it says over GraphQL comes of executing the query on the
schema that GitHub publishes, so a query that GitHub would refuse is refused here."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema, build_schema, graphql_sync
from tests.connectors.recorded import package

from shipmark.connectors.exchange import Request, Response
from shipmark.connectors.github_graphql import BIG_ID, GRAPHQL

SCHEMA = "@octokit/graphql-schema@15.26.1"
Nodes = list[dict[str, Any]]


@cache
def schema(*, old: bool = False) -> GraphQLSchema:
    """GitHub's schema; or, old, one from before ids outgrew 32 bits."""
    text = (package(SCHEMA) / "schema.graphql").read_text("utf-8")
    built = build_schema(text, assume_valid=True)
    if old:
        pull = built.type_map["PullRequest"]
        assert isinstance(pull, GraphQLObjectType)
        del pull.fields[BIG_ID]
    return built


class FakeGitHub:
    """Answers GraphQL from ``pulls``, ``tags`` and ``releases``, and REST from ``paths``."""

    def __init__(self, name: str = "org/app", *, old: bool = False) -> None:
        self.name, self.old = name, old
        self.pulls: Nodes = []
        self.tags: Nodes = []
        self.releases: Nodes = []
        self.paths: dict[str, Any] = {}
        self.most_at_once = 100
        """How many pull requests it manages to answer at once."""
        self.manages_files = True

    def __call__(self, request: Request) -> Response:
        if request.path == GRAPHQL:
            return self._graphql(**request.body)
        answer = self.paths.get(request.path)
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Response):
            return answer
        found = Response(status=404, body=b'{"message": "Not Found"}')
        return found if answer is None else _json(answer)

    def _graphql(self, query: str, variables: dict[str, Any]) -> Response:
        if variables.get("first", 1) > self.most_at_once or (
            variables.get("files") and not self.manages_files
        ):
            return Response(status=502, body=b"<html>")
        done = graphql_sync(
            schema(old=self.old),
            query,
            root_value={"repository": self._repository},
            variable_values=variables,
        )
        errors = [_error(error.message) for error in done.errors or ()]
        return _json({"data": done.data} | ({"errors": errors} if errors else {}))

    def _repository(self, _info: Any, owner: str, name: str, **_: Any) -> dict[str, Any]:
        if f"{owner}/{name}" != self.name:
            raise LookupError(f"Could not resolve to a Repository with the name '{owner}/{name}'.")
        return {
            "pullRequests": self._pulls,
            "pullRequest": self._pull,
            "refs": connection(self.tags),
            "releases": connection(self.releases),
        }

    def _pulls(self, _info: Any, orderBy: dict[str, str], **paging: Any) -> dict[str, Any]:  # noqa: N803
        field = {"UPDATED_AT": "updatedAt", "CREATED_AT": "createdAt"}[orderBy["field"]]
        down = orderBy["direction"] == "DESC"
        ordered = sorted(self.pulls, key=lambda pull: pull[field], reverse=down)
        return connection(ordered)(None, **paging)

    def _pull(self, _info: Any, number: int) -> dict[str, Any]:
        for pull in self.pulls:
            if pull["number"] == number:
                return pull
        raise LookupError(f"Could not resolve to a PullRequest with the number of {number}.")


def connection(nodes: Nodes) -> Callable[..., dict[str, Any]]:
    """A list as GraphQL gives it out. As on GitHub, an empty page has no cursor."""

    def page(_info: Any, first: int, after: str | None = None, **_: Any) -> dict[str, Any]:
        start = int(after or 0)
        found = nodes[start : start + first]
        has_next = start + first < len(nodes)
        end = str(start + len(found)) if found else None
        return {"pageInfo": {"hasNextPage": has_next, "endCursor": end}, "nodes": found}

    return page


def graphql_pull(
    rest: dict[str, Any], *, commits: Nodes | None = None, files: list[str] | None = None
) -> dict[str, Any]:
    """A pull request as GraphQL has it, from one as REST has it, with what REST does not tell.

    ``commits`` have an oid and an authoredDate.
    """
    user = rest["user"]
    kind = user["type"] if user else ""
    return {
        "fullDatabaseId": str(rest["id"]),
        "databaseId": rest["id"],
        "number": rest["number"],
        "title": rest["title"],
        "url": rest["html_url"],
        "isDraft": rest["draft"],
        "createdAt": rest["created_at"],
        "updatedAt": rest["updated_at"],
        "mergedAt": rest["merged_at"],
        "closedAt": rest["closed_at"],
        "baseRefName": rest["base"]["ref"],
        "headRefName": rest["head"]["ref"],
        "headRefOid": rest["head"]["sha"],
        "author": user and {"__typename": kind, "login": user["login"].removesuffix("[bot]")},
        "mergeCommit": {"oid": rest["merge_commit_sha"]} if rest["merge_commit_sha"] else None,
        "labels": {"nodes": [{"name": label["name"]} for label in reversed(rest["labels"])]},
        "timelineItems": {"nodes": []},
        "commits": connection([{"commit": commit} for commit in commits or []]),
        "files": connection([{"path": path} for path in files or []]),
    }


def graphql_release(rest: dict[str, Any], commit: str | None) -> dict[str, Any]:
    """A release as GraphQL has it, from one as REST has it; ``commit`` is that of its tag."""
    return {
        "databaseId": rest["id"],
        "tagName": rest["tag_name"],
        "url": rest["html_url"],
        "isDraft": rest["draft"],
        "publishedAt": rest["published_at"],
        "tagCommit": commit and {"oid": commit},
    }


def _error(message: str) -> dict[str, Any]:
    """An error with what GitHub adds to it."""
    if "Could not resolve" in message:
        return {"type": "NOT_FOUND", "message": message}
    unknown = {"extensions": {"code": "undefinedField"}} if "Cannot query field" in message else {}
    return {"message": message, **unknown}


def _json(body: Any) -> Response:
    return Response(status=200, body=json.dumps(body).encode())
