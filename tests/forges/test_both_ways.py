"""What ran is told by webhooks and by the API; whichever was first, the same comes of it."""

import json
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select
from tests.forges.runs import AT, FORGES, RAN, Ran, deployed_by_bitbucket
from tests.forges.world import POLICY, Line, OneTransaction

from shipmark.application.deliveries import Delivery
from shipmark.application.forge_answers import record_answer
from shipmark.application.inbox import Inbox, receive
from shipmark.application.repositories import upsert_repository
from shipmark.application.rules import RuleDraft, infer, upsert_rule
from shipmark.application.writer import transact
from shipmark.connectors.deliveries import Deliveries
from shipmark.connectors.forge_servers import server_of
from shipmark.connectors.forges import Forge, Forges
from shipmark.connectors.transport import Caller
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.domain.patterns import Pattern, PatternKind, read_pattern
from shipmark.domain.rules import Conditions, Outcome
from shipmark.domain.sources import LEVELS, TOLD
from shipmark.storage.database import Database
from shipmark.storage.deploy_rules import event_of
from shipmark.storage.forge_tables import source_events
from shipmark.storage.rule_tables import deploy_rules
from shipmark.storage.tables import deployments, services

ORDERS = (
    "webhooks",
    "webhooks, webhooks",
    "import, import",
    "webhooks, import",
    "import, webhooks",
    "webhooks backwards",
    "import backwards",
    "import backwards, webhooks backwards",
    "away, import",
    "away backwards, import backwards",
    "import, away",
    "away, webhooks",
    "away, away, import, webhooks",
)
"""What comes after another. While a forge is away, what its webhooks say by themselves counts."""

NAMES = frozenset().union(*TOLD.values())
Known = tuple[list[SourceEvent], list[tuple[Any, ...]]]


@pytest.fixture(params=FORGES)
def ran(request: pytest.FixtureRequest) -> Ran:
    return FORGES[request.param]()


def connected(ran: Ran) -> Forge:
    """The forge as the product asks it, without a network."""
    asked, server = server_of(ran.source, ran.url)
    line: Any = Line(ran, server)
    nobody = Caller(name="nobody")
    return Forge(asked, line, lambda _: nobody, itself=lambda: nobody, kind=ran.source)


class Told:
    """The product, and what it was told."""

    def __init__(self, database: Any, ran: Ran, rules: Iterable[RuleDraft]) -> None:
        self.database = database
        self.ran = ran
        self.forge = connected(ran)
        reader = Deliveries(Forges([self.forge]), ran.url)
        self.inbox = Inbox(database=database, reader=reader, policy=POLICY, infer=infer)
        self.deliveries = 0
        facts = {"source": ran.source, "default_branch": "main"}
        adding = partial(upsert_repository, name=ran.name, facts=facts, policy=POLICY)
        self.repository = transact(database, adding)
        for draft in rules:
            transact(database, partial(upsert_rule, draft=draft, policy=POLICY))

    def tell(self, order: str) -> None:
        for step in order.split(", "):
            what, _, backwards = step.partition(" ")
            turn = -1 if backwards else 1
            if what == "import":
                self._import(turn)
            else:
                self.ran.is_away = what == "away"
                for headers, payload in self.ran.hooks[::turn]:
                    self._deliver(headers, payload)
                self.ran.is_away = False

    def _deliver(self, headers: Any, payload: dict[str, Any]) -> None:
        """A delivery of its own each time: the same body again is not read again."""
        self.deliveries += 1
        body = json.dumps(payload | {"delivery": self.deliveries}).encode()
        one = Delivery(
            forge=self.ran.endpoint, delivery_id=str(self.deliveries), headers=headers, body=body
        )
        transact(self.database, partial(receive, deliveries=[one]))
        self.inbox.work()

    def _import(self, turn: int) -> None:
        for one in self.ran.lists()[::turn]:
            for page in self.ran.pages(one, self.forge.hold):
                recording = partial(
                    record_answer,
                    repository=self.repository,
                    facts=page.facts[::turn],
                    policy=POLICY,
                    infer=infer,
                )
                transact(self.database, recording)

    def known(self) -> Known:
        """The events that are stored, and the deployments that rules made of them."""
        with self.database.read() as tx:
            rows = tx.connection.execute(select(source_events).order_by(source_events.c.key))
            made = tx.connection.execute(
                select(
                    deploy_rules.c.name,
                    services.c.identifier,
                    *(
                        deployments.c[name]
                        for name in ("environment", "deployed_at", "commit_sha", "source_url")
                    ),
                    deployments.c.success,
                )
                .join(deploy_rules, deploy_rules.c.id == deployments.c.rule_id)
                .join(services, services.c.id == deployments.c.service_id)
            )
            return [event_of(row) for row in rows], sorted(map(tuple, made), key=repr)


