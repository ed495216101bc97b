"""An Azure DevOps that tells a history. It says when nothing changed last, lists only what is
completed, and knows a repository by its present name alone."""

from collections.abc import Iterator, Mapping
from email.utils import format_datetime
from typing import Any, ClassVar

from tests.deliveries import SECRET
from tests.forges.fake import ZEROS, FakeForge, Payload, as_json, instant, soon, text
from tests.forges.history import Commit, Happening, Pull, Repository

from shipmark.connectors import azure_devops, azure_devops_pushes
from shipmark.connectors.exchange import Request, Response

PROJECT = "Web Team"
PROJECT_ID = "6ce954b1-0000-0000-0000-000000000001"
REPOSITORY_ID = "4bc14d40-0000-0000-0000-000000000002"
STATES = {"open": "active", "merged": "completed", "closed": "abandoned"}


class FakeAzureDevOps(FakeForge):
    source = "azure_devops"
    endpoint = "azure-devops"
    names = (f"{PROJECT}/shop api", f"{PROJECT}/shop api")
    also = ("edit_merged", "reopen")
    own_id = REPOSITORY_ID
    pages: ClassVar = {
        (azure_devops, "PAGE_SIZE"): 2,
        (azure_devops_pushes, "PAGE_SIZE"): 2,
    }

    def proof(self, body: bytes, secret: str = SECRET) -> dict[str, str]:
        del body
        return {"x-shipmark-secret": secret}

    def __call__(self, request: Request) -> Response:
        response = super().__call__(request)
        date = format_datetime(self.now, usegmt=True)
        return Response(
            status=response.status,
            body=response.body,
            headers={**response.headers, "date": date},
        )

    def answer(self, parts: list[str], request: Request) -> Any:
        match parts:
            case [project, "_apis", "git", "repositories", name, *rest]:
                if project in (PROJECT, PROJECT_ID) and self.is_named(f"{PROJECT}/{name}"):
                    return self._below(rest, request)
        return None

    def _below(self, parts: list[str], request: Request) -> Any:
        match parts:
            case []:
                return _repository(self.repository)
            case ["pullrequests"]:
                return self._pulls(request)
            case ["pullRequests", number, *rest]:
                pull = self.pull(number)
                return pull and self._of_pull(pull, rest, request)
            case ["pullrequestquery"]:
                return self._brought(request.body["queries"])
            case ["commits"]:
                return self._commits(request)
            case ["commits", prefix]:
                found = self.known(prefix)
                return found and _commit(found)
            case ["diffs", "commits"]:
                branch, sha = request.query["baseVersion"], str(request.query["targetVersion"])
                return {"commonCommit": sha if self.holds(str(branch), sha) else ZEROS}
            case ["pushes"]:
                return self._pushes(request)
            case ["refs"]:
                tags = self.history.tags(self.now).items()
                refs = [{"name": f"refs/tags/{name}", "objectId": one.sha} for name, one in tags]
                wanted = f"refs/{request.query['filter']}"
                return {"value": [one for one in refs if one["name"].startswith(wanted)]}
        return None

    def _of_pull(self, pull: Pull, parts: list[str], request: Request) -> Any:
        match parts:
            case []:
                return _pull(pull, self.repository)
            case ["commits"]:
                commits = [_commit(one) for one in reversed(pull.commits)]
                start = int(request.query.get("continuationToken", 0))
                return _continued(commits, start, int(request.query["$top"]))
            case ["iterations"]:
                return {"value": [{"id": 1}]}
            case ["iterations", "1", "changes"]:
                entries = [{"item": {"path": f"/{one}"}} for one in pull.files]
                return {"changeEntries": entries, "nextSkip": 0}
        return None

    def _pulls(self, request: Request) -> Payload:
        query = request.query
        status = str(query["searchCriteria.status"])
        pulls = [one for one in self.pulls() if status in ("all", STATES[one.state])]
        if since := query.get("searchCriteria.minTime"):
            pulls = [one for one in pulls if one.ended_at and one.ended_at >= instant(since)]
        pulls.sort(key=lambda one: one.ended_at or one.created_at, reverse=True)
        found = _taken([_pull(one, self.repository) for one in pulls], query, "")
        for one in found:
            one["repository"] = {
                name: value for name, value in one["repository"].items() if name != "defaultBranch"
            }
        return {"value": found}

    def _brought(self, queries: list[Payload]) -> Payload:
        results = []
        for query in queries:
            (sha,) = query["items"]
            landed = query["type"] == "lastMergeCommit"
            found = [one for one in self.brought(sha) if (one.landed_as == sha) is landed]
            results.append({sha: [_pull(one, self.repository) for one in found]} if found else {})
        return {"results": results}

    def _commits(self, request: Request) -> Payload:
        version = str(request.query["searchCriteria.itemVersion.version"])
        commits = self.history.reachable(self.tip(version) or version)
        if since := request.query.get("searchCriteria.fromDate"):
            commits = [one for one in commits if one.at >= instant(since)]
        found = [_commit(one) for one in commits]
        return {"value": _taken(found, request.query, "searchCriteria.")}

    def _pushes(self, request: Request) -> Payload:
        happened = [one for one in self.history.until(self.now) if one.push or one.tag]
        if since := request.query.get("searchCriteria.fromDate"):
            happened = [one for one in happened if one.at >= instant(since)]
        pushes = [_push(one) for one in reversed(happened)]
        return {"value": _taken(pushes, request.query, "")}

    def hooks(self, happening: Happening) -> Iterator[tuple[Mapping[str, str], Payload]]:
        repository = _repository(happening.repository)
        number = 10 * happening.number

        def hook(kind: str, resource: Payload) -> tuple[Mapping[str, str], Payload]:
            nonlocal number
            number += 1
            return {}, {
                "subscriptionId": "cccccccc-0000-0000-0000-000000000003",
                "notificationId": number,
                "eventType": kind,
                "publisherId": "tfs",
                "resource": resource,
                "resourceContainers": {"project": {"id": PROJECT_ID}},
                "createdDate": text(soon(happening.at)),
            }

        if push := happening.push:
            commits = [_commit(one) for one in reversed(push.commits)]
            yield hook(
                "git.push", _push(happening) | {"commits": commits, "repository": repository}
            )
        if pull := happening.pull:
            opened = happening.what == "opened"
            resource = _pull(pull, happening.repository)
            yield hook(f"git.pullrequest.{'created' if opened else 'updated'}", resource)
            if pull.state == "merged" and happening.what == "merged":
                yield hook("git.pullrequest.merged", resource)
        if happening.tag:
            yield hook("git.push", _push(happening) | {"commits": [], "repository": repository})


