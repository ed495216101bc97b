"""A fake forge and the product side by side: webhooks come when they come, imports read meanwhile.

Everything happens on one clock, in one transaction that is not kept: the history first, as the
forge has it; and whatever the product is told of it, at once, late or twice.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count, repeat
from typing import Any

from sqlalchemy import Column, Connection, Select, select
from tests import reference_model as model
from tests.builders import a_deployment
from tests.forges.fake import FakeForge, Sent, delivery_of
from tests.forges.history import SIDE, TRUNK, History, Pull

from shipmark.application.backfill_forge import begin, next_page, record_page
from shipmark.application.drafts import Registration
from shipmark.application.forge_ports import ForgeImport
from shipmark.application.inbox import Inbox, receive
from shipmark.application.policy import Policy
from shipmark.application.queries import Page
from shipmark.application.register import Registered, answer, register
from shipmark.application.repositories import upsert_repository
from shipmark.application.rules import RuleDraft, infer, upsert_rule
from shipmark.application.writer import transact
from shipmark.connectors.deliveries import Deliveries
from shipmark.connectors.exchange import Dialogue, Request, Response, Result
from shipmark.connectors.forge_servers import server_of
from shipmark.connectors.forges import Forge, Forges
from shipmark.connectors.limits import Limits
from shipmark.connectors.re2_patterns import Re2Engine
from shipmark.connectors.transport import Caller, Server
from shipmark.domain.events import EventSource
from shipmark.domain.model import Repository
from shipmark.domain.patterns import read_pattern
from shipmark.domain.rules import Conditions, Outcome
from shipmark.storage.forge_tables import deliveries, source_events
from shipmark.storage.rule_tables import deploy_rules
from shipmark.storage.tables import deployments, pull_commits, pulls
from shipmark.storage.transaction import StorageTransaction

POLICY = Policy(patterns=Re2Engine())
EACH_MERGE = RuleDraft(
    name="each merge",
    source=EventSource.MERGED_PULL_REQUEST,
    when=Conditions(branch=read_pattern("**")),
    make=Outcome(service="made of merges"),
)
"""By this rule each merge is a deployment, which ships the very pull request that was merged."""

EACH_RELEASE = RuleDraft(
    name="each release",
    source=EventSource.RELEASE,
    when=Conditions(),
    make=Outcome(service="made of releases"),
)
"""By this rule each release is a deployment of the commit of its tag."""

NOBODY = Caller(name="nobody")


class Line:
    """What a forge is asked over in place of the network: dialogues, held with a fake."""

    def __init__(self, fake: Callable[[Request], Response], server: Server) -> None:
        self.fake = fake
        self.server = server

    def hold(self, dialogue: Dialogue[Result], _caller: Caller) -> Result:
        try:
            request = next(dialogue)
            while True:
                request = dialogue.send(self.fake(request))
        except StopIteration as done:
            result: Result = done.value
            return result

    def budget(self, _caller: Caller) -> Limits:
        return Limits()

    def close(self) -> None:
        """Nothing is open."""


def connected(fake: FakeForge) -> Forge:
    """The forge as the product asks it, without a network."""
    asked, server = server_of(fake.source, fake.url)
    line: Any = Line(fake, server)
    return Forge(asked, line, lambda _name: NOBODY, itself=lambda: NOBODY, kind=fake.source)


@dataclass
class OneTransaction:
    """A database of which every transaction is the same one."""

    connection: Connection
    now: datetime

    @contextmanager
    def write(self) -> Iterator[StorageTransaction]:
        yield StorageTransaction(self.connection, now=self.now)

    trial = read = write


@dataclass(order=True)
class Step:
    at: datetime
    number: int
    what: Any = field(compare=False)


Plan = list[tuple[datetime, Any]]
"""What comes when: webhooks, deployments, and "import", which begins one."""


class World:
    def __init__(self, database: Any, fake: FakeForge, gaps: Iterator[int] | None = None) -> None:
        self.fake = fake
        self.history: History = fake.history
        self.database = database
        self.forge = connected(fake)
        forges = Forges([self.forge])
        self.inbox = Inbox(
            database=self.database,
            reader=Deliveries(forges, fake.url),
            policy=POLICY,
            infer=infer,
        )
        self.gaps = gaps or repeat(1)
        self.again = False
        self.registered: list[Registration] = []
        for draft in (EACH_MERGE, EACH_RELEASE):
            transact(self.database, partial(upsert_rule, draft=draft, policy=POLICY))
        self.repository: Repository = transact(
            self.database,
            partial(
                upsert_repository,
                name=fake.names[0],
                facts={"source": fake.source, "source_id": fake.own_id},
                policy=POLICY,
            ),
        )

    def live(self, plan: Plan) -> None:
        """Let everything come at its time; an import asks for one page after the other."""
        numbers = count()
        waiting = [Step(at, next(numbers), what) for at, what in plan]
        heapq.heapify(waiting)
        while waiting:
            step = heapq.heappop(waiting)
            self.database.now = step.at
            self.fake.now = min(step.at, self.history.ended_at)
            if self._take(step.what):
                later = step.at + timedelta(minutes=next(self.gaps))
                heapq.heappush(waiting, Step(later, next(numbers), "page"))

    def import_all(self) -> None:
        """A whole run, one page after the other."""
        more = self._import()
        while more:
            more = self._page().started_at is not None

    def _take(self, what: Any) -> bool:
        """Let one thing come; whether an import has more pages."""
        match what:
            case Sent():
                self._deliver(what)
            case Registration():
                self._register(what)
            case "import":
                return self._import()
            case "page":
                return self._page().started_at is not None or self._import_again()
        return False

    def _import(self) -> bool:
        """Begin a run. While one is under way, there is another after it."""
        at = self._stands_at()
        if at is not None and at.started_at is not None:
            self.again = True
            return False
        transact(self.database, self._begun)
        return True

    def _import_again(self) -> bool:
        again, self.again = self.again, False
        return again and self._import()

    def _deliver(self, sent: Sent) -> None:
        one = delivery_of(self.fake, sent)
        transact(self.database, partial(receive, deliveries=[one]))
        self.inbox.work()

    def _register(self, one: Registration) -> None:
        (result,) = transact(self.database, partial(register, registrations=[one], policy=POLICY))
        assert isinstance(result, Registered), result
        self.registered.append(one)

    def _begun(self, tx: Any) -> ForgeImport:
        return begin(tx, self.repository.id, policy=POLICY, events=True, commits=True)

    def _stands_at(self) -> ForgeImport | None:
        with self.database.read() as tx:
            return tx.forge_imports.get({self.repository.id}).get(self.repository.id)

    def _page(self) -> ForgeImport:
        at = self._stands_at()
        assert at is not None
        with self.database.read() as tx:
            repository = tx.repositories.get({self.repository.id})[self.repository.id]
        page = next_page(self.forge, repository, at)
        recording = partial(
            record_page,
            repository=repository,
            before=at,
            facts=page.facts,
            cursor=page.cursor,
            policy=POLICY,
            infer=infer,
            every=timedelta(hours=1),
        )
        return transact(self.database, recording)

    # What is known in the end, and what should be

    def known(self) -> dict[str, Any]:
        with self.database.read() as tx:
            repository = tx.repositories.get({self.repository.id})[self.repository.id]
            rows = tx.connection.execute(select(pulls)).all()
            ids = {row.id: row.number for row in rows}
            commits: dict[int, set[str]] = {number: set() for number in ids.values()}
            for row in tx.connection.execute(select(pull_commits)):
                commits[ids[row.pull_id]].add(row.sha)
            events = source_events.c
            merges = events.source == EventSource.MERGED_PULL_REQUEST.value
            merged = tx.connection.scalars(select(events.pull_number).where(merges))
            is_tag = events.source == EventSource.TAG.value
            tags = tx.connection.execute(select(events.tag, events.commit_sha).where(is_tag))
            is_push = events.source == EventSource.PUSH.value
            pushes = tx.connection.execute(select(events.branch, events.commit_sha).where(is_push))
            pushed = select(events.commit_sha, events.branch, events.tag, events.at)
            dated = tx.connection.execute(pushed.where(is_tag | is_push))
            errors = tx.connection.scalars(
                select(deliveries.c.error).where(deliveries.c.error.is_not(None))
            )
            return {
                "repository": (repository.name, repository.default_branch),
                "pulls": {row.number: _stored(row, commits[row.number]) for row in rows},
                "merges": sorted(one for one in merged if one),
                "tags": sorted((row.tag, row.commit_sha) for row in tags),
                "pushes": sorted((row.branch, row.commit_sha) for row in pushes),
                "told of too early": self._too_early(dated),
                "errors": list(errors),
                "deployments": self._standing(tx),
                "inferred": _inferred(tx),
                "released": _released(tx),
            }

    def _too_early(self, dated: Iterable[Any]) -> list[Any]:
        """Pushes that are said to have been before they were. Commits are older than their push."""
        now = self.history.ended_at
        pushed = {
            (one.push.after.sha, one.push.branch): one.at
            for one in self.history.until(now)
            if one.push
        } | {(one.tag[1].sha, one.tag[0]): one.at for one in self.history.until(now) if one.tag}
        return [row for row in dated if row.at < pushed[row.commit_sha, row.branch or row.tag]]

    def _standing(self, tx: StorageTransaction) -> dict[str, Any]:
        found = tx.deployments.by_reference_ids({str(one.reference_id) for one in self.registered})
        told = {}
        for reference_id, registered in answer(tx, found.values()).items():
            status = registered.deployment.attribution.status.value
            told[reference_id] = (
                model.WAITING if status in ("pending", "expired") else status,
                registered.reason and registered.reason.value,
                registered.pull_requests,
            )
        return told

    def truth(self) -> dict[str, Any]:
        """What the history itself says, and what attribution is by its definition."""
        now, name = self.history.ended_at, self.fake.names[0]
        pulls_ = self.history.pulls(now)
        repository = self.history.repository(now)
        commits = {
            (name, push.branch, commit.sha): commit.at
            for push in (one.push for one in self.history.until(now) if one.push)
            if push.direct and push.branch in _branches_that_matter(self.history)
            for commit in push.commits
        }
        facts = model.Facts(
            default_branches={name: repository.default_branch},
            pulls={
                (name, number): model.Pull(
                    repository=name,
                    number=number,
                    base_ref=pull.base,
                    merged_at=pull.merged_at,
                    merge_commit_sha=pull.landed_as,
                    head_sha=pull.head_sha,
                    commit_shas=frozenset(one.sha for one in pull.commits),
                )
                for number, pull in pulls_.items()
            },
            commits=commits,
            deployments={str(one.reference_id): _deployment(one) for one in self.registered},
        )
        answers = model.Answers(facts)
        return {
            "repository": (repository.name, repository.default_branch),
            "pulls": {number: _expected(pull) for number, pull in pulls_.items()},
            "merges": sorted(number for number, pull in pulls_.items() if pull.merged_at),
            "tags": sorted((tag, one.sha) for tag, one in self.history.tags(now).items()),
            "pushes": sorted(
                (one.push.branch, one.push.after.sha) for one in self.history.until(now) if one.push
            ),
            "told of too early": [],
            "errors": [],
            "inferred": [(number, 1) for number in sorted(pulls_) if pulls_[number].merged_at],
            "released": sorted(
                one.commit.sha for one in self.history.releases(now) if "release" in self.fake.also
            ),
            "deployments": {
                reference: (*answers.standing(reference), len(answers.ships[reference]))
                for reference in facts.deployments
            },
        }


def _inferred(tx: StorageTransaction) -> list[tuple[int, int]]:
    """Which pull requests were shipped by what a rule made, and how often."""
    ids = list(tx.connection.scalars(_made_by(EACH_MERGE, deployments.c.id)))
    rows = [row for one in ids for row in tx.reports.shipped_pulls(one, Page(limit=100))]
    assert len(ids) == len(rows)
    return sorted(Counter(row.pull.number for row in rows).items())


def _released(tx: StorageTransaction) -> list[str | None]:
    """The commits that a rule deployed of releases."""
    return sorted(tx.connection.scalars(_made_by(EACH_RELEASE, deployments.c.commit_sha)), key=str)


def _made_by(rule: RuleDraft, column: Column[Any]) -> Select[Any]:
    is_its = deployments.c.rule_id == deploy_rules.c.id
    return select(column).join(deploy_rules, is_its).where(deploy_rules.c.name == rule.name)


def _branches_that_matter(history: History) -> set[str]:
    merged = {one.base for one in history.pulls(history.ended_at).values() if one.merged_at}
    return merged | {history.repository(history.ended_at).default_branch}


TOLD = (
    "base_ref",
    "title",
    "author",
    "head_ref",
    "created_at",
    "merged_at",
    "merge_commit_sha",
)


def _stored(row: Any, commits: set[str]) -> dict[str, Any]:
    """What is known of a pull request; the rest, of one that is not merged, not all forges tell."""
    told = {name: getattr(row, name) for name in TOLD}
    if row.merged_at:
        return told | {"head_sha": row.head_sha, "commits": commits - {row.merge_commit_sha}}
    return told | {"closed_at": row.closed_at}


def _expected(pull: Pull) -> dict[str, Any]:
    told = {
        "base_ref": pull.base,
        "title": pull.title,
        "author": pull.author,
        "head_ref": pull.head,
        "created_at": pull.created_at,
        "merged_at": pull.merged_at,
        "merge_commit_sha": pull.landed_as,
    }
    if pull.merged_at:
        commits = {one.sha for one in pull.commits} - {pull.landed_as}
        return told | {"head_sha": pull.head_sha, "commits": commits}
    return told | {"closed_at": pull.ended_at}


def _deployment(one: Registration) -> model.Deployment:
    return model.Deployment(
        reference_id=str(one.reference_id),
        service=str(one.service),
        environment=one.environment,
        deployed_at=one.deployed_at,
        repository=one.repository,
        commit_sha=one.commit_sha,
    )


def deployable(fake: FakeForge) -> list[str]:
    """Commits that a team may deploy, and one that nobody has.

    What came from one of the two branches to the other by a merge stands on both, and which is
    meant nobody can tell.
    """
    history, now = fake.history, fake.history.ended_at
    found = ["badc0ffee"]
    for pull in history.pulls(now).values():
        found += [sha for sha in (pull.landed_as, pull.head_sha) if sha]
        found += [one.sha for one in pull.commits]
    held = {
        branch: {one.sha for one in history.reachable(history.tips(now)[branch])}
        for branch in (TRUNK, SIDE)
    }
    for happening in history.until(now):
        if happening.push and happening.push.direct and happening.push.branch in held:
            found += [one.sha for one in happening.push.commits]
    return [one for one in found if not all(one in shas for shas in held.values())]


def deployments_of(fake: FakeForge, drawn: list[tuple[int, int, bool]]) -> list[Registration]:
    """Deployments of drawn commits, or by time, at drawn hours."""
    commits = [None, *deployable(fake)]
    return [
        a_deployment(
            hours + 0.25,
            reference_id=f"d{number}",
            repository=fake.names[0],
            commit_sha=commits[which % len(commits)],
            environment="staging" if staged else "production",
        )
        for number, (hours, which, staged) in enumerate(drawn)
    ]