def outcome(database: Database, ran: Ran, rules: Sequence[RuleDraft], order: str) -> Known:
    with database.trial() as tx:
        told = Told(OneTransaction(tx.connection, AT), ran, rules)
        told.tell(order)
        events, made = told.known()
    # Numbers that the database gives out are others each time.
    unnumbered = [one.key.split(":", 2)[2] for one in events]
    stripped = {
        key: {field: getattr(one, field) for field in one.__slots__ if field != "key"}
        for key, one in zip(unnumbered, events, strict=True)
    }
    return sorted(stripped.items()), made  # type: ignore[return-value]


def rules_of(events: Iterable[SourceEvent]) -> dict[str, RuleDraft]:
    """For each name that an event tells, a rule that asks for it and makes the service of it."""
    rules: dict[str, RuleDraft] = {}
    for event in events:
        for name in sorted(TOLD[event.source]):
            if told := getattr(event, name):
                when = {name: Pattern(PatternKind.EXACT, told)}
                rules[f"{event.source} {name} {told} {_level(event)}"] = RuleDraft(
                    name=f"{event.source} {name} {told} {_level(event)}",
                    source=event.source,
                    when=Conditions(**_of_its_level(event) | when),
                    make=Outcome(service=f"{{{name}}}"),
                    also_failures=True,
                )
    return rules


def _level(event: SourceEvent) -> str | None:
    levels = LEVELS.get(event.source, ())
    return next((one for one in levels if getattr(event, one) is not None), None)


def _of_its_level(event: SourceEvent) -> dict[str, Pattern]:
    level = _level(event)
    return {level: read_pattern("**")} if level else {}


def a_rule_about_any_branch(source: EventSource) -> RuleDraft:
    """It takes whatever was guessed to be a branch."""
    return RuleDraft(
        name=f"{source} any branch",
        source=source,
        when=Conditions(branch=read_pattern("**")),
        make=Outcome(service="guessed"),
        also_failures=True,
    )


def imported(database: Database, ran: Ran) -> list[SourceEvent]:
    with database.trial() as tx:
        told = Told(OneTransaction(tx.connection, AT), ran, [])
        told.tell("import")
        return told.known()[0]


def test_the_same_comes_of_it_whichever_way_is_first(database: Database, ran: Ran) -> None:
    rules = rules_of(imported(database, ran))
    drafts = [*rules.values(), *map(a_rule_about_any_branch, RAN)]
    events, made = outcome(database, ran, drafts, "import")
    assert {name for name, *_ in made} >= rules.keys() - {
        # A job that is not known to have deployed anywhere is no deployment to production.
        "gitlab_pipelines job test job"
    }
    for order in ORDERS:
        assert (order, *outcome(database, ran, drafts, order)) == (order, events, made)


def test_connectors_tell_what_the_table_says() -> None:
    told: dict[EventSource, set[str]] = {source: set() for source in RAN}
    for ran in (deployed_by_bitbucket(), *(each() for each in FORGES.values())):
        hold = connected(ran).hold
        events = [
            event for one in ran.lists() for page in ran.pages(one, hold) for event in page.facts
        ]
        for event in events:
            told[event.source] |= {name for name in NAMES if getattr(event, name)}
    assert told == {source: TOLD[source] for source in RAN}


def test_a_deployment_to_an_environment_that_is_gone_is_no_pipeline(database: Database) -> None:
    events = imported(database, deployed_by_bitbucket())
    deployed = [one.environment for one in events if ":deployment:" in one.key]
    assert deployed == ["Production"]
