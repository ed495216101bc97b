"""The engine and the reference model agree, whatever happens and in whichever order it is told."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from hypothesis import example, given, note, settings
from hypothesis import strategies as st
from tests.builders import NOON
from tests.engine.both import Both
from tests.engine.histories import final_facts, histories, in_batches
from tests.engine.operations import SHOP, SITE, Import, Operation, Register
from tests.reference_model import Deployment

from shipmark.storage.database import Database

HISTORIES = settings.default.max_examples * 4


@contextmanager
def both_on(database: Database) -> Iterator[Both]:
    """Both in a transaction of their own, which leaves nothing behind."""
    with database.trial() as tx:
        both = Both(tx=tx)
        both.set_default_branch(SHOP, "main")
        both.set_default_branch(SITE, None)
        yield both


D0 = Deployment(
    reference_id="d0", service="api", environment="production", deployed_at=NOON, repository=SHOP
)
D1 = replace(D0, reference_id="d1", deployed_at=NOON + timedelta(hours=1))


@example(
    history=[
        Import((((SHOP, 1), {"base_ref": "main", "merged_at": NOON}),)),
        Register((D1,)),
        Register((D0, D1)),
    ]
).via("a deployment named once more together with one that takes its pull requests")
@settings(max_examples=HISTORIES)
@given(history=histories)
def test_they_agree_after_every_step(database: Database, history: Sequence[Operation]) -> None:
    with both_on(database) as both:
        for operation in history:
            note(str(operation))
            operation.happen(both)
            both.agree()
        both.agree_in_reports()


@given(facts=final_facts, data=st.data())
def test_the_order_in_which_facts_arrive_does_not_matter(
    database: Database, facts: Sequence[Operation], data: st.DataObject
) -> None:
    orders = [data.draw(st.permutations(facts)), data.draw(st.permutations(facts))]
    joins = data.draw(st.lists(st.booleans(), min_size=len(facts), max_size=len(facts)))
    with both_on(database) as both:
        Import(tuple(((name, 0), {"base_ref": "develop"}) for name in (SHOP, SITE))).happen(both)
        for told in orders:
            for operation in in_batches(told, joins):
                note(str(operation))
                operation.happen(both)
            both.agree()
        both.agree_in_reports()
