"""Webhooks late, twice and out of order, and imports among them: for every forge, what is known in
the end is what happened, and attribution is what its definition says of it."""

from contextlib import closing
from datetime import timedelta
from itertools import cycle
from typing import Any

import pytest
from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st
from tests.conftest import DATABASES
from tests.forges.fake import FakeForge
from tests.forges.fakes import FAKES
from tests.forges.history import History, histories
from tests.forges.world import OneTransaction, Plan, World, deployments_of

from shipmark.storage.database import Database

MOST = settings.default.max_examples
EXAMPLES = {"sqlite": MOST // 6, "postgresql": MOST // 25}
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
DELAYS = st.sampled_from((0, 0, 1, 45, 100, 400, 1500, 4000))
"""Minutes."""


@pytest.fixture(params=FAKES)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[FakeForge]:
    """Each fake forge, which is asked for pages of a few things."""
    chosen = FAKES[request.param]
    for (module, name), few in chosen.pages.items():
        monkeypatch.setattr(module, name, few)
    return chosen


def drawn_plan(data: st.DataObject, fake: FakeForge) -> Plan:
    end = fake.history.ended_at
    hours = len(fake.history.happenings) + 2
    plan: Plan = []
    for sent in fake.sent():
        for minutes in data.draw(st.lists(DELAYS, min_size=1, max_size=2)):
            plan.append((sent.at + timedelta(minutes=minutes), sent))
    drawn = st.tuples(st.integers(0, hours), st.integers(0, 60), st.booleans())
    for one in deployments_of(fake, data.draw(st.lists(drawn, max_size=5))):
        plan.append((one.deployed_at + timedelta(minutes=data.draw(DELAYS)), one))
    for minutes in data.draw(st.lists(st.integers(0, 60 * hours), max_size=2)):
        plan.append((end - timedelta(minutes=minutes), "import"))
    plan.append((end + timedelta(minutes=1 + data.draw(DELAYS)), "import"))
    return plan


def differences(known: dict[str, Any], truth: dict[str, Any]) -> dict[str, Any]:
    """Only what differs, so that it can be read."""
    if known.keys() != truth.keys():
        return {"known": known, "truth": truth}
    return {
        name: (
            differences(one, truth[name])
            if isinstance(one, dict)
            else {"known": one, "truth": truth[name]}
        )
        for name, one in known.items()
        if one != truth[name]
    }


def agree(database: Database, fake: FakeForge, plan: Plan, gaps: list[int]) -> None:
    with database.trial() as tx:
        world = World(OneTransaction(tx.connection, tx.now), fake, cycle(gaps))
        world.live(plan)
        assert differences(world.known(), world.truth()) == {}


@pytest.mark.parametrize("database_kind", DATABASES)
def test_whatever_comes_when_the_same_is_known_in_the_end_and_it_is_true(
    database_kind: str, kind: type[FakeForge], request: pytest.FixtureRequest
) -> None:
    with closing(Database(request.getfixturevalue(f"{database_kind}_url"))) as database:

        @settings(max_examples=EXAMPLES[database_kind], phases=PHASES)
        @given(data=st.data())
        def holds(data: st.DataObject) -> None:
            fake = kind(data.draw(histories(kind.names, kind.methods, kind.also)))
            plan = drawn_plan(data, fake)
            for at, what in sorted(plan, key=lambda one: one[0]):
                note(f"{at:%d %H:%M} {getattr(what, 'payload', what)}")
            agree(database, fake, plan, data.draw(st.lists(st.integers(0, 100), min_size=1)))

        holds()


def test_what_was_told_under_an_old_name_waits_for_no_word_of_the_new_one(
    database: Database, kind: type[FakeForge]
) -> None:
    history = History(kind.names, kind.methods)
    for what in ("open", "merge", "rename"):
        history.happen(what, 0, 0)
    fake, renamed_at = kind(history), history.happenings[-1].at
    late, later, last = (history.ended_at + timedelta(minutes=minutes) for minutes in (1, 10, 20))
    plan: Plan = [(later if one.at == renamed_at else late, one) for one in fake.sent()]
    plan.append((last, "import"))
    agree(database, fake, plan, [0])
