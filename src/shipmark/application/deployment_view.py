"""Everything that stands on a deployment's page, from one state of the database."""

from collections.abc import Sequence
from dataclasses import dataclass

from shipmark.application import report
from shipmark.application.explain import explain_deployment
from shipmark.application.explanation import DeploymentExplanation
from shipmark.application.queries import DeploymentRow, Page, ReadTransaction
from shipmark.application.report import Reported
from shipmark.domain.attribution import Window

EACH_SIDE = 3
"""How many deployments, or windows of the lane, are shown before and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentView:
    """A deployment, a page of what it ships, why, and what was deployed before and after it.

    ``windows`` are those around its own in its lane, in order; ``neighbours`` are deployments of
    the same service and environment, newest first, itself among them.
    """

    reported: Reported
    explanation: DeploymentExplanation
    windows: Sequence[Window]
    neighbours: Sequence[DeploymentRow]


def deployment_view(tx: ReadTransaction, id_: int, page: Page) -> DeploymentView:
    """What is to be shown of a deployment. Raises DeploymentNotFound."""
    found = report.deployment_with_pulls(tx, id_, None, page)
    own = next(iter(tx.windows.of([id_])), None)
    around = tx.reports.deployments_around(found.row.deployment, EACH_SIDE)
    return DeploymentView(
        reported=found,
        explanation=explain_deployment(tx, found.row, found.shipped),
        windows=() if own is None else tx.reports.windows_around(own, EACH_SIDE),
        neighbours=tx.reports.deployments_by_id(around),
    )
