"""What the windows and the lists come to: the pull requests that deployments ship.

One definition, used by every count, list, page and status. It is driven from the windows: each
is one range of its branch's history, bounded on both sides, which `ix_pulls_history` serves.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
    true,
    tuple_,
)

from shipmark.application.queries import Page
from shipmark.storage.statements import at_or_before, before, sent_row
from shipmark.storage.tables import (
    deployment_pulls,
    deployments,
    lanes,
    pull_services,
    pulls,
    windows,
)

POSITION = (pulls.c.merged_at, pulls.c.number)


def in_window(window: FromClause = windows, lane: FromClause = lanes) -> ColumnElement[bool]:
    """The pull request stands in the window, whichever service it belongs to."""
    return and_(
        window.c.raises.is_(true()),
        pulls.c.repository_id == lane.c.repository_id,
        pulls.c.base_ref == lane.c.branch,
        # Planners cannot tell how few rows lie between two composite positions. They can tell of
        # instants, so these two lines, implied by the next two, are why the index is used.
        pulls.c.merged_at >= window.c.opened_at,
        pulls.c.merged_at <= window.c.reached_at,
        before((window.c.opened_at, window.c.opened_number), POSITION),
        at_or_before(POSITION, (window.c.reached_at, window.c.reached_number)),
    )


def of_service(lane: FromClause = lanes) -> ColumnElement[bool]:
    """The pull request belongs to the lane's service, or to none and so to all."""
    assigned = exists().where(pull_services.c.pull_id == pulls.c.id).correlate_except(pull_services)
    return or_(~assigned, assigned.where(pull_services.c.service_id == lane.c.service_id))


def listing_earlier(window: FromClause = windows, lane: FromClause = lanes) -> Select[Any]:
    """The ids of earlier deployments of the same service and environment that list it."""
    earlier = deployments.alias("earlier")
    # A value looked up by primary key, not a join: a join may begin with all the deployments of
    # the service, which is what a planner without statistics likes best.
    is_earlier = (
        select(
            and_(
                earlier.c.service_id == lane.c.service_id,
                earlier.c.environment == lane.c.environment,
                earlier.c.success.is_(true()),
                before(
                    (earlier.c.deployed_at, earlier.c.reference_id),
                    (window.c.deployed_at, window.c.reference_id),
                ),
            )
        )
        .where(earlier.c.id == deployment_pulls.c.deployment_id)
        .correlate_except(earlier)
        .scalar_subquery()
    )
    return (
        select(deployment_pulls.c.deployment_id)
        .where(deployment_pulls.c.pull_id == pulls.c.id, is_earlier.is_(true()))
        .correlate_except(deployment_pulls)
    )


def is_listed_by(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """A successful deployment lists the pull request and fulfils these conditions."""
    # A value looked up by primary key, for the reason that `listing_earlier` gives.
    fulfils = (
        select(and_(deployments.c.success.is_(true()), *conditions))
        .where(deployments.c.id == deployment_pulls.c.deployment_id)
        .correlate_except(deployments)
        .scalar_subquery()
    )
    listing = (
        select(true())
        .select_from(deployment_pulls)
        .where(deployment_pulls.c.pull_id == pulls.c.id, fulfils.is_(true()))
    )
    return has_any(listing, deployment_pulls)


def shipped_in_window(
    window: FromClause = windows, lane: FromClause = lanes
) -> ColumnElement[bool]:
    """The window's deployment ships the pull request."""
    listed = listing_earlier(window, lane).exists()
    return and_(in_window(window, lane), of_service(lane), ~listed)


def shipped_by_window(*columns: Any) -> Select[Any]:
    """Rows of (window, pull request) that are shipped; narrow it by deployment or pull request."""
    return (
        select(*columns)
        .select_from(windows)
        .join(lanes, lanes.c.id == windows.c.lane_id)
        .join(pulls, shipped_in_window())
    )


def shipped_by_list(*columns: Any) -> Select[Any]:
    """Rows of (list, pull request) that are shipped; narrow it by deployment or pull request."""
    return (
        select(*columns)
        .select_from(deployment_pulls)
        .join(deployments, deployments.c.id == deployment_pulls.c.deployment_id)
        .join(pulls, pulls.c.id == deployment_pulls.c.pull_id)
        .where(deployments.c.success.is_(true()), pulls.c.merged_at.is_not(None))
    )


def in_order(query: Select[Any], page: Page) -> Select[Any]:
    """A page of a query of pull requests, in the order of their branch."""
    if page.after is not None:
        query = query.where(tuple_(*POSITION) > sent_row(page.after, like=POSITION))
    return query.order_by(*POSITION).limit(page.limit)


def count_in_window() -> ColumnElement[int]:
    """How many pull requests a window in the enclosing query ships.

    A count for each window, not one join grouped by window: before the first statistics are
    gathered, which is when histories are imported, the join reads a whole branch for each.
    """
    return (
        select(func.count())
        .select_from(pulls)
        .where(shipped_in_window())
        .correlate_except(pulls)
        .scalar_subquery()
    )


def count_some_in_window(most: int) -> ColumnElement[int]:
    """The same, counted up to a number."""
    some = select(pulls.c.id).where(shipped_in_window()).limit(most).correlate_except(pulls)
    return select(func.count()).select_from(some.subquery()).scalar_subquery()


def count_listed() -> ColumnElement[int]:
    """How many merged pull requests a deployment in the enclosing query lists."""
    listed = deployment_pulls.join(pulls, pulls.c.id == deployment_pulls.c.pull_id)
    return (
        select(func.count())
        .select_from(listed)
        .where(deployment_pulls.c.deployment_id == deployments.c.id, pulls.c.merged_at.is_not(None))
        .correlate_except(deployment_pulls, pulls)
        .scalar_subquery()
    )


def window_ships_any() -> ColumnElement[bool]:
    """Whether a window in the enclosing query ships anything at all."""
    return has_any(select(true()).select_from(pulls).where(shipped_in_window()), pulls)


def list_ships_any() -> ColumnElement[bool]:
    """Whether a deployment in the enclosing query lists a merged pull request."""
    listed = deployment_pulls.join(pulls, pulls.c.id == deployment_pulls.c.pull_id)
    return has_any(
        select(true())
        .select_from(listed)
        .where(
            deployment_pulls.c.deployment_id == deployments.c.id, pulls.c.merged_at.is_not(None)
        ),
        deployment_pulls,
        pulls,
    )


def has_any(query: Select[Any], *tables: FromClause) -> ColumnElement[bool]:
    """EXISTS, said so that PostgreSQL looks for each row and does not first hash them all."""
    return query.limit(1).correlate_except(*tables).scalar_subquery().is_(true())
