"""Everything that stands on a deployment's page, from one state of the database."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shipmark.application import report
from shipmark.application.explain import MOST_CARRIED, explain_deployment
from shipmark.application.explanation import DeploymentExplanation
from shipmark.application.ports import MOST_COUNTED
from shipmark.application.queries import DeploymentRow, Page, PullRow, ReadTransaction
from shipmark.application.report import Reported
from shipmark.domain.attribution import Window

EACH_SIDE = 3
"""How many deployments, or windows of the lane, are shown before and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentView:
    """A deployment, a page of what it ships, why, and what was deployed before and after it.

    ``windows`` are those around its own in its lane, in order; ``neighbours`` are deployments of
    the same service and environment, newest first, itself among them. ``taken_back`` are the first
    pull requests that had been deployed before a rollback and are not in it.
    """

    reported: Reported
    explanation: DeploymentExplanation
    windows: Sequence[Window]
    neighbours: Sequence[DeploymentRow]
    taken_back: Sequence[PullRow]


def deployment_view(tx: ReadTransaction, id_: int, page: Page) -> DeploymentView:
    """What is to be shown of a deployment. Raises DeploymentNotFound."""
    found = report.deployment_with_pulls(tx, id_, None, page, roughly=True)
    own = next(iter(tx.windows.of([id_])), None)
    # What is not counted to its end is not said in words; the page says that it is more.
    counted = found.shipped if found.shipped < MOST_COUNTED else 0
    around = tx.reports.deployments_around(found.row.deployment, EACH_SIDE)
    return DeploymentView(
        reported=found,
        explanation=explain_deployment(tx, found.row, counted),
        windows=() if own is None else tx.reports.windows_around(own, EACH_SIDE),
        neighbours=tx.reports.deployments_by_id(around),
        taken_back=_taken_back(tx, own) if own and found.row.rolled_back else (),
    )


def _taken_back(tx: ReadTransaction, own: Window) -> list[PullRow]:
    """What lies between where a rollback reaches and where its lane had come."""
    mark = tx.reports.mark_before(own.lane_id, own.order)
    if mark is None:
        return []
    between = replace(own, opened=own.reached, reached=mark.reached)
    lane = tx.lanes.keys([own.lane_id])[own.lane_id]
    return tx.reports.carried_pulls(between, lane, Page(limit=MOST_CARRIED))
