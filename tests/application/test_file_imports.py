"""A file equals its rows sent one by one, however it is interrupted; undone, it never was."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Never

import pytest
from benchmarks.work import plan_of, recorded
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import REPOSITORY, Clock, a_pull_request, at, sha
from tests.engine.both import EVERYTHING
from tests.engine.writers import with_isolation
from tests.imports import (
    POLICY,
    Interrupted,
    Interrupting,
    World,
    as_csv,
    as_ndjson,
    fates,
    files,
    in_chunks_of,
    one_by_one,
    pulls,
    stored,
    work_interrupted,
)

from shipmark.api.imports import shape
from shipmark.application import change, file_steps, upload_file
from shipmark.application.change import Patch
from shipmark.application.file_imports import FileImports, Kind, RowFilter, RowState, State
from shipmark.application.headlines import headlines
from shipmark.application.metric_facts import MetricRules
from shipmark.application.policy import Policy
from shipmark.application.record_pulls import record_pulls
from shipmark.domain.errors import (
    ImportNotReady,
    InvalidArgument,
    InvalidFile,
    TransactionConflict,
    Unavailable,
)
from shipmark.storage.database import Database

few = settings(max_examples=settings.default.max_examples // 10)
formats = st.sampled_from([as_csv, as_ndjson, lambda rows: as_csv(rows, ";")])
sizes = st.integers(1, 4)


@pytest.fixture
def world(database: Database, clock: Clock) -> World:
    return World(database, clock)


@pytest.fixture
def in_chunks(monkeypatch: pytest.MonkeyPatch) -> Any:
    return partial(in_chunks_of, monkeypatch=monkeypatch)


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


@pytest.fixture
def serializable(postgresql_url: str, clock: Clock) -> Iterator[World]:
    opened = Database(with_isolation(postgresql_url, "serializable"), clock=clock)
    yield World(opened, clock)
    opened.close()


@few
@given(
    merged=pulls, deployed=stored, rows=files, size=sizes, plan=fates, undone_at=st.integers(0, 9)
)
def test_so_it_is_where_transactions_are_serializable(
    serializable: World, in_chunks: Any, size: int, plan: list[str], undone_at: int, **facts: Any
) -> None:
    told = test_a_file_equals_its_rows_sent_one_by_one.hypothesis.inner_test
    told(serializable, in_chunks, form=as_ndjson, size=size, plan=plan, **facts)
    undone = test_a_file_that_is_undone_has_never_been.hypothesis.inner_test
    undone(serializable, in_chunks, size=size, plan=plan, undone_at=undone_at, **facts)


def a_file(*rows: Mapping[str, str]) -> bytes:
    """A file of deployments of one service from one repository."""
    defaults = {"service": "shop", "repository": REPOSITORY}
    return as_csv([defaults | row for row in rows])


def shown(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def deployed(hours: float, **cells: str) -> dict[str, str]:
    return {"deployed_at": at(hours).isoformat()} | cells


def test_it_is_told_what_became_of_each_row(world: World) -> None:
    world.begin([], [{"hours": 1, "service": "shop"}])
    one = world.validate(
        a_file(
            deployed(1, reference_id="old-0"),
            deployed(2, reference_id="old-0"),
            deployed(3, reference_id="a"),
            deployed(3, reference_id="a", repository="ACME/shop"),
            deployed(4, reference_id="a"),
            deployed(5, commit_sha="x"),
            deployed(6, repository="acme/typo"),
            deployed(7),
            deployed(7),
        )
    )
    told = [(row.line, row.state.value, row.fault and row.fault.code) for row in world.rows(one.id)]
    assert told == [
        (2, "present", None),
        (3, "refused", "reference_id_exists"),
        (4, "ready", None),
        (5, "duplicate", None),
        (6, "refused", "reference_id_exists"),
        (7, "refused", "commit_sha_invalid"),
        (8, "refused", "repository_not_found"),
        (9, "ready", None),
        (10, "duplicate", None),
    ]
    assert one.counts == {"present": 1, "refused": 4, "ready": 2, "duplicate": 2}
    faults = {row.line: row.fault for row in world.rows(one.id) if row.fault}
    assert (faults[7].column, faults[7].value) == ("commit_sha", "x")
    assert (faults[8].column, faults[8].value) == ("repository", "acme/typo")


def test_a_fault_names_the_column_as_the_file_does(world: World) -> None:
    world.begin([])
    mapping = {"service": "app", "deployed_at": "finished", "reference_id": "build"}
    rows = [
        {"app": "shop", "finished": "noon", "repository": REPOSITORY, "build": "a"},
        {"app": "shop", "finished": at(1).isoformat(), "repository": "acme/typo", "build": "b"},
        {"app": "", "finished": at(1).isoformat(), "repository": REPOSITORY, "build": "c"},
        {"app": "shop", "finished": at(1).isoformat(), "repository": REPOSITORY, "build": "late"},
    ]
    one = world.validate(as_csv(rows), mapping=mapping)
    with world.database.write() as tx:
        world.register(tx, 6, "late")
    world.apply(one.id)
    faults = [row.fault for row in world.rows(one.id) if row.fault]
    assert [(fault.column, fault.value) for fault in faults] == [
        ("finished", "noon"),
        ("repository", "acme/typo"),
        ("app", None),
        ("build", "late"),
    ]


def test_a_row_without_a_reference_id_is_the_same_however_it_is_written(world: World) -> None:
    world.begin([])
    same = [
        b"deployed_at,service,repository\n2024-01-01T00:00Z,shop,acme/shop\n",
        b"Repository;SERVICE;Deployed At;environment\nACME/Shop; shop;1704067200;production\n",
        b"service\trepository\tsuccess\tdeployed-at\nshop\tacme/shop\tY\t2024-01-01T01:00+01:00\n",
        b'{"repository": "acme/shop", "deployed_at": 1704067200000, "service": {"name": "shop"}}\n',
    ]
    found = [row for content in same for row in world.rows(world.validate(content).id)]
    assert len({row.reference_id for row in found}) == 1
    meant = '{"deployed_at":1704067200000000,"repository":"acme/shop","service":"shop"}'
    assert found[0].reference_id == f"row-{hashlib.sha256(meant.encode()).hexdigest()[:32]}"


@pytest.mark.parametrize("form", [as_csv, as_ndjson])
def test_names_that_mean_nothing_are_told_once_and_behind_those_that_do(
    world: World, in_chunks: Any, form: Any
) -> None:
    in_chunks(2)
    world.begin([])
    names = {f"x {n:02}\0": "1" for n in range(30)}
    one = world.validate(form([deployed(hours, service="shop", **names) for hours in range(5)]))
    known, *unknown = one.warnings
    what = "column" if form is as_csv else "key"
    assert known.startswith("Known are deployed_at, service, ")
    assert unknown == [
        f"Unknown {what} ignored: x {n:02}\N{REPLACEMENT CHARACTER}" for n in range(20)
    ]


def test_what_was_there_when_a_file_was_read_is_registered_if_it_is_gone_by_then(
    world: World,
) -> None:
    world.begin([(1, "main", ())])
    content = a_file(deployed(2), deployed(3, commit_sha=sha(1)))
    first = world.apply(world.validate(content).id)
    again = world.validate(content)
    assert again.counts == {"present": 2}
    assert world.preview(again.id)["rows"].items() >= {"new": 0, "present": 2}.items()
    applied = world.stored()
    world.undo(first.id)
    assert world.preview(again.id)["rows"].items() >= {"new": 2, "present": 0}.items()
    assert world.apply(again.id).counts == {"applied": 2}
    assert [len(rows) for rows in world.stored().values()] == [
        len(rows) for rows in applied.values()
    ]


def test_a_file_that_is_loaded_again_makes_no_duplicates(world: World) -> None:
    world.begin([(1, "main", ())])
    content = a_file(deployed(2), deployed(3, commit_sha=sha(1)))
    assert world.apply(world.validate(content).id).counts == {"applied": 2}
    before = world.stored()
    again = world.validate(content)
    assert again.counts == {"present": 2}
    assert world.apply(again.id).counts == {"present": 2}
    assert world.apply(again.id).state is State.APPLIED
    assert world.undo(again.id).state is State.UNDONE
    assert world.stored() == before


def test_a_strict_import_is_applied_as_a_whole_or_not_at_all(world: World) -> None:
    world.begin([])
    before = world.stored()
    bad = world.validate(a_file(deployed(1), deployed(2, commit_sha="x")), strict=True)
    with pytest.raises(ImportNotReady, match="1 row is refused"):
        world.apply(bad.id)
    # Right when it was looked at, and wrong by the time it is applied.
    late = world.validate(a_file(deployed(1), deployed(2, reference_id="late")), strict=True)
    with world.database.write() as tx:
        world.register(tx, 5, "late")
        world.forget(tx, "late")
        world.register(tx, 6, "late")
    told = world.stored()["deployments"]
    failed = world.apply(late.id)
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert failed.error.startswith("Line 3: A deployment with reference_id 'late' already exists")
    assert world.stored()["deployments"] == told
    with world.database.write() as tx:
        world.forget(tx, "late")
    assert world.stored()["windows"] == before["windows"] == []


def test_what_was_changed_or_deleted_since_is_told_and_left_unless_forced(world: World) -> None:
    world.begin([(1, "main", ())])
    before = world.stored()
    content = a_file(*(deployed(hours, reference_id=str(hours)) for hours in (2, 3, 4)))
    one = world.apply(world.validate(content).id)
    world.clock.advance(minutes=5)
    with world.database.write() as tx:
        patch = Patch(reference_id="3", values={"environment": "staging"})
        change.update(tx, patch, policy=POLICY)
        world.forget(tx, "4")
    undone = world.undo(one.id)
    assert undone.counts == {"undone": 1, "kept": 1, "gone": 1}
    with world.database.read() as tx:
        assert set(tx.deployments.by_reference_ids({"2", "3", "4"})) == {"3"}
    assert world.undo(one.id).counts == undone.counts
    assert world.undo(one.id, force=True).counts == {"undone": 2, "gone": 1}
    assert world.stored() == before


def test_names_and_repositories_are_as_they_were_and_what_others_use_stays(
    database: Database, clock: Clock
) -> None:
    world = World(database, clock, Policy(register_unknown_repositories=True))
    world.begin([(1, "main", ())], [{"hours": 2, "service": "shop"}])
    before = world.stored()
    named = '{"identifier": "shop", "name": "The shop"}'
    again = '{"identifier": "shop", "name": "Our shop"}'
    content = a_file(
        deployed(3, service=named),
        deployed(4, service=again),
        deployed(5, service="cart", repository="acme/new"),
        deployed(6, service="pay", repository="acme/used"),
    )
    one = world.apply(world.validate(content).id)
    assert one.counts == {"applied": 4}
    with world.database.write() as tx:
        names = {service.name for service in tx.reports.services(EVERYTHING)}
        assert names == {"Our shop", "cart", "pay"}
        world.register(tx, 9, "mine", service="pay", repository="acme/used")
    assert world.undo(one.id).state is State.UNDONE
    with world.database.write() as tx:
        services = {service.identifier: service.name for service in tx.reports.services(EVERYTHING)}
        assert services == {"shop": "shop", "pay": "pay"}
        known = {repository.name for repository in tx.reports.repositories(EVERYTHING)}
        assert known == {REPOSITORY, "acme/used"}
        world.forget(tx, "mine")
    assert world.stored()["deployments"] == before["deployments"]
    assert world.stored()["windows"] == before["windows"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_imports_that_name_the_same_are_undone_in_any_order(
    database: Database, clock: Clock, order: Sequence[int]
) -> None:
    world = World(database, clock, Policy(register_unknown_repositories=True))
    world.begin([(1, "main", ())], [{"hours": 2, "service": "shop"}])
    before = world.stored()
    new = {"service": "pay", "repository": "acme/new"}
    contents = [
        (a_file(deployed(3, **new), deployed(4, environment="staging")), "deployments"),
        (a_file(deployed(5, **new), deployed(6, environment="staging")), "deployments"),
        (
            as_csv([{"repository": "acme/new", "pull_number": "7", "services": "pay"}]),
            "services",
        ),
    ]
    ids = [world.apply(world.validate(one, kind=kind).id).id for one, kind in contents]
    for which in order:
        assert world.undo(ids[which]).state is State.UNDONE
    assert world.stored() == before


def test_pull_requests_from_a_file_are_recorded_and_taken_back(world: World) -> None:
    world.begin([(1, "main", ("shop",))], [{"hours": 5, "service": "shop"}])
    facts = ("pulls", "pull_commits", "pull_services", "deployments", "windows", "services")
    before = {name: world.without_import_times(name) for name in facts}
    world.clock.advance(minutes=1)
    rows = [
        {"repository": REPOSITORY, "number": "1", "base_ref": "main", "title": "New"},
        {
            "repository": REPOSITORY,
            "number": "2",
            "base_ref": "main",
            "merged_at": at(2).isoformat(),
            "merge_commit_sha": sha(2),
            "labels": "a; b",
        },
        {"repository": REPOSITORY, "number": "2", "base_ref": "main", "title": "Twice"},
        {"repository": "acme/typo", "number": "3", "base_ref": "main"},
        {"repository": REPOSITORY, "number": "x", "base_ref": "main"},
    ]
    one = world.apply(world.validate(as_csv(rows), kind="pulls").id)
    assert one.counts == {"applied": 3, "refused": 2}
    assert {number for _, number in world.told()["shipped"]} == {1, 2}
    assert world.undo(one.id).counts == {"undone": 3, "refused": 2}
    assert {name: world.without_import_times(name) for name in facts} == before


def test_a_pull_request_that_others_changed_since_is_left(world: World) -> None:
    world.begin([])
    row = {"repository": REPOSITORY, "number": "1", "base_ref": "main", "title": "Told"}
    one = world.apply(world.validate(as_csv([row]), kind="pulls").id)
    with world.database.write() as tx:
        record_pulls(tx, [a_pull_request(1, title="Changed")], policy=POLICY)
    assert world.undo(one.id).counts == {"kept": 1}
    assert world.undo(one.id, force=True).counts == {"undone": 1}
    assert world.stored()["pulls"] == []


def test_services_from_a_file_are_assigned_and_taken_back(world: World) -> None:
    world.begin([(1, "main", ("shop",)), (2, "main", ())], [{"hours": 5, "service": "shop"}])
    before = world.stored()
    world.clock.advance(minutes=1)
    rows = [
        {"repository": REPOSITORY, "pull_number": "1", "services": "cart pay", "replace": "yes"},
        {"repository": REPOSITORY, "pull_number": "2", "services": "cart"},
        {"repository": REPOSITORY, "pull_number": "9", "services": "shop"},
        {"repository": "acme/typo", "pull_number": "2", "services": "cart"},
    ]
    one = world.apply(world.validate(as_csv(rows), kind="services").id)
    assert one.counts == {"applied": 3, "refused": 1}
    assert world.told()["shipped"] == []
    assert world.undo(one.id).counts == {"undone": 3, "refused": 1}
    assert world.stored() == before


def test_a_preview_says_what_applying_then_does_and_stores_nothing(world: World) -> None:
    merged = [(1, "main", ()), (2, "main", ()), (3, "main", ())]
    world.begin(merged, [{"hours": 4, "service": "shop"}])
    before = world.stored()
    rows = [
        deployed(2.5, reference_id="a"),
        deployed(9, reference_id="b"),
        deployed(9, service="x"),
    ]
    one = world.validate(a_file(*rows, deployed(1, reference_id="old-0")))
    preview = world.preview(one.id)
    assert world.stored() == before
    assert preview["rows"] == {
        "new": 3,
        "present": 0,
        "duplicate": 0,
        "refused": 1,
        "conflicting": 1,
    }
    assert (preview["attributed"], preview["moved"]) == (3, 2)
    assert [(move["number"], move["from"], move["to"]) for move in preview["moves"]] == [
        (1, "old-0", "a"),
        (2, "old-0", "a"),
    ]
    shop, other = preview["services"]
    assert (shop["service"], shop["new"], shop["pull_requests"]) == ("shop", 2, 2)
    assert shop["longest_gap"]["seconds"] == 5 * 3600
    assert (other["service"], other["pull_requests"], other["longest_gap"]) == ("x", 3, None)
    applied = world.apply(one.id)
    assert applied.counts == {"applied": 3, "refused": 1}
    assert len(world.told()["shipped"]) == 3 + 3


def test_a_preview_of_pull_requests_services_and_names_says_what_they_change(
    world: World,
) -> None:
    world.begin([(1, "main", ())], [{"hours": 5, "service": "shop"}])
    before = world.stored()
    pull = {"repository": REPOSITORY, "number": "2", "base_ref": "main"}
    merged = as_csv([pull | {"merged_at": at(2).isoformat()}])
    assert world.preview(world.validate(merged, kind="pulls").id)["attributed"] == 1
    assigned = as_csv([{"repository": REPOSITORY, "pull_number": "1", "services": "cart"}])
    assert world.preview(world.validate(assigned, kind="services").id)["rows"]["new"] == 1
    named = a_file(deployed(6, service='{"identifier": "shop", "name": "The shop"}'))
    assert world.preview(world.validate(named).id)["rows"]["new"] == 1
    assert world.stored() == before


def test_a_preview_counts_a_pull_request_once_for_a_service_and_environment(world: World) -> None:
    listed = {"merge_commit_shas": f"{sha(1)} {sha(2)}", "repository": ""}
    world.begin(
        [(1, "main", ()), (2, "main", ()), (3, "main", ())],
        [{"hours": 3.5, "service": "shop"}, {"hours": 4, "service": "cart"}],
    )
    rows = [
        deployed(2.5, reference_id="a", service="cart"),
        deployed(2.75, reference_id="b", service="cart", **listed),
        deployed(5, reference_id="c", service="pay", **listed),
        deployed(6, reference_id="d", service="pay", **listed),
        deployed(7, reference_id="e", service="shop", **listed),
    ]
    one = world.validate(a_file(*rows))
    preview = world.preview(one.id)
    assert [(s["service"], s["pull_requests"]) for s in preview["services"]] == [
        ("cart", 2),
        ("pay", 2),
        ("shop", 2),
    ]
    assert preview["attributed"] == 2
    assert [(move["number"], move["from"], move["to"]) for move in preview["moves"]] == [
        (1, "old-1", "a"),
        (2, "old-1", "a"),
    ]
    assert preview["moved"] == 2


def test_a_preview_shows_how_the_metrics_change(world: World) -> None:
    world.begin([(1, "main", ()), (2, "main", ())], [{"hours": 1.5, "service": "shop"}])
    rows = [deployed(2.5, reference_id="a"), deployed(3.5, reference_id="b", success="no")]
    one = world.validate(a_file(*rows))
    metrics = world.preview(one.id)["metrics"]
    assert (metrics["since"], metrics["until"]) == (
        shown(at(2.5)),
        shown(at(2.5) + timedelta(days=1)),
    )
    assert metrics["before"]["deployment_frequency"]["n"] == 0
    assert metrics["after"]["deployment_frequency"]["n"] == 1
    assert metrics["before"]["change_failure_rate"] == {"value": None, "n": 0}
    assert metrics["after"]["change_failure_rate"] == {"value": 0.5, "n": 2}
    world.apply(one.id)
    with world.database.read() as tx:
        since, until = (datetime.fromisoformat(metrics[name]) for name in ("since", "until"))
        assert headlines(tx, since, until, rules=MetricRules()) == metrics["after"]


def test_a_preview_measures_the_last_year_of_a_file_at_most(world: World) -> None:
    world.begin([])
    one = world.validate(a_file(deployed(-24 * 800), deployed(2)))
    metrics = world.preview(one.id)["metrics"]
    length = datetime.fromisoformat(metrics["until"]) - datetime.fromisoformat(metrics["since"])
    assert length == timedelta(days=365)
    assert metrics["after"]["deployment_frequency"]["n"] == 1


def test_undoing_pull_requests_of_an_unknown_repository_leaves_nothing_of_it(
    database: Database, clock: Clock
) -> None:
    world = World(database, clock, Policy(register_unknown_repositories=True))
    before = world.stored()
    row = {"repository": "acme/new", "number": "7", "base_ref": "main"}
    one = world.apply(world.validate(as_csv([row]), kind="pulls").id)
    assert one.counts == {"applied": 1}
    assert world.undo(one.id).counts == {"undone": 1}
    assert world.stored() == before


def test_a_header_that_no_database_takes_is_told_as_it_can_be(world: World) -> None:
    one = world.validate(b"a\0b\nx\n")
    assert one.state is State.FAILED
    assert "a\N{REPLACEMENT CHARACTER}b" in (one.error or "")


def test_two_workers_do_not_do_the_same(world: World) -> None:
    world.begin([])
    one = world.upload(a_file(deployed(1), deployed(2)))
    first, second = world.importer(), world.importer()
    with world.database.write() as tx:
        claimed = file_steps.claim_due(tx)
    assert second.work_once() == 0
    assert claimed is not None
    with world.database.write() as tx:
        file_steps.hold(tx, claimed)
    first.work_on(claimed)
    assert world.rows(one) == []
    world.clock.advance(minutes=3)
    world.work()
    assert world.now(one).counts == {"ready": 2}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InvalidArgument("No month has 40 days.", argument="since"), "No month has 40 days."),
        (ZeroDivisionError(), "the server's log says what"),
    ],
)
def test_what_no_attempt_would_mend_is_told_and_ends_the_work(
    world: World, error: Exception, told: str
) -> None:
    def measure(*_: object) -> Never:
        raise error

    one = world.validate(a_file(deployed(1)))
    with world.database.write() as tx:
        file_steps.begin_previewing(tx, one.id)
    importer = replace(world.importer(), measure=measure)
    importer.work_once()
    found = world.now(one.id)
    assert (found.state, found.due_at) == (State.VALIDATED, None)
    assert told in (found.error or "")
    assert importer.work_once() == 0


def test_how_far_a_preview_is_nobody_knows(world: World) -> None:
    one = world.validate(a_file(deployed(1)))
    assert one.progress == 1
    with world.database.write() as tx:
        previewing = file_steps.begin_previewing(tx, one.id)
    assert previewing.progress is None
    assert shape(previewing).progress == 0
    world.work()
    assert world.now(one.id).progress == 1


def test_a_busy_database_ends_no_work(world: World) -> None:
    def measure(*_: object) -> Never:
        raise Unavailable

    one = world.validate(a_file(deployed(1)))
    with world.database.write() as tx:
        file_steps.begin_previewing(tx, one.id)
    with pytest.raises(Unavailable):
        replace(world.importer(), measure=measure).work_once()
    world.clock.advance(minutes=3)
    world.work()
    assert world.now(one.id).preview is not None


def test_a_file_that_never_came_to_its_end_is_forgotten(world: World) -> None:
    with world.database.write() as tx:
        one = upload_file.begin(tx, upload_file.Upload(kind=Kind.DEPLOYMENTS))
        one = upload_file.add_part(tx, upload_file.Part(of=one, size=3, packed=b"abc"))
        assert tx.file_imports.newest(before=None, limit=10) == []
    world.work()
    world.clock.advance(minutes=3)
    world.work()
    with world.database.read() as tx:
        assert tx.file_imports.get(one.id) is None
        assert tx.file_imports.part_at(one.id, 0) is None
    with world.database.write() as tx, pytest.raises(InvalidFile, match="too slowly"):
        upload_file.finish(tx, one)


def test_whoever_asks_while_a_worker_goes_on_asks_again(world: World) -> None:
    world.begin([])
    one = world.validate(a_file(deployed(1)))
    with world.database.write() as tx:
        worked_on = file_steps.hold(tx, one)
    with world.database.trial() as tx, pytest.raises(TransactionConflict):
        file_steps.ask(tx, one, one)
    with world.database.trial() as tx, pytest.raises(file_steps.MovedOn):
        file_steps.hold(tx, one)
    with world.database.write() as tx:
        assert file_steps.ask(tx, worked_on, worked_on).version == worked_on.version + 1


QUESTIONS: dict[str, Callable[[FileImports], object]] = {
    "what to apply next": lambda imports: imports.ready(1, after=(0, ""), limit=10),
    "what to undo next": lambda imports: imports.applied(
        1, before=(9, "x"), limit=10, also_kept=False
    ),
    "what to undo next, by force": lambda imports: imports.applied(
        1, before=(9, "x"), limit=10, also_kept=True
    ),
    "rows in a state": lambda imports: imports.rows(
        1, RowFilter(state=RowState.REFUSED), after=5, limit=10
    ),
    "rows": lambda imports: imports.rows(1, RowFilter(), after=5, limit=10),
    "who has a reference_id": lambda imports: imports.named(1, {"a", "b"}),
    "what is due": lambda imports: imports.claim_due(lease_until=at(0)),
    "the part at an offset": lambda imports: imports.part_at(1, 5),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_it_is_answered_by_an_index_in_its_order(
    sqlite_url: str, clock: Clock, question: str
) -> None:
    # PostgreSQL plans by how many rows there are, and here there are none.
    world = World(Database(sqlite_url, clock=clock), clock)
    with world.database.trial() as tx, recorded(world.database.engine) as statements:
        QUESTIONS[question](tx.file_imports)
    with world.database.trial() as tx:
        plan = [line for one in statements for line in plan_of(tx.connection, one)]
    assert plan
    assert not [line for line in plan if re.match("SCAN (?!json_each)|USE TEMP B-TREE", line)]
    ranges = [line for line in plan if "file_rows" in line]
    assert all(re.search(r"import_id=\? AND", line) for line in ranges)
    world.database.close()
