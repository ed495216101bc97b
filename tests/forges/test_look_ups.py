"""A commit was pushed, and only the forge knows the pull request that brought it: its webhook was
lost. The next retry finds it, whichever the forge, and asks in vain only at first."""

import threading
from functools import partial

import pytest
from tests.builders import Clock, a_deployment
from tests.forges.fake import FakeForge
from tests.forges.fakes import FAKES
from tests.forges.github import FakeGitHub
from tests.forges.history import History
from tests.forges.world import POLICY, connected

from shipmark.application.change import retry
from shipmark.application.facts import BranchPush, PushedCommit
from shipmark.application.look_ups import ASKED_AT_FIRST, LookUps
from shipmark.application.record_facts import record_facts
from shipmark.application.register import Registered, register
from shipmark.application.repositories import upsert_repository
from shipmark.application.worker import Worker
from shipmark.application.writer import transact
from shipmark.connectors.forges import Forges
from shipmark.domain.model import Attribution, Reason, Status
from shipmark.storage.database import Database


class Scene:
    """A repository of which every push was told, and nothing else, and a worker that retries."""

    def __init__(self, database: Database, fake: FakeForge) -> None:
        self.database = database
        name = fake.names[0]
        facts = {"source": fake.source, "source_id": fake.own_id, "default_branch": "main"}
        transact(database, partial(upsert_repository, name=name, facts=facts, policy=POLICY))
        pushes = [
            BranchPush(
                repository=name,
                branch=push.branch,
                commits=tuple(
                    PushedCommit(sha=one.sha, committed_at=one.at) for one in push.commits
                ),
            )
            for push in (one.push for one in fake.history.happenings)
            if push and push.branch == "main"
        ]
        transact(database, partial(record_facts, facts=pushes, policy=POLICY))
        look_ups = LookUps(database, Forges([connected(fake)]), POLICY, stopping=threading.Event())
        self.worker = Worker(database, POLICY, look_ups=look_ups)
        deployed = a_deployment(
            100, repository=name, commit_sha=fake.history.tips(fake.now)["main"]
        )
        (result,) = transact(database, partial(register, registrations=[deployed], policy=POLICY))
        assert isinstance(result, Registered)
        self.deployment_id = result.deployment.id

    def stands(self) -> Attribution:
        with self.database.read() as tx:
            return tx.deployments.get({self.deployment_id})[self.deployment_id].attribution

    def retry(self) -> None:
        transact(self.database, partial(retry, deployment_id=self.deployment_id, policy=POLICY))


def fake_of(kind: type[FakeForge], *what: str) -> FakeForge:
    history = History(kind.names, kind.methods)
    for one in what:
        history.happen(one, 0, 0)
    return kind(history)


@pytest.mark.parametrize("name", FAKES)
def test_a_pull_request_that_only_the_forge_knows_is_found_by_the_next_retry(
    database: Database, clock: Clock, name: str
) -> None:
    scene = Scene(database, fake_of(FAKES[name], "open", "merge"))
    before = scene.stands()
    assert (before.status, before.reason) == (Status.PENDING, Reason.NO_PULL_REQUESTS_YET)
    clock.advance(minutes=2)
    scene.worker.work_once()
    assert scene.stands().status is Status.ATTRIBUTED


def test_a_commit_that_no_pull_request_brought_is_asked_for_at_the_first_retries_alone(
    database: Database, clock: Clock
) -> None:
    fake = fake_of(FakeGitHub, "commit_to")
    scene = Scene(database, fake)

    def asked_at(retries: int) -> list[bool]:
        answers = []
        for _ in range(retries):
            asked, attempts = fake.asked, scene.stands().attempts
            clock.advance(hours=2)
            scene.worker.work_once()
            assert scene.stands().attempts == attempts + 1
            answers.append(fake.asked > asked)
        return answers

    at_first = [True] * ASKED_AT_FIRST + [False] * 3
    assert asked_at(len(at_first)) == at_first
    scene.retry()
    assert asked_at(len(at_first)) == at_first
