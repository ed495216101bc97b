"""What a webhook does not say is asked for when it is read."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from tests.builders import Clock, sha
from tests.connectors import azure_devops_payloads as given_
from tests.connectors.fake_gitlab import NAME as GITLAB
from tests.connectors.fake_gitlab import FakeGitLab
from tests.connectors.http_forge import HTTPForge, answers, hangs_up
from tests.connectors.talks import ok
from tests.forges.github import FakeGitHub
from tests.forges.history import History
from tests.forges.world import connected

from shipmark.application.deliveries import Delivery
from shipmark.application.facts import RepositoryFacts
from shipmark.application.forges import FollowUp, ForgeAway
from shipmark.application.inbox import Inbox, receive
from shipmark.application.policy import Policy
from shipmark.application.writer import transact
from shipmark.connectors.deliveries import Deliveries
from shipmark.connectors.exchange import Request, Response
from shipmark.connectors.forge_servers import Access
from shipmark.connectors.forges import connect
from shipmark.connectors.gitignore_paths import GitIgnoreEngine
from shipmark.connectors.rules_file import read_rules_file
from shipmark.connectors.webhooks import WEBHOOKS
from shipmark.domain.events import SourceEvent
from shipmark.domain.model import PullRequest
from shipmark.storage.database import Database

HOOK = given_.hook("build.complete", {"id": 99})


def a_build(request: Request) -> Response:
    return ok(given_.build()) if request.path.endswith("/build/builds/99") else Response(status=204)


@pytest.fixture
def forge() -> Iterator[HTTPForge]:
    with HTTPForge(a_build) as running:
        yield running


@pytest.fixture
def deliveries(forge: HTTPForge) -> Iterator[Deliveries]:
    access = Access(source="azure_devops", url=forge.url)
    forges = connect([access], sleep=lambda _: None)
    yield Deliveries(forges, forge.url)
    forges.close()


def a_delivery(forge: str = "azure-devops") -> Delivery:
    return Delivery(forge=forge, delivery_id="1", headers={}, body=json.dumps(HOOK).encode())


def test_the_commit_of_a_run_is_asked_for(deliveries: Deliveries) -> None:
    (event,) = deliveries.follow_up(a_delivery(), ()).facts
    assert isinstance(event, SourceEvent)
    assert event.commit_sha


def test_other_forges_say_all(deliveries: Deliveries, forge: HTTPForge) -> None:
    assert deliveries.follow_up(a_delivery("github"), ()) == FollowUp()
    assert forge.asked == []


def test_without_a_way_in_nothing_is_asked(forge: HTTPForge) -> None:
    assert Deliveries().follow_up(a_delivery(), ()) == FollowUp()


def test_a_forge_that_is_away_is_waited_for(deliveries: Deliveries, forge: HTTPForge) -> None:
    forge.faults.extend([hangs_up] * 3)
    with pytest.raises(ForgeAway):
        deliveries.follow_up(a_delivery(), ())


@pytest.mark.parametrize(("status", "of_all"), [(401, True), (403, False)])
def test_one_that_refuses_says_so(
    deliveries: Deliveries, forge: HTTPForge, status: int, *, of_all: bool
) -> None:
    forge.faults.append(answers(status))
    told = deliveries.follow_up(a_delivery(), ())
    assert told.facts == []
    assert told.refusal is not None
    assert (told.refusal.of_all, told.refusal.said) == (of_all, f"it answered {status}.")


def test_what_nobody_will_ever_understand_is_not_asked_for_again(
    deliveries: Deliveries, forge: HTTPForge
) -> None:
    forge.faults.append(answers(400))
    assert deliveries.follow_up(a_delivery(), ()).refusal is None


def test_the_commit_of_a_release_is_asked_for_while_the_repository_has_its_name() -> None:
    history = History(FakeGitHub.names, FakeGitHub.methods)
    history.happen("release", 0, 0)
    fake = FakeGitHub(history)
    published = fake.sent()[-1]
    read = WEBHOOKS["github"].facts(published.headers, published.body, received_at=None)
    (event,) = connected(fake).follow_up(read).facts
    (release,) = history.releases(history.ended_at)
    assert isinstance(event, SourceEvent)
    assert (event.tag, event.commit_sha) == (release.tag, release.commit.sha)
    of_another = [
        replace(one, source_id="78") if isinstance(one, RepositoryFacts) else one for one in read
    ]
    assert connected(fake).follow_up(of_another).facts == []


# A merge, of which GitLab's webhook tells neither the commits nor, here, the one that landed


MERGED = {
    "object_kind": "merge_request",
    "project": {"id": 7, "path_with_namespace": GITLAB, "default_branch": "main"},
    "object_attributes": {
        "id": 1005,
        "iid": 5,
        "target_branch": "main",
        "source_branch": "work-5",
        "state": "merged",
        "action": "merge",
        "title": "Change 5",
        "created_at": "2024-01-01 00:00:00 UTC",
        "updated_at": "2024-01-01 00:05:00 UTC",
        "last_commit": {"id": sha(500_005), "timestamp": "2024-01-01T00:00:00Z"},
    },
}
PUSHED = {
    "object_kind": "push",
    "ref": "refs/heads/main",
    "after": sha(9),
    "project": MERGED["project"],
    "commits": [{"id": sha(9), "timestamp": "2024-01-02T00:00:00Z", "modified": [".shipmark.yml"]}],
}


class GitLabScene:
    """A server's inbox, and a GitLab that it may ask."""

    def __init__(self, database: Database, forge: HTTPForge) -> None:
        self.database = database
        self.forge = forge
        self.forges = connect([Access(source="gitlab", url=forge.url)], attempts=1)
        policy = Policy(paths=GitIgnoreEngine(), read_rules_file=read_rules_file)
        self.inbox = Inbox(database=database, reader=Deliveries(self.forges), policy=policy)

    def deliver(self, *payloads: Any) -> None:
        for payload in payloads:
            body = json.dumps(payload).encode()
            one = Delivery(forge="gitlab", delivery_id=str(uuid4()), headers={}, body=body)
            transact(self.database, partial(receive, deliveries=[one]))

    def pull(self, number: int) -> PullRequest | None:
        with self.database.read() as tx:
            (repository,) = tx.repositories.named({GITLAB})[GITLAB]
            return tx.pulls.by_number({(repository.id, number)}).get((repository.id, number))

    def services(self, number: int) -> int:
        pull = self.pull(number)
        assert pull is not None
        with self.database.read() as tx:
            return len(tx.assignments.services_of({pull.id}).get(pull.id, ()))


