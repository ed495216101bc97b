"""Two workers empty one inbox while an import goes on: what they come to is what happened.

PostgreSQL is serializable here, as those are that are spread over several machines."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from functools import partial

import pytest
from tests.builders import Clock
from tests.engine.writers import with_isolation
from tests.forges.fake import delivery_of
from tests.forges.fakes import FAKES
from tests.forges.history import History
from tests.forges.world import POLICY, World, deployments_of

from shipmark.application.inbox import Inbox, receive
from shipmark.application.register import register
from shipmark.application.rules import infer
from shipmark.application.writer import transact
from shipmark.connectors.deliveries import Deliveries
from shipmark.connectors.forges import Forges
from shipmark.storage.database import Database

LIFE = (
    *(("open", 0, how) for how in (0, 1, 3, 2)),
    ("merge", 0, 0),
    ("commit_to", 0, 1),
    ("edit", 0, 1),
    ("tag", 0, 0),
    ("release", 0, 1),
    ("release", 0, 2),
    ("merge", 0, 1),
    ("rename", 0, 0),
    ("synchronize", 0, 0),
    ("retarget", 0, 0),
    ("merge", 0, 0),
    ("redirect", 0, 0),
    ("close", 0, 0),
    ("open", 0, 0),
    ("merge", 0, 2),
)
DEPLOYED = [(hours, which, False) for hours, which in ((6, 1), (9, 4), (13, 0), (15, 6), (17, 9))]


@pytest.mark.parametrize("name", FAKES)
def test_two_workers_and_an_import_come_to_what_happened(postgresql_url: str, name: str) -> None:
    kind = FAKES[name]
    history = History(kind.names, kind.methods)
    for what in LIFE:
        history.happen(*what)
    fake = kind(history)
    clock = Clock(fake.now + timedelta(minutes=5))
    url = with_isolation(postgresql_url, "serializable")
    with ExitStack() as stack:
        databases = [stack.enter_context(closing(Database(url, clock=clock))) for _ in range(3)]
        world = World(databases[0], fake)
        deployed = deployments_of(fake, DEPLOYED)
        world.registered += deployed
        transact(databases[0], partial(register, registrations=deployed, policy=POLICY))
        told = [delivery_of(fake, one) for one in reversed(fake.sent())]
        transact(databases[0], partial(receive, deliveries=told))
        with ThreadPoolExecutor(3) as workers:
            done = [workers.submit(empty, one, world) for one in databases[1:]]
            done.append(workers.submit(world.import_all))
            for one in done:
                one.result()
        assert world.known() == world.truth()


def empty(database: Database, world: World) -> None:
    """Do all that is in the inbox, as a worker of its own."""
    reader = Deliveries(Forges([world.forge]), world.fake.url)
    inbox = Inbox(database=database, reader=reader, policy=POLICY, infer=infer)
    while inbox.work():
        pass
