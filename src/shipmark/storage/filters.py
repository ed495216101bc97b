"""The filters of lists, as conditions. What metrics are about as well means the same in both."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, exists, or_

from shipmark.application.metric_queries import Selection
from shipmark.application.queries import DeploymentFilter, PullFilter
from shipmark.storage.metric_filters import (
    in_place,
    is_listed,
    lists_of,
    may_go_to,
    of_environments,
    of_lanes,
    of_repository,
)
from shipmark.storage.shipped import of_service
from shipmark.storage.tables import (
    deployment_pulls,
    deployments,
    lanes,
    pull_services,
    pulls,
)
from shipmark.storage.windows import first_reaching

Conditions = list[ColumnElement[bool]]


def deployment_conditions(filter_: DeploymentFilter) -> Conditions:
    """What a deployment must fulfil."""
    conditions = _but_of_repository(filter_)
    if filter_.repository_id is not None:
        conditions.append(of_repository(filter_.repository_id))
    return conditions


def deployment_parts(filter_: DeploymentFilter) -> Iterator[Conditions]:
    """The same in parts that share nothing. Each is found in order by one index; those of a
    repository would be found by none that has the order, if they were asked for at once."""
    conditions = _but_of_repository(filter_)
    if filter_.repository_id is None:
        yield conditions
        return
    yield [*conditions, deployments.c.repository_id == filter_.repository_id]
    yield [*conditions, lists_of(filter_.repository_id)]


def _but_of_repository(filter_: DeploymentFilter) -> Conditions:
    wanted = {
        deployments.c.service_id: filter_.service_id,
        deployments.c.source_name: filter_.source_name,
        deployments.c.success: filter_.success,
        deployments.c.attribution_status: filter_.status,
        deployments.c.rule_id: filter_.rule_id,
    }
    conditions: Conditions = [
        column == value for column, value in wanted.items() if value is not None
    ]
    if filter_.environments:
        conditions.append(of_environments(deployments.c.environment, filter_.environments))
    if filter_.since is not None:
        conditions.append(deployments.c.deployed_at >= filter_.since)
    if filter_.until is not None:
        conditions.append(deployments.c.deployed_at < filter_.until)
    if filter_.ids is not None:
        conditions.append(deployments.c.id.in_(filter_.ids))
    return conditions


def selection_of(filter_: PullFilter) -> Selection:
    """The deployments and lanes that `deployed` asks about."""
    return Selection(
        service_id=filter_.service_id,
        repository_id=filter_.repository_id,
        environments=filter_.environments,
    )


def pull_conditions(filter_: PullFilter) -> Conditions:
    """What a pull request must fulfil."""
    wanted = {
        pulls.c.repository_id: filter_.repository_id,
        pulls.c.base_ref: filter_.base_ref,
        pulls.c.author: filter_.author,
    }
    conditions: Conditions = [
        column == value for column, value in wanted.items() if value is not None
    ]
    if filter_.merged is not None or filter_.deployed is not None:
        is_merged = pulls.c.merged_at.is_not(None)
        conditions.append(is_merged if filter_.merged is not False else ~is_merged)
    if filter_.since is not None:
        conditions.append(pulls.c.listed_at >= filter_.since)
    if filter_.until is not None:
        conditions += [pulls.c.listed_at < filter_.until, pulls.c.merged_at.is_not(None)]
    if filter_.ids is not None:
        conditions.append(pulls.c.id.in_(filter_.ids))
    return [*conditions, *_where_it_is(filter_)]


def _where_it_is(filter_: PullFilter) -> Conditions:
    selection = selection_of(filter_)
    if filter_.deployed:
        # What a service shipped may belong to another: explicit lists do not ask whose it is.
        return [
            _is_anything_deployed_to(selection),
            or_(_is_reached(selection), is_listed(selection)),
        ]
    if filter_.deployed is False:
        # Those that windows hold are left out by where `undeployed` looks.
        return [*may_go_to(selection), ~is_listed(selection)]
    return [] if filter_.service_id is None else [_is_assigned_to(filter_.service_id)]


def _is_assigned_to(service_id: int) -> ColumnElement[bool]:
    return (
        exists()
        .where(pull_services.c.pull_id == pulls.c.id, pull_services.c.service_id == service_id)
        .correlate_except(pull_services)
    )


def _is_anything_deployed_to(selection: Selection) -> ColumnElement[bool]:
    """Whether anything can have been shipped there. Where nothing was, no pull request is looked
    at, of which there may be a million."""
    lane = exists().where(*of_lanes(selection))
    listing = (
        exists()
        .select_from(
            deployment_pulls.join(deployments, deployments.c.id == deployment_pulls.c.deployment_id)
        )
        .where(*in_place(selection))
    )
    return or_(lane.correlate(None), listing.correlate(None))


def _is_reached(selection: Selection) -> ColumnElement[bool]:
    """Whether a window of the environments holds the pull request and its service may ship it.

    Whether an earlier deployment listed it makes no difference here: then that one shipped it.
    """
    return (
        exists()
        .select_from(lanes)
        .where(
            lanes.c.repository_id == pulls.c.repository_id,
            lanes.c.branch == pulls.c.base_ref,
            *of_lanes(selection),
            # A look into each lane: of a join, PostgreSQL reads all windows for each row.
            first_reaching().is_not(None),
            of_service(),
        )
        .correlate_except(lanes)
    )
