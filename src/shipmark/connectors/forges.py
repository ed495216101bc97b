"""The forges that an operator has set up: which serves which repository, and how it is asked."""

import base64
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from shipmark.application.facts import Fact, RepositoryFacts
from shipmark.application.forges import ForgeAway, ForgeTrouble
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors import (
    azure_devops,
    bitbucket_cloud,
    bitbucket_data_center,
    bitbucket_limits,
    gitea,
    github,
    github_auth,
    github_limits,
    github_pulls,
    gitlab,
    gitlab_limits,
)
from shipmark.connectors.azure_devops_releases import release_base
from shipmark.connectors.exchange import Dialogue, Result
from shipmark.connectors.forge_errors import (
    ForgeError,
    ForgeRefused,
    ForgeUnavailable,
    RateLimited,
)
from shipmark.connectors.limits import plain_limits
from shipmark.connectors.pages import Page
from shipmark.connectors.payloads import UnreadablePayload
from shipmark.connectors.transport import Caller, Server, Transport
from shipmark.connectors.walks import Walk, walk
from shipmark.domain.model import Repository

PUBLIC = {
    "github": "https://github.com",
    "gitlab": "https://gitlab.com",
    "bitbucket": "https://api.bitbucket.org",
}
"""Where a forge is if nothing else is said; the others are always somebody's own."""

BITBUCKET_CLOUD = ("https://bitbucket.org", "https://www.bitbucket.org", PUBLIC["bitbucket"])

