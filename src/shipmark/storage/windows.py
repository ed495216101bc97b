"""Queries about the windows of lanes.

Every look-up of neighbours is one seek in an index: nothing here reads a lane as a whole.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    CompoundSelect,
    Connection,
    Delete,
    Row,
    Select,
    String,
    and_,
    bindparam,
    delete,
    literal,
    select,
    true,
    tuple_,
    union_all,
)

from shipmark.domain.attribution import Arrival, Window
from shipmark.domain.model import BEGINNING, Order, Position
from shipmark.storage.columns import Instant
from shipmark.storage.sent_rows import among, inserted, packed, sent_rows, updated
from shipmark.storage.shipped import POSITION
from shipmark.storage.statements import (
    at_or_before,
    before,
    chunks,
    sent_row,
)
from shipmark.storage.tables import lanes, pulls, windows

ORDER = (windows.c.deployed_at, windows.c.reference_id)
REACHED = (windows.c.reached_at, windows.c.reached_number)
OPENED = (windows.c.opened_at, windows.c.opened_number)
KEY = ("lane_id", "deployment_id")
FIXED = ("deployed_at", "reference_id", "reached_at", "reached_number")
MOVING = ("opened_at", "opened_number", "raises")
"""What neighbours change of a window."""

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


def _neighbour(wanted: CTE, *, is_before: bool) -> Select[Any]:
    """For each wanted place in a lane, the nearest window that raises the mark on one side."""
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
        literal(is_before, Boolean).label("is_before"),
        wanted.c.deployed_at.label("from_at"),
        wanted.c.reference_id.label("from_id"),
        windows,
    ).join_from(
        wanted,
        windows,
        and_(windows.c.lane_id == wanted.c.lane_id, windows.c.deployment_id == nearest),
    )


def _neighbours() -> CompoundSelect[Any]:
    wanted = sent_rows("wanted", lane_id=BigInteger, deployed_at=Instant, reference_id=String)
    return union_all(_neighbour(wanted, is_before=True), _neighbour(wanted, is_before=False))


def first_reaching() -> Any:
    """The deployment in whose window a pull request of the enclosing query lies, in a lane of it;
    NULL: none has reached it yet."""
    reaching = windows.alias("reaching")
    return (
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


def _covering() -> Select[Any]:
    return (
        select(pulls.c.id, lanes.c.id, first_reaching())
        .join(
            lanes,
            and_(
                lanes.c.repository_id == pulls.c.repository_id, lanes.c.branch == pulls.c.base_ref
            ),
        )
        .where(among(pulls.c.id, "ids"), pulls.c.merged_at.is_not(None))
    )


def _following(condition: ColumnElement[bool]) -> Select[Any]:
    """The next windows of a lane, in order, of those for which the condition holds."""
    after = tuple_(bindparam("deployed_at", type_=Instant), bindparam("reference_id", type_=String))
    return (
        select(windows)
        .where(windows.c.lane_id == bindparam("lane_id"), tuple_(*ORDER) > after, condition)
        .order_by(*ORDER)
        .limit(PAGE)
    )


def _remove() -> Delete:
    gone = sent_rows("gone", lane_id=BigInteger, deployment_id=BigInteger)
    return delete(windows).where(
        tuple_(windows.c.lane_id, windows.c.deployment_id).in_(select(*gone.c))
    )


_OF_DEPLOYMENTS = select(windows).where(among(windows.c.deployment_id, "ids"))
_NEIGHBOURS = _neighbours()
_COVERING = _covering()
_ADD = inserted(windows, KEY + FIXED + MOVING)
_SAVE = updated(windows, KEY, MOVING)
_REMOVE = _remove()
_RAISING_AFTER = _following(windows.c.raises.is_(true()))
_ABOVE_AFTER = _following(
    tuple_(*REACHED)
    > tuple_(bindparam("mark_at", type_=Instant), bindparam("mark_number", type_=BigInteger))
)
_MARK_WAITING = updated(windows, ["deployment_id"], ["is_waiting"])
_ROLLED_BACK = select(windows.c.deployment_id).where(
    among(windows.c.deployment_id, "ids"), is_rolled_back()
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
            sent = packed((lane, *order) for lane, order in chunk)
            for row in self._connection.execute(_NEIGHBOURS, {"wanted": sent}):
                place = row.lane_id, Order(row.from_at, row.from_id)
                if row.is_before:
                    marks[place] = Position(row.reached_at, row.reached_number)
                else:
                    followers[place] = window_of(row, row.deployment_id)
        return [OpenLane(lane, self._connection, marks, followers) for lane in arrivals]

    def of(self, deployment_ids: Collection[int]) -> list[Window]:
        return [
            window_of(row, row.deployment_id)
            for chunk in chunks(deployment_ids)
            for row in self._connection.execute(_OF_DEPLOYMENTS, {"ids": chunk})
        ]

    def add(self, new: Sequence[Window]) -> None:
        rows = [(*_key(one), *one.order, *one.reached, *one.opened, one.raises) for one in new]
        for chunk in chunks(rows):
            self._connection.execute(_ADD, {"rows": packed(chunk)})

    def save(self, changed: Sequence[Window]) -> None:
        latest = {_key(one): (*_key(one), *one.opened, one.raises) for one in changed}
        for chunk in chunks(latest.values()):
            self._connection.execute(_SAVE, {"rows": packed(chunk)})

    def mark_waiting(self, marks: Mapping[int, bool]) -> None:
        for chunk in chunks(marks.items()):
            self._connection.execute(_MARK_WAITING, {"rows": packed(chunk)})

    def remove(self, gone: Collection[Window]) -> None:
        for chunk in chunks(gone):
            self._connection.execute(_REMOVE, {"gone": packed(_key(one) for one in chunk)})

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
            yield from self._pages(first.order, _RAISING_AFTER)

    def above_after(self, order: Order, mark: Position) -> Iterator[Window]:
        yield from self._pages(order, _ABOVE_AFTER, mark_at=mark.at, mark_number=mark.number)

    def _pages(self, order: Order, query: Select[Any], **sent: Any) -> Iterator[Window]:
        while True:
            place = {"deployed_at": order.deployed_at, "reference_id": order.reference_id}
            found = self._connection.execute(query, {"lane_id": self.id, **place, **sent})
            rows = found.all()
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


def _key(window: Window) -> tuple[int, int]:
    return window.lane_id, window.deployment_id
