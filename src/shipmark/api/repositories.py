"""The methods repositories.* and services.list."""

from typing import Annotated

import msgspec

from shipmark.api import forms
from shipmark.api.answers import Answer, ListAnswer
from shipmark.api.calls import Call
from shipmark.api.decoding import Arguments
from shipmark.api.paging import LIMIT, cursor_of, cut, page
from shipmark.application import report
from shipmark.application.queries import Cursor
from shipmark.domain.model import Repository


class RepositoryAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """A repository that is known here."""

    id: int
    name: str
    default_branch: str | None
    source: str | None
    source_id: str | None
    archived: bool
    rules_file_error: str | None


class UpsertArguments(Arguments, kw_only=True, frozen=True):
    """A repository to make known, or what to change of it."""

    name: Annotated[str, forms.REPOSITORY]
    default_branch: Annotated[str, forms.BRANCH.described("Where its pull requests are merged to.")]
    source: Annotated[
        str | None, forms.TEXT.described("Which forge it is on.", examples=["github"])
    ] = None
    source_id: Annotated[str | None, forms.IDENTIFIER.described("The forge's own id of it.")] = None

    @property
    def facts(self) -> dict[str, str]:
        """What was sent of it besides its name."""
        return {
            name: value
            for name in ("default_branch", "source", "source_id")
            if (value := getattr(self, name)) is not None
        }


class UpsertAnswer(Answer, kw_only=True, frozen=True):
    """The repository as it is now."""

    repository: RepositoryAnswer


async def upsert(call: Call, arguments: UpsertArguments) -> UpsertAnswer:
    """Make a repository known, or change its default branch and with it what was attributed."""
    work = call.api.works.upsert_repository
    repository = await call.api.write(work, (arguments.name, arguments.facts))
    return UpsertAnswer(repository=_answer(repository))


class RepositoriesArguments(Arguments, kw_only=True, frozen=True):
    """Which page."""

    cursor: Annotated[Cursor | None, cursor_of("repositories", str)] = None
    limit: Annotated[int, LIMIT] = 100


class RepositoriesAnswer(ListAnswer, kw_only=True, frozen=True):
    """A page of repositories by name."""

    repositories: list[RepositoryAnswer]


async def list_repositories(call: Call, arguments: RepositoriesArguments) -> RepositoriesAnswer:
    """The repositories that are known here, by name."""
    asked = page(arguments.limit, arguments.cursor)
    found = await call.api.read(lambda tx: report.repositories(tx, asked))
    shown, next_cursor = cut("repositories", found, arguments.limit, lambda one: (one.name,))
    return RepositoriesAnswer(repositories=[_answer(one) for one in shown], next_cursor=next_cursor)


def _answer(repository: Repository) -> RepositoryAnswer:
    return RepositoryAnswer(
        id=repository.id,
        name=repository.name,
        default_branch=repository.default_branch,
        source=repository.source,
        source_id=repository.source_id,
        archived=repository.archived,
        rules_file_error=repository.rules_file_error,
    )


class ServiceAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """A service that was deployed or assigned."""

    id: int
    identifier: str
    name: str


class ServicesArguments(Arguments, kw_only=True, frozen=True):
    """Which page."""

    cursor: Annotated[Cursor | None, cursor_of("services", str)] = None
    limit: Annotated[int, LIMIT] = 100


class ServicesAnswer(ListAnswer, kw_only=True, frozen=True):
    """A page of services by identifier."""

    services: list[ServiceAnswer]


async def list_services(call: Call, arguments: ServicesArguments) -> ServicesAnswer:
    """The services that were deployed, or assigned to pull requests, by identifier."""
    asked = page(arguments.limit, arguments.cursor)
    found = await call.api.read(lambda tx: report.services(tx, asked))
    shown, next_cursor = cut("services", found, arguments.limit, lambda one: (one.identifier,))
    return ServicesAnswer(
        services=[
            ServiceAnswer(id=one.id, identifier=one.identifier, name=one.name) for one in shown
        ],
        next_cursor=next_cursor,
    )
