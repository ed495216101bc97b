"""Queries behind explanations: what stands around a deployment, and what it left out."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Row,
    Select,
    String,
    and_,
    bindparam,
    exists,
    not_,
    select,
    true,
    tuple_,
    union_all,
)

from shipmark.application.ports import LaneKey
from shipmark.application.queries import (
    LaneRow,
    LeftOutPull,
    Page,
    PlacedWindow,
    PullRow,
    Surroundings,
)
from shipmark.domain.attribution import Window
from shipmark.domain.model import Deployment, Order
from shipmark.storage.columns import Instant
from shipmark.storage.lanes import KEY, key_of
from shipmark.storage.pull_rows import PullRows
from shipmark.storage.reached import count_direct
from shipmark.storage.sent_rows import packed, sent_rows
from shipmark.storage.shipped import (
    POSITION,
    in_order,
    in_window,
    listing_earlier,
    of_service,
    shipped_in_window,
)
from shipmark.storage.statements import sent_row
from shipmark.storage.tables import deployments, lanes, pulls, services, windows
from shipmark.storage.windows import ORDER, window_of

MOST_READ = 10_000
"""Pull requests of a window among which those that it does not ship are looked for."""


def _carried() -> Select[Any]:
    """What a window that is sent along would ship in a lane that is sent along."""
    window = sent_rows(
        "asked_window",
        deployed_at=Instant,
        reference_id=String,
        reached_at=Instant,
        reached_number=BigInteger,
        opened_at=Instant,
        opened_number=BigInteger,
        raises=Boolean,
    )
    lane = sent_rows(
        "asked_lane",
        repository_id=BigInteger,
        branch=String,
        service_id=BigInteger,
        environment=String,
    )
    return (
        select(pulls.c.id)
        .select_from(window)
        .join(lane, true())
        .join(pulls, shipped_in_window(window, lane))
    )


def _left_out() -> Select[Any]:
    """The first pull requests in a window's range that it does not ship, and who lists them."""
    this = windows.join(lanes, lanes.c.id == windows.c.lane_id)
    own = (
        windows.c.deployment_id == bindparam("deployment_id", type_=BigInteger),
        windows.c.lane_id == bindparam("lane_id", type_=BigInteger),
    )
    looked_at = (
        select(pulls.c.id)
        .select_from(this.join(pulls, in_window()))
        .where(*own)
        .order_by(*POSITION)
        .limit(MOST_READ)
        .subquery("looked_at")
    )
    listing = deployments.alias("listing")
    listed_by = (
        select(listing.c.reference_id)
        .where(listing.c.id == listing_earlier().limit(1).scalar_subquery())
        .scalar_subquery()
    )
    return (
        select(
            pulls.c.id,
            pulls.c.number,
            pulls.c.title,
            pulls.c.author,
            pulls.c.merged_at,
            listed_by.label("listed_by"),
        )
        .select_from(looked_at.join(pulls, pulls.c.id == looked_at.c.id).join(this, true()))
        .where(*own, not_(and_(of_service(), ~listing_earlier().exists())))
        .order_by(*POSITION)
        .limit(bindparam("most", type_=BigInteger))
    )


_CARRIED = _carried()
_LEFT_OUT = _left_out()


class Explanations:
    def __init__(self, connection: Connection, *, pull_rows: PullRows) -> None:
        self._connection = connection
        self._pull_rows = pull_rows

    def around(self, deployment: Deployment, each_side: int) -> Surroundings | None:
        own = windows.alias("own")
        lane = (
            select(own.c.lane_id)
            .where(own.c.deployment_id == deployment.id)
            .order_by(own.c.lane_id)
            .limit(1)
            .scalar_subquery()
        )
        order = sent_row(deployment.order, like=ORDER)
        in_lane = select(windows).where(windows.c.lane_id == lane)
        raised = in_lane.where(windows.c.raises.is_(true())).limit(each_side)
        parts = (
            in_lane.where(windows.c.deployment_id == deployment.id),
            raised.where(tuple_(*ORDER) < order).order_by(*(one.desc() for one in ORDER)),
            raised.where(tuple_(*ORDER) > order).order_by(*ORDER),
        )
        found = union_all(*(select(part.subquery()) for part in parts)).subquery("found")
        query = (
            select(found, *KEY)
            .join(lanes, lanes.c.id == found.c.lane_id)
            .order_by(found.c.deployed_at, found.c.reference_id)
        )
        return _surroundings(self._connection.execute(query).all(), deployment.id)

    def mark_before(self, lane: LaneKey, order: Order) -> Window | None:
        query = (
            select(windows)
            .join(lanes, lanes.c.id == windows.c.lane_id)
            .where(
                *(column == getattr(lane, column.name) for column in KEY),
                windows.c.raises.is_(true()),
                tuple_(*ORDER) < sent_row(order, like=ORDER),
            )
            .order_by(windows.c.deployed_at.desc(), windows.c.reference_id.desc())
            .limit(1)
        )
        found = self._connection.execute(query).one_or_none()
        return None if found is None else window_of(found, found.deployment_id)

    def carried_pulls(self, window: Window, lane: LaneKey, page: Page) -> list[PullRow]:
        sent = {
            "asked_window": packed(
                [(*window.order, *window.reached, *window.opened, window.raises)]
            ),
            "asked_lane": packed(
                [(lane.repository_id, lane.branch, lane.service_id, lane.environment)]
            ),
        }
        return self._pull_rows.of(in_order(_CARRIED.params(sent), page), *POSITION)

    def left_out(self, window: Window, limit: int) -> list[LeftOutPull]:
        if not window.raises:
            return []
        sent = {
            "deployment_id": window.deployment_id,
            "lane_id": window.lane_id,
            "most": limit,
        }
        rows = self._connection.execute(_LEFT_OUT, sent).all()
        assigned = self._pull_rows.services([row.id for row in rows])
        return [
            LeftOutPull(
                number=row.number,
                title=row.title,
                author=row.author,
                merged_at=row.merged_at,
                services=assigned.get(row.id, ()),
                listed_by=row.listed_by,
            )
            for row in rows
        ]

    def count_direct(self, placed: PlacedWindow, limit: int) -> int:
        if not placed.window.raises:
            return 0
        return count_direct(self._connection, placed.window, placed.lane, limit)

    def lanes_of(self, pull_id: int) -> list[LaneRow]:
        query = (
            select(services.c.identifier, lanes.c.environment, of_service().label("fits"))
            .select_from(pulls)
            .join(
                lanes,
                and_(
                    lanes.c.repository_id == pulls.c.repository_id,
                    lanes.c.branch == pulls.c.base_ref,
                ),
            )
            .join(services, services.c.id == lanes.c.service_id)
            # A lane of which all deployments are gone again is as if it had never been.
            .where(pulls.c.id == pull_id, exists().where(windows.c.lane_id == lanes.c.id))
            .order_by(services.c.identifier, lanes.c.environment)
        )
        return [
            LaneRow(service=row.identifier, environment=row.environment, of_service=bool(row.fits))
            for row in self._connection.execute(query)
        ]


def _surroundings(rows: Sequence[Row[Any]], deployment_id: int) -> Surroundings | None:
    """Rows of a lane in their order, as what lies before and after one of them."""
    found = [window_of(row, row.deployment_id) for row in rows]
    own = next((i for i, one in enumerate(found) if one.deployment_id == deployment_id), None)
    if own is None:
        return None
    return Surroundings(
        before=found[:own],
        placed=PlacedWindow(window=found[own], lane=key_of(rows[own])),
        after=found[own + 1 :],
    )
