"""A Bitbucket Cloud that tells a history. It tells the first twelve characters of most commits, and
not when a pull request was merged; what is declined there is not opened again."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from tests.deliveries import SECRET, signature
from tests.forges.fake import FakeForge, Payload, instant, page_of
from tests.forges.history import Commit, Happening, Pull, Repository

from shipmark.connectors import bitbucket_cloud
from shipmark.connectors.exchange import Request

STATES = {"open": "OPEN", "merged": "MERGED", "closed": "DECLINED"}
EVENTS = {
    "opened": "pullrequest:created",
    "merged": "pullrequest:fulfilled",
    "closed": "pullrequest:rejected",
}
SINCE = re.compile(r"updated_on >= (\S+)")


class FakeBitbucketCloud(FakeForge):
    source = "bitbucket"
    endpoint = "bitbucket"
    own_id = "{77}"
    url = "https://bitbucket.org"
    pages: ClassVar = {(bitbucket_cloud, "PULLS"): 2, (bitbucket_cloud, "PAGE"): 3}

    @property
    def delivery_header(self) -> str:
        return "x-request-uuid"

    def proof(self, body: bytes, secret: str = SECRET) -> dict[str, str]:
        return {"x-hub-signature": signature(body, secret)}

    def below(self, path: str) -> str:
        return path.removeprefix("/2.0")

    def answer(self, parts: list[str], request: Request) -> Any:
        if parts[:1] != ["repositories"] or not self.is_named("/".join(parts[1:3])):
            return None
        match parts[3:]:
            case []:
                return _repository(self.repository)
            case ["pullrequests"]:
                return self._pulls(request)
            case ["pullrequests", number, *rest]:
                pull = self.pull(number)
                return pull and _of_pull(pull, rest, request)
            case ["refs", "tags"]:
                tags = self.history.tags(self.now).items()
                return _listed([_ref("tag", name, one) for name, one in tags], request)
            case ["commit", prefix]:
                found = self.known(prefix)
                return found and _commit(found)
            case ["commit", sha, "pullrequests"]:
                return _listed([{"id": one.number} for one in self.brought(sha)], request)
            case ["commits"]:
                return self._difference(request)
            case ["commits", start]:
                tip = self.tip(start) or start
                commits = self.history.reachable(tip) if tip in self.history.commits else []
                return _listed([_commit(one) for one in commits], request)
        return None

    def _pulls(self, request: Request) -> Payload:
        pulls = sorted(self.pulls(), key=lambda one: one.updated_at)
        if since := SINCE.search(str(request.query["q"])):
            pulls = [one for one in pulls if one.updated_at >= instant(since[1])]
        return _listed([_pull(one) for one in pulls], request)

    def _difference(self, request: Request) -> Payload:
        held = self.history.reachable(self.tip(str(request.query["exclude"])) or "")
        of = self.history.reachable(str(request.query["include"]))
        return _listed([_commit(one) for one in of if one not in held], request)

    def hooks(self, happening: Happening) -> Iterator[tuple[Mapping[str, str], Payload]]:
        told = {"repository": _repository(happening.repository)}
        number = 0

        def hook(event: str, **payload: Any) -> tuple[Mapping[str, str], Payload]:
            nonlocal number
            number += 1
            id_ = f"cloud-{happening.number}-{number}"
            return {"x-event-key": event, "x-request-uuid": id_}, told | payload

        if push := happening.push:
            change = {
                "old": push.before and _ref("branch", push.branch, self.commit(push.before)),
                "new": _ref("branch", push.branch, push.after),
                "commits": [_commit(one) for one in reversed(push.commits)][:5],
            }
            yield hook("repo:push", push={"changes": [change]})
        if pull := happening.pull:
            event = EVENTS.get(happening.what, "pullrequest:updated")
            yield hook(event, pullrequest=_pull(pull))
        if happening.tag:
            name, commit = happening.tag
            change = {"old": None, "new": _ref("tag", name, commit), "commits": []}
            yield hook("repo:push", push={"changes": [change]})
        if happening.what == "renamed" and happening.former:
            names = {"old": happening.former.name, "new": happening.repository.name}
            yield hook("repo:updated", changes={"full_name": names})

    def commit(self, sha: str) -> Commit:
        return self.history.commits[sha]


def _of_pull(pull: Pull, parts: list[str], request: Request) -> Any:
    match parts:
        case []:
            return _pull(pull)
        case ["commits"]:
            return _listed([_commit(one) for one in reversed(pull.commits)], request)
        case ["diffstat"]:
            return _listed([_changed(one) for one in pull.files], request)
    return None


def _listed(items: list[Any], request: Request) -> Payload:
    page, size = int(request.query.get("page", 1)), int(request.query["pagelen"])
    more = page * size < len(items)
    query = f"https://elsewhere.example/2.0/x?pagelen={size}&page={page + 1}"
    found = {"values": page_of(items, request, size="pagelen"), "page": page, "pagelen": size}
    return found | ({"next": query} if more else {})


def _repository(repository: Repository) -> Payload:
    return {
        "type": "repository",
        "uuid": "{77}",
        "full_name": repository.name,
        "mainbranch": {"type": "branch", "name": repository.default_branch},
    }


def _commit(commit: Commit) -> Payload:
    return {
        "type": "commit",
        "hash": commit.sha,
        "date": commit.at.isoformat(),
        "message": _message(commit),
        "parents": [{"type": "commit", "hash": one} for one in commit.parents],
    }


def _message(commit: Commit) -> str:
    kind, _, number = commit.message.partition(" ")
    if kind not in ("merge", "squash"):
        return f"{commit.message}\n"
    return f"Merged in work-{number} (pull request #{number})\n\nChange {number}\n"


def _ref(kind: str, name: str, target: Commit) -> Payload:
    return {"type": kind, "name": name, "target": _commit(target), "links": {}}


def _changed(path: str) -> Payload:
    return {"status": "modified", "old": {"path": path}, "new": {"path": path}}


def _pull(pull: Pull) -> Payload:
    landed = pull.landed_as
    return {
        "type": "pullrequest",
        "id": pull.number,
        "title": pull.title,
        "state": STATES[pull.state],
        "author": {"nickname": pull.author, "display_name": pull.author.title()},
        "created_on": pull.created_at.isoformat(),
        "updated_on": pull.updated_at.isoformat(),
        "source": {"branch": {"name": pull.head}, "commit": {"hash": pull.head_sha[:12]}},
        "destination": {"branch": {"name": pull.base}, "commit": {"hash": "0" * 12}},
        "merge_commit": {"hash": landed[:12]} if landed else None,
        "links": {"html": {"href": f"https://bitbucket.example/pull-requests/{pull.number}"}},
    }
