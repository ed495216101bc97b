"""Which deployments, lanes and pull requests metrics are about, as conditions."""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, String, and_, exists, false, func, or_, select, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from shipmark.application.metric_queries import FixRules, Selection
from shipmark.domain.incidents import PRODUCTION
from shipmark.domain.periods import Period
from shipmark.storage.shipped import has_any, is_listed_by, shipped_in_window
from shipmark.storage.statements import by_no_index, is_any
from shipmark.storage.tables import (
    deployment_pulls,
    deployments,
    lanes,
    pull_services,
    pulls,
    windows,
)


def of_environments(column: ColumnElement[str], names: Collection[str]) -> ColumnElement[bool]:
    """One of these environments; without any, those of production."""
    if names:
        return column.in_(sorted(names))
    return func.lower(column).contains(PRODUCTION)


def in_place(selection: Selection) -> list[ColumnElement[bool]]:
    """Deployments of the service, to the environments."""
    conditions = [of_environments(deployments.c.environment, selection.environments)]
    if selection.service_id is not None:
        conditions.append(deployments.c.service_id == selection.service_id)
    return conditions


def in_period(period: Period) -> list[ColumnElement[bool]]:
    return [deployments.c.deployed_at >= period.since, deployments.c.deployed_at < period.until]


def counted(selection: Selection) -> list[ColumnElement[bool]]:
    """What a deployment must fulfil beside being in a place that is asked about."""
    conditions: list[ColumnElement[bool]] = []
    if selection.repository_id is not None:
        conditions.append(of_repository(selection.repository_id))
    if selection.source_name is not None:
        conditions.append(deployments.c.source_name == selection.source_name)
    if selection.author is not None:
        conditions.append(or_(*ships(by_no_index(pulls.c.author, "") == selection.author)))
    return conditions


def of_repository(repository_id: int) -> ColumnElement[bool]:
    """It names the repository, or names none and lists a pull request of it."""
    return or_(deployments.c.repository_id == repository_id, lists_of(repository_id))


def lists_of(repository_id: int) -> ColumnElement[bool]:
    """It names no repository and lists a pull request of this one."""
    listed = has_any(
        select(true())
        .select_from(deployment_pulls.join(pulls, pulls.c.id == deployment_pulls.c.pull_id))
        .where(
            deployment_pulls.c.deployment_id == deployments.c.id,
            by_no_index(pulls.c.repository_id, 0) == repository_id,
        ),
        deployment_pulls,
        pulls,
    )
    return and_(deployments.c.repository_id.is_(None), listed)


