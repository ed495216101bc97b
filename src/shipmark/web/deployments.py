"""The explorer of deployments, and its CSV."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response

from shipmark.application import report
from shipmark.application.queries import Cursor, DeploymentFilter, Page, ReadTransaction
from shipmark.application.report import Reported
from shipmark.application.search import NEWEST, Found, find_deployments
from shipmark.domain.model import Status
from shipmark.web import words
from shipmark.web.asked import unknown_service
from shipmark.web.downloads import csv_file, csv_lines
from shipmark.web.fields import Fields, cursor_text
from shipmark.web.visit import Visit

PATH = "/deployments"
SHOWN = 50
EXPORTED_TOGETHER = 500
FILTERS = (
    "q",
    "service",
    "repository",
    "environment",
    "source",
    "success",
    "status",
    "since",
    "until",
)
STATUSES = (
    ("", "Any"),
    (Status.ATTRIBUTED, "Attributed"),
    (Status.PENDING, "Pending"),
    (Status.EXPIRED, "Expired"),
    (Status.NONE, "Nothing to ship"),
)
OUTCOMES = (("", "Any"), ("yes", "Succeeded"), ("no", "Failed"))
COLUMNS = (
    "id",
    "reference_id",
    "deployed_at",
    "service",
    "environment",
    "success",
    "repository",
    "commit_sha",
    "source_name",
    "source_url",
    "status",
    "method",
    "pull_requests",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the explorer is asked: a filter, and a text that is searched for."""

    filter: DeploymentFilter
    text: str | None
    service: str | None
    repository: str | None

    def answer(self, tx: ReadTransaction, page: Page, *, roughly: bool = False) -> Found[Reported]:
        """A page of what is found. Raises RepositoryNotFound."""
        of = {"service": self.service, "repository": self.repository}
        if self.text is None:
            return Found(report.deployments(tx, self.filter, page, **of, roughly=roughly))
        return find_deployments(tx, self.filter, page, text=self.text, **of, roughly=roughly)


def question(fields: Fields) -> Question:
    """What a query string asks."""
    since, until = fields.times()
    return Question(
        filter=DeploymentFilter(
            environments=fields.names("environment"),
            source_name=fields.text("source"),
            success=fields.flag("success"),
            status=fields.choice("status", Status),
            since=since,
            until=until,
        ),
        text=fields.text("q"),
        service=fields.text("service"),
        repository=fields.text("repository"),
    )


async def explorer(visit: Visit) -> Response:
    """Deployments, newest first, by any of the filters together."""
    asked = question(visit.query)
    page = Page(limit=SHOWN + 1, after=visit.query.cursor(str))
    found: Found[Reported] = Found([])
    if not visit.query.problems:
        with visit.query.refusing():
            found = await visit.read(partial(asked.answer, page=page, roughly=True))
    return visit.render(
        "deployments.html",
        rows=found.rows[:SHOWN],
        next=_next(found.rows),
        is_cut=found.is_cut,
        unknown=None if found.rows else await unknown_service(visit),
        filters=visit.query.kept(*FILTERS),
        statuses=STATUSES,
        outcomes=OUTCOMES,
        newest=NEWEST,
    )


def _next(found: Sequence[Reported]) -> str | None:
    return cursor_text(*found[SHOWN - 1].row.deployment.order) if len(found) > SHOWN else None


async def export(visit: Visit) -> Response:
    """The deployments of a filter as CSV, however many they are."""
    asked = question(visit.query)
    if not visit.query.problems:
        with visit.query.refusing():
            page = Page(limit=EXPORTED_TOGETHER)
            first = (await visit.read(partial(asked.answer, page=page))).rows
    if visit.query.problems:
        return visit.render("refusal.html", message=" ".join(visit.query.problems.values()))
    return csv_file(_lines(visit, asked, first), "deployments.csv")


async def _lines(visit: Visit, asked: Question, found: list[Reported]) -> AsyncIterator[str]:
    """The lines, a page of rows at a time: each is read once the one before was taken."""
    yield csv_lines([COLUMNS])
    while found:
        yield csv_lines([_row(one) for one in found])
        if len(found) < EXPORTED_TOGETHER:
            return
        after: Cursor = found[-1].row.deployment.order
        page = Page(limit=EXPORTED_TOGETHER, after=after)
        found = (await visit.read(partial(asked.answer, page=page))).rows


def _row(one: Reported) -> tuple[object, ...]:
    row, deployment = one.row, one.row.deployment
    return (
        deployment.id,
        deployment.reference_id,
        words.iso(deployment.deployed_at),
        row.service.identifier,
        deployment.environment,
        "yes" if deployment.success else "no",
        row.repository.name if row.repository else "",
        deployment.commit_sha or " ".join(deployment.merge_commit_shas),
        deployment.source_name or "",
        deployment.source_url or "",
        deployment.attribution.status,
        deployment.method,
        one.shipped,
    )
