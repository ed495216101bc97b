"""The methods pulls.* and deployments.setPullServices."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from shipmark.api import answers, forms
from shipmark.api.answers import Answer, ListAnswer, PullAnswer, ShippedByAnswer
from shipmark.api.calls import Call
from shipmark.api.coercions import ServiceName
from shipmark.api.decoding import Arguments
from shipmark.api.paging import LIMIT, cursor_of, cut, page
from shipmark.application import report
from shipmark.application.explanation import PullExplanation
from shipmark.application.queries import Cursor, PullFilter, PullRow
from shipmark.application.set_services import Assignment
from shipmark.domain.errors import RequiredParamsMissing
from shipmark.domain.model import BEGINNING, DEFAULT_ENVIRONMENT

PULL_NUMBER = forms.WHOLE_NUMBER.described("The pull request's number in its repository.")
GITHUB_PULL_ID = forms.WHOLE_NUMBER.described("The unique id GitHub gave the pull request.")


class SetServicesArguments(Arguments, kw_only=True, frozen=True):
    """A pull request, by GitHub's id or by repository and number, and its services."""

    one_of: ClassVar = (("github_pull_id",), ("repository", "pull_number"))

    github_pull_id: Annotated[int | None, GITHUB_PULL_ID] = None
    repository: Annotated[str | None, forms.REPOSITORY] = None
    pull_number: Annotated[int | None, PULL_NUMBER] = None
    services: Annotated[tuple[ServiceName, ...], forms.SERVICES]
    replace: Annotated[
        bool,
        forms.BOOLEAN.described("Make the services these alone; otherwise they are added."),
    ] = False

    def check(self) -> None:
        if not self.services and not self.replace:
            raise RequiredParamsMissing(
                "services is required: name at least one, or send replace: true to clear them.",
                argument="services",
            )

    def assignment(self) -> Assignment:
        """The same for the use case."""
        by_id = self.github_pull_id is not None
        return Assignment(
            services=self.services,
            source_id=str(self.github_pull_id) if by_id else None,
            repository=None if by_id else self.repository,
            number=None if by_id else self.pull_number,
            replace=self.replace,
        )


class SetServicesAnswer(Answer, kw_only=True, frozen=True):
    """The services it has now. ``imported`` is false while the assignment waits for it."""

    imported: bool
    services: tuple[str, ...]


async def set_services(call: Call, arguments: SetServicesArguments) -> SetServicesAnswer:
    """Say which services a pull request changed, before or after it is imported."""
    assigned = await call.api.write(call.api.works.set_services, arguments.assignment())
    return SetServicesAnswer(imported=assigned.pull is not None, services=assigned.services)


class PullArguments(Arguments, kw_only=True, frozen=True):
    """Which pull request: by repository and number, or by the forge's own id."""

    one_of: ClassVar = (("repository", "number"), ("source_id",))

    repository: Annotated[str | None, forms.REPOSITORY] = None
    number: Annotated[int | None, PULL_NUMBER] = None
    source_id: Annotated[
        str | None, forms.IDENTIFIER.described("The forge's own id of the pull request.")
    ] = None

    @property
    def which(self) -> tuple[str | None, int | None, str | None]:
        if self.repository is not None and self.number is not None:
            return self.repository, self.number, None
        return None, None, self.source_id


class PullInfoAnswer(Answer, kw_only=True, frozen=True):
    """A pull request and the deployments that ship it."""

    pull_request: PullAnswer
    deployments: list[ShippedByAnswer]


async def info(call: Call, arguments: PullArguments) -> PullInfoAnswer:
    """Everything about a pull request, with the deployments that ship it."""
    row, shipping = await call.api.read(
        lambda tx: report.pull_with_deployments(tx, *arguments.which)
    )
    return PullInfoAnswer(
        pull_request=answers.pull_request(row),
        deployments=[
            answers.shipped_by(one, row.pull, call.page_of(one.deployment.id)) for one in shipping
        ],
    )


class PullExplainAnswer(Answer, kw_only=True, frozen=True):
    """Where a pull request is, or why not yet, in fields and in words."""

    pull_request: PullAnswer
    explanation: PullExplanation


async def explain(call: Call, arguments: PullArguments) -> PullExplainAnswer:
    """Explain where a pull request is, for each service and environment."""
    row, explanation = await call.api.read(lambda tx: report.explained_pull(tx, *arguments.which))
    return PullExplainAnswer(pull_request=answers.pull_request(row), explanation=explanation)


class PullListArguments(Arguments, kw_only=True, frozen=True):
    """Which pull requests."""

    repository: Annotated[str | None, forms.REPOSITORY] = None
    base_ref: Annotated[str | None, forms.BRANCH] = None
    author: Annotated[str | None, forms.TEXT] = None
    merged: Annotated[bool | None, forms.BOOLEAN] = None
    service: Annotated[
        str | None,
        forms.TEXT.described("Assigned to it; with deployed, also those assigned to none."),
    ] = None
    deployed: Annotated[
        bool | None,
        forms.BOOLEAN.described(
            "Merged, and shipped (true) or not yet shipped (false) to the environment by any "
            "deployment, of the service if one is given."
        ),
    ] = None
    environment: Annotated[str, forms.TEXT.described("What deployed is about.")] = (
        DEFAULT_ENVIRONMENT
    )
    since: Annotated[datetime | None, forms.INSTANT.described("Merged at or after.")] = None
    until: Annotated[datetime | None, forms.INSTANT.described("Merged before.")] = None
    cursor: Annotated[Cursor | None, cursor_of("pulls", datetime, int)] = None
    limit: Annotated[int, LIMIT] = 100


class PullsAnswer(ListAnswer, kw_only=True, frozen=True):
    """A page of pull requests, last merged first; those not merged come last."""

    pull_requests: list[PullAnswer]


async def list_pulls(call: Call, arguments: PullListArguments) -> PullsAnswer:
    """Pull requests, last merged first, by any of the filters together."""
    asked = page(arguments.limit, arguments.cursor)
    filter_ = PullFilter(
        base_ref=arguments.base_ref,
        author=arguments.author,
        merged=arguments.merged,
        deployed=arguments.deployed,
        environments=(arguments.environment,),
        since=arguments.since,
        until=arguments.until,
    )
    found = await call.api.read(
        lambda tx: report.pulls(
            tx, filter_, asked, service=arguments.service, repository=arguments.repository
        )
    )
    shown, next_cursor = cut("pulls", found, arguments.limit, _listed_key)
    return PullsAnswer(
        pull_requests=[answers.pull_request(row) for row in shown], next_cursor=next_cursor
    )


def _listed_key(row: PullRow) -> tuple[Any, ...]:
    return row.pull.merged_at or BEGINNING.at, row.pull.id
