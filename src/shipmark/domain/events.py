"""What happens at a forge or a deploy system, from which a rule may infer a deployment."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

_MAY_BE_UNKNOWN: Final = (
    "branch", "tag", "environment", "workflow", "stage", "job", "pull_number", "url",
)  # fmt: skip


class EventSource(StrEnum):
    """Where an event comes from; a deploy rule is about one of them."""

    GITHUB_ACTIONS = "github_actions"
    GITHUB_DEPLOYMENTS = "github_deployments"
    GITLAB_PIPELINES = "gitlab_pipelines"
    GITLAB_DEPLOYMENTS = "gitlab_deployments"
    BITBUCKET_PIPELINES = "bitbucket_pipelines"
    AZURE_PIPELINES = "azure_pipelines"
    ARGO_CD = "argo_cd"
    RELEASE = "release"
    TAG = "tag"
    MERGED_PULL_REQUEST = "merged_pull_request"
    PUSH = "push"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEvent:
    """One thing that finished, once for each time it did.

    ``key`` names it for good: the same event delivered again, or read from the forge's API, has
    the same key. It begins with the forge, the repository and the kind of thing
    (``github:org/app:run:123:1``); once it is recorded, with the repository's number here, which a
    new name does not change (``github:42:run:123:1``). ``workflow`` is the name of a workflow,
    pipeline or application; ``branch`` is what it ran on or merged into, without ``refs/heads/``.
    ``repository`` is its name as told; ``here`` what it is called here, where that is known.
    ``is_guessed`` is whether some of it is guessed, as webhooks have not all that the API has, and
    the API not all that webhooks have: another telling of it, which is certain, stands over it.
    """

    source: EventSource
    key: str
    repository: str
    at: datetime
    success: bool
    commit_sha: str | None = None
    branch: str | None = None
    tag: str | None = None
    environment: str | None = None
    workflow: str | None = None
    stage: str | None = None
    job: str | None = None
    pull_number: int | None = None
    url: str | None = None
    is_guessed: bool = False
    here: str | None = None

    @property
    def name_here(self) -> str:
        """The name by which the repository is found."""
        return self.here or self.repository


def completed(known: SourceEvent, told: SourceEvent) -> SourceEvent:
    """What one event comes to of which there are two tellings.

    What is certain stands over what is guessed, also where it says that there is nothing. Two that
    are alike fill each other in; then the earlier instant counts, since nothing ends before it
    does, and the longer of a commit's SHAs. Where both know and differ, as after a new name, what
    was known first stays: it is nearer to when it happened.
    """
    if known.is_guessed != told.is_guessed:
        stands = told if known.is_guessed else known
        return replace(stands, here=told.here or known.here)
    filled: dict[str, Any] = {
        name: getattr(told, name) for name in _MAY_BE_UNKNOWN if getattr(known, name) is None
    }
    return replace(
        known,
        **filled,
        at=min(known.at, told.at),
        commit_sha=_longer(known.commit_sha, told.commit_sha),
        here=told.here or known.here,
    )


def _longer(known: str | None, told: str | None) -> str | None:
    """Of a SHA and its beginning, the whole of it."""
    return told if told is not None and told.startswith(known or "") else known


def under_name(event: SourceEvent, repository: str) -> SourceEvent:
    """The same event of a repository by another of its names."""
    forge, _, rest = event.key.partition(":")
    own = rest.removeprefix(f"{event.repository}:")
    return replace(event, key=f"{forge}:{repository}:{own}", repository=repository)


def numbered(event: SourceEvent, repository_id: int) -> SourceEvent:
    """The event with the key under which it is recorded."""
    return replace(event, key=under_name(event, str(repository_id)).key)


def home(event: SourceEvent) -> str:
    """How the keys of all events of its repository begin, once they are recorded."""
    return ":".join(event.key.split(":")[:2])


def repository_number(event: SourceEvent) -> int | None:
    """Our number of its repository, where the key under which it is recorded has it."""
    number = event.key.split(":", 2)[1:2]
    if event.source is EventSource.ARGO_CD or not number or not number[0].isdecimal():
        return None
    return int(number[0])
