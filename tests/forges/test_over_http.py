"""Every forge over real HTTP: pages, answers that were kept, limits and failures; and a deployment
that waits for what only the forge knows."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import select
from tests.builders import Clock, a_deployment
from tests.connectors.http_forge import HTTPForge, answers, breaks_off, hangs_up, is_slow
from tests.databases import hurry_sqlite
from tests.forges.fake import FakeForge
from tests.forges.fakes import FAKES
from tests.forges.history import History

from shipmark.application.backfill_forge import begin
from shipmark.application.forge_importer import ForgeImporter
from shipmark.application.look_ups import LookUps
from shipmark.application.policy import Policy
from shipmark.application.register import register
from shipmark.application.repositories import upsert_repository
from shipmark.application.worker import Worker
from shipmark.application.writer import transact
from shipmark.connectors.forge_servers import PUBLIC, Access
from shipmark.connectors.forges import connect
from shipmark.domain.model import Deployment, Repository, Status
from shipmark.storage.database import Database
from shipmark.storage.tables import pulls

POLICY = Policy()
EVERY = timedelta(hours=1)
LIFE = (
    ("open", 0, 2),
    ("merge", 0, 0),
    ("open", 0, 1),
    ("commit_to", 0, 0),
    ("merge", 0, 0),
    ("open", 0, 0),
    ("open", 0, 2),
    ("merge", 1, 1),
    ("merge", 0, 0),
    ("open", 0, 1),
    ("merge", 0, 0),
)
"""What happens to each forge here: five pull requests, all merged, and a direct push."""


@dataclass
class Scene:
    """The product, and a forge on the network."""

    database: Database
    clock: Clock
    fake: FakeForge
    forge: HTTPForge
    slept: list[float]
    importer: ForgeImporter
    worker: Worker
    repository: Repository

    def import_all(self) -> None:
        transact(self.database, lambda tx: begin(tx, self.repository.id, policy=POLICY))
        self.work()

    def work(self) -> int:
        """Let a worker go on, once its lease is over."""
        self.clock.advance(minutes=11)
        return self.importer.work_once()

    def stored(self) -> dict[int, tuple[datetime | None, str | None]]:
        with self.database.read() as tx:
            rows = tx.connection.execute(
                select(pulls.c.number, pulls.c.merged_at, pulls.c.merge_commit_sha)
            )
            return {row.number: (row.merged_at, row.merge_commit_sha) for row in rows}

    @property
    def due_at(self) -> datetime:
        with self.database.read() as tx:
            return tx.forge_imports.get({self.repository.id})[self.repository.id].due_at

    @property
    def merged(self) -> dict[int, tuple[datetime | None, str | None]]:
        return {one.number: (one.merged_at, one.landed_as) for one in self.fake.pulls()}


@contextmanager
def on_the_network(
    database: Database, clock: Clock, fake: FakeForge, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(seconds=seconds)

    slept: list[float] = []
    stopping = threading.Event()
    with HTTPForge(fake) as forge:
        clock.now = fake.now + timedelta(hours=1)
        url = forge.url
        if fake.url == "https://bitbucket.org":
            # There is only one, and its API has an address of its own.
            monkeypatch.setitem(PUBLIC, "bitbucket", forge.url)
            url = fake.url
        access = Access(source=fake.source, url=url, token="s3cret")  # noqa: S106
        forges = connect([access], clock=clock, sleep=sleep, timeouts=(5, 0.4))
        facts = {"source": fake.source, "default_branch": "main"}
        name = fake.names[0]
        try:
            yield Scene(
                database=database,
                clock=clock,
                fake=fake,
                forge=forge,
                slept=slept,
                importer=ForgeImporter(database, forges, POLICY, every=EVERY, stopping=stopping),
                worker=Worker(
                    database,
                    POLICY,
                    look_ups=LookUps(database, forges, POLICY, stopping=stopping),
                ),
                repository=transact(
                    database, partial(upsert_repository, name=name, facts=facts, policy=POLICY)
                ),
            )
        finally:
            forges.close()


@pytest.fixture(params=FAKES)
def fake(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FakeForge:
    kind = FAKES[request.param]
    for (module, name), few in kind.pages.items():
        monkeypatch.setattr(module, name, few)
    history = History(kind.names, kind.methods)
    for what in LIFE:
        history.happen(*what)
    return kind(history)


@pytest.fixture
def scene(
    database: Database, clock: Clock, fake: FakeForge, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    with on_the_network(database, clock, fake, monkeypatch) as made:
        yield made


@pytest.fixture
def scene_of_one_kind(
    sqlite_url: str, clock: Clock, fake: FakeForge, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    """For what has nothing to do with the kind of database."""
    with (
        closing(Database(sqlite_url, clock=clock)) as database,
        on_the_network(database, clock, fake, monkeypatch) as made,
    ):
        hurry_sqlite(database)
        yield made


def test_all_pages_are_read_and_what_has_not_changed_is_not_sent_again(scene: Scene) -> None:
    scene.import_all()
    assert scene.stored() == scene.merged
    first = len(scene.forge.asked)
    assert first > 3
    secrets = {one.headers["authorization"] for one in scene.forge.asked}
    assert len(secrets) == 1
    scene.import_all()
    assert scene.stored() == scene.merged
    assert scene.forge.not_modified > 0


FAULTS = [
    answers(500),
    breaks_off,
    answers(200, b'{"id": '),
    hangs_up,
    answers(429, retry_after="3600"),
    answers(200, b"<html>"),
    is_slow(0.8),
    answers(503),
    answers(502, b"<html>"),
]


def test_whatever_goes_wrong_on_its_pages_an_import_ends_complete(
    scene_of_one_kind: Scene,
) -> None:
    scene = scene_of_one_kind
    scene.forge.faults.extend(one for fault in FAULTS for one in (None, fault))
    scene.import_all()
    for _ in FAULTS:
        scene.clock.now = max(scene.clock.now, scene.due_at)
        scene.importer.work_once()
    assert scene.stored() == scene.merged
    assert len(scene.forge.faults) <= len(FAULTS)


def test_a_limit_is_kept_to_the_second_it_names(scene_of_one_kind: Scene) -> None:
    scene = scene_of_one_kind
    scene.forge.faults.extend([None, None, answers(429, retry_after="1800")])
    scene.import_all()
    assert len(scene.forge.asked) == 3
    assert scene.due_at == scene.clock.now + timedelta(minutes=30)
    scene.clock.advance(minutes=29)
    assert scene.importer.work_once() == 0
    assert len(scene.forge.asked) == 3
    scene.clock.advance(minutes=1)
    scene.importer.work_once()
    assert scene.stored() == scene.merged


def test_a_deployment_that_waits_is_attributed_by_its_next_retry_without_any_webhook(
    scene: Scene,
) -> None:
    known = {number: sha for number, (_, sha) in scene.merged.items()}
    hours = 100
    waiting = {number: register_one(scene, hours, str(sha)) for number, sha in known.items()}
    assert {one.attribution.status for one in standing(scene, waiting)} == {Status.PENDING}
    scene.clock.advance(minutes=2)
    scene.worker.work_once()
    assert {one.attribution.status for one in standing(scene, waiting)} == {Status.ATTRIBUTED}
    assert scene.stored() == scene.merged


def register_one(scene: Scene, hours: float, sha: str) -> int:
    scene.clock.now = scene.fake.now + timedelta(days=5)
    one = a_deployment(
        hours, repository=scene.fake.names[0], commit_sha=sha[:12], service=f"service {sha[:7]}"
    )
    (result,) = transact(scene.database, partial(register, registrations=[one], policy=POLICY))
    deployment: Deployment = result.deployment
    return deployment.id


def standing(scene: Scene, ids: dict[int, int]) -> list[Deployment]:
    with scene.database.read() as tx:
        return list(tx.deployments.get(set(ids.values())).values())
