"""The method repositories.doctor: what was received last, what is missing, and why."""

from typing import Annotated

from shipmark.api import forms
from shipmark.api.answers import ListAnswer
from shipmark.api.calls import Call
from shipmark.api.decoding import Arguments
from shipmark.api.paging import LIMIT, cursor_of, cut, page
from shipmark.application.checkup import BadDeliveries, Overdue, Waiting
from shipmark.application.diagnosis import Finding, ForgeDiagnosis, RepositoryDiagnosis
from shipmark.application.doctor import examine
from shipmark.application.queries import Cursor


class DoctorArguments(Arguments, kw_only=True, frozen=True):
    """Which repositories: one, or a page of all."""

    repository: Annotated[str | None, forms.REPOSITORY] = None
    cursor: Annotated[Cursor | None, cursor_of("doctor", str)] = None
    limit: Annotated[int, LIMIT] = 100


class DoctorAnswer(ListAnswer, kw_only=True, frozen=True):
    """What was found in general, and of a page of repositories by name.

    ``healthy``: nothing is missing of what this page shows.
    """

    healthy: bool
    findings: tuple[Finding, ...]
    forges: tuple[ForgeDiagnosis, ...]
    overdue: tuple[Overdue, ...]
    deliveries: tuple[BadDeliveries, ...]
    without_repository: tuple[Waiting, ...]
    repositories: list[RepositoryDiagnosis]


async def doctor(call: Call, arguments: DoctorArguments) -> DoctorAnswer:
    """Tell what was received last of each repository, what is missing, and why."""
    asked = page(arguments.limit, arguments.cursor)
    found = await call.api.read(
        lambda tx: examine(tx, call.api.setup, asked, repository=arguments.repository)
    )
    shown, next_cursor = cut(
        "doctor", found.repositories, arguments.limit, lambda one: (one.repository,)
    )
    return DoctorAnswer(
        healthy=not found.findings and not any(one.findings for one in shown),
        findings=found.findings,
        forges=found.forges,
        overdue=found.overdue,
        deliveries=found.deliveries,
        without_repository=found.without_repository,
        repositories=shown,
        next_cursor=next_cursor,
    )
