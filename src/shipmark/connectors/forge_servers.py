"""Where each forge is, what it can be asked, and how it wants its token."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from shipmark.application.facts import Fact, RepositoryFacts
from shipmark.application.import_scope import parts, whole
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors import (
    azure_devops,
    azure_devops_releases,
    bitbucket_cloud,
    bitbucket_cloud_runs,
    bitbucket_data_center,
    bitbucket_limits,
    gitea,
    github,
    github_auth,
    github_limits,
    github_pulls,
    github_runs,
    gitlab,
    gitlab_limits,
    gitlab_run_pages,
)
from shipmark.connectors.azure_devops_releases import release_base
from shipmark.connectors.exchange import Dialogue
from shipmark.connectors.limits import plain_limits
from shipmark.connectors.pages import Page
from shipmark.connectors.transport import Server
from shipmark.domain.events import EventSource, SourceEvent

PUBLIC = {
    "github": "https://github.com",
    "gitlab": "https://gitlab.com",
    "bitbucket": "https://api.bitbucket.org",
}
"""Where a forge is if nothing else is said; the others are always somebody's own."""

BITBUCKET_CLOUD = ("https://bitbucket.org", "https://www.bitbucket.org", PUBLIC["bitbucket"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How an operator lets us into a forge. ``app`` is the id and the private key of a GitHub App,
    which stands in place of a token; without either only what is public is seen."""

    source: str
    url: str | None = None
    token: str | None = None
    app: tuple[str, str] | None = None


WholeEvent = Callable[[SourceEvent], Dialogue[list[Fact]] | None]


def nothing_to_ask(event: SourceEvent) -> None:
    """Webhooks tell all of an event that there is to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventList:
    """A list of a forge that tells events of the past, and in which words of `import_scope`."""

    page: Callable[..., Dialogue[Page]]
    tells: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The dialogues of one forge. ``whole_event`` is what to ask about an event that a webhook
    told in part, if anything.

    ``has_whole_pulls`` is whether ``pulls_page`` tells the commits and files of pull requests.
    ``events`` are lists by a name that stands in cursors. ``commits_page`` tells a branch's own
    commits; or also those of merged pull requests, if ``pulls_page`` tells of these which pull
    request they belong to. Else it is None: they would be taken for pushed ones. ``commit_of_tag``
    is asked of a forge whose webhooks do not tell the commits of releases.
    """

    repository: Callable[[str], Dialogue[RepositoryFacts | None]]
    pulls_page: Callable[..., Dialogue[Page]]
    commits_page: Callable[..., Dialogue[Page]] | None
    pull: Callable[[str, int], Dialogue[PullFacts | None]]
    commit: Callable[[str, str], Dialogue[list[Fact]]]
    rules_file: Callable[[str], Dialogue[bytes | None]]
    commit_of_tag: Callable[[str, str], Dialogue[str | None]] | None = None
    events: Mapping[str, EventList]
    has_whole_pulls: bool
    whole_event: WholeEvent = nothing_to_ask


def _list(page: Callable[..., Dialogue[Page]], *tells: str) -> EventList:
    return EventList(page=page, tells=frozenset(tells))


RELEASES, TAGS, PUSHES = (
    whole(one) for one in (EventSource.RELEASE, EventSource.TAG, EventSource.PUSH)
)
GITHUB = Questions(
    repository=github.repository,
    pulls_page=github_pulls.pulls_page,
    commits_page=github.commits_page,
    pull=github_pulls.pull,
    commit=github.commit,
    rules_file=github.rules_file,
    commit_of_tag=github.commit_of_tag,
    events={
        "runs": _list(github_runs.runs_page, whole(EventSource.GITHUB_ACTIONS)),
        "jobs": _list(github_runs.jobs_page, parts(EventSource.GITHUB_ACTIONS)),
        "deployments": _list(github_runs.deployments_page, whole(EventSource.GITHUB_DEPLOYMENTS)),
        "releases": _list(github_runs.releases_page, RELEASES),
        "tags": _list(github_runs.tags_page, TAGS),
    },
    has_whole_pulls=True,
    whole_event=github_runs.whole_event,
)
GITEA_EVENTS = {
    "releases": _list(gitea.releases_page, RELEASES),
    "tags": _list(gitea.tags_page, TAGS),
}
GITLAB_EVENTS = {
    "pipelines": _list(gitlab_run_pages.pipelines_page, whole(EventSource.GITLAB_PIPELINES)),
    "jobs": _list(gitlab_run_pages.jobs_page, parts(EventSource.GITLAB_PIPELINES)),
    "deployments": _list(
        gitlab_run_pages.deployments_page,
        whole(EventSource.GITLAB_DEPLOYMENTS),
        parts(EventSource.GITLAB_PIPELINES),
    ),
    "releases": _list(gitlab_run_pages.releases_page, RELEASES),
    "tags": _list(gitlab_run_pages.tags_page, TAGS),
}
CLOUD_EVENTS = {
    "pipelines": _list(bitbucket_cloud_runs.pipelines_page, whole(EventSource.BITBUCKET_PIPELINES)),
    "deployments": _list(
        bitbucket_cloud_runs.deployments_page, parts(EventSource.BITBUCKET_PIPELINES)
    ),
    "tags": _list(bitbucket_cloud_runs.tags_page, TAGS),
}
DATA_CENTER_EVENTS = {"tags": _list(bitbucket_data_center.runs_page, TAGS)}


def _azure_events(url: str) -> dict[str, EventList]:
    stages = parts(EventSource.AZURE_PIPELINES)
    releases = partial(azure_devops_releases.repository_deployments_page, base_url=url)
    return {
        "runs": _list(azure_devops.runs_page, whole(EventSource.AZURE_PIPELINES)),
        "stages": _list(partial(azure_devops.runs_page, stages=True), stages),
        "deployments": _list(releases, stages),
        "pushes": _list(azure_devops.pushes_page, PUSHES, TAGS),
    }


def questions(
    module: Any,
    events: Mapping[str, EventList],
    *,
    commits: bool = True,
    has_whole_pulls: bool = False,
    commit_of_tag: Callable[[str, str], Dialogue[str | None]] | None = None,
    whole_event: WholeEvent = nothing_to_ask,
) -> Questions:
    """The dialogues of a forge that has them all in one module."""
    return Questions(
        repository=module.repository,
        pulls_page=module.pulls_page,
        commits_page=module.commits_page if commits else None,
        pull=module.pull,
        commit=module.commit,
        rules_file=module.rules_file,
        commit_of_tag=commit_of_tag,
        events=events,
        has_whole_pulls=has_whole_pulls,
        whole_event=whole_event,
    )


def server_of(source: str, url: str) -> tuple[Questions, Server]:
    """What a forge is asked, and where. Raises ValueError for one that cannot be."""
    below = partial(_below, url)
    address: Callable[[str], str]
    match source:
        case "github":
            address = partial(github_auth.address, url)
            return GITHUB, Server(source=source, address=address, limits=github_limits.limits)
        case "gitlab":
            server = Server(source=source, address=below, limits=gitlab_limits.limits)
            asked = questions(gitlab, GITLAB_EVENTS, whole_event=gitlab_run_pages.whole_event)
            return asked, server
        case "bitbucket":
            is_cloud = url in BITBUCKET_CLOUD
            address = partial(_below, PUBLIC[source]) if is_cloud else below
            server = Server(source=source, address=address, limits=bitbucket_limits.limits)
            if is_cloud:
                whole_event = bitbucket_cloud_runs.whole_event
                return questions(bitbucket_cloud, CLOUD_EVENTS, whole_event=whole_event), server
            return questions(bitbucket_data_center, DATA_CENTER_EVENTS), server
        case "azure_devops":
            return questions(azure_devops, _azure_events(url), commits=False), Server(
                source=source,
                address=partial(_azure_address, url),
                limits=azure_devops.limits,
                # Where it sends us is the page to sign in on, which a dialogue knows by its status.
                follows_redirects=False,
            )
        case "gitea":
            address = partial(gitea.address, url)
            asked = questions(
                gitea, GITEA_EVENTS, has_whole_pulls=True, commit_of_tag=gitea.commit_of_tag
            )
            return asked, Server(source=source, address=address, limits=plain_limits)
    raise ValueError(f"{source} is no forge that can be asked.")


def _below(url: str, path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"{path} is not a path below {url}")
    return f"{url}{path}"


def _azure_address(url: str, path: str) -> str:
    """Releases are on a server of their own, and are asked for with whole URLs."""
    return path if path.startswith(release_base(url) + "/") else _below(url, path)


def headers_of(access: Access, asked: Questions) -> dict[str, str]:
    """The header in which a forge wants its token."""
    token = access.token or ""
    if access.source == "azure_devops":
        return {"authorization": azure_devops.authorization(token)}
    if access.source == "gitea":
        return gitea.bearer(token)
    is_pair = access.source == "bitbucket" and ":" in token
    if is_pair and asked.repository is bitbucket_cloud.repository:
        # The token of a person is sent with the address of their account before it.
        return {"authorization": "Basic " + base64.b64encode(token.encode()).decode()}
    return github_auth.bearer(token)
