"""The forges that an operator has set up: which serves which repository, and how it is asked."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any

from shipmark.application.facts import Fact, RepositoryFacts
from shipmark.application.forges import FollowUp, ForgeAway, ForgeRefusal, ForgeTrouble
from shipmark.application.import_scope import WHOLE_PULLS
from shipmark.application.received import Budget
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors import bitbucket_data_center
from shipmark.connectors.exchange import Dialogue, Result
from shipmark.connectors.forge_errors import (
    ForgeError,
    ForgeNotFound,
    ForgeRefused,
    ForgeUnavailable,
    RateLimited,
    TokenRefused,
)
from shipmark.connectors.forge_questions import follow_ups, rules_file, with_whole_pulls
from shipmark.connectors.forge_servers import (
    PUBLIC,
    Access,
    EventList,
    Questions,
    headers_of,
    server_of,
)
from shipmark.connectors.github_app import AppCallers
from shipmark.connectors.identities import APP, DATA_CENTER, identity
from shipmark.connectors.pages import Page
from shipmark.connectors.payloads import UnreadablePayload
from shipmark.connectors.transport import Caller, Transport
from shipmark.connectors.walks import Walk, walk
from shipmark.domain.model import Repository

log = logging.getLogger(__name__)

PUSHED_LATER = timedelta(days=30)
"""Commits are asked for by when they were made, and may have been pushed so much later."""

Callers = Callable[[str], Caller]
"""Who asks about a repository. May itself ask the forge, for a token."""


class Forge:
    """One forge, as `application.forges.Forge` asks for it."""

    def __init__(
        self,
        asked: Questions,
        transport: Transport,
        callers: Callers,
        *,
        itself: Callable[[], Caller],
        kind: str,
    ) -> None:
        self._asked = asked
        self._itself = itself
        self._kind = kind
        self._transport = transport
        self._callers = callers
        self._last_caller = Caller(name="nobody yet")

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

    def page(
        self,
        name: str,
        *,
        since: datetime | None,
        cursor: str | None,
        reads: Mapping[str, datetime | None] = MappingProxyType({}),
    ) -> Page:
        """First the repository itself, then its path rules, its pull requests, the commits of its
        default branch, and what events are wanted."""
        return self.hold(name, walk(self._kinds(reads), name, since=since, cursor=cursor))

    def _kinds(self, reads: Mapping[str, datetime | None]) -> dict[str, Walk]:
        asked = self._asked
        is_wanted = WHOLE_PULLS in reads and not asked.has_whole_pulls
        kinds: dict[str, Walk] = {
            "repository": self._repository_page,
            "rules": self._rules_page,
            "pulls": partial(self._pulls_page, whole=is_wanted),
        }
        if asked.commits_page is not None:
            kinds["commits"] = partial(self._commits_page, asked.commits_page)
        for kind, events in asked.events.items():
            sinces = [since for word, since in reads.items() if word in events.tells]
            if sinces:
                earliest = None if None in sinces else min(one for one in sinces if one)
                kinds[kind] = partial(self._events_page, events, earliest)
        return kinds

    def follow_up(self, facts: Sequence[Fact]) -> FollowUp:
        """What a webhook's facts leave open. What cannot be told is left out, and logged."""
        questions = follow_ups(self._asked, self.source, facts)
        return together(self.hold_if_told(name, question) for name, question in questions)

    def budget(self) -> str | None:
        limits = self._transport.budget(self._last_caller)
        if limits.remaining is None:
            return None
        return f"{limits.remaining} of {limits.limit}" if limits.limit else f"{limits.remaining}"

    def told(self) -> Budget | None:
        """The same in figures, as of now."""
        limits = self._transport.budget(self._last_caller)
        if limits.remaining is None:
            return None
        return Budget(
            source=self.source,
            remaining=limits.remaining,
            most=limits.limit,
            resets_at=limits.resets_at,
            told_at=self._transport.now(),
        )

    def identity(self) -> str | None:
        """Who we are there; None: it does not tell. Raises ForgeTrouble."""
        with _as_trouble():
            self._last_caller = self._itself()
            return self._transport.hold(identity(self._kind), self._last_caller)

    def close(self) -> None:
        self._transport.close()

    def hold(self, name: str, dialogue: Dialogue[Result]) -> Result:
        """What a dialogue about a repository comes to."""
        with _as_trouble():
            self._last_caller = self._callers(name)
            return self._transport.hold(dialogue, self._last_caller)

    def hold_if_told(self, name: str, dialogue: Dialogue[list[Fact]]) -> FollowUp:
        """The same of a question that may stay open; only a forge that is away is trouble."""
        try:
            return FollowUp(facts=self.hold(name, dialogue))
        except ForgeAway:
            raise
        except ForgeTrouble as trouble:
            log.warning("cannot ask forge: %s", trouble.message, extra={"forge": self.source})
            # Only a refusal may be another the next time.
            return FollowUp(refusal=trouble if isinstance(trouble, ForgeRefusal) else None)

    def _rules_page(
        self, name: str, _since: datetime | None, _cursor: str | None
    ) -> Dialogue[Page]:
        return Page(facts=((yield from rules_file(self._asked, self.source, name)),))

    def _repository_page(
        self, name: str, _since: datetime | None, _cursor: str | None
    ) -> Dialogue[Page]:
        facts = yield from self._asked.repository(name)
        if facts is None:
            raise ForgeTrouble(f"{self.source} has no repository {name}, or does not show it.")
        return Page(facts=(facts,))

    def _pulls_page(
        self, name: str, since: datetime | None, cursor: str | None, *, whole: bool
    ) -> Dialogue[Page]:
        page = yield from self._asked.pulls_page(name, since=since, cursor=cursor)
        return (yield from with_whole_pulls(self._asked, name, page)) if whole else page

    def _events_page(
        self,
        events: EventList,
        since: datetime | None,
        name: str,
        _since: datetime | None,
        cursor: str | None,
    ) -> Dialogue[Page]:
        """Events, since when these were last read. Where the forge does not let us read a list,
        the rest counts without."""
        try:
            return (yield from events.page(name, since=since, cursor=cursor))
        except (ForgeRefused, ForgeNotFound) as refusal:
            about = {"forge": self.source, "repository": name}
            log.warning("cannot ask forge: %s", refusal.message, extra=about)
            return Page(facts=())

    def _commits_page(
        self,
        commits_page: Callable[..., Dialogue[Page]],
        name: str,
        since: datetime | None,
        cursor: str | None,
    ) -> Dialogue[Page]:
        """Commits of the default branch, which the cursor names: no branch has a space in it."""
        branch, _, inner = (cursor or "").partition(" ")
        if not branch:
            facts = yield from self._asked.repository(name)
            branch = (facts.values.get("default_branch") if facts else None) or ""
        if not branch:
            return Page(facts=())
        earlier = since and since - PUSHED_LATER
        page = yield from commits_page(name, branch, since=earlier, cursor=inner or None)
        return replace(page, cursor=f"{branch} {page.cursor}") if page.cursor else page


