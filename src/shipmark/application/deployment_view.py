"""Everything that stands on a deployment's page, from one state of the database."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shipmark.application import report
from shipmark.application.explain import MOST_CARRIED, explain_in_rows
from shipmark.application.explanation import ExplainedInRows, First
from shipmark.application.ports import MOST_COUNTED
from shipmark.application.queries import (
    DeploymentRow,
    Page,
    PullRow,
    ReadTransaction,
    Surroundings,
)
from shipmark.application.report import Reported

EACH_SIDE = 3
"""How many deployments, or windows of the lane, are shown before and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentView:
    """A deployment, a page of what it ships, why, and what was deployed before and after it.

    ``around`` is its window among those of its lane, if it has one; ``neighbours`` are those of
    the same service and environment, newest first, itself among them. ``taken_back`` are the first
    pull requests that had been deployed before a rollback and are not in it.
    """

    reported: Reported
    explained: ExplainedInRows
    around: Surroundings | None
    neighbours: Sequence[DeploymentRow]
    taken_back: First[PullRow]


def deployment_view(tx: ReadTransaction, id_: int, page: Page) -> DeploymentView:
    """What is to be shown of a deployment. Raises DeploymentNotFound."""
    row = report.deployment(tx, id_, None)
    one = row.deployment
    around = tx.explanations.around(one, EACH_SIDE)
    placed = [around.placed] if around else []
    found = report.with_pulls(tx, row, page, placed, roughly=True)
    # What is not counted to its end is not said in words; the page says that it is more.
    counted = found.shipped if found.shipped < MOST_COUNTED else 0
    return DeploymentView(
        reported=found,
        explained=explain_in_rows(tx, row, counted, around),
        around=around,
        neighbours=tx.reports.deployments_around(one, EACH_SIDE),
        taken_back=_taken_back(tx, around) if around and row.rolled_back else First(),
    )


def _taken_back(tx: ReadTransaction, around: Surroundings) -> First[PullRow]:
    """What lies between where a rollback reaches and where its lane had come."""
    if around.mark is None:
        return First()
    own = around.placed.window
    between = replace(own, opened=own.reached, reached=around.mark.reached)
    page = Page(limit=MOST_CARRIED + 1)
    found = tx.explanations.carried_pulls(between, around.placed.lane, page)
    return First.of(found, MOST_CARRIED)