Callers = Callable[[str], Caller]
"""Who asks about a repository. May itself ask the forge, for a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How an operator lets us into a forge. ``app`` is the id and the private key of a GitHub App,
    which stands in place of a token; without either only what is public is seen."""

    source: str
    url: str | None = None
    token: str | None = None
    app: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The dialogues of one forge."""

    repository: Callable[[str], Dialogue[RepositoryFacts | None]]
    pulls_page: Callable[..., Dialogue[Page]]
    commits_page: Callable[..., Dialogue[Page]]
    pull: Callable[[str, int], Dialogue[PullFacts | None]]
    commit: Callable[[str, str], Dialogue[list[Fact]]]


GITHUB = Questions(
    repository=github.repository,
    pulls_page=github_pulls.pulls_page,
    commits_page=github.commits_page,
    pull=github_pulls.pull,
    commit=github.commit,
)


def questions(module: Any) -> Questions:
    """The dialogues of a forge that has them all in one module."""
    return Questions(
        repository=module.repository,
        pulls_page=module.pulls_page,
        commits_page=module.commits_page,
        pull=module.pull,
        commit=module.commit,
    )


class Forge:
    """One forge, as `application.forges.Forge` asks for it."""

    def __init__(self, asked: Questions, transport: Transport, callers: Callers) -> None:
        self._asked = asked
        self._transport = transport
        self._callers = callers
        self._last_caller = Caller(name="nobody yet")
        self._kinds: dict[str, Walk] = {
            "repository": self._repository_page,
            "pulls": self._pulls_page,
            "commits": self._commits_page,
        }

    @property
    def source(self) -> str:
        return self._transport.server.source

    def repository(self, name: str) -> RepositoryFacts | None:
        return self.hold(name, self._asked.repository(name))

    def commit(self, name: str, sha: str) -> Sequence[Fact]:
        return self.hold(name, self._asked.commit(name, sha))

    def pull(self, name: str, number: int) -> PullFacts | None:
        """Everything about one pull request; None: there is none of this number."""
        return self.hold(name, self._asked.pull(name, number))

    def page(self, name: str, *, since: datetime | None, cursor: str | None) -> Page:
        """First the repository itself, then its pull requests, then its default branch."""
        return self.hold(name, walk(self._kinds, name, since=since, cursor=cursor))

    def budget(self) -> str | None:
        limits = self._transport.budget(self._last_caller)
        if limits.remaining is None:
            return None
        return f"{limits.remaining} of {limits.limit}" if limits.limit else f"{limits.remaining}"

    def close(self) -> None:
        self._transport.close()

    def hold(self, name: str, dialogue: Dialogue[Result]) -> Result:
        """What a dialogue about a repository comes to."""
        try:
            self._last_caller = self._callers(name)
            return self._transport.hold(dialogue, self._last_caller)
        except RateLimited as error:
            raise ForgeAway(error.message, until=error.until) from error
        except ForgeUnavailable as error:
            raise ForgeAway(error.message) from error
        except (ForgeError, UnreadablePayload) as error:
            raise ForgeTrouble(error.message) from error

    def _repository_page(
        self, name: str, _since: datetime | None, _cursor: str | None
    ) -> Dialogue[Page]:
        facts = yield from self._asked.repository(name)
        if facts is None:
            raise ForgeTrouble(f"{self.source} has no repository {name}, or does not show it.")
        return Page(facts=(facts,))

    def _pulls_page(self, name: str, since: datetime | None, cursor: str | None) -> Dialogue[Page]:
        return self._asked.pulls_page(name, since=since, cursor=cursor)

    def _commits_page(
        self, name: str, since: datetime | None, cursor: str | None
    ) -> Dialogue[Page]:
        """Commits of the default branch, which the cursor names: no branch has a space in it."""
        branch, _, inner = (cursor or "").partition(" ")
        if not branch:
            facts = yield from self._asked.repository(name)
            branch = (facts.values.get("default_branch") if facts else None) or ""
        if not branch:
            return Page(facts=())
        page = yield from self._asked.commits_page(name, branch, since=since, cursor=inner or None)
        return replace(page, cursor=f"{branch} {page.cursor}") if page.cursor else page


class Forges:
    """All forges that are set up, by source."""

    def __init__(self, forges: Sequence[Forge]) -> None:
        self._by_source = {forge.source: forge for forge in forges}

    @property
    def sources(self) -> list[str]:
        return sorted(self._by_source)

    def named(self, source: str) -> Forge | None:
        return self._by_source.get(source)

    def serving(self, repository: Repository) -> Forge | None:
        """The forge that a repository is said to be of. Where nothing is said, and there is only
        one, it is that one."""
        if repository.source is not None:
            return self._by_source.get(repository.source.strip().lower())
        return next(iter(self._by_source.values())) if len(self._by_source) == 1 else None

    def close(self) -> None:
        for forge in self._by_source.values():
            forge.close()


def connect(accesses: Sequence[Access], **transport: Any) -> Forges:
    """The forges to which there is access; `transport` are arguments of `Transport`. Nothing is
    asked yet. Raises ValueError for a forge that has no public server and no URL."""
    return Forges([_forge(access, **transport) for access in accesses])


def _forge(access: Access, **transport: Any) -> Forge:
    url = access.url or PUBLIC.get(access.source)
    if url is None:
        raise ValueError(f"There is no public server of {access.source}: it needs a URL.")
    asked, server = server_of(access.source, url.rstrip("/"))
    carrying = Transport(server, **transport)
    if access.app is not None:
        return Forge(asked, carrying, AppCallers(carrying, *access.app))
    caller = Caller(name="token", headers=headers_of(access, asked) if access.token else {})
    return Forge(asked, carrying, lambda _name: caller)


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
            return questions(gitlab), server
        case "bitbucket":
            is_cloud = url in BITBUCKET_CLOUD
            address = partial(_below, PUBLIC[source]) if is_cloud else below
            server = Server(source=source, address=address, limits=bitbucket_limits.limits)
            return questions(bitbucket_cloud if is_cloud else bitbucket_data_center), server
        case "azure_devops":
            return questions(azure_devops), Server(
                source=source,
                address=partial(_azure_address, url),
                limits=azure_devops.limits,
                # Where it sends us is the page to sign in on, which a dialogue knows by its status.
                follows_redirects=False,
            )
        case "gitea":
            address = partial(gitea.address, url)
            return questions(gitea), Server(source=source, address=address, limits=plain_limits)
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


class AppCallers:
    """Who asks for a GitHub App: the installation of the account that has the repository."""

    def __init__(self, transport: Transport, app_id: str, private_key: str) -> None:
        self._transport = transport
        self._app_id = app_id
        self._private_key = private_key
        self._installations: dict[str, int] = {}
        self._tokens: dict[int, github_auth.InstallationToken] = {}
        self._asking = threading.Lock()

    def __call__(self, name: str) -> Caller:
        """The caller for a repository. Raises ForgeError, ForgeRefused where no installation
        of the App has it."""
        with self._asking:
            installation = self._installation_of(name)
            token = self._token_of(installation)
        return Caller(name=f"installation {installation}", headers=github_auth.bearer(token))

    def _installation_of(self, name: str) -> int:
        owner = name.partition("/")[0].casefold()
        if owner not in self._installations:
            found = self._transport.hold(github_auth.installation_of(name), self._app())
            if found is None:
                raise ForgeRefused(f"The GitHub App is not installed where it could see {name}.")
            self._installations[owner] = found
        return self._installations[owner]

    def _token_of(self, installation: int) -> str:
        now = self._transport.now()
        token = self._tokens.get(installation)
        if token is None or not token.is_good(now):
            asking = github_auth.installation_token(installation)
            try:
                token = self._transport.hold(asking, self._app())
            except ForgeError:
                # It may have been taken away and made anew, with another id.
                self._installations.clear()
                raise
            self._tokens[installation] = token
        return token.token

    def _app(self) -> Caller:
        signed = github_auth.app_token(self._app_id, self._private_key, self._transport.now())
        return Caller(name="app", headers=github_auth.bearer(signed))
