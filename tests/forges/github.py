"""A GitHub that tells a history: GraphQL for pull requests, REST for all else."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from tests.forges.fake import ZEROS, FakeForge, Payload, as_json, instant, page_of, text
from tests.forges.history import Commit, Happening, Pull, Release, Repository

from shipmark.connectors import github, github_pulls
from shipmark.connectors.exchange import Request

ACTIONS = {"retargeted": "edited", "merged": "closed"}
NO_MORE: Payload = {"pageInfo": {"hasNextPage": False, "endCursor": None}}
FEW = ((2, True), (1, True), (1, True), (1, False))


class FakeGitHub(FakeForge):
    source = "github"
    endpoint = "github"
    also = ("edit_merged", "reopen", "release")
    pages: ClassVar = {(github_pulls, "PORTIONS"): FEW, (github, "PAGE_SIZE"): 3}

    @property
    def delivery_header(self) -> str:
        return "x-github-delivery"

    def below(self, path: str) -> str:
        return path.removeprefix("/api").removeprefix("/v3")

    def answer(self, parts: list[str], request: Request) -> Any:
        if parts == ["graphql"]:
            return self._graphql(request.body["query"], request.body["variables"])
        if parts[:1] != ["repos"] or not self.is_named("/".join(parts[1:3])):
            return None
        match parts[3:]:
            case []:
                return _repository(self.repository)
            case ["commits"]:
                return self._commits(request)
            case ["commits", "tags", tag]:
                found = self.history.tags(self.now).get(tag)
                return found and _commit(found)
            case ["commits", prefix]:
                found = self.known(prefix)
                return _commit(found) if found else as_json({}, status=422)
            case ["commits", sha, "pulls"]:
                brought = self.brought(sha)
                return [{"number": one.number, "merged_at": text(one.merged_at)} for one in brought]
            case ["commits", sha, "branches-where-head"]:
                tips = self.history.tips(self.now)
                return [{"name": name} for name, tip in tips.items() if tip == sha]
            case ["compare", between]:
                sha, _, branch = between.partition("...")
                return {"status": "ahead" if self.holds(branch, sha) else "diverged"}
        return None

    def _commits(self, request: Request) -> Any:
        tip = self.tip(str(request.query["sha"]))
        if tip is None:
            return None
        commits = self.history.reachable(tip)
        if since := request.query.get("since"):
            commits = [one for one in commits if one.at >= instant(since)]
        return [_commit(one) for one in page_of(commits, request)]

    def _graphql(self, query: str, variables: dict[str, Any]) -> Payload:
        if not self.is_named(f"{variables['owner']}/{variables['name']}"):
            error = {"type": "NOT_FOUND", "message": "Could not resolve to a Repository"}
            return {"data": {"repository": None}, "errors": [error]}
        if "number" in variables:
            pull = self.pull(variables["number"])
            return _data({"pullRequest": pull and _node(pull)})
        if "releases(" in query:
            releases = self.history.releases(self.now)
            return _data(
                {"releases": NO_MORE | {"nodes": [_release_node(one) for one in releases]}}
            )
        if "field" not in variables:
            tags = self.history.tags(self.now).items()
            return _data({"refs": NO_MORE | {"nodes": [_tag(*one) for one in tags]}})
        by_change = variables["field"] == "UPDATED_AT"
        pulls = sorted(
            self.pulls(),
            key=lambda one: one.updated_at if by_change else one.created_at,
            reverse=variables["direction"] == "DESC",
        )
        start, size = int(variables.get("after") or 0), variables["first"]
        found = pulls[start : start + size]
        end = start + len(found)
        more = {"hasNextPage": end < len(pulls), "endCursor": str(end) if found else None}
        return _data({"pullRequests": {"pageInfo": more, "nodes": [_node(one) for one in found]}})

    def hooks(self, happening: Happening) -> Iterator[tuple[Mapping[str, str], Payload]]:
        told = {"repository": _repository(happening.repository)}
        number = 0

        def hook(event: str, **payload: Any) -> tuple[Mapping[str, str], Payload]:
            nonlocal number
            number += 1
            id_ = f"github-{happening.number}-{number}"
            return {"x-github-event": event, "x-github-delivery": id_}, told | payload

        pushed_at = {"pushed_at": int(happening.at.timestamp())}
        if push := happening.push:
            yield hook(
                "push",
                ref=f"refs/heads/{push.branch}",
                before=push.before or ZEROS,
                after=push.after.sha,
                commits=[_pushed(one) for one in push.commits],
                head_commit=_pushed(push.after),
                repository=told["repository"] | pushed_at,
            )
        if pull := happening.pull:
            action = ACTIONS.get(happening.what, happening.what)
            yield hook("pull_request", action=action, number=pull.number, pull_request=_pull(pull))
        if happening.tag:
            name, commit = happening.tag
            yield hook("create", ref=name, ref_type="tag")
            yield hook(
                "push",
                ref=f"refs/tags/{name}",
                before=ZEROS,
                after=commit.sha,
                commits=[],
                head_commit=_pushed(commit),
                repository=told["repository"] | pushed_at,
            )
        if release := happening.release:
            yield hook("release", action="created", release=_release(release))
            yield hook("release", action="published", release=_release(release))
        if former := happening.former:
            renamed = happening.what == "renamed"
            old = former.name.partition("/")[2] if renamed else former.default_branch
            changes = {"repository": {"name": {"from": old}}} if renamed else {}
            changes |= {} if renamed else {"default_branch": {"from": old}}
            yield hook("repository", action="renamed" if renamed else "edited", changes=changes)


def _repository(repository: Repository) -> Payload:
    return {
        "id": 77,
        "name": repository.name.partition("/")[2],
        "full_name": repository.name,
        "default_branch": repository.default_branch,
        "archived": False,
        "updated_at": text(repository.changed_at),
    }


def _pushed(commit: Commit) -> Payload:
    return {
        "id": commit.sha,
        "message": commit.message,
        "timestamp": text(commit.at),
        "added": [],
        "removed": [],
        "modified": list(commit.files),
    }


def _commit(commit: Commit) -> Payload:
    signature = {"name": "Ada", "date": text(commit.at)}
    return {"sha": commit.sha, "commit": {"author": signature, "committer": signature}}


def _pull(pull: Pull) -> Payload:
    return {
        "id": 1000 + pull.number,
        "number": pull.number,
        "state": "open" if pull.state == "open" else "closed",
        "title": pull.title,
        "html_url": _page(pull),
        "user": {"login": pull.author, "type": "User"},
        "draft": False,
        "labels": [],
        "head": {"ref": pull.head, "sha": pull.head_sha},
        "base": {"ref": pull.base, "sha": ZEROS},
        "created_at": text(pull.created_at),
        "updated_at": text(pull.updated_at),
        "closed_at": text(pull.ended_at),
        "merged_at": text(pull.merged_at),
        # Of one that is open, this is the commit of a merge that was only tried.
        "merge_commit_sha": pull.landed_as or f"{pull.number:040x}",
    }


def _page(pull: Pull) -> str:
    return f"https://github.example/acme/shop/pull/{pull.number}"


def _node(pull: Pull) -> Payload:
    """A pull request as GraphQL has it."""
    return {
        "fullDatabaseId": str(1000 + pull.number),
        "number": pull.number,
        "title": pull.title,
        "url": _page(pull),
        "isDraft": False,
        "createdAt": text(pull.created_at),
        "updatedAt": text(pull.updated_at),
        "mergedAt": text(pull.merged_at),
        "closedAt": text(pull.ended_at),
        "baseRefName": pull.base,
        "headRefName": pull.head,
        "headRefOid": pull.head_sha,
        "author": {"__typename": "User", "login": pull.author},
        "mergeCommit": {"oid": pull.landed_as} if pull.landed_as else None,
        "labels": {"nodes": []},
        "timelineItems": {"nodes": []},
        "commits": {
            **NO_MORE,
            "nodes": [
                {"commit": {"oid": one.sha, "authoredDate": text(one.at)}} for one in pull.commits
            ],
        },
        "files": {**NO_MORE, "nodes": [{"path": path} for path in pull.files]},
    }


def _tag(name: str, commit: Commit) -> Payload:
    return {"name": name, "target": {"oid": commit.sha, "committedDate": text(commit.at)}}


def _release(release: Release) -> Payload:
    return {
        "id": release.id,
        "tag_name": release.tag,
        # It counts only where the tag is new, and may be any branch.
        "target_commitish": "main",
        "html_url": f"https://github.example/acme/shop/releases/tag/{release.tag}",
        "draft": False,
        "published_at": text(release.published_at),
    }


def _release_node(release: Release) -> Payload:
    told = _release(release)
    return {
        "databaseId": told["id"],
        "tagName": told["tag_name"],
        "url": told["html_url"],
        "isDraft": False,
        "publishedAt": told["published_at"],
        "tagCommit": {"oid": release.commit.sha},
    }


def _data(repository: Payload) -> Payload:
    return {"data": {"repository": repository}}