def ships(condition: ColumnElement[bool]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The deployment of the enclosing query ships such a pull request, by window or by list."""
    by_window = (
        exists()
        .select_from(windows.join(lanes, lanes.c.id == windows.c.lane_id).join(pulls, true()))
        .where(windows.c.deployment_id == deployments.c.id, shipped_in_window(), condition)
        .correlate(deployments)
    )
    by_list = (
        exists()
        .select_from(deployment_pulls.join(pulls, pulls.c.id == deployment_pulls.c.pull_id))
        .where(
            deployment_pulls.c.deployment_id == deployments.c.id,
            deployments.c.success.is_(true()),
            pulls.c.merged_at.is_not(None),
            condition,
        )
        .correlate(deployments)
    )
    return by_window, by_list


def asked_about(selection: Selection, period: Period) -> list[ColumnElement[bool]]:
    """Deployments that count, in a period."""
    return [*in_period(period), *in_place(selection), *counted(selection)]


def of_pulls(selection: Selection) -> list[ColumnElement[bool]]:
    """What a shipped pull request must fulfil."""
    conditions: list[ColumnElement[bool]] = []
    if selection.repository_id is not None:
        conditions.append(pulls.c.repository_id == selection.repository_id)
    if selection.author is not None:
        conditions.append(pulls.c.author == selection.author)
    return conditions


def of_lanes(selection: Selection) -> list[ColumnElement[bool]]:
    """Lanes of the service and the repository, to the environments."""
    conditions = [of_environments(lanes.c.environment, selection.environments)]
    if selection.service_id is not None:
        conditions.append(lanes.c.service_id == selection.service_id)
    if selection.repository_id is not None:
        conditions.append(lanes.c.repository_id == selection.repository_id)
    return conditions


def deployed_from(selection: Selection) -> list[ColumnElement[bool]]:
    """The same lanes, but for those of which all deployments are gone again."""
    has_windows = exists().where(windows.c.lane_id == lanes.c.id).correlate_except(windows)
    return [*of_lanes(selection), has_windows]


def is_listed(selection: Selection) -> ColumnElement[bool]:
    """A successful deployment of the service to the environments lists the pull request."""
    return is_listed_by(*in_place(selection))


def may_go_to(selection: Selection) -> list[ColumnElement[bool]]:
    """Where a service is asked about: the pull request belongs to it, or to none and its branch
    is one from which the service is deployed; or the service has listed it anyway."""
    if selection.service_id is None:
        return []
    belongs = and_(belongs_to_none(), is_from_branch(selection))
    return [or_(belongs, *may_go_anyway(selection))]


def may_go_anyway(selection: Selection) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The pull request may go to the service that is asked about from whatever branch: it belongs
    to the service, or the service has listed it."""
    of_this = _ASSIGNED.where(pull_services.c.service_id == selection.service_id)
    return (
        and_(is_any(pull_services.c.pull_id), of_this),
        and_(is_any(deployment_pulls.c.pull_id), is_listed(selection)),
    )


def is_from_branch(selection: Selection) -> ColumnElement[bool]:
    """The branch of the pull request is one from which the service is deployed."""
    return (
        exists()
        .where(
            lanes.c.repository_id == pulls.c.repository_id,
            lanes.c.branch == pulls.c.base_ref,
            *deployed_from(selection),
        )
        .correlate_except(lanes)
    )


def belongs_to_none() -> ColumnElement[bool]:
    """No service has been named for the pull request."""
    return ~and_(is_any(pull_services.c.pull_id), _ASSIGNED)


_ASSIGNED = exists().where(pull_services.c.pull_id == pulls.c.id).correlate_except(pull_services)


class _LowerAToZ(FunctionElement[str]):
    """A text with A to Z in lower case, on both databases alike."""

    name = "lower_a_to_z"
    inherit_cache = True
    type = String()


@compiles(_LowerAToZ, "sqlite")
def _lower_on_sqlite(element: _LowerAToZ, compiler: Any, **keywords: Any) -> str:
    return f"lower({compiler.process(element.clauses, **keywords)})"


@compiles(_LowerAToZ, "postgresql")
def _lower_on_postgresql(element: _LowerAToZ, compiler: Any, **keywords: Any) -> str:
    return f'lower(({compiler.process(element.clauses, **keywords)}) COLLATE "C")'


def is_fix(rules: FixRules) -> ColumnElement[bool]:
    """The title of the pull request begins like a fix's, or one of its labels is a fix's."""
    title = _LowerAToZ(func.coalesce(pulls.c.title, ""))
    labels = _LowerAToZ(func.coalesce(pulls.c.labels, ""))
    by_title = [title.startswith(_lower(one), autoescape=True) for one in rules.titles]
    by_label = []
    for one in rules.labels:
        # As it stands in a JSON array: first, or after a comma; quotes in a text are escaped.
        label = _lower(json.dumps(one))
        by_label += [
            labels.startswith(f"[{label}", autoescape=True),
            labels.contains(f", {label}", autoescape=True),
        ]
    # Most have no labels: they are compared with none.
    has_labels = pulls.c.labels.is_not(None)
    return or_(false(), *by_title, and_(has_labels, or_(false(), *by_label)))


def _lower(text: str) -> str:
    return "".join(one.lower() if one.isascii() else one for one in text)
