"""Bringing a history in through the use cases that the API calls."""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from benchmarks.databases import Databases, Kind, settle
from benchmarks.history import MAIN, Fact, History
from benchmarks.measure import require
from shipmark.api.arguments import json_object
from shipmark.api.decoding import decode
from shipmark.api.deployments import CreateArguments
from shipmark.api.pull_import import pull_facts
from shipmark.application.drafts import Registration
from shipmark.application.policy import Policy
from shipmark.application.record_pulls import PullFacts, record_pulls
from shipmark.application.register import Registered, register
from shipmark.application.repositories import upsert_repository
from shipmark.application.writer import transact
from shipmark.domain.errors import ShipmarkError
from shipmark.storage.database import Database

CHUNK = 1000
"""How much is brought in with one transaction."""

POLICY = Policy()

Item = TypeVar("Item")


def chunks(items: Iterable[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    """The items in lists of at most ``size``."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk


def registration(sent: Fact) -> Registration:
    """A deployment as the use case takes it, from what a client sends."""
    return decode(CreateArguments, sent).registration(account_id=None)  # type: ignore[arg-type]


def make_known(database: Database, repository: str) -> None:
    """Add a repository whose default branch is main."""
    transact(
        database,
        lambda tx: upsert_repository(tx, repository, {"default_branch": MAIN}, policy=POLICY),
    )


def import_pulls(database: Database, facts: Sequence[PullFacts]) -> None:
    """Record pull requests in one transaction; one that is refused is a failure."""
    done = transact(database, partial(record_pulls, items=facts, policy=POLICY))
    _require_all(done)


def register_all(database: Database, deployments: Sequence[Registration]) -> list[Registered]:
    """Register deployments in one transaction; one that is refused is a failure."""
    done = transact(database, partial(register, registrations=deployments, policy=POLICY))
    _require_all(done)
    return [one for one in done if isinstance(one, Registered)]


def _require_all(done: Sequence[Any]) -> None:
    refused = [one for one in done if isinstance(one, ShipmarkError)]
    require(not refused, f"{len(refused)} refused, the first because: {refused[:1]}")


def load(database: Database, history: History) -> None:
    """Bring a whole history in, in time order."""
    make_known(database, history.repository)
    for numbers in chunks(range(1, history.pulls + 1)):
        import_pulls(database, [pull_facts(history.pull(one)) for one in numbers])
    for numbers in chunks(range(1, history.deployments + 1)):
        register_all(database, [registration(history.deployment(one)) for one in numbers])


def loaded(places: Databases, kind: Kind, pulls: int) -> tuple[Database, History]:
    """A database with a history of so many pull requests, which others may have used before."""
    history = History(repository="bench/history", pulls=pulls)

    def fill(database: Database) -> None:
        load(database, history)
        settle(database)

    return places.kept(kind, history.repository + str(pulls), fill), history


def pulls_in(lines: Iterable[bytes]) -> list[PullFacts]:
    """What lines of NDJSON say of pull requests."""
    return [pull_facts(json_object(line)) for line in lines]


def deployments_in(lines: Iterable[bytes]) -> list[Registration]:
    """What lines of NDJSON say of deployments."""
    return [registration(json_object(line)) for line in lines]


def body_of(fact: Fact) -> str:
    """The fact as the body of a request."""
    return json.dumps(fact, separators=(",", ":"))
