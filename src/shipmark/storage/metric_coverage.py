"""The pull requests that merged in a period, and those of them that are shipped nowhere.

Both are counted in two parts, before an instant and from it on: a metric is told beside the same of
the period before, and what is about both is looked for once. Statements are kept, since they take
longer to put together than a database takes to answer them.
"""

from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    Subquery,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)

from shipmark.application.metric_queries import Selection
from shipmark.domain.model import BEGINNING
from shipmark.domain.periods import MICROSECOND, Period
from shipmark.storage.columns import Instant
from shipmark.storage.metric_edges import as_number
from shipmark.storage.metric_filters import (
    belongs_to_none,
    deployed_from,
    is_from_branch,
    is_listed,
    may_go_anyway,
    may_go_to,
    of_lanes,
    of_pulls,
)
from shipmark.storage.statements import is_any, knows_lateral
from shipmark.storage.tables import deployment_pulls, lanes, pull_services, pulls
from shipmark.storage.undeployed import not_reached

Bound = BindParameter[datetime]
SINCE, MIDDLE, UNTIL = (bindparam(name, type_=Instant) for name in ("since", "middle", "until"))
KEPT = 100


def merged(
    connection: Connection, selection: Selection, period: Period, middle: datetime
) -> tuple[int, int]:
    """How many pull requests merged in a period before an instant, and from it on."""
    # What has not merged is listed at the beginning: the index is all that this takes.
    since = max(period.since, BEGINNING.at + MICROSECOND)
    sent = {"since": since, "middle": middle, "until": period.until}
    before, after = connection.execute(_merged(selection), sent).one()
    return before, after


@lru_cache(KEPT)
def _merged(selection: Selection) -> Select[*tuple[Any, ...]]:
    return select(*(_merged_in(selection, *part) for part in ((SINCE, MIDDLE), (MIDDLE, UNTIL))))


def _merged_in(selection: Selection, since: Bound, until: Bound) -> ColumnElement[int]:
    anywhere = _merged_anywhere(selection, since, until)
    if selection.service_id is None:
        return anywhere.scalar_subquery()
    # All on its branches but those of some service: the first is counted in the index alone. Where
    # nothing belongs to any service, the others are not looked at.
    of_branches = _merged_to_branches(selection, since, until)
    of_some = of_branches.where(is_any(pull_services.c.pull_id), ~belongs_to_none())
    beside = anywhere.where(
        or_(is_any(pull_services.c.pull_id), is_any(deployment_pulls.c.pull_id)),
        or_(*may_go_anyway(selection)),
        ~and_(belongs_to_none(), is_from_branch(selection)),
    )
    plus, minus, also = (one.scalar_subquery() for one in (of_branches, of_some, beside))
    return plus - minus + also


def _merged_anywhere(selection: Selection, since: Bound, until: Bound) -> Select[int]:
    at = pulls.c.listed_at
    return (
        select(func.count()).select_from(pulls).where(at >= since, at < until, *of_pulls(selection))
    )


def _merged_to_branches(selection: Selection, since: Bound, until: Bound) -> Select[int]:
    """Those on the branches from which the service is deployed: parts of the histories of few
    branches, whatever merged elsewhere."""
    branches = (
        select(lanes.c.repository_id, lanes.c.branch)
        .where(*deployed_from(selection))
        .distinct()
        .subquery()
    )
    on_branch = and_(
        pulls.c.repository_id == branches.c.repository_id,
        pulls.c.base_ref == branches.c.branch,
    )
    at = pulls.c.merged_at
    return (
        select(func.count())
        .select_from(branches)
        .join(pulls, on_branch)
        .where(at >= since, at < until, *of_pulls(selection))
    )


def unshipped(
    connection: Connection, selection: Selection, period: Period, middle: datetime
) -> tuple[int, int]:
    """How many of them are shipped nowhere that is asked about, in the same two parts."""
    query = _count(selection, laterally=knows_lateral(connection))
    sent = {"since": period.since, "middle": middle, "until": period.until}
    before, after = connection.execute(query, sent).one()
    return before, after


@lru_cache(KEPT)
def _count(selection: Selection, *, laterally: bool) -> Select[*tuple[Any, ...]]:
    found = _unshipped(selection, laterally=laterally)
    is_before = found.c.listed_at < MIDDLE
    counts = (func.count().filter(is_before), func.count().filter(~is_before))
    return select(*counts).select_from(found)


def unshipped_rows(
    connection: Connection,
    selection: Selection,
    period: Period,
    after: tuple[int, int] | None,
    limit: int,
) -> list[tuple[int, int]]:
    """When each of these merged and its id, the last first, after one of them."""
    unshipped_ = select(_unshipped(selection, laterally=knows_lateral(connection)))
    # Else SQLite goes through all that ever merged in the order that is asked for.
    found = unshipped_.cte("unshipped").prefix_with("MATERIALIZED")
    at = as_number(found.c.listed_at)
    query = select(at.label("at"), found.c.id).order_by(at.desc(), found.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(tuple_(at, found.c.id) < tuple_(*map(literal, after)))
    sent = {"since": period.since, "until": period.until}
    return [(merged_at, id_) for merged_at, id_ in connection.execute(query, sent)]


def _unshipped(selection: Selection, *, laterally: bool) -> Subquery:
    conditions = [
        # By the history of each branch, where those that merge alike are few.
        pulls.c.merged_at < UNTIL,
        *of_pulls(selection),
        *may_go_to(selection),
        ~is_listed(selection),
    ]
    parts = not_reached(
        of_lanes(selection),
        conditions,
        repository_id=selection.repository_id,
        since=SINCE,
        laterally=laterally,
    )
    return union_all(*parts).subquery()
