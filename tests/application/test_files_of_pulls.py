"""A file of pull requests, or of their services, equals its rows sent one by one; undone, it never
was."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import REPOSITORY, Clock, at, sha
from tests.imports import Interrupted, Interrupting, World, fates, in_chunks_of, work_interrupted
from tests.pull_files import (
    PUSHED,
    begin,
    files,
    one_by_one,
    pasts,
    possible_files,
    stored,
    told,
    upload,
)

from shipmark.application import file_steps
from shipmark.application.file_imports import RowState, State
from shipmark.application.policy import Policy
from shipmark.connectors.gitignore_paths import GitIgnoreEngine
from shipmark.storage.database import Database

few = settings(max_examples=settings.default.max_examples // 12)
sizes = st.integers(1, 4)
policies = st.booleans().map(
    lambda registers: Policy(paths=GitIgnoreEngine(), register_unknown_repositories=registers)
)


@pytest.fixture
def world(database: Database, clock: Clock) -> World:
    return World(database, clock)


@few
@given(past=pasts, file=possible_files, policy=policies, size=sizes, plan=fates)
def test_a_file_equals_its_rows_sent_one_by_one(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    past: Mapping[str, Any],
    file: tuple[str, Sequence[Mapping[str, Any]]],
    policy: Policy,
    size: int,
    plan: list[str],
) -> None:
    in_chunks_of(size, monkeypatch)
    world.policy = policy
    world.empty()
    begin(world, past)
    one_by_one(world, *file)
    expected = told(world)
    world.empty()
    begin(world, past)
    import_id = upload(world, *file)
    work_interrupted(world, plan)
    with world.database.write() as tx:
        file_steps.begin_applying(tx, import_id)
    work_interrupted(world, plan)
    assert world.now(import_id).state is State.APPLIED
    assert told(world) == expected


@few
@given(
    past=pasts,
    file=files,
    policy=policies,
    size=sizes,
    plan=fates,
    undone_at=st.integers(0, 9),
)
def test_a_file_that_is_undone_has_never_been(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    past: Mapping[str, Any],
    file: tuple[str, Sequence[Mapping[str, Any]]],
    policy: Policy,
    size: int,
    plan: list[str],
    undone_at: int,
) -> None:
    in_chunks_of(size, monkeypatch)
    world.policy = policy
    world.empty()
    begin(world, past)
    before = stored(world)
    world.clock.advance(minutes=1)
    import_id = upload(world, *file)
    world.work()
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
    assert not {RowState.APPLIED, RowState.KEPT, RowState.GONE} & world.now(import_id).counts.keys()
    assert stored(world) == before


PATHS = Policy(paths=GitIgnoreEngine())
NOTHING: dict[str, Any] = {"known": {}, "assigned": [], "deployed": [], "by_paths": False}


def a_row(number: int = 1, **sent: Any) -> dict[str, Any]:
    return {"repository": REPOSITORY, "number": number, "base_ref": "main"} | sent


def undone(world: World, kind: str, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    """What became of rows that were applied and taken back; nothing is left of them."""
    before = stored(world)
    world.clock.advance(minutes=1)
    import_id = upload(world, kind, rows)
    world.work()
    assert world.apply(import_id).state is State.APPLIED
    assert stored(world) != before
    world.clock.advance(minutes=1)
    one = world.undo(import_id)
    assert (one.state, one.error) == (State.UNDONE, None)
    assert stored(world) == before
    return one.counts


def test_a_title_that_rows_change_to_and_fro_is_no_obstacle_to_the_others(world: World) -> None:
    begin(world, NOTHING | {"known": {1: {"base_ref": "main", "title": "Back"}}})
    rows = [a_row(title="Other"), a_row(title="Back"), a_row(2, title="Else")]
    assert undone(world, "pulls", rows) == {"undone": 3}


def test_rows_of_one_pull_request_are_undone_in_chunks_of_their_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_chunks_of(1, monkeypatch)
    begin(world, NOTHING | {"known": {1: {"base_ref": "main", "title": "Back"}}})
    rows = [a_row(title="Other"), a_row(author="ann"), a_row(title="Another")]
    assert undone(world, "pulls", rows) == {"undone": 3}


def test_what_others_tell_while_rows_are_taken_back_stands(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_chunks_of(1, monkeypatch)
    begin(world, NOTHING | {"known": {1: {"base_ref": "main", "title": "Back", "author": "bob"}}})
    rows = [a_row(title="Other"), a_row(author="ann")]
    import_id = upload(world, "pulls", rows)
    world.work()
    world.apply(import_id)
    with world.database.write() as tx:
        file_steps.begin_undoing(tx, import_id, force=False)
    world.write = Interrupting(world.database, ["", "after"])
    with suppress(Interrupted):
        world.work()
    one_by_one(world, "pulls", [a_row(title="Since")])
    work_interrupted(world, [])
    world.clock.advance(minutes=3)
    work_interrupted(world, [])
    assert world.now(import_id).counts == {"undone": 2}
    with world.database.read() as tx:
        (known,) = tx.pulls.get({1})
    assert (known.title, known.author) == ("Since", "bob")


def test_files_that_are_taken_back_derive_no_services_any_more(world: World) -> None:
    world.policy = PATHS
    begin(world, NOTHING | {"known": {1: {"base_ref": "main"}}, "by_paths": True})
    assert undone(world, "pulls", [a_row(files=["services/by-a/x"])]) == {"undone": 1}


def test_services_that_are_taken_back_leave_those_that_files_derive(world: World) -> None:
    world.policy = PATHS
    known = {1: {"base_ref": "main", "files": ["services/by-a/x"]}}
    begin(world, NOTHING | {"known": known, "by_paths": True})
    rows = [{"repository": REPOSITORY, "pull_number": 1, "services": ["cart"]}]
    assert undone(world, "services", rows) == {"undone": 1}


def test_services_wait_again_for_the_id_that_a_file_gave_a_pull_request(world: World) -> None:
    begin(world, NOTHING | {"known": {1: {"base_ref": "main"}}, "assigned": [("11", {"shop"})]})
    assert undone(world, "pulls", [a_row(source_id="11")]) == {"undone": 1}


def test_services_that_a_file_replaces_twice_are_as_they_were(world: World) -> None:
    begin(world, NOTHING | {"known": {1: {"base_ref": "main"}}, "assigned": [(1, {"shop"})]})
    row = {"repository": REPOSITORY, "pull_number": 1, "replace": True}
    rows = [row | {"services": ["cart"]}, row | {"services": ["pay"]}]
    assert undone(world, "services", rows) == {"undone": 2}


def test_a_row_that_is_refused_makes_no_services(world: World) -> None:
    same_id = {number: {"base_ref": "main", "source_id": "11"} for number in (1, 2)}
    begin(world, NOTHING | {"known": same_id})
    before = stored(world)
    import_id = upload(world, "services", [{"github_pull_id": 11, "services": ["cart"]}])
    world.work()
    assert world.apply(import_id).counts == {"refused": 1}
    assert stored(world) == before


def test_a_branch_counts_no_more_once_what_merged_to_it_is_taken_back(world: World) -> None:
    deployed = [{"hours": 3, "service": "shop", "commit_sha": PUSHED}]
    known = {1: {"base_ref": "develop"}, 2: {"base_ref": "main", "merged_at": at(1).isoformat()}}
    begin(world, NOTHING | {"known": known, "deployed": deployed})
    rows = [a_row(base_ref="develop", merged_at=at(2).isoformat(), merge_commit_sha=sha(1))]
    assert undone(world, "pulls", rows) == {"undone": 1}


def test_what_only_taking_back_comes_through_leaves_no_trace(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_chunks_of(3, monkeypatch)
    deployed = [
        {"hours": 4, "service": "shop"},
        {"hours": 1, "service": "shop", "commit_sha": sha(1)},
        {"hours": 1, "service": "shop"},
    ]
    known = {1: {"base_ref": "main", "commit_shas": [sha(1), sha(5)]}}
    begin(world, NOTHING | {"known": known, "deployed": deployed})
    merged = at(4).isoformat()
    rows = [a_row(title="Back"), a_row(2, merged_at=merged, commit_shas=[sha(1), sha(5)])]
    assert undone(world, "pulls", [*rows, a_row(merged_at=merged), a_row()])["undone"] >= 3