def _taken(items: list[Any], query: Mapping[str, str | int], prefix: str) -> list[Any]:
    skip, top = int(query.get(f"{prefix}$skip", 0)), int(query[f"{prefix}$top"])
    return items[skip : skip + top]


def _continued(items: list[Any], start: int, top: int) -> Response:
    more = start + top < len(items)
    token = {"x_ms_continuationtoken": str(start + top)} if more else {}
    return as_json({"value": items[start : start + top]}, **token)


def _repository(repository: Repository) -> Payload:
    return {
        "id": REPOSITORY_ID,
        "name": repository.name.partition("/")[2],
        "url": f"https://dev.azure.com/acme/_apis/git/repositories/{REPOSITORY_ID}",
        "project": {"id": PROJECT_ID, "name": PROJECT},
        "defaultBranch": f"refs/heads/{repository.default_branch}",
    }


def _commit(commit: Commit) -> Payload:
    stamp = {"name": "Ada", "date": text(commit.at)}
    return {
        "commitId": commit.sha,
        "author": stamp,
        "committer": stamp,
        "comment": commit.message,
        "parents": list(commit.parents),
    }


def _push(happening: Happening) -> Payload:
    """What was pushed; a tag is pushed, too."""
    if happening.push:
        before, after = happening.push.before, happening.push.after
        name = f"refs/heads/{happening.push.branch}"
    else:
        assert happening.tag is not None
        name, (before, after) = f"refs/tags/{happening.tag[0]}", (None, happening.tag[1])
    update = {"name": name, "oldObjectId": before or ZEROS, "newObjectId": after.sha}
    return {"pushId": happening.number, "date": text(happening.at), "refUpdates": [update]}


def _pull(pull: Pull, repository: Repository) -> Payload:
    return {
        "repository": _repository(repository),
        "pullRequestId": pull.number,
        "status": STATES[pull.state],
        "createdBy": {"displayName": pull.author.title(), "uniqueName": pull.author},
        "creationDate": text(pull.created_at),
        "closedDate": text(pull.ended_at),
        "title": pull.title,
        "sourceRefName": f"refs/heads/{pull.head}",
        "targetRefName": f"refs/heads/{pull.base}",
        "lastMergeSourceCommit": {"commitId": pull.head_sha},
        # Of one that is active, this is the commit that would come of it.
        "lastMergeCommit": {"commitId": pull.landed_as or f"{pull.number:040x}"},
        "labels": [],
    }
