"""Merged pull requests that no deployment has shipped to an environment yet.

There are few of them at the end of a long history, so the history is not searched for them. Each
branch is known to be shipped up to the highest mark of its lanes: what lies above is a range of
`ix_pulls_history`. Below it, only pull requests that belong to services have to be looked at.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    select,
    true,
    union,
)

from shipmark.application.metric_queries import Selection
from shipmark.application.queries import PullFilter
from shipmark.domain.model import BEGINNING
from shipmark.storage.columns import Instant
from shipmark.storage.filters import selection_of
from shipmark.storage.metric_filters import deployed_from, of_lanes
from shipmark.storage.shipped import POSITION
from shipmark.storage.statements import at_or_before, before, knows_lateral
from shipmark.storage.tables import lanes, pull_services, pulls, repositories, windows

Conditions = Sequence[ColumnElement[bool]]

LISTED = (pulls.c.listed_at, pulls.c.id)


def undeployed(
    connection: Connection, filter_: PullFilter, conditions: Conditions
) -> tuple[Select[Any], Select[Any]]:
    """What no window holds and fulfils other conditions, in two parts that share nothing."""
    selection = selection_of(filter_)
    lanes_asked = of_lanes(selection)
    if filter_.base_ref is not None:
        lanes_asked.append(lanes.c.branch == filter_.base_ref)
    return not_reached(
        lanes_asked,
        conditions,
        repository_id=filter_.repository_id,
        since=None if filter_.since is None else literal(filter_.since, Instant),
        laterally=knows_lateral(connection),
        branches=None if filter_.service_id is None else _branches_for(selection),
    )


def not_reached(
    lanes_asked: Conditions,
    conditions: Conditions,
    *,
    repository_id: int | None,
    since: ColumnElement[datetime] | None,
    laterally: bool,
    branches: CTE | None = None,
) -> tuple[Select[Any], Select[Any]]:
    """What no window of these lanes holds and merged ``since`` then, in the same two parts.
    ``branches`` are those on which the first is to look, if they are not all of the repository;
    ``laterally`` is how, where the database can."""
    marks = marks_of(lanes_asked)
    highest = _highest(marks)
    if branches is None:
        branches = _branches(repository_id)
    shipped = _shipped(branches, highest, since)
    passed_over = _passed_over(marks, highest).where(*conditions)
    if since is not None:
        # Of the first part it decides where to begin: SQLite would begin there, as a condition.
        passed_over = passed_over.where(pulls.c.merged_at >= since)
    return _above(shipped, conditions, laterally=laterally), passed_over


def _shipped(branches: CTE, highest: CTE, since: ColumnElement[datetime] | None) -> CTE:
    """How far each branch was deployed, and where to begin to look for what was not."""
    at = func.coalesce(highest.c.at, literal(BEGINNING.at, Instant))
    begins = at if since is None else case((at < since, since), else_=at)
    return (
        select(
            branches.c.repository_id,
            branches.c.branch,
            at.label("at"),
            begins.label("begins"),
            func.coalesce(highest.c.number, BEGINNING.number).label("number"),
        )
        .outerjoin(
            highest,
            and_(
                highest.c.repository_id == branches.c.repository_id,
                highest.c.branch == branches.c.branch,
            ),
        )
        .where(branches.c.branch.is_not(None))
        .cte("shipped")
        # Else SQLite joins pull requests first, and asks afterwards how far their branch has come.
        .prefix_with("MATERIALIZED")
    )


def _above(shipped: CTE, conditions: Conditions, *, laterally: bool) -> Select[Any]:
    """What merged after everything that was deployed from its branch, and where nothing was."""
    above = and_(
        pulls.c.repository_id == shipped.c.repository_id,
        pulls.c.base_ref == shipped.c.branch,
        # Implied by the next line; an index can be asked for it alone.
        pulls.c.merged_at >= shipped.c.begins,
        before((shipped.c.at, shipped.c.number), POSITION),
    )
    if not laterally:
        return select(*LISTED).join_from(shipped, pulls, above).where(*conditions)
    # A join would do, but for PostgreSQL's guess that a third of a history lies above any mark:
    # then it reads all of it once. What begins anew for each branch, and is not to be merged with
    # what is around it, is looked up.
    of_branch = select(*LISTED).where(above, *conditions).offset(0).correlate(shipped).lateral()
    return select(of_branch.c.listed_at, of_branch.c.id).join_from(shipped, of_branch, true())


def _passed_over(marks: CTE, highest: CTE) -> Select[Any]:
    """What lies below the highest mark of its branch, and belongs to services that stand lower."""
    here = (marks.c.repository_id == pulls.c.repository_id, marks.c.branch == pulls.c.base_ref)
    shipped = (
        exists()
        .select_from(pull_services.join(marks, marks.c.service_id == pull_services.c.service_id))
        .where(
            pull_services.c.pull_id == pulls.c.id,
            *here,
            at_or_before(POSITION, (marks.c.at, marks.c.number)),
        )
        .correlate(pulls)
    )
    assigned = select(pull_services.c.pull_id).distinct().subquery("assigned")
    return (
        select(*LISTED)
        .select_from(assigned)
        .join(pulls, pulls.c.id == assigned.c.pull_id)
        .join(
            highest,
            and_(
                highest.c.repository_id == pulls.c.repository_id,
                highest.c.branch == pulls.c.base_ref,
            ),
        )
        .where(at_or_before(POSITION, (highest.c.at, highest.c.number)), ~shipped)
        # Where nothing is assigned, as in most places, nothing is looked at.
        .where(exists().select_from(pull_services).correlate(None))
    )


def marks_of(of_lanes: Sequence[ColumnElement[bool]]) -> CTE:
    """How far each of these lanes has come."""
    top = windows.alias("top")
    # Two look-ups, not a join: where the lanes are not found by a key of theirs, a planner without
    # statistics begins such a join with all the windows.
    at, number = (
        select(column)
        .where(top.c.lane_id == lanes.c.id, top.c.raises.is_(true()))
        .order_by(top.c.reached_at.desc(), top.c.reached_number.desc())
        .limit(1)
        .correlate(lanes)
        .scalar_subquery()
        for column in (top.c.reached_at, top.c.reached_number)
    )
    columns = (lanes.c.repository_id, lanes.c.branch, lanes.c.service_id, lanes.c.environment)
    every = select(*columns, at.label("at"), number.label("number")).where(*of_lanes).subquery()
    return select(every).where(every.c.at.is_not(None)).cte("marks").prefix_with("MATERIALIZED")


def _highest(marks: CTE) -> CTE:
    """How far the lane of each branch has come that has come furthest."""
    place = func.row_number().over(
        partition_by=(marks.c.repository_id, marks.c.branch),
        order_by=(marks.c.at.desc(), marks.c.number.desc()),
    )
    ranked = select(marks, place.label("place")).subquery("ranked")
    return (
        select(ranked.c.repository_id, ranked.c.branch, ranked.c.at, ranked.c.number)
        .where(ranked.c.place == 1)
        .cte("highest")
    )


def _branches_for(selection: Selection) -> CTE:
    """The branches on which there may be what is to go to a service: those that it is deployed
    from, and those of what is assigned to it. However long the others are, they are left alone."""
    of_pulls = [pull_services.c.service_id == selection.service_id]
    if selection.repository_id is not None:
        of_pulls.append(pulls.c.repository_id == selection.repository_id)
    deployed = select(lanes.c.repository_id, lanes.c.branch).where(*deployed_from(selection))
    assigned = (
        select(pulls.c.repository_id, pulls.c.base_ref)
        .select_from(pull_services.join(pulls, pulls.c.id == pull_services.c.pull_id))
        .where(*of_pulls)
    )
    return union(deployed, assigned).cte("branches")


def _branches(repository_id: int | None) -> CTE:
    """The branches that pull requests were merged to, by one leap through the index for each."""
    merged_in = select(pulls.c.base_ref).where(pulls.c.merged_at.is_not(None))
    nearest = merged_in.order_by(pulls.c.base_ref).limit(1)
    first = nearest.where(pulls.c.repository_id == repositories.c.id)
    beginning = select(
        repositories.c.id.label("repository_id"),
        first.correlate(repositories).scalar_subquery().label("branch"),
    )
    if repository_id is not None:
        beginning = beginning.where(repositories.c.id == repository_id)
    branches = beginning.cte("branches", recursive=True)
    following = nearest.where(
        pulls.c.repository_id == branches.c.repository_id, pulls.c.base_ref > branches.c.branch
    )
    return branches.union_all(
        select(branches.c.repository_id, following.correlate(branches).scalar_subquery()).where(
            branches.c.branch.is_not(None)
        )
    )
