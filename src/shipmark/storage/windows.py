"""Queries about the windows of lanes.

Every look-up of neighbours is one seek in an index: nothing here reads a lane as a whole.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Select,
    String,
    and_,
    bindparam,
    delete,
    insert,
    select,
    true,
    tuple_,
    update,
)

from shipmark.domain.attribution import Arrival, Window
from shipmark.domain.model import BEGINNING, Order, Position
from shipmark.storage.sent_rows import packed, sent_rows
from shipmark.storage.shipped import POSITION
from shipmark.storage.statements import (
    at_or_before,
    before,
    chunks,
    sent_list,
    sent_row,
)
from shipmark.storage.tables import Instant, lanes, pulls, windows

ORDER = (windows.c.deployed_at, windows.c.reference_id)
REACHED = (windows.c.reached_at, windows.c.reached_number)
OPENED = (windows.c.opened_at, windows.c.opened_number)
PAGE = 50
"""How many neighbours are read at once when the first is not enough."""


def is_rolled_back() -> Any:
    """Whether a window in the enclosing query, not raising the mark, lies below it.

    The raising windows of a lane rise in both orders at once, so the first that reaches further
    is also the earliest that does.
    """
    further = windows.alias("further")
    return (
        select(
            before((further.c.deployed_at, further.c.reference_id), ORDER),
        )
        .where(
            further.c.lane_id == windows.c.lane_id,
            further.c.raises.is_(true()),
            before(REACHED, (further.c.reached_at, further.c.reached_number)),
        )
        .order_by(further.c.reached_at, further.c.reached_number)
        .limit(1)
        .correlate_except(further)
        .scalar_subquery()
        .is_(true())
    )


def _neighbour(*, is_before: bool) -> Select[Any]:
    """For each wanted place in a lane, the nearest window that raises the mark on one side."""
    wanted = sent_rows("wanted", lane_id=BigInteger, deployed_at=Instant, reference_id=String)
    asked = (wanted.c.deployed_at, wanted.c.reference_id)
    near = windows.alias("near")
    place = (near.c.deployed_at, near.c.reference_id)
    nearest = (
        select(near.c.deployment_id)
        .where(
            near.c.lane_id == wanted.c.lane_id,
            near.c.raises.is_(true()),
            before(place, asked) if is_before else before(asked, place),
        )
        .order_by(*(column.desc() if is_before else column.asc() for column in place))
        .limit(1)
        .correlate_except(near)
        .scalar_subquery()
    )
    return select(
        wanted.c.deployed_at.label("from_at"), wanted.c.reference_id.label("from_id"), windows
    ).join_from(
        wanted,
        windows,
        and_(windows.c.lane_id == wanted.c.lane_id, windows.c.deployment_id == nearest),
    )


def _covering() -> Select[Any]:
    reaching = windows.alias("reaching")
    first = (
        select(reaching.c.deployment_id)
        .where(
            reaching.c.lane_id == lanes.c.id,
            reaching.c.raises.is_(true()),
            at_or_before(POSITION, (reaching.c.reached_at, reaching.c.reached_number)),
        )
        .order_by(reaching.c.reached_at, reaching.c.reached_number)
        .limit(1)
        .correlate_except(reaching)
        .scalar_subquery()
    )
    return (
        select(pulls.c.id, lanes.c.id, first)
        .join(
            lanes,
            and_(
                lanes.c.repository_id == pulls.c.repository_id, lanes.c.branch == pulls.c.base_ref
            ),
        )
        .where(pulls.c.id.in_(sent_list("ids")), pulls.c.merged_at.is_not(None))
    )


_OF_DEPLOYMENTS = select(windows).where(windows.c.deployment_id.in_(sent_list("ids")))
_MARKS_BEFORE = _neighbour(is_before=True)
_NEXT_RAISING = _neighbour(is_before=False)
_COVERING = _covering()
_UPDATE = update(windows).where(
    windows.c.lane_id == bindparam("of_lane"),
    windows.c.deployment_id == bindparam("of_deployment"),
)
_ROLLED_BACK = select(windows.c.deployment_id).where(
    windows.c.deployment_id.in_(sent_list("ids")), is_rolled_back()
)


class Windows:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(self, arrivals: Mapping[int, Sequence[Arrival]]) -> list["OpenLane"]:
        places = [
            (lane, arrival.order) for lane, entering in arrivals.items() for arrival in entering
        ]
        marks: dict[tuple[int, Order], Position] = {}
        followers: dict[tuple[int, Order], Window] = {}
        for chunk in chunks(places):
            for lane_id, order, window in self._neighbours(chunk, _MARKS_BEFORE):
                marks[lane_id, order] = window.reached
            for lane_id, order, window in self._neighbours(chunk, _NEXT_RAISING):
                followers[lane_id, order] = window
        return [OpenLane(lane, self._connection, marks, followers) for lane in arrivals]

    def _neighbours(
        self, places: Sequence[tuple[int, Order]], find: Select[Any]
    ) -> Iterator[tuple[int, Order, Window]]:
        """For each (lane, order), the window that ``find`` finds from there, if any."""
        sent = packed((lane, *order) for lane, order in places)
        for row in self._connection.execute(find, {"wanted": sent}):
            yield row.lane_id, Order(row.from_at, row.from_id), window_of(row, row.deployment_id)

    def of(self, deployment_ids: Collection[int]) -> list[Window]:
        return [
            window_of(row, row.deployment_id)
            for chunk in chunks(deployment_ids)
            for row in self._connection.execute(_OF_DEPLOYMENTS, {"ids": chunk})
        ]

    def save(self, changed: Sequence[Window]) -> None:
        """Store windows; one that is there keeps its mark of waiting until it is settled."""
        if not changed:
            return
        there = {
            (one.lane_id, one.deployment_id) for one in self.of({w.deployment_id for w in changed})
        }
        rows = {(one.lane_id, one.deployment_id): _row(one) for one in changed}
        new = [row | {"is_waiting": row["raises"]} for key, row in rows.items() if key not in there]
        if new:
            self._connection.execute(insert(windows), new)
        old = [
            {
                "of_lane": lane,
                "of_deployment": deployment,
                "opened_at": row["opened_at"],
                "opened_number": row["opened_number"],
                "raises": row["raises"],
            }
            for (lane, deployment), row in rows.items()
            if (lane, deployment) in there
        ]
        if old:
            self._connection.execute(_UPDATE, old)

    def remove(self, window: Window) -> None:
        self._connection.execute(
            delete(windows).where(
                windows.c.lane_id == window.lane_id,
                windows.c.deployment_id == window.deployment_id,
            )
        )

    def covering(self, pull_ids: Collection[int]) -> list[tuple[int, int, int]]:
        found: list[tuple[int, int, int]] = []
        for chunk in chunks(pull_ids):
            rows = self._connection.execute(_COVERING, {"ids": chunk})
            found += [(p, lane, d) for p, lane, d in rows if d]
        return found

    def waiting_for(self, positions: Mapping[tuple[int, str], Collection[Position]]) -> set[int]:
        found: set[int] = set()
        for (repository_id, branch), merged in positions.items():
            query = (
                select(windows.c.deployment_id)
                .join(lanes, lanes.c.id == windows.c.lane_id)
                .where(
                    lanes.c.repository_id == repository_id,
                    lanes.c.branch == branch,
                    windows.c.is_waiting.is_(true()),
                    tuple_(*REACHED) >= sent_row(min(merged), like=REACHED),
                    tuple_(*OPENED) < sent_row(max(merged), like=OPENED),
                )
            )
            found.update(self._connection.scalars(query))
        return found

    def rolled_back(self, deployment_ids: Collection[int]) -> set[int]:
        return {
            deployment_id
            for chunk in chunks(deployment_ids)
            for deployment_id in self._connection.scalars(_ROLLED_BACK, {"ids": chunk})
        }


class OpenLane:
    """A lane to read from while it is changed; satisfies `domain.attribution.Lane`."""

    def __init__(
        self,
        lane_id: int,
        connection: Connection,
        marks: Mapping[tuple[int, Order], Position],
        followers: Mapping[tuple[int, Order], Window],
    ) -> None:
        self.id = lane_id
        self._connection = connection
        self._marks = marks
        self._followers = followers

    def mark_before(self, order: Order) -> Position:
        return self._marks.get((self.id, order), BEGINNING)

    def raising_after(self, order: Order) -> Iterator[Window]:
        first = self._followers.get((self.id, order))
        if first is not None:
            yield first
            yield from self._pages(first.order, windows.c.raises.is_(true()))

    def above_after(self, order: Order, mark: Position) -> Iterator[Window]:
        yield from self._pages(order, tuple_(*REACHED) > sent_row(mark, like=REACHED))

    def _pages(self, order: Order, condition: Any) -> Iterator[Window]:
        while True:
            query = (
                select(windows)
                .where(
                    windows.c.lane_id == self.id,
                    tuple_(*ORDER) > sent_row(order, like=ORDER),
                    condition,
                )
                .order_by(*ORDER)
                .limit(PAGE)
            )
            rows = self._connection.execute(query).all()
            for row in rows:
                yield window_of(row, row.deployment_id)
            if len(rows) < PAGE:
                return
            order = Order(rows[-1].deployed_at, rows[-1].reference_id)


def window_of(row: Row[Any], deployment_id: int) -> Window:
    """The window in a row that has the columns of its table (and its deployment's order)."""
    return Window(
        lane_id=row.lane_id,
        deployment_id=deployment_id,
        order=Order(row.deployed_at, row.reference_id),
        reached=Position(row.reached_at, row.reached_number),
        opened=Position(row.opened_at, row.opened_number),
    )


def _row(window: Window) -> dict[str, Any]:
    return {
        "lane_id": window.lane_id,
        "deployment_id": window.deployment_id,
        "deployed_at": window.order.deployed_at,
        "reference_id": window.order.reference_id,
        "reached_at": window.reached.at,
        "reached_number": window.reached.number,
        "opened_at": window.opened.at,
        "opened_number": window.opened.number,
        "raises": window.raises,
    }
