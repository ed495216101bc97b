"""The filters of lists, as conditions."""

from sqlalchemy import ColumnElement, exists, or_

from shipmark.application.queries import DeploymentFilter, PullFilter
from shipmark.storage.shipped import is_listed_by, of_service
from shipmark.storage.tables import (
    deployment_pulls,
    deployments,
    lanes,
    pull_services,
    pulls,
)
from shipmark.storage.windows import first_reaching


def deployment_conditions(filter_: DeploymentFilter) -> list[ColumnElement[bool]]:
    """What a deployment must fulfil."""
    wanted = {
        deployments.c.service_id: filter_.service_id,
        deployments.c.repository_id: filter_.repository_id,
        deployments.c.environment: filter_.environment,
        deployments.c.source_name: filter_.source_name,
        deployments.c.success: filter_.success,
        deployments.c.attribution_status: filter_.status,
        deployments.c.rule_id: filter_.rule_id,
    }
    conditions = [column == value for column, value in wanted.items() if value is not None]
    if filter_.since is not None:
        conditions.append(deployments.c.deployed_at >= filter_.since)
    if filter_.until is not None:
        conditions.append(deployments.c.deployed_at < filter_.until)
    if filter_.ids is not None:
        conditions.append(deployments.c.id.in_(filter_.ids))
    return conditions


def pull_conditions(filter_: PullFilter) -> list[ColumnElement[bool]]:
    """What a pull request must fulfil."""
    wanted = {
        pulls.c.repository_id: filter_.repository_id,
        pulls.c.base_ref: filter_.base_ref,
        pulls.c.author: filter_.author,
    }
    conditions: list[ColumnElement[bool]] = [
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
    # What a service shipped may belong to another: explicit lists do not ask whose it is.
    if filter_.service_id is not None and not filter_.deployed:
        conditions.append(_may_go_to(filter_.service_id, assigned_only=filter_.deployed is None))
    if filter_.deployed:
        conditions += [_is_deployed_to(filter_), or_(_is_reached(filter_), _is_listed(filter_))]
    elif filter_.deployed is False:
        # Those that windows hold are left out by where `undeployed` looks.
        conditions.append(~_is_listed(filter_))
    return conditions


def _may_go_to(service_id: int, *, assigned_only: bool) -> ColumnElement[bool]:
    assigned = exists().where(pull_services.c.pull_id == pulls.c.id).correlate_except(pull_services)
    to_this = assigned.where(pull_services.c.service_id == service_id)
    return to_this if assigned_only else or_(to_this, ~assigned)


def _is_deployed_to(filter_: PullFilter) -> ColumnElement[bool]:
    """Whether anything can have been shipped there. Where nothing was, no pull request is looked
    at, of which there may be a million."""
    lane = exists().where(lanes.c.environment == filter_.environment)
    listing = (
        exists()
        .select_from(
            deployment_pulls.join(deployments, deployments.c.id == deployment_pulls.c.deployment_id)
        )
        .where(deployments.c.environment == filter_.environment)
    )
    if filter_.service_id is not None:
        lane = lane.where(lanes.c.service_id == filter_.service_id)
    return or_(lane.correlate(None), listing.correlate(None))


def _is_reached(filter_: PullFilter) -> ColumnElement[bool]:
    """Whether a window of the environment holds the pull request and its service may ship it.

    Whether an earlier deployment listed it makes no difference here: then that one shipped it.
    """
    query = (
        exists()
        .select_from(lanes)
        .where(
            lanes.c.repository_id == pulls.c.repository_id,
            lanes.c.branch == pulls.c.base_ref,
            lanes.c.environment == filter_.environment,
            # A look into each lane: of a join, PostgreSQL reads all windows for each row.
            first_reaching().is_not(None),
            of_service(),
        )
    )
    if filter_.service_id is not None:
        query = query.where(lanes.c.service_id == filter_.service_id)
    return query.correlate_except(lanes)


def _is_listed(filter_: PullFilter) -> ColumnElement[bool]:
    conditions = [deployments.c.environment == filter_.environment]
    if filter_.service_id is not None:
        conditions.append(deployments.c.service_id == filter_.service_id)
    return is_listed_by(*conditions)
