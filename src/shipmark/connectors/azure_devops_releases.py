"""Deployments by the classic release pipelines of Azure DevOps, as events.

A release deploys artifacts; the primary one leads to a commit, through the run that built it or
because it is a repository itself. Releases live on a host of their own in Azure DevOps Services.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from shipmark.application.facts import Fact
from shipmark.connectors.azure_devops_facts import SOURCE, Named, Reference
from shipmark.connectors.azure_devops_requests import (
    CONTINUATION,
    PAGE_SIZE,
    Query,
    answer,
    answer_if_any,
    get,
    project_path,
)
from shipmark.connectors.azure_devops_runs import SUCCESSES, BuildWire
from shipmark.connectors.exchange import Dialogue, Request
from shipmark.connectors.pages import Page
from shipmark.connectors.payloads import Instant, Text, Wire, branch_of, told
from shipmark.domain.events import EventSource, SourceEvent

_STATUSES: Final = SUCCESSES | {"failed"}
"""A deployment that was rejected or cancelled before it began has another: it is no event."""

_SERVICES: Final = "dev.azure.com"
_SERVICES_FORMERLY: Final = ".visualstudio.com"


class Artifact(Wire, rename="camel"):
    type: Text = ""
    is_primary: bool = False
    definition_reference: dict[str, Reference] = msgspec.field(default_factory=dict)

    def reference(self, key: str) -> Reference:
        return self.definition_reference.get(key, Reference())

    @property
    def repository_name(self) -> str | None:
        """Of an artifact that is a repository itself."""
        project, repository = self.reference("project").name, self.reference("definition").name
        return f"{project}/{repository}" if project and repository else None


class ReleaseWire(Wire):
    id: int
    artifacts: tuple[Artifact, ...] = ()


class StageWire(Wire):
    id: int
    name: Text


class DeploymentWire(Wire, rename="camel"):
    """One attempt to deploy a release to a stage, which was formerly called an environment."""

    id: int
    release: ReleaseWire
    release_environment: StageWire
    release_definition: Named = Named()
    deployment_status: Text = ""
    completed_on: Instant | None = None

    @property
    def is_finished(self) -> bool:
        return self.deployment_status in _STATUSES and told(self.completed_on) is not None

    @property
    def artifact(self) -> Artifact | None:
        """What leads to a commit: the primary artifact, or the only one."""
        artifacts = self.release.artifacts
        primary = [one for one in artifacts if one.is_primary] or list(artifacts[:1])
        return primary[0] if primary else None


class Deployments(Wire):
    value: tuple[DeploymentWire, ...] = ()


def release_base(base_url: str) -> str:
    """Where releases are asked for, given the URL of an organisation or a collection."""
    parts = urlsplit(base_url.rstrip("/"))
    host = parts.netloc
    if host == _SERVICES:
        host = f"vsrm.{_SERVICES}"
    elif host.endswith(_SERVICES_FORMERLY):
        host = f"{host.removesuffix(_SERVICES_FORMERLY)}.vsrm{_SERVICES_FORMERLY}"
    return urlunsplit(parts._replace(netloc=host))


def release_deployment(
    project: str,
    *,
    base_url: str,
    release_id: int,
    environment_id: int,
    definition_environment_id: int,
) -> Dialogue[list[Fact]]:
    """The finished attempts to deploy one release to one stage."""
    query: dict[str, str | int] = {
        "definitionEnvironmentId": definition_environment_id,
        "queryOrder": "descending",
        "$top": PAGE_SIZE,
    }
    response = yield _deployments(project, base_url, query)
    found = answer(Deployments, response, f"the deployments of {project}").value
    return (
        yield from _events(
            project,
            (
                one
                for one in found
                if one.release.id == release_id and one.release_environment.id == environment_id
            ),
        )
    )


def deployments_page(
    project: str, *, base_url: str, since: datetime | None, cursor: str | None
) -> Dialogue[Page]:
    """Past deployments of a project's releases, the earliest first."""
    query: dict[str, str | int] = {"queryOrder": "ascending", "$top": PAGE_SIZE}
    query |= {"minModifiedTime": since.isoformat()} if since else {}
    query |= {"continuationToken": cursor} if cursor else {}
    response = yield _deployments(project, base_url, query)
    found = answer(Deployments, response, f"the deployments of {project}").value
    facts = yield from _events(project, found)
    return Page(facts=tuple(facts), cursor=response.headers.get(CONTINUATION) or None)


def repository_deployments_page(
    name: str, *, base_url: str, since: datetime | None, cursor: str | None
) -> Dialogue[Page]:
    """Those of one repository: a list is of the whole project."""
    project = name.partition("/")[0]
    page = yield from deployments_page(project, base_url=base_url, since=since, cursor=cursor)
    facts = tuple(
        one
        for one in page.facts
        if isinstance(one, SourceEvent) and one.repository.casefold() == name.casefold()
    )
    return Page(facts=facts, cursor=page.cursor)


def _deployments(project: str, base_url: str, query: Query) -> Request:
    return get(f"{release_base(base_url)}{project_path(project)}/release/deployments", query)


def _events(project: str, deployments: Iterable[DeploymentWire]) -> Dialogue[list[Fact]]:
    builds: dict[tuple[str, str], BuildWire | None] = {}
    facts: list[Fact] = []
    for deployment in deployments:
        artifact = deployment.artifact
        if artifact is None or not deployment.is_finished:
            continue
        owner = artifact.reference("project").id or project
        version = artifact.reference("version").id
        if artifact.type == "Git":
            branch = artifact.reference("branch").name or ""
            if name := artifact.repository_name:
                facts.append(_event(deployment, name, version, branch))
        elif artifact.type == "Build" and version and version.isdecimal():
            if (owner, version) not in builds:
                builds[owner, version] = yield from _build(owner, version)
            build = builds[owner, version]
            if build and build.repository_name:
                facts.append(
                    _event(deployment, build.repository_name, build.commit, build.source_branch)
                )
    return facts


def _build(project: str, build_id: str) -> Dialogue[BuildWire | None]:
    """The run that built an artifact; None where it was deleted since."""
    response = yield get(f"{project_path(project)}/build/builds/{build_id}")
    return answer_if_any(BuildWire, response, f"the run {build_id}")


def _event(deployment: DeploymentWire, name: str, commit: str | None, branch: str) -> SourceEvent:
    finished = told(deployment.completed_on)
    assert finished is not None  # noqa: S101 - only finished ones come here
    return SourceEvent(
        source=EventSource.AZURE_PIPELINES,
        key=f"{SOURCE}:{name}:deployment:{deployment.id}",
        repository=name,
        at=finished,
        success=deployment.deployment_status in SUCCESSES,
        commit_sha=commit or None,
        branch=branch_of(branch) or (branch if not branch.startswith("refs/") else None) or None,
        environment=deployment.release_environment.name,
        workflow=deployment.release_definition.name or None,
        stage=deployment.release_environment.name,
    )
