"""What windows ship, worked out of the histories of branches, is what their definition says."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shipmark.domain.histories import History, Listing, Reaching, in_order, stretches

positions = st.tuples(st.integers(0, 6), st.integers(0, 3))
windows = st.builds(
    lambda number, branch, service, ends: Reaching(
        number, number, f"d{number}", 1, (1, branch), service, "production", min(ends), max(ends)
    ),
    number=st.integers(0, 9),
    branch=st.sampled_from(("develop", "main")),
    service=st.integers(1, 2),
    ends=st.lists(positions, min_size=2, max_size=2, unique=True),
)
listings = st.builds(
    Listing,
    service_id=st.integers(1, 2),
    environment=st.sampled_from(("production", "staging")),
    deployed_at=st.integers(0, 9),
    reference_id=st.sampled_from(("d0", "d5", "d9")),
)


@given(windows=st.lists(windows, max_size=8))
def test_each_window_lies_in_one_stretch_and_stretches_do_not_overlap(
    windows: list[Reaching],
) -> None:
    found = stretches(windows)
    assert sorted(one for stretch in found for one in stretch.windows) == sorted(windows)
    for stretch in found:
        for one in stretch.windows:
            assert one.branch == stretch.branch
            assert stretch.since <= one.opened[0] <= one.reached[0] <= stretch.until
    for first, second in pairwise(found):
        assert first.branch != second.branch or first.until < second.since


@given(
    merged=st.sets(positions),
    window=windows,
    services=st.dictionaries(positions, st.sets(st.integers(1, 2), min_size=1)),
    lists=st.dictionaries(positions, st.lists(listings, max_size=2)),
)
def test_a_window_ships_what_stands_in_it_for_its_service_and_was_not_listed_before(
    merged: set[tuple[int, int]],
    window: Reaching,
    services: dict[tuple[int, int], set[int]],
    lists: dict[tuple[int, int], list[Listing]],
) -> None:
    columns = [[one[place] for one in sorted(merged)] for place in (0, 1)]
    history = History(columns, columns[1:], services, lists)
    ((_, found),) = history.shipped([window])
    assert list(zip(*found, strict=True)) == [
        one
        for one in sorted(merged)
        if window.opened < one <= window.reached
        and window.service_id in services.get(one, {window.service_id})
        and not any(
            (listing.service_id, listing.environment) == (window.service_id, window.environment)
            and (listing.deployed_at, listing.reference_id)
            < (window.deployed_at, window.reference_id)
            for listing in lists.get(one, ())
        )
    ]


@given(merged=st.sets(positions), inside=st.lists(windows, max_size=6))
def test_windows_ship_the_same_beside_others_as_alone(
    merged: set[tuple[int, int]], inside: list[Reaching]
) -> None:
    columns = [[one[place] for one in sorted(merged)] for place in (0, 1)]
    history = History(columns, columns[1:])
    in_order_ = sorted(inside, key=lambda one: one.opened)
    alone = [found for one in in_order_ for found in history.shipped([one])]
    assert list(history.shipped(in_order_)) == alone


def test_numbers_come_in_order_whatever_order_the_database_has() -> None:
    assert in_order([[20, 10, 10], [3, 2, 1], [7, 8, 9]]) == [[10, 10, 20], [1, 2, 3], [9, 8, 7]]
    assert in_order([[], []]) == [[], []]
