"""The events that branches and tags make, alike for every forge that tells of them alike."""

from datetime import datetime

from shipmark.domain.events import EventSource, SourceEvent


def tag_event(
    forge: str,
    repository: str,
    tag: str,
    commit: str,
    at: datetime,
    *,
    url: str | None = None,
    is_guessed: bool = False,
) -> SourceEvent:
    """A tag that was made, or moved to another commit. Lists of tags do not tell when they came:
    what they say instead, when it was written or its commit was, is guessed.

    Nor do they tell where a tag was before, so that is no part of the key: a tag that is moved back
    is told by the same key as when it first stood there.
    """
    return SourceEvent(
        source=EventSource.TAG,
        key=f"{forge}:{repository}:tag:{tag}:{commit}",
        repository=repository,
        at=at,
        success=True,
        commit_sha=commit,
        tag=tag,
        url=url,
        is_guessed=is_guessed,
    )


def release_event(
    forge: str,
    repository: str,
    release_id: int,
    tag: str,
    at: datetime,
    *,
    url: str | None,
    commit: str | None = None,
) -> SourceEvent:
    """A release that was published. One whose commit its forge does not tell is guessed: what the
    forge says of it when it is asked stands."""
    return SourceEvent(
        source=EventSource.RELEASE,
        key=f"{forge}:{repository}:release:{release_id}",
        repository=repository,
        at=at,
        success=True,
        commit_sha=commit,
        tag=tag,
        url=url,
        is_guessed=commit is None,
    )


def push_event(
    forge: str,
    repository: str,
    branch: str,
    at: datetime,
    *,
    before: str,
    after: str,
    url: str | None = None,
) -> SourceEvent:
    """A branch that went from one commit to another; ``before`` is blank if it is new.

    That is what all webhooks about one push tell alike, and how it is known: a branch that goes
    the very same way again cannot be told from a push that is told again.
    """
    return SourceEvent(
        source=EventSource.PUSH,
        key=f"{forge}:{repository}:push:{after}:{before[:12] or 'new'}:{branch}",
        repository=repository,
        at=at,
        success=True,
        commit_sha=after,
        branch=branch,
        url=url,
    )
