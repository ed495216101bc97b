"""Where a pull request is, and whether that means that it is live."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from shipmark.application import report
from shipmark.application.explain import explain_shipped_pull
from shipmark.application.explanation import PullExplanation, Target
from shipmark.application.queries import DeploymentRow, PullRow, ReadTransaction


class Verdict(StrEnum):
    """Whether a pull request is live in an environment."""

    LIVE = "live"
    PARTLY = "partly live"
    NOT_YET = "not yet"
    NOT_MERGED = "not merged"
    NOWHERE = "never deployed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """The verdict for an environment: shipped to so many of the services that it is for."""

    environment: str
    verdict: Verdict
    shipped: int
    services: int


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

    def liveness(self, environment: str, service: str | None = None) -> Liveness:
        """Whether it is live in an environment, in all its services or in one."""
        targets = [
            one
            for one in self.explanation.targets
            if one.environment == environment and service in (None, one.service) and _is_for(one)
        ]
        services = {one.service for one in targets}
        shipped = {one.service for one in targets if one.shipped_by is not None}
        return Liveness(
            environment=environment,
            verdict=self._verdict(len(shipped), len(services)),
            shipped=len(shipped),
            services=len(services),
        )

    def _verdict(self, shipped: int, services: int) -> Verdict:
        if not self.explanation.merged:
            return Verdict.NOT_MERGED
        if not services:
            return Verdict.NOWHERE
        if shipped == services:
            return Verdict.LIVE
        return Verdict.PARTLY if shipped else Verdict.NOT_YET


def _is_for(target: Target) -> bool:
    return target.reason != "assigned_to_other_services"


def whereabouts(tx: ReadTransaction, repository: str, number: int) -> Whereabouts:
    """Where a pull request is. Raises RepositoryNotFound and PullNotFound."""
    row, shipping = report.pull_with_deployments(tx, repository, number, None)
    return Whereabouts(
        row=row, explanation=explain_shipped_pull(tx, row, shipping), shipping=shipping
    )
