"""Where a pull request is, and whether that means that it is live.

A place is a service in an environment. It is live in an environment, or in production, which may
be several, if it is in all the places there that it is for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from shipmark.application import report
from shipmark.application.explain import explain_shipped_pull
from shipmark.application.explanation import PullExplanation, Target
from shipmark.application.queries import DeploymentRow, PullRow, ReadTransaction
from shipmark.domain.incidents import is_production
from shipmark.domain.model import DEFAULT_ENVIRONMENT


class Verdict(StrEnum):
    """Whether a pull request is live somewhere."""

    LIVE = "live"
    PARTLY = "partly live"
    NOT_YET = "not yet"
    NOT_MERGED = "not merged"
    NOWHERE = "never deployed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """The verdict for an environment: shipped to so many of the places that it is for."""

    environment: str
    verdict: Verdict
    shipped: int
    places: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """A pull request, why it is where it is, and the deployments that ship it."""

    row: PullRow
    explanation: PullExplanation
    shipping: Sequence[DeploymentRow]

    @property
    def environments(self) -> list[str]:
        """Those it may be in, or is in already."""
        return sorted({one.environment for one in self.explanation.targets if _is_for(one)})

    def liveness(self, environment: str | None = None, service: str | None = None) -> Liveness:
        """Whether it is live in an environment, in all its services or in one. Without an
        environment it is that of production, or all of them together."""
        targets = [
            one
            for one in self.explanation.targets
            if (
                is_production(one.environment)
                if environment is None
                else one.environment == environment
            )
            and service in (None, one.service)
            and _is_for(one)
        ]
        if environment is None:
            names = {one.environment for one in targets}
            environment = names.pop() if len(names) == 1 else DEFAULT_ENVIRONMENT
        places = {_place(one) for one in targets}
        shipped = {_place(one) for one in targets if one.shipped_by is not None}
        return Liveness(
            environment=environment,
            verdict=self._verdict(len(shipped), len(places)),
            shipped=len(shipped),
            places=len(places),
        )

    def _verdict(self, shipped: int, places: int) -> Verdict:
        if not self.explanation.merged:
            return Verdict.NOT_MERGED
        if not places:
            return Verdict.NOWHERE
        if shipped == places:
            return Verdict.LIVE
        return Verdict.PARTLY if shipped else Verdict.NOT_YET


def _place(target: Target) -> tuple[str, str]:
    return target.service, target.environment


def _is_for(target: Target) -> bool:
    return target.reason != "assigned_to_other_services"


def whereabouts(tx: ReadTransaction, repository: str, number: int) -> Whereabouts:
    """Where a pull request is. Raises RepositoryNotFound and PullNotFound."""
    row, shipping = report.pull_with_deployments(tx, repository, number, None)
    return Whereabouts(
        row=row, explanation=explain_shipped_pull(tx, row, shipping), shipping=shipping
    )