def together(answers: Iterable[FollowUp]) -> FollowUp:
    """The answers to several questions as one."""
    told = list(answers)
    return FollowUp(
        facts=[fact for one in told for fact in one.facts],
        refusal=next((one.refusal for one in told if one.refusal), None),
    )


@contextmanager
def _as_trouble() -> Iterator[None]:
    """What can go wrong in asking, as use cases know it."""
    try:
        yield
    except RateLimited as error:
        raise ForgeAway(error.message, until=error.until) from error
    except ForgeUnavailable as error:
        raise ForgeAway(error.message) from error
    except (ForgeRefused, ForgeNotFound) as error:
        of_all = isinstance(error, TokenRefused)
        raise ForgeRefusal(error.message, said=error.said, of_all=of_all) from error
    except (ForgeError, UnreadablePayload) as error:
        raise ForgeTrouble(error.message) from error


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

    def budgets(self) -> list[Budget]:
        """How much each may still be asked, of those that have told."""
        return [told for forge in self._by_source.values() if (told := forge.told())]

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
        callers = AppCallers(carrying, *access.app)
        return Forge(asked, carrying, callers, itself=callers.itself, kind=APP)
    caller = Caller(name="token", headers=headers_of(access, asked) if access.token else {})
    is_data_center = asked.repository is bitbucket_data_center.repository
    kind = DATA_CENTER if is_data_center else access.source
    return Forge(asked, carrying, lambda _name: caller, itself=lambda: caller, kind=kind)
