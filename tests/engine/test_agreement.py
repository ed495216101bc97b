"""The engine and the reference model agree, whatever happens and in whichever order it is told."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hypothesis import given, note, settings
from tests.engine.both import Both
from tests.engine.operations import SHOP, SITE, Operation, histories

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


@settings(max_examples=HISTORIES)
@given(history=histories)
def test_they_agree_after_every_step(database: Database, history: Sequence[Operation]) -> None:
    with both_on(database) as both:
        for operation in history:
            note(str(operation))
            operation.happen(both)
            both.agree()
        both.agree_in_reports()