@pytest.fixture
def gitlab(database: Database) -> Iterator[GitLabScene]:
    rules = b"version: 1\nservices:\n  text: '*.txt'\n"
    with HTTPForge(FakeGitLab(10, pushed=(sha(9),), rules=rules)) as forge:
        scene = GitLabScene(database, forge)
        yield scene
        scene.forges.close()


def test_a_merge_and_a_change_of_rules_are_asked_for(gitlab: GitLabScene) -> None:
    gitlab.deliver(MERGED)
    gitlab.inbox.work()
    pull = gitlab.pull(5)
    assert pull is not None
    assert (pull.merge_commit_sha, pull.files) == (sha(5), ("a.txt",))
    assert gitlab.services(5) == 0
    gitlab.deliver(PUSHED)
    gitlab.inbox.work()
    assert gitlab.services(5) == 1
    asked = len(gitlab.forge.asked)
    other = {**PUSHED, "commits": [{**PUSHED["commits"][0], "modified": ["x"]}]}
    gitlab.deliver(other)
    gitlab.inbox.work()
    assert len(gitlab.forge.asked) == asked


def test_what_a_webhook_says_by_itself_counts_while_its_forge_is_away(
    gitlab: GitLabScene, clock: Clock
) -> None:
    gitlab.deliver(MERGED, PUSHED)
    gitlab.forge.faults.append(hangs_up)
    gitlab.inbox.work()
    pull = gitlab.pull(5)
    assert pull is not None
    assert (pull.head_sha, pull.merge_commit_sha, pull.files) == (sha(500_005), None, None)
    # It is not asked for the second one in the same turn.
    assert len(gitlab.forge.asked) == 1
    clock.advance(minutes=2)
    gitlab.inbox.work()
    pull = gitlab.pull(5)
    assert pull is not None
    assert pull.merge_commit_sha == sha(5)
    assert gitlab.services(5) == 1
    clock.advance(hours=2)
    assert gitlab.inbox.work() == 0


@pytest.mark.parametrize("refusals", [[401], [403], [404, 404]])
def test_what_a_forge_refused_is_told_once_the_token_is_corrected(
    gitlab: GitLabScene, clock: Clock, refusals: list[int]
) -> None:
    gitlab.deliver(MERGED)
    gitlab.forge.faults.extend(answers(status) for status in refusals)
    gitlab.inbox.work()
    pull = gitlab.pull(5)
    assert pull is not None
    assert (pull.head_sha, pull.merge_commit_sha) == (sha(500_005), None)
    clock.advance(minutes=2)
    gitlab.inbox.work()
    pull = gitlab.pull(5)
    assert pull is not None
    assert pull.merge_commit_sha == sha(5)
    clock.advance(days=2)
    assert gitlab.inbox.work() == 0
