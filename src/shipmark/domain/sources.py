"""What events of each source tell: which conditions a rule about them can have.

The documentation has the same table, and connectors are held against it.
"""

from collections.abc import Mapping
from typing import Final

from shipmark.domain.events import EventSource, SourceEvent

TOLD: Final[Mapping[EventSource, frozenset[str]]] = {
    EventSource.GITHUB_ACTIONS: frozenset({"repository", "workflow", "job", "branch"}),
    EventSource.GITHUB_DEPLOYMENTS: frozenset({"repository", "environment", "branch", "workflow"}),
    EventSource.GITLAB_PIPELINES: frozenset(
        {"repository", "workflow", "stage", "job", "branch", "tag", "environment"}
    ),
    EventSource.GITLAB_DEPLOYMENTS: frozenset(
        {"repository", "environment", "branch", "tag", "job"}
    ),
    EventSource.BITBUCKET_PIPELINES: frozenset(
        {"repository", "workflow", "branch", "tag", "environment"}
    ),
    EventSource.AZURE_PIPELINES: frozenset(
        {"repository", "workflow", "stage", "job", "branch", "tag", "environment"}
    ),
    EventSource.ARGO_CD: frozenset({"repository", "workflow", "environment"}),
    EventSource.RELEASE: frozenset({"repository", "tag"}),
    EventSource.TAG: frozenset({"repository", "tag"}),
    EventSource.MERGED_PULL_REQUEST: frozenset({"repository", "branch"}),
    EventSource.PUSH: frozenset({"repository", "branch"}),
}
"""What an event of a source may tell, by whichever way it comes."""

LEVELS: Final[Mapping[EventSource, tuple[str, ...]]] = {
    EventSource.GITHUB_ACTIONS: ("job",),
    EventSource.GITLAB_PIPELINES: ("job", "stage"),
    EventSource.BITBUCKET_PIPELINES: ("environment",),
    EventSource.AZURE_PIPELINES: ("job", "stage"),
}
"""The parts of a pipeline that are events beside the whole run, from the inside out."""

_TAGS_ARE_BRANCHES: Final = frozenset({EventSource.GITHUB_ACTIONS, EventSource.GITHUB_DEPLOYMENTS})

_OF_PARTS: Final[Mapping[tuple[EventSource, str], str]] = {
    (EventSource.GITLAB_PIPELINES, "stage"): "job",
    (EventSource.GITLAB_PIPELINES, "environment"): "job",
    (EventSource.AZURE_PIPELINES, "environment"): "stage",
}
"""What only parts of a pipeline tell, and by which condition a rule is about such parts."""

_NEVER_BESIDE: Final[Mapping[EventSource, frozenset[str]]] = {
    EventSource.BITBUCKET_PIPELINES: frozenset({"workflow", "branch", "tag"}),
    EventSource.AZURE_PIPELINES: frozenset({"job", "tag"}),
}
"""What is never told of an event that tells an environment: those are of another kind."""

_ARE_DEPLOYMENTS: Final = frozenset(
    {EventSource.GITHUB_DEPLOYMENTS, EventSource.GITLAB_DEPLOYMENTS}
)


def never_matches(source: EventSource, conditions: frozenset[str]) -> tuple[str, str] | None:
    """Of conditions that no event of a source can meet: the one to blame, and why."""
    for name in sorted(conditions - TOLD[source]):
        if name == "tag" and source in _TAGS_ARE_BRANCHES:
            return name, "such an event tells the name of a tag as its branch. Use when.branch."
        return name, f"such an event has no {name}. Leave it out."
    for name in sorted(conditions):
        if (part := _OF_PARTS.get((source, name))) and part not in conditions:
            return name, f"only single {part}s tell the {name}. Add when.{part}, '**' for any."
    beside = conditions & _NEVER_BESIDE.get(source, frozenset())
    if "environment" in conditions and beside:
        return min(beside), f"what tells an environment has no {min(beside)}. Leave one out."
    return None


def is_told_its_environment(event: SourceEvent) -> bool:
    """Whether an event of its kind tells to which environment it deployed.

    One that does not then deployed to none, or it is not known yet to which: to take it for
    production would be a guess. Other events never tell one.
    """
    is_job = event.source is EventSource.GITLAB_PIPELINES and event.job is not None
    return is_job or event.source in _ARE_DEPLOYMENTS
