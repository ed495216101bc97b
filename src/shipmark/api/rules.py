"""The methods rules.*: deploy rules, and what they make of the past."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Annotated, Any

import msgspec

from shipmark.api import answers, coercions, forms
from shipmark.api.answers import Answer, AttributionAnswer, ListAnswer
from shipmark.api.calls import Call
from shipmark.api.decoding import Arguments, Form
from shipmark.api.paging import LIMIT, cursor_of, cut, page
from shipmark.application.queries import Cursor
from shipmark.application.register import Registered
from shipmark.application.rule_ports import NamedRule
from shipmark.application.rules import RuleDraft, Trial, Tried
from shipmark.domain.errors import RequiredParamsMissing, ShipmarkError
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.domain.patterns import Pattern, PatternKind, read_pattern
from shipmark.domain.rules import Conditions, Inferred, NoMatch, Outcome

CONDITIONS = tuple(field.name for field in fields(Conditions))
OUTCOMES = tuple(field.name for field in fields(Outcome))
PREFIXES = {"branch": "refs/heads/", "tag": "refs/tags/"}
CREATED, KEPT, REFUSED = "created", "kept", "refused"


def _when(argument: str, value: Any) -> Conditions:
    texts = coercions.texts_by_name(argument, value, CONDITIONS)
    return Conditions(**{name: _pattern(name, text) for name, text in texts.items()})


def _pattern(name: str, text: str) -> Pattern:
    """A pattern; of branches and tags without what git puts before their names."""
    pattern = read_pattern(text)
    if pattern.kind is PatternKind.REGEX or name not in PREFIXES:
        return pattern
    return replace(pattern, text=pattern.text.removeprefix(PREFIXES[name]))


def _make(argument: str, value: Any) -> Outcome:
    texts = coercions.texts_by_name(argument, value, OUTCOMES)
    if not texts.get("service"):
        raise RequiredParamsMissing(
            f"{argument}.service is required: the service that is deployed.",
            argument=f"{argument}.service",
        )
    return Outcome(**texts)


def _object(names: Collection[str], *required: str) -> dict[str, Any]:
    """JSON Schema of an object of texts."""
    properties = {name: {"type": "string"} for name in names}
    return {"type": "object", "properties": properties, "required": list(required)}


NAME = forms.TEXT.described("What the rule is called; it stands under this name.")
SOURCE = Form(
    coercions.one_of(EventSource),
    {"enum": [source.value for source in EventSource]},
    "What kind of event is a deployment.",
)
WHEN = Form(
    _when,
    _object(CONDITIONS) | {"examples": [{"repository": "acme/*", "branch": "main"}]},
    "What the event must have; all of it. Exact text, a glob, or an expression after 'regex:'.",
)
MAKE = Form(
    _make,
    _object(OUTCOMES, "service") | {"examples": [{"service": "{repository_name}"}]},
    "The deployment that it is, in templates.",
)
ALSO_FAILURES = forms.BOOLEAN.described("Whether failures make failed deployments.")
SINCE = forms.INSTANT.described("Also make deployments of the events since then.")


class UpsertArguments(Arguments, kw_only=True, frozen=True):
    """A rule to save."""

    name: Annotated[str, NAME]
    source: Annotated[EventSource, SOURCE]
    make: Annotated[Outcome, MAKE]
    when: Annotated[Conditions, WHEN] = Conditions()
    also_failures: Annotated[bool, ALSO_FAILURES] = False
    since: Annotated[datetime | None, SINCE] = None

    def draft(self, account_id: int) -> RuleDraft:
        """The same for the use case."""
        return RuleDraft(
            name=self.name,
            source=self.source,
            when=self.when,
            make=self.make,
            also_failures=self.also_failures,
            since=self.since,
            account_id=account_id,
        )


class RuleAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """A rule as it stands."""

    id: int
    name: str
    version: int
    source: EventSource
    when: dict[str, str]
    make: dict[str, str]
    also_failures: bool
    updated_at: datetime


class RulePastAnswer(Answer, kw_only=True, frozen=True):
    """A rule, and how many deployments it made, found made, or could not make of the past."""

    rule: RuleAnswer
    created: int
    kept: int
    refused: int


async def upsert(call: Call, arguments: UpsertArguments) -> RulePastAnswer:
    """Save a rule under its name, in place of the one that stands there."""
    draft = arguments.draft(call.caller.account.id)
    saved = await call.api.write(call.api.works.upsert_rule, draft)
    return RulePastAnswer(rule=_rule(saved.named), **_counts(saved.tried))


class PreviewArguments(UpsertArguments, kw_only=True, frozen=True):
    """A rule to try."""

    since: Annotated[datetime | None, SINCE.described("Only on events since then.")] = None
    limit: Annotated[int, LIMIT] = 100


class MadeAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """The deployment that an event means.

    ``change`` is ``created``, ``kept`` (it is there already, and stays as it is) or ``refused``.
    """

    service: str
    environment: str
    integration_branch: str | None
    change: str
    attribution: AttributionAnswer | None
    error: str | None
    message: str | None


class TriedAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """An event, and the deployment that it means, or the condition that it does not meet."""

    key: str
    repository: str
    at: datetime
    success: bool
    commit_sha: str | None
    branch: str | None
    tag: str | None
    environment: str | None
    workflow: str | None
    stage: str | None
    job: str | None
    pull_number: int | None
    url: str | None
    deployment: MadeAnswer | None
    condition: str | None
    reason: str | None


class PreviewAnswer(RulePastAnswer, kw_only=True, frozen=True):
    """What a rule makes of the newest events, the newest first. Nothing is stored."""

    events: list[TriedAnswer]


async def preview(call: Call, arguments: PreviewArguments) -> PreviewAnswer:
    """Try a rule on events of the past, and store nothing."""
    trial = Trial(draft=arguments.draft(call.caller.account.id), limit=arguments.limit)
    saved = await call.api.write(call.api.works.try_rule, trial)
    return PreviewAnswer(
        rule=_rule(saved.named),
        events=[_tried(one) for one in saved.tried],
        **_counts(saved.tried),
    )


class DeleteArguments(Arguments, kw_only=True, frozen=True):
    """Which rule."""

    name: Annotated[str, NAME]


class DeleteAnswer(Answer, kw_only=True, frozen=True):
    """Whether there was such a rule; there is none now."""

    deleted: bool


async def delete(call: Call, arguments: DeleteArguments) -> DeleteAnswer:
    """Let a rule make no more deployments. Those that it made stay."""
    deleted = await call.api.write(call.api.works.delete_rule, arguments.name)
    return DeleteAnswer(deleted=deleted)


class ListArguments(Arguments, kw_only=True, frozen=True):
    """Which page."""

    cursor: Annotated[Cursor | None, cursor_of("rules", str)] = None
    limit: Annotated[int, LIMIT] = 100


class RulesAnswer(ListAnswer, kw_only=True, frozen=True):
    """A page of rules by name."""

    rules: list[RuleAnswer]


async def list_rules(call: Call, arguments: ListArguments) -> RulesAnswer:
    """The deploy rules in force, by name."""
    asked = page(arguments.limit, arguments.cursor)
    found = await call.api.read(lambda tx: tx.reports.deploy_rules(asked))
    shown, next_cursor = cut("rules", found, arguments.limit, lambda one: (one.name,))
    return RulesAnswer(rules=[_rule(one) for one in shown], next_cursor=next_cursor)


def _rule(named: NamedRule) -> RuleAnswer:
    rule = named.rule
    when = {name: str(one) for name in CONDITIONS if (one := getattr(rule.when, name)) is not None}
    return RuleAnswer(
        id=rule.id,
        name=named.name,
        version=rule.version,
        source=rule.source,
        when=when,
        make={name: text for name, text in asdict(rule.make).items() if text is not None},
        also_failures=rule.also_failures,
        updated_at=named.changed_at,
    )


def _counts(tried: Iterable[Tried]) -> dict[str, Any]:
    counts = dict.fromkeys((CREATED, KEPT, REFUSED), 0)
    for one in tried:
        if one.result is not None:
            counts[_change(one, one.result)] += 1
    return counts


def _change(tried: Tried, result: Registered | ShipmarkError) -> str:
    if isinstance(result, ShipmarkError):
        return REFUSED
    return CREATED if tried.is_new else KEPT


def _tried(tried: Tried) -> TriedAnswer:
    made = tried.made
    unlike = made if isinstance(made, NoMatch) else None
    return TriedAnswer(
        **_event(tried.event),
        deployment=_made(tried, made) if isinstance(made, Inferred) else None,
        condition=unlike.condition if unlike else None,
        reason=unlike.reason if unlike else None,
    )


NOT_TOLD = frozenset({"source", "here", "is_guessed"})
"""What is said of an event once for all of a preview, or is of no use but in here."""


def _event(event: SourceEvent) -> Mapping[str, Any]:
    """The event as it was told, by which name rules match its repository."""
    return {name: value for name, value in asdict(event).items() if name not in NOT_TOLD}


def _made(tried: Tried, made: Inferred) -> MadeAnswer:
    result = tried.result
    assert result is not None  # noqa: S101 - what is inferred is registered, or refused
    refusal = result if isinstance(result, ShipmarkError) else None
    return MadeAnswer(
        service=made.service,
        environment=made.environment,
        integration_branch=made.integration_branch,
        change=_change(tried, result),
        attribution=None if isinstance(result, ShipmarkError) else answers.attribution(result),
        error=refusal.code if refusal else None,
        message=refusal.message if refusal else None,
    )
