"""A file equals its rows sent one by one, however it is interrupted; undone, it never was."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import Clock
from tests.imports import (
    Interrupted,
    Interrupting,
    World,
    as_csv,
    as_ndjson,
    files,
    one_by_one,
    pulls,
    stored,
)

from shipmark.application import file_steps, uploads, validate_file
from shipmark.application.file_imports import State
from shipmark.storage.database import Database

few = settings(max_examples=settings.default.max_examples // 10)
formats = st.sampled_from([as_csv, as_ndjson, lambda rows: as_csv(rows, ";")])
sizes = st.integers(1, 4)
fates = st.lists(st.sampled_from(["", "", "before", "inside", "after"]), max_size=12)


@pytest.fixture
def world(database: Database, clock: Clock) -> World:
    return World(database, clock)


@pytest.fixture
def in_chunks(monkeypatch: pytest.MonkeyPatch) -> Any:
    def cut(rows: int) -> None:
        monkeypatch.setattr(file_steps, "ROWS_AT_ONCE", rows)
        monkeypatch.setattr(validate_file, "READ_AT_ONCE", rows)
        monkeypatch.setattr(uploads, "PART", rows * 37)

    return cut


def work_interrupted(world: World, plan: Sequence[str]) -> None:
    """Work until nothing is due; whoever dies is followed by another when the lease is over."""
    world.write = Interrupting(world.database, plan)
    while True:
        try:
            world.work()
        except Interrupted:
            world.clock.advance(minutes=3)
            continue
        return


@few
@given(merged=pulls, deployed=stored, rows=files, form=formats, size=sizes, plan=fates)
def test_a_file_equals_its_rows_sent_one_by_one(
    world: World,
    in_chunks: Any,
    merged: list[Any],
    deployed: list[Any],
    rows: list[Mapping[str, str]],
    form: Any,
    size: int,
    plan: list[str],
) -> None:
    in_chunks(size)
    world.empty()
    world.begin(merged, deployed)
    one_by_one(world.database, rows)
    expected = world.told()
    world.empty()
    world.begin(merged, deployed)
    import_id = world.upload(form(rows))
    work_interrupted(world, plan)
    if world.now(import_id).state is State.VALIDATED:
        with world.database.write() as tx:
            file_steps.begin_applying(tx, import_id)
        work_interrupted(world, plan)
        assert world.now(import_id).state is State.APPLIED
        assert sum(world.now(import_id).counts.values()) == len(world.rows(import_id))
    assert world.told() == expected


@few
@given(
    merged=pulls, deployed=stored, rows=files, size=sizes, plan=fates, undone_at=st.integers(0, 9)
)
def test_a_file_that_is_undone_has_never_been(
    world: World,
    in_chunks: Any,
    merged: list[Any],
    deployed: list[Any],
    rows: list[Mapping[str, str]],
    size: int,
    plan: list[str],
    undone_at: int,
) -> None:
    in_chunks(size)
    world.empty()
    world.begin(merged, deployed)
    before = world.stored()
    world.clock.advance(minutes=1)
    import_id = world.upload(as_csv(rows))
    world.work()
    if world.now(import_id).state is State.FAILED:
        return
    with world.database.write() as tx:
        file_steps.begin_applying(tx, import_id)
    # Half-way through applying, or after it.
    world.write = Interrupting(world.database, [""] * undone_at + ["after"])
    with suppress(Interrupted):
        world.work()
    world.clock.advance(minutes=1)
    with world.database.write() as tx:
        file_steps.begin_undoing(tx, import_id, force=False)
    work_interrupted(world, plan)
    assert world.now(import_id).state is State.UNDONE
    assert world.stored() == before
