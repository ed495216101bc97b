"""Importing a repository from its forge, over real HTTP, on both databases."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from tests.builders import Clock, a_deployment, a_pull_request, sha
from tests.connectors.fake_gitlab import NAME, FakeGitLab
from tests.connectors.http_forge import HTTPForge, answers, breaks_off, hangs_up

from shipmark.application.backfill_forge import CLOCKS_DIFFER, LEASE, begin, claim_due, record_page
from shipmark.application.forge_importer import ForgeImporter
from shipmark.application.forge_ports import ForgeImport
from shipmark.application.forges import ForgeAway, ForgeTrouble
from shipmark.application.look_ups import LookUps
from shipmark.application.policy import Policy
from shipmark.application.record_facts import infer_nothing
from shipmark.application.register import register
from shipmark.application.repositories import upsert_repository
from shipmark.application.worker import Worker
from shipmark.application.writer import transact
from shipmark.connectors.exchange import Request, Response
from shipmark.connectors.forge_servers import Access
from shipmark.connectors.forges import connect
from shipmark.connectors.pages import Page
from shipmark.domain.model import Deployment, Repository, Status
from shipmark.storage.database import Database

EVERY = timedelta(hours=6)
POLICY = Policy()


class Scene:
    """A database with one repository, and a GitLab that has it."""

    def __init__(self, database: Database, clock: Clock, count: int, **gitlab: Any) -> None:
        self.database = database
        self.clock = clock
        self.policy = POLICY
        self.gitlab = FakeGitLab(count, **gitlab)
        self.forge = HTTPForge(self.gitlab)
        self.stopping = threading.Event()
        self.forges = connect(
            [Access(source="gitlab", url=self.forge.url)], clock=clock, sleep=lambda _: None
        )
        self.importer = ForgeImporter(
            database, self.forges, POLICY, every=EVERY, stopping=self.stopping
        )
        facts = {"source": "gitlab"}
        self.repository: Repository = self.write(
            partial(upsert_repository, name=NAME, facts=facts, policy=POLICY)
        )

    def write(self, run: Any) -> Any:
        return transact(self.database, run)

    def begin(self, **options: bool) -> ForgeImport:
        begun: ForgeImport = self.write(
            partial(begin, repository_id=self.repository.id, policy=self.policy, **options)
        )
        return begun

    def state(self) -> ForgeImport:
        with self.database.read() as tx:
            return tx.forge_imports.get({self.repository.id})[self.repository.id]

    def pulls(self, upto: int) -> list[int]:
        """The numbers of the pull requests that are known."""
        wanted = {(self.repository.id, number) for number in range(1, upto + 1)}
        with self.database.read() as tx:
            return sorted(number for _, number in tx.pulls.by_number(wanted))

    def pages(self, at: ForgeImport, most: int = 1000) -> ForgeImport:
        """Import so many pages, or up to the end of the run."""
        while at.started_at is not None and most > 0:
            at = self.importer.page(self.repository, at)
            most -= 1
        return at

    def listings(self) -> list[dict[str, str | int]]:
        """The queries of the lists of merge requests that were asked for."""
        lists = [one for one in self.forge.asked if one.path.endswith("/merge_requests")]
        return [dict(one.query) for one in lists]

    def wait(self, sha_: str, **facts: Any) -> int:
        """Register a deployment of a commit; its id."""
        registration = a_deployment(repository=NAME, commit_sha=sha_, **facts)
        (result,) = self.write(partial(register, registrations=[registration], policy=POLICY))
        deployment: Deployment = result.deployment
        return deployment.id

    def status(self, deployment_id: int) -> Status:
        return self.deployment(deployment_id).attribution.status

    def deployment(self, deployment_id: int) -> Deployment:
        with self.database.read() as tx:
            return tx.deployments.get({deployment_id})[deployment_id]


@pytest.fixture
def scene(database: Database, clock: Clock) -> Iterator[Scene]:
    made = Scene(database, clock, 250, pushed=(sha(900_001),))
    with made.forge:
        yield made
        made.forges.close()


def test_all_of_a_repository_is_imported(scene: Scene) -> None:
    waiting = scene.wait(sha(900_001))
    begun = scene.begin()
    scene.clock.advance(minutes=3)
    done = scene.pages(begun)
    assert scene.pulls(300) == list(range(1, 251))
    assert scene.status(waiting) is Status.ATTRIBUTED
    assert done == scene.state()
    assert (done.cursor, done.started_at, done.error) == (None, None, None)
    assert done.finished_at == scene.clock.now
    assert done.due_at == scene.clock.now + EVERY
    assert begun.started_at is not None
    assert done.since == begun.started_at - CLOCKS_DIFFER
    with scene.database.read() as tx:
        (known,) = tx.repositories.get({scene.repository.id}).values()
    assert (known.default_branch, known.source, known.source_id) == ("main", "gitlab", "7")


def test_the_next_run_asks_for_what_changed_since_the_last_began(scene: Scene) -> None:
    scene.pages(scene.begin())
    since = scene.state().since
    scene.clock.advance(days=1)
    scene.forge.asked.clear()
    scene.pages(scene.begin())
    after = {str(query["updated_after"]) for query in scene.listings()}
    assert [datetime.fromisoformat(one) for one in after] == [since]


def test_a_run_that_was_killed_twice_goes_on_and_asks_for_no_page_again(scene: Scene) -> None:
    scene.pages(scene.begin(), 3)
    scene.pages(scene.begin(), 1)
    assert scene.pulls(300) == list(range(1, 200))
    scene.pages(scene.begin())
    assert scene.pulls(300) == list(range(1, 251))
    listed = scene.listings()
    assert len(listed) == 3
    assert len({str(query) for query in listed}) == 3


def test_beginning_again_imports_everything(scene: Scene) -> None:
    scene.pages(scene.begin())
    scene.forge.asked.clear()
    scene.pages(scene.begin(again=True), 3)
    assert "updated_after" not in scene.listings()[0]
    assert scene.begin(again=True).cursor is None


def test_of_two_who_go_on_at_once_one_records(scene: Scene) -> None:
    at = scene.pages(scene.begin(), 1)
    ahead = scene.pages(at, 2)
    assert scene.importer.page(scene.repository, at) == ahead
    assert scene.state() == ahead


def test_a_page_that_cannot_be_recorded_is_not_passed(scene: Scene) -> None:
    at = scene.pages(scene.begin(), 1)

    class Killed(BaseException):
        pass

    def killed(tx: Any) -> None:
        stood = partial(record_page, tx, scene.repository, at, [], "elsewhere")
        stood(policy=POLICY, infer=infer_nothing, every=EVERY)
        raise Killed

    with pytest.raises(Killed):
        scene.write(killed)
    assert scene.state() == at


def test_a_forge_that_tells_the_same_under_every_number_is_trouble(scene: Scene) -> None:
    class Same:
        def serving(self, _: object) -> Any:
            return self

        def page(self, _name: str, *, cursor: str | None, **__: object) -> Page:
            return Page(facts=(a_pull_request(1),), cursor=str(int(cursor or 1) + 1))

    importer = ForgeImporter(scene.database, Same(), POLICY, every=EVERY, stopping=scene.stopping)
    at = importer.page(scene.repository, scene.begin())
    at = importer.page(scene.repository, at)
    for _ in range(2):
        with pytest.raises(ForgeTrouble, match="3 pages to '3' are alike"):
            importer.page(scene.repository, at)


def test_pages_that_go_in_circles_are_trouble(scene: Scene) -> None:
    class Circle:
        facts = ()
        cursor = "x"

    class Circling:
        def serving(self, _: object) -> Any:
            return self

        def page(self, *_: object, **__: object) -> Circle:
            return Circle()

    importer = ForgeImporter(
        scene.database, Circling(), POLICY, every=EVERY, stopping=scene.stopping
    )
    at = importer.page(scene.repository, scene.begin())
    with pytest.raises(ForgeTrouble, match="go in circles at 'x'"):
        importer.page(scene.repository, at)


class Limited:
    """A GitLab that answers so many requests a minute, and counts what it has to refuse."""

    def __init__(self, gitlab: FakeGitLab, clock: Clock, limit: int) -> None:
        self.gitlab, self.clock, self.limit = gitlab, clock, limit
        self.minute, self.left, self.refused = clock.now, limit, 0

    def __call__(self, request: Request) -> Response:
        if self.clock.now >= self.minute + timedelta(minutes=1):
            self.minute, self.left = self.clock.now, self.limit
        self.left -= 1
        if self.left < 0:
            self.refused += 1
            return Response(status=429)
        resets_at = self.minute + timedelta(minutes=1)
        told = {
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(self.left),
            "ratelimit-reset": str(int(resets_at.timestamp())),
        }
        answer = self.gitlab(request)
        return replace(answer, headers={**answer.headers, **told})


def test_an_import_keeps_within_the_limit_of_its_forge(scene: Scene) -> None:
    scene.forge.answering = limited = Limited(scene.gitlab, scene.clock, 2)
    patient = connect(
        [Access(source="gitlab", url=scene.forge.url)],
        clock=scene.clock,
        patience=timedelta(hours=1),
        sleep=lambda seconds: scene.clock.advance(seconds=seconds),
    )
    began = scene.clock.now
    scene.importer = ForgeImporter(
        scene.database, patient, POLICY, every=EVERY, stopping=scene.stopping
    )
    scene.pages(scene.begin())
    patient.close()
    assert scene.pulls(300) == list(range(1, 251))
    assert limited.refused == 0
    assert scene.clock.now - began == timedelta(minutes=(len(scene.forge.asked) - 1) // 2)


# The worker


def test_a_worker_imports_what_is_due_and_nothing_else(scene: Scene) -> None:
    assert scene.importer.work_once() == 0
    assert scene.forge.asked == []
    scene.begin()
    assert scene.importer.work_once() == 0
    scene.clock.advance(minutes=11)
    assert scene.importer.work_once() == 6
    assert scene.pulls(300) == list(range(1, 251))
    assert scene.importer.work_once() == 0
    scene.clock.advance(hours=6)
    scene.gitlab.count = 260
    scene.gitlab.changed_at = scene.clock.now
    assert scene.importer.work_once() > 0
    assert scene.pulls(300) == list(range(1, 261))


def test_no_two_workers_take_the_same_import(scene: Scene) -> None:
    scene.begin()
    scene.clock.advance(minutes=11)
    first = scene.write(partial(claim_due, policy=POLICY))
    assert first is not None
    assert first[1].due_at == scene.clock.now + LEASE
    assert scene.write(partial(claim_due, policy=POLICY)) is None


def test_a_worker_that_is_told_to_stop_gives_its_import_back(scene: Scene) -> None:
    scene.begin()
    scene.clock.advance(minutes=11)
    scene.stopping.set()
    assert scene.importer.work_once() == 0
    assert scene.state().due_at == scene.clock.now
    assert scene.forge.asked == []


@pytest.mark.parametrize("fault", [hangs_up, breaks_off, answers(503)])
def test_a_forge_that_is_down_is_tried_again_later_and_later(scene: Scene, fault: Any) -> None:
    scene.begin()
    pauses = []
    for _ in range(3):
        scene.forge.faults.extend([fault] * 3)
        scene.clock.now = scene.state().due_at
        assert scene.importer.work_once() == 0
        pauses.append(scene.state().due_at - scene.clock.now)
    assert pauses == [timedelta(minutes=one) for one in (1, 2, 4)]
    assert scene.state().error
    scene.clock.now = scene.state().due_at
    scene.importer.work_once()
    assert (scene.state().error, scene.state().attempts) == (None, 0)
    assert scene.pulls(300) == list(range(1, 251))


def test_a_limit_puts_an_import_off_until_the_forge_may_be_asked(scene: Scene) -> None:
    scene.begin()
    scene.clock.advance(minutes=11)
    scene.forge.faults.extend([None, answers(429, retry_after="1800")])
    assert scene.importer.work_once() == 1
    until = scene.clock.now + timedelta(minutes=30)
    assert (scene.state().due_at, scene.state().attempts) == (until, 0)
    asked = len(scene.forge.asked)
    with pytest.raises(ForgeAway):
        scene.importer.page(scene.repository, scene.state())
    assert len(scene.forge.asked) == asked
    scene.clock.now = until
    scene.importer.work_once()
    assert scene.pulls(300) == list(range(1, 251))


def test_a_repository_that_is_of_no_forge_here_says_so(scene: Scene) -> None:
    scene.write(partial(upsert_repository, name=NAME, facts={"source": "github"}, policy=POLICY))
    scene.begin()
    scene.clock.advance(minutes=11)
    scene.importer.work_once()
    assert scene.state().error == f"No forge is set up that has {NAME}."


# Deployments that wait


def a_worker(scene: Scene, **options: float) -> Worker:
    look_ups = LookUps(scene.database, scene.forges, POLICY, stopping=scene.stopping, **options)
    return Worker(scene.database, POLICY, look_ups=look_ups)


@pytest.mark.parametrize("commit", [sha(17), sha(17)[:7], sha(900_001)])
def test_a_deployment_that_waits_is_attributed_by_its_next_retry(scene: Scene, commit: str) -> None:
    waiting = scene.wait(commit, hours=1000)
    assert scene.status(waiting) is Status.PENDING
    scene.clock.advance(minutes=2)
    assert a_worker(scene).work_once() == 1
    # A commit that was pushed ships what was merged before it, which is not known yet.
    pushed = commit == sha(900_001)
    assert scene.status(waiting) is (Status.PENDING if pushed else Status.ATTRIBUTED)
    assert scene.deployment(waiting).attribution.reason is None or pushed
    assert scene.pulls(300) == ([] if pushed else [17])


def test_a_repository_without_a_default_branch_is_asked_for_it(scene: Scene) -> None:
    registration = a_deployment(repository=NAME)
    (result,) = scene.write(partial(register, registrations=[registration], policy=POLICY))
    assert result.deployment.attribution.reason == "default_branch_unknown"
    scene.clock.advance(minutes=2)
    a_worker(scene).work_once()
    assert scene.deployment(result.deployment.id).attribution.reason == "no_pull_requests_yet"


def test_the_same_commit_is_asked_for_once(scene: Scene) -> None:
    for service in ("a", "b", "c"):
        scene.wait(sha(5), service=service)
    scene.clock.advance(minutes=2)
    a_worker(scene).work_once()
    paths = scene.forge.paths()
    assert len(paths) == len(set(paths))


def test_a_commit_that_is_known_already_is_not_asked_for(scene: Scene) -> None:
    scene.pages(scene.begin())
    scene.wait(sha(5))
    scene.forge.asked.clear()
    scene.clock.advance(minutes=2)
    a_worker(scene).work_once()
    assert scene.forge.asked == []


@pytest.mark.parametrize(
    ("fault", "asked"), [(hangs_up, 3), (answers(429, retry_after="900"), 1), (answers(503), 3)]
)
def test_a_forge_that_is_away_is_asked_nothing_more_and_all_are_retried(
    scene: Scene, fault: Any, asked: int
) -> None:
    waiting = [scene.wait(sha(number), hours=1000 + number) for number in (5, 6, 7)]
    scene.clock.advance(minutes=2)
    scene.forge.faults.extend([fault] * asked)
    a_worker(scene).work_once()
    assert len(scene.forge.asked) == asked
    for one in waiting:
        assert scene.deployment(one).attribution.attempts == 1
    scene.clock.advance(minutes=30)
    a_worker(scene).work_once()
    assert {scene.status(one) for one in waiting} == {Status.ATTRIBUTED}


@pytest.mark.parametrize("fault", [answers(403), answers(200, b'{"id": 5}')])
def test_trouble_with_one_commit_keeps_none_from_being_retried(scene: Scene, fault: Any) -> None:
    first, second = scene.wait(sha(5), hours=1000), scene.wait(sha(6), hours=1001)
    scene.clock.advance(minutes=2)
    scene.forge.faults.append(fault)
    a_worker(scene).work_once()
    assert {scene.status(first), scene.status(second)} == {Status.PENDING, Status.ATTRIBUTED}


def test_those_that_time_does_not_suffice_for_are_due_again(scene: Scene) -> None:
    waiting = scene.wait(sha(5))
    scene.clock.advance(minutes=2)
    a_worker(scene, longest=-1).work_once()
    assert scene.deployment(waiting).attribution.attempts == 0
    scene.clock.advance(minutes=3)
    a_worker(scene).work_once()
    assert scene.status(waiting) is Status.ATTRIBUTED


def test_a_commit_of_a_repository_elsewhere_is_not_asked_for(scene: Scene) -> None:
    scene.write(partial(upsert_repository, name=NAME, facts={"source": "github"}, policy=POLICY))
    scene.wait(sha(5))
    scene.clock.advance(minutes=2)
    a_worker(scene).work_once()
    assert scene.forge.asked == []
