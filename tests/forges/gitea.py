"""A Gitea, or a Forgejo, that tells a history. Of a new name it sends no webhook of its own: every
later one tells it."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from tests.deliveries import SECRET, signature
from tests.forges.fake import ZEROS, FakeForge, Payload, as_json, page_of, text
from tests.forges.history import Commit, Happening, Pull, Release, Repository

from shipmark.connectors import gitea
from shipmark.connectors.exchange import Request, Response

ACTIONS = {"retargeted": "edited", "merged": "closed"}


class FakeGitea(FakeForge):
    source = "gitea"
    endpoint = "gitea"
    also = ("edit_merged", "reopen", "release")
    pages: ClassVar = {(gitea, "PULLS_PAGE"): 2, (gitea, "PAGE_SIZE"): 3}

    @property
    def delivery_header(self) -> str:
        return "x-gitea-delivery"

    def below(self, path: str) -> str:
        return path.removeprefix("/api/v1")

    def proof(self, body: bytes, secret: str = SECRET) -> dict[str, str]:
        return {"x-gitea-signature": signature(body, secret).removeprefix("sha256=")}

    def answer(self, parts: list[str], request: Request) -> Any:
        if parts[:1] != ["repos"] or not self.is_named("/".join(parts[1:3])):
            return None
        match parts[3:]:
            case []:
                return _repository(self.repository)
            case ["pulls"]:
                return self._pulls(request)
            case ["pulls", number, *rest]:
                pull = self.pull(number)
                return pull and _of_pull(pull, rest, request)
            case ["commits"]:
                tip = self.tip(str(request.query["sha"]))
                commits = self.history.reachable(tip) if tip else []
                return _listed([_commit(one) for one in commits], request)
            case ["git", "commits", prefix]:
                found = self.known(prefix)
                return found and _commit(found)
            case ["commits", sha, "pull"]:
                merged = [one for one in self.pulls() if one.landed_as == sha]
                return _pull(merged[0]) if merged else None
            case ["compare", between]:
                branch, _, sha = between.partition("...")
                return {"total_commits": 0 if self.holds(branch, sha) else 1}
            case ["releases" | "tags" as kind, *names]:
                return self._published(kind, names, request)
        return None

    def _published(self, kind: str, names: list[str], request: Request) -> Any:
        """All releases, all tags, or one tag of a name."""
        if kind == "releases":
            releases = self.history.releases(self.now)
            return _listed([_release(one) for one in releases], request)
        tags = self.history.tags(self.now)
        if not names:
            return _listed([_tag(name, commit) for name, commit in tags.items()], request)
        found = tags.get(names[0])
        return found and _tag(names[0], found)

    def _pulls(self, request: Request) -> Response:
        by_change = request.query["sort"] == "recentupdate"
        pulls = sorted(
            self.pulls(),
            key=lambda one: one.updated_at if by_change else one.created_at,
            reverse=by_change,
        )
        return _listed([_pull(one) for one in pulls], request)

    def hooks(self, happening: Happening) -> Iterator[tuple[Mapping[str, str], Payload]]:
        told = {"repository": _repository(happening.repository)}
        number = 0

        def hook(event: str, **payload: Any) -> tuple[Mapping[str, str], Payload]:
            nonlocal number
            number += 1
            id_ = f"gitea-{happening.number}-{number}"
            return {"x-gitea-event": event, "x-gitea-delivery": id_}, told | payload

        if push := happening.push:
            # The server tells five commits of a push, unless it is set to tell more.
            yield hook(
                "push",
                ref=f"refs/heads/{push.branch}",
                before=push.before or ZEROS,
                after=push.after.sha,
                commits=[_pushed(one) for one in reversed(push.commits)][:5],
                head_commit=_pushed(push.after),
            )
        if pull := happening.pull:
            action = ACTIONS.get(happening.what, happening.what)
            yield hook("pull_request", action=action, number=pull.number, pull_request=_pull(pull))
        if happening.tag:
            name, commit = happening.tag
            yield hook("create", ref=name, ref_type="tag", sha=commit.sha)
            yield hook(
                "push",
                ref=f"refs/tags/{name}",
                before=ZEROS,
                after=commit.sha,
                commits=[],
                head_commit=_pushed(commit),
            )
        if release := happening.release:
            yield hook("release", action="published", release=_release(release))


def _of_pull(pull: Pull, parts: list[str], request: Request) -> Any:
    match parts:
        case []:
            return _pull(pull)
        case ["commits"]:
            return _listed([_commit(one) for one in pull.commits], request)
        case ["files"]:
            return _listed([{"filename": one} for one in pull.files], request)
    return None


def _listed(items: list[Any], request: Request) -> Response:
    found = page_of(items, request, size="limit", most=50)
    size, page = int(request.query["limit"]), int(request.query["page"])
    more = page * size < len(items)
    link = {"link": f'<https://git.example/api/v1?page={page + 1}>; rel="next"'} if more else {}
    return as_json(found, x_total_count=str(len(items)), **link)


def _repository(repository: Repository) -> Payload:
    return {
        "id": 77,
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
        "added": None,
        "removed": None,
        "modified": list(commit.files),
    }


def _commit(commit: Commit) -> Payload:
    signature_ = {"name": "Ada", "date": text(commit.at)}
    told = {"author": signature_, "committer": signature_}
    return {"sha": commit.sha, "created": text(commit.at), "commit": told}


def _tag(name: str, commit: Commit) -> Payload:
    return {"name": name, "commit": {"sha": commit.sha, "created": text(commit.at)}}


def _release(release: Release) -> Payload:
    return {
        "id": release.id,
        "tag_name": release.tag,
        "target_commitish": "main",
        "html_url": f"https://git.example/acme/shop/releases/tag/{release.tag}",
        "draft": False,
        "published_at": text(release.published_at),
    }


def _pull(pull: Pull) -> Payload:
    return {
        "id": 1000 + pull.number,
        "number": pull.number,
        "state": "open" if pull.state == "open" else "closed",
        "title": pull.title,
        "html_url": f"https://git.example/acme/shop/pulls/{pull.number}",
        "user": {"id": 1, "login": pull.author},
        "labels": [],
        "head": {"label": pull.head, "ref": pull.head, "sha": pull.head_sha},
        "base": {"label": pull.base, "ref": pull.base, "sha": ZEROS},
        "created_at": text(pull.created_at),
        "updated_at": text(pull.updated_at),
        "closed_at": text(pull.ended_at),
        "merged": pull.state == "merged",
        "merged_at": text(pull.merged_at),
        "merge_commit_sha": pull.landed_as,
    }
