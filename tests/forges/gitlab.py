"""A GitLab that tells a history."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from tests.deliveries import SECRET
from tests.forges.fake import ZEROS, FakeForge, Payload, instant, page_of, text
from tests.forges.history import Commit, Happening, Pull, Repository

from shipmark.connectors import gitlab
from shipmark.connectors.exchange import Request

PROJECT = re.compile(r"/api/v4/projects/([^/]+)(.*)")
URL = "https://gitlab.example/shop/web/checkout"
ACTIONS = {
    "opened": "open",
    "merged": "merge",
    "closed": "close",
    "reopened": "reopen",
}
STATES = {"open": "opened"}


class FakeGitLab(FakeForge):
    source = "gitlab"
    endpoint = "gitlab"
    names = ("shop/web/checkout", "shop/web/till")
    methods = ("merge", "squash", "fast-forward")
    also = ("edit_merged", "reopen")
    pages: ClassVar = {(gitlab, "PAGE"): 2}

    def proof(self, body: bytes, secret: str = SECRET) -> dict[str, str]:
        del body
        return {"x-gitlab-token": secret}

    def below(self, path: str) -> str:
        return path.removeprefix("/api/v4/projects/")

    def answer(self, parts: list[str], request: Request) -> Any:
        name, *rest = parts
        if not self.is_named(name):
            return None
        match rest:
            case []:
                return _project(self.repository)
            case ["merge_requests"]:
                return self._requests(request)
            case ["merge_requests", number, *parts]:
                pull = self.pull(number)
                return pull and _of_request(pull, parts, request)
            case ["repository", "commits"]:
                return self._commits(request)
            case ["repository", "tags"]:
                tags = self.history.tags(self.now).items()
                return page_of(
                    [{"name": name, "commit": _commit(one)} for name, one in tags], request
                )
            case ["repository", "commits", prefix]:
                found = self.known(prefix)
                return found and _commit(found)
            case ["repository", "commits", sha, "merge_requests"]:
                found_ = [
                    {"iid": one.number, "state": STATES.get(one.state, one.state)}
                    for one in self.brought(sha)
                ]
                return page_of(found_, request)
            case ["repository", "commits", sha, "refs"]:
                tips = self.history.tips(self.now)
                return page_of([{"name": name} for name in tips if self.holds(name, sha)], request)
        return None

    def _requests(self, request: Request) -> list[Payload]:
        pulls = sorted(self.pulls(), key=lambda one: one.updated_at)
        if after := request.query.get("updated_after"):
            pulls = [one for one in pulls if one.updated_at >= instant(after)]
        return [_request(one) for one in page_of(pulls, request)]

    def _commits(self, request: Request) -> list[Payload]:
        commits = self.history.first_parents(self.tip(str(request.query["ref_name"])))
        if since := request.query.get("since"):
            commits = [one for one in commits if one.at >= instant(since)]
        return [_commit(one) for one in page_of(commits, request)]

    def hooks(self, happening: Happening) -> Iterator[tuple[Mapping[str, str], Payload]]:
        told = {"project": _project(happening.repository)}
        if push := happening.push:
            yield {}, told | _push("push", "heads", push.branch, push.before, push.commits)
        if happening.pull:
            yield {}, told | _hook(happening.pull, ACTIONS.get(happening.what, "update"))
        if happening.tag:
            name, commit = happening.tag
            yield {}, told | _push("tag_push", "tags", name, None, (), at_=commit.sha)
        if happening.what == "renamed" and happening.former:
            yield (
                {},
                {
                    "event_name": "project_rename",
                    "project_id": 77,
                    "path_with_namespace": happening.repository.name,
                    "old_path_with_namespace": happening.former.name,
                    "updated_at": text(happening.at),
                },
            )


def _of_request(pull: Pull, parts: list[str], request: Request) -> Any:
    match parts:
        case []:
            return _request(pull)
        case ["commits"]:
            return page_of([_commit(one) for one in reversed(pull.commits)], request)
        case ["diffs"]:
            return page_of([{"old_path": one, "new_path": one} for one in pull.files], request)
    return None


def _project(repository: Repository) -> Payload:
    return {
        "id": 77,
        "path_with_namespace": repository.name,
        "default_branch": repository.default_branch,
        "web_url": f"https://gitlab.example/{repository.name}",
    }


def _commit(commit: Commit) -> Payload:
    return {
        "id": commit.sha,
        "message": commit.message,
        "authored_date": text(commit.at),
        "committed_date": text(commit.at),
        "parent_ids": list(commit.parents),
    }


def _request(pull: Pull) -> Payload:
    """A merge request of the API."""
    closed = pull.ended_at if pull.state == "closed" else None
    return {
        "id": 1000 + pull.number,
        "iid": pull.number,
        "target_branch": pull.base,
        "source_branch": pull.head,
        "state": STATES.get(pull.state, pull.state),
        "title": pull.title,
        "author": {"id": 3, "username": pull.author},
        "labels": [],
        "created_at": text(pull.created_at),
        "updated_at": text(pull.updated_at),
        "merged_at": text(pull.merged_at),
        "closed_at": text(closed),
        "sha": pull.head_sha,
        "merge_commit_sha": pull.merge.sha if pull.merge and not pull.is_squashed else None,
        "squash_commit_sha": pull.merge.sha if pull.merge and pull.is_squashed else None,
        "web_url": f"{URL}/-/merge_requests/{pull.number}",
    }


def _hook(pull: Pull, action: str) -> Payload:
    """A merge request as a webhook has it: neither when it was merged, nor its squashed commit."""
    attributes = {
        "id": 1000 + pull.number,
        "iid": pull.number,
        "target_branch": pull.base,
        "source_branch": pull.head,
        "state": STATES.get(pull.state, pull.state),
        "action": action,
        "title": pull.title,
        "author_id": 3,
        "created_at": _zoned(pull.created_at),
        "updated_at": _zoned(pull.updated_at),
        "merge_commit_sha": pull.merge.sha if pull.merge and not pull.is_squashed else None,
        "last_commit": _pushed(pull.commits[-1]),
        "url": f"{URL}/-/merge_requests/{pull.number}",
    }
    return {
        "object_kind": "merge_request",
        "user": {"id": 3, "username": pull.author},
        "labels": [],
        "object_attributes": attributes,
    }


def _push(
    kind: str,
    below: str,
    name: str,
    before: str | None,
    commits: tuple[Commit, ...],
    at_: str | None = None,
) -> Payload:
    after = at_ or commits[-1].sha
    return {
        "object_kind": kind,
        "event_name": kind,
        "ref": f"refs/{below}/{name}",
        "before": before or ZEROS,
        "after": after,
        "checkout_sha": after,
        "project_id": 77,
        "commits": [_pushed(one) for one in commits],
        "total_commits_count": len(commits),
    }


def _pushed(commit: Commit) -> Payload:
    return {
        "id": commit.sha,
        "message": _message(commit),
        "timestamp": commit.at.isoformat(),
        "added": [],
        "modified": list(commit.files),
        "removed": [],
    }


def _message(commit: Commit) -> str:
    """GitLab names the request in a merge commit's last line."""
    kind, _, number = commit.message.partition(" ")
    if kind != "merge":
        return commit.message
    return f"Merge branch 'work-{number}' into 'main'\n\nSee merge request shop/web!{number}"


def _zoned(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
