"""A Bitbucket Data Center that tells a history. It has no webhook for what is opened again, nor for
another default branch."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from tests.deliveries import SECRET, signature
from tests.forges.fake import ZEROS, FakeForge, Payload
from tests.forges.history import Commit, Happening, Pull, Repository

from shipmark.connectors import bitbucket_data_center
from shipmark.connectors.exchange import Request

STATES = {"open": "OPEN", "merged": "MERGED", "closed": "DECLINED"}
EVENTS = {
    "opened": "pr:opened",
    "synchronized": "pr:from_ref_updated",
    "edited": "pr:modified",
    "retargeted": "pr:modified",
    "merged": "pr:merged",
    "closed": "pr:declined",
}


class FakeBitbucketDataCenter(FakeForge):
    source = "bitbucket"
    endpoint = "bitbucket"
    names = ("PRJ/shop", "PRJ/store")
    also = ("reopen",)
    pages: ClassVar = {(bitbucket_data_center, "PAGE"): 2}

    @property
    def delivery_header(self) -> str:
        return "x-request-id"

    def proof(self, body: bytes, secret: str = SECRET) -> dict[str, str]:
        return {"x-hub-signature": signature(body, secret)}

    def answer(self, parts: list[str], request: Request) -> Any:
        match parts:
            case ["rest", api, "1.0", "projects", key, "repos", slug, *rest]:
                if self.is_named(f"{key}/{slug}"):
                    return self._below(api, rest, request)
        return None

    def _below(self, api: str, parts: list[str], request: Request) -> Any:
        match parts:
            case []:
                return _repository(self.repository)
            case ["default-branch"]:
                return _ref(self.repository.default_branch)
            case ["pull-requests"]:
                return self._listed([self._pull(one) for one in self.pulls()], request)
            case ["pull-requests", number, *rest]:
                pull = self.pull(number)
                return pull and self._of_pull(pull, rest, request)
            case ["commits"]:
                until = str(request.query["until"])
                tip = self.tip(until.removeprefix("refs/heads/")) or until
                commits = self.history.reachable(tip) if tip in self.history.commits else []
                return self._listed([_commit(one) for one in commits], request)
            case ["commits", prefix]:
                found = self.known(prefix)
                return found and _commit(found)
            case ["commits", sha, "pull-requests"]:
                brought = [
                    {"id": one.number, "state": STATES[one.state]} for one in self.brought(sha)
                ]
                return self._listed(brought, request)
            case ["branches", "info", sha] if api == "branch-utils":
                tips = self.history.tips(self.now)
                refs = [_ref(name) for name in tips if self.holds(name, sha)]
                return self._listed(refs, request)
            case ["tags"]:
                tags = self.history.tags(self.now).items()
                return self._listed([_tag(name, commit) for name, commit in tags], request)
        return None

    def _of_pull(self, pull: Pull, parts: list[str], request: Request) -> Any:
        match parts:
            case []:
                return self._pull(pull)
            case ["commits"]:
                return self._listed([_commit(one) for one in reversed(pull.commits)], request)
            case ["changes"]:
                return self._listed([{"path": {"toString": one}} for one in pull.files], request)
        return None

    def _listed(self, items: list[Any], request: Request) -> Payload:
        start, size = int(request.query.get("start", 0)), int(request.query["limit"])
        end = start + size
        last = end >= len(items)
        return {
            "values": items[start:end],
            "start": start,
            "isLastPage": last,
            "nextPageStart": None if last else end,
        }

    def _pull(self, pull: Pull) -> Payload:
        return _pull(pull, self.repository)

    def hooks(self, happening: Happening) -> Iterator[tuple[Mapping[str, str], Payload]]:
        told = {"date": _zoned(happening.at), "actor": {"name": "ada"}}
        number = 0

        def hook(event: str, **payload: Any) -> tuple[Mapping[str, str], Payload]:
            nonlocal number
            number += 1
            id_ = f"server-{happening.number}-{number}"
            headers = {"x-event-key": event, "x-request-id": id_}
            return headers, {"eventKey": event} | told | payload

        repository = _repository(happening.repository)
        if push := happening.push:
            change = _change(_ref(push.branch), push.before, push.after)
            yield hook(
                "repo:refs_changed",
                repository=repository,
                changes=[change],
                toCommit=_commit(push.after),
                commits=[_commit(one) for one in reversed(push.commits)][:5],
            )
        if happening.pull and happening.what in EVENTS:
            pull = _pull(happening.pull, happening.repository)
            yield hook(EVENTS[happening.what], pullRequest=pull)
        if happening.tag:
            name, commit = happening.tag
            change = _change(_ref(name, "tags"), None, commit)
            yield hook(
                "repo:refs_changed",
                repository=repository,
                changes=[change],
                toCommit=_commit(commit),
                commits=[],
            )
        if happening.what == "renamed" and happening.former:
            yield hook("repo:modified", old=_repository(happening.former), new=repository)


def _repository(repository: Repository) -> Payload:
    key, _, slug = repository.name.partition("/")
    return {"id": 77, "slug": slug, "name": slug, "project": {"key": key}, "archived": False}


def _ref(name: str, below: str = "heads") -> Payload:
    kind = "TAG" if below == "tags" else "BRANCH"
    return {"id": f"refs/{below}/{name}", "displayId": name, "type": kind}


def _tag(name: str, commit: Commit) -> Payload:
    return _ref(name, "tags") | {"latestCommit": commit.sha}


def _change(ref: Payload, before: str | None, after: Commit) -> Payload:
    return {
        "ref": ref,
        "refId": ref["id"],
        "fromHash": before or ZEROS,
        "toHash": after.sha,
        "type": "UPDATE" if before else "ADD",
    }


def _commit(commit: Commit) -> Payload:
    return {
        "id": commit.sha,
        "authorTimestamp": _milliseconds(commit.at),
        "committerTimestamp": _milliseconds(commit.at),
        "message": commit.message,
        "parents": [{"id": one} for one in commit.parents],
    }


def _pull(pull: Pull, repository: Repository) -> Payload:
    landed = pull.landed_as
    return {
        "id": pull.number,
        "title": pull.title,
        "state": STATES[pull.state],
        "createdDate": _milliseconds(pull.created_at),
        "updatedDate": _milliseconds(pull.updated_at),
        "closedDate": pull.ended_at and _milliseconds(pull.ended_at),
        "fromRef": _ref(pull.head) | {"latestCommit": pull.head_sha},
        "toRef": _ref(pull.base) | {"repository": _repository(repository)},
        "author": {"user": {"name": pull.author}},
        "properties": {"mergeCommit": {"id": landed}} if landed else {},
        "links": {"self": [{"href": f"https://git.example/pull-requests/{pull.number}"}]},
    }


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _zoned(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S+0000")
