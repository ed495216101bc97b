"""The methods path_rules.*: services of pull requests by the files that they changed."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec

from shipmark.api import coercions, forms
from shipmark.api.answers import Answer, ListAnswer
from shipmark.api.calls import Call
from shipmark.api.decoding import Arguments, Form
from shipmark.api.paging import LIMIT, cursor_of, cut, page
from shipmark.application.path_rules import FileDraft, Origin, PathRulesDraft, Recomputed
from shipmark.application.queries import Cursor, PathRulesRow
from shipmark.application.writer import Work
from shipmark.domain.errors import InvalidArgument
from shipmark.domain.path_rules import PathRules, ServicePaths


def _services(argument: str, value: Any) -> tuple[ServicePaths, ...]:
    lists = coercions.lists_by_name(argument, value)
    return tuple(ServicePaths(service=name, patterns=one) for name, one in lists.items())


def _otherwise(argument: str, value: Any) -> tuple[str, ...]:
    named = coercions.one_or_more_texts(argument, value)
    return tuple(name for name in (coercions.short_text(argument, one) for one in named) if name)


PATTERNS = {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}
SERVICES = Form(
    _services,
    {
        "type": "object",
        "additionalProperties": PATTERNS,
        "examples": [{"billing": ["services/billing/"], "{folder}": ["apps/{folder}/"]}],
    },
    "For each service its patterns, in the syntax of .gitignore; the last that matches decides.",
)
IGNORE = Form(coercions.one_or_more_texts, PATTERNS, "Patterns of files that count for no service.")
OTHERWISE = Form(
    _otherwise,
    PATTERNS,
    "The services of a pull request none of whose files belongs to any.",
)


FILE = Form(
    coercions.long_text,
    {"type": "string"},
    "The text of the repository's own .shipmark.yml, instead of services, ignore and otherwise.",
)
ORIGIN = Form(
    coercions.one_of(Origin),
    {"enum": [origin.value for origin in Origin]},
    "Which rules: those stored, or those of the repository's own file.",
)


class UpsertArguments(Arguments, kw_only=True, frozen=True):
    """The path rules of a repository, told or in its own file."""

    one_of: ClassVar = (("services",), ("file",))

    repository: Annotated[str, forms.REPOSITORY]
    services: Annotated[tuple[ServicePaths, ...], SERVICES] = ()
    ignore: Annotated[tuple[str, ...], IGNORE] = ()
    otherwise: Annotated[tuple[str, ...], OTHERWISE] = ()
    file: Annotated[str | None, FILE] = None

    def check(self) -> None:
        if self.file is not None and (self.services or self.ignore or self.otherwise):
            raise InvalidArgument(
                "Give either file or services, ignore and otherwise, not both.", argument="file"
            )

    @property
    def draft(self) -> PathRulesDraft:
        """The same for the use case."""
        return PathRulesDraft(
            repository=self.repository,
            rules=PathRules(services=self.services, ignore=self.ignore, otherwise=self.otherwise),
        )


class NewServicesAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """A pull request whose services are others."""

    number: int
    before: tuple[str, ...]
    after: tuple[str, ...]


class RecomputedAnswer(Answer, kw_only=True, frozen=True):
    """How many pull requests have known files, and how many of them get other services."""

    repository: str
    in_force: bool
    pull_requests: int
    reassigned: int
    changes: list[NewServicesAnswer]


async def upsert(call: Call, arguments: UpsertArguments) -> RecomputedAnswer:
    """Make these the path rules of a repository, and recompute its pull requests' services."""
    works = call.api.works
    return await _saved(call, arguments, works.save_path_rules, works.save_rules_file)


async def preview(call: Call, arguments: UpsertArguments) -> RecomputedAnswer:
    """Tell which pull requests would get other services, and store nothing."""
    works = call.api.works
    return await _saved(call, arguments, works.try_path_rules, works.try_rules_file)


async def _saved(
    call: Call,
    arguments: UpsertArguments,
    rules: Work[PathRulesDraft, Recomputed],
    file: Work[FileDraft, Recomputed],
) -> RecomputedAnswer:
    if arguments.file is None:
        return RecomputedAnswer(**_told(await call.api.write(rules, arguments.draft)))
    draft = FileDraft(repository=arguments.repository, body=arguments.file.encode(errors="replace"))
    return RecomputedAnswer(**_told(await call.api.write(file, draft)))


class DeleteArguments(Arguments, kw_only=True, frozen=True):
    """Whose path rules."""

    repository: Annotated[str, forms.REPOSITORY]
    origin: Annotated[Origin, ORIGIN] = Origin.STORED


class DeleteAnswer(RecomputedAnswer, kw_only=True, frozen=True):
    """Whether there were any, and what became of the pull requests' services."""

    deleted: bool


async def delete(call: Call, arguments: DeleteArguments) -> DeleteAnswer:
    """Take away path rules of a repository, and the services that they derived."""
    draft = PathRulesDraft(repository=arguments.repository, rules=None, origin=arguments.origin)
    done = await call.api.write(call.api.works.save_path_rules, draft)
    return DeleteAnswer(deleted=done.is_change, **_told(done))


class ListArguments(Arguments, kw_only=True, frozen=True):
    """Which page."""

    cursor: Annotated[Cursor | None, cursor_of("path_rules", str, str)] = None
    limit: Annotated[int, LIMIT] = 100


class PathRulesAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """The path rules of a repository. ``origin`` is ``stored``, or ``file`` for its own file's."""

    repository: str
    origin: str
    services: dict[str, tuple[str, ...]]
    ignore: tuple[str, ...]
    otherwise: tuple[str, ...]
    updated_at: datetime


class ListPathRulesAnswer(ListAnswer, kw_only=True, frozen=True):
    """A page of path rules by the names of their repositories."""

    path_rules: list[PathRulesAnswer]


async def list_path_rules(call: Call, arguments: ListArguments) -> ListPathRulesAnswer:
    """The path rules of all repositories, by name."""
    asked = page(arguments.limit, arguments.cursor)
    found = await call.api.read(lambda tx: tx.reports.path_rules(asked))
    shown, next_cursor = cut(
        "path_rules", found, arguments.limit, lambda one: (one.repository, one.origin)
    )
    return ListPathRulesAnswer(path_rules=[_rules(one) for one in shown], next_cursor=next_cursor)


def _rules(row: PathRulesRow) -> PathRulesAnswer:
    return PathRulesAnswer(
        repository=row.repository,
        origin=row.origin,
        services={one.service: one.patterns for one in row.rules.services},
        ignore=row.rules.ignore,
        otherwise=row.rules.otherwise,
        updated_at=row.updated_at,
    )


def _told(done: Recomputed) -> dict[str, Any]:
    return {
        "repository": done.repository,
        "in_force": done.in_force,
        "pull_requests": done.pull_requests,
        "reassigned": done.reassigned,
        "changes": [
            NewServicesAnswer(number=one.number, before=one.before, after=one.after)
            for one in done.shown
        ],
    }
