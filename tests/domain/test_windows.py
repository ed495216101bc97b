"""The windows of a lane, changed a few at a time, are always the running maximum of the whole."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tests.builders import at
from tests.domain.lanes import LaneInMemory, windows_by_definition

from shipmark.domain.attribution import Arrival, insert_windows, remove_windows
from shipmark.domain.model import BEGINNING, Order, Position, everything_by


def an_arrival(deployment_id: int, hours: float, reaches: float | Position) -> Arrival:
    """A deployment so many hours after noon; what it reaches, by time alone, likewise."""
    reached = reaches if isinstance(reaches, Position) else everything_by(at(reaches))
    order = Order(at(hours), f"deploy-{deployment_id}")
    return Arrival(deployment_id=deployment_id, order=order, reached=reached)


positions = st.builds(Position, st.integers(0, 4).map(at), st.integers(1, 3)) | st.integers(
    0, 4
).map(at).map(everything_by)
histories = st.lists(st.tuples(st.integers(0, 6), positions), max_size=12).map(
    lambda drawn: [an_arrival(id_, hours, reached) for id_, (hours, reached) in enumerate(drawn)]
)


def enter(lane: LaneInMemory, *arrivals: Arrival) -> int:
    """Put deployments into a lane at once; how many windows that wrote."""
    changed = insert_windows(lane, sorted(arrivals, key=lambda one: one.order))
    lane.save(changed)
    return len(changed)


def leave(lane: LaneInMemory, *deployment_ids: int) -> int:
    """Take deployments out of a lane at once; how many other windows that wrote."""
    gone = [lane.windows.pop(deployment_id) for deployment_id in deployment_ids]
    changed = remove_windows(lane, sorted(gone, key=lambda one: one.order))
    lane.save(changed)
    return len(changed)


@given(arrivals=histories, cuts=st.sets(st.integers(1, 11)), data=st.data())
def test_batches_in_any_order_give_the_running_maximum(
    arrivals: Sequence[Arrival], cuts: set[int], data: st.DataObject
) -> None:
    told = data.draw(st.permutations(arrivals))
    lane = LaneInMemory()
    edges = [0, *sorted(cut for cut in cuts if cut < len(told)), len(told)]
    for start, end in pairwise(edges):
        enter(lane, *told[start:end])
        assert lane.windows == windows_by_definition(told[:end])


@given(arrivals=histories, data=st.data())
def test_leaving_in_any_order_gives_the_running_maximum_of_the_others(
    arrivals: Sequence[Arrival], data: st.DataObject
) -> None:
    lane = LaneInMemory()
    enter(lane, *arrivals)
    remaining = {one.deployment_id: one for one in arrivals}
    for gone in data.draw(st.permutations(arrivals)):
        leave(lane, gone.deployment_id)
        del remaining[gone.deployment_id]
        assert lane.windows == windows_by_definition(remaining.values())


@given(arrivals=histories, cuts=st.sets(st.integers(1, 11)), data=st.data())
def test_leaving_together_gives_the_running_maximum_of_the_others(
    arrivals: Sequence[Arrival], cuts: set[int], data: st.DataObject
) -> None:
    lane = LaneInMemory()
    enter(lane, *arrivals)
    leaving = data.draw(st.permutations(arrivals))
    edges = [0, *sorted(cut for cut in cuts if cut < len(leaving)), len(leaving)]
    for start, end in pairwise(edges):
        leave(lane, *(one.deployment_id for one in leaving[start:end]))
        assert lane.windows == windows_by_definition(leaving[end:])


@given(arrivals=histories, data=st.data())
def test_only_windows_that_become_different_are_written(
    arrivals: Sequence[Arrival], data: st.DataObject
) -> None:
    lane = LaneInMemory()
    for arrival in data.draw(st.permutations(arrivals)):
        before = dict(lane.windows)
        changed = insert_windows(lane, [arrival])
        assert all(before.get(window.deployment_id) != window for window in changed)
        lane.save(changed)
    for arrival in data.draw(st.permutations(arrivals)):
        gone = lane.windows.pop(arrival.deployment_id)
        changed = remove_windows(lane, [gone])
        assert all(lane.windows[window.deployment_id] != window for window in changed)
        lane.save(changed)


@given(arrivals=histories, at_once=st.booleans())
def test_the_windows_of_a_lane_share_no_position_and_leave_none_out(
    arrivals: Sequence[Arrival], at_once: bool
) -> None:
    lane = LaneInMemory()
    for group in [arrivals] if at_once else [[one] for one in arrivals]:
        enter(lane, *group)
    raising = sorted((w for w in lane.windows.values() if w.raises), key=lambda w: w.order)
    marks = [BEGINNING, *(window.reached for window in raising)]
    assert [window.opened for window in raising] == marks[:-1]


def test_a_deployment_told_in_time_order_writes_one_window_and_reads_none() -> None:
    lane = LaneInMemory()
    for number in range(100):
        assert enter(lane, an_arrival(number, hours=number, reaches=number)) == 1
    assert lane.read == 0


def test_a_deployment_told_late_writes_its_own_window_and_the_next() -> None:
    lane = LaneInMemory()
    enter(lane, *(an_arrival(number, hours=number, reaches=number) for number in range(100)))
    assert enter(lane, an_arrival(100, hours=50.5, reaches=50.5)) == 2
    assert enter(lane, an_arrival(101, hours=-1, reaches=-1)) == 2
    assert leave(lane, 50) == 1
    assert lane.read == 3


def test_a_rollback_owns_an_empty_window() -> None:
    lane = LaneInMemory()
    enter(lane, an_arrival(1, hours=1, reaches=1), an_arrival(2, hours=2, reaches=0.5))
    assert lane.windows[1].raises
    assert not lane.windows[2].raises


def test_a_rollback_raises_the_mark_once_what_it_rolled_back_is_gone() -> None:
    lane = LaneInMemory()
    enter(lane, an_arrival(1, hours=1, reaches=1), an_arrival(2, hours=2, reaches=0.5))
    leave(lane, 1)
    assert lane.windows[2].is_baseline


def test_only_the_first_window_of_a_lane_is_its_baseline() -> None:
    lane = LaneInMemory()
    enter(lane, *(an_arrival(number, hours=number, reaches=number) for number in range(3)))
    assert [lane.windows[number].is_baseline for number in range(3)] == [True, False, False]


def test_of_two_at_the_same_instant_the_lesser_reference_id_comes_first() -> None:
    lane = LaneInMemory()
    enter(lane, an_arrival(2, hours=1, reaches=1))
    enter(lane, an_arrival(1, hours=1, reaches=1))
    assert lane.windows[1].raises
    assert not lane.windows[2].raises
