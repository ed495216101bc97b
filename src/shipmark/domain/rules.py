"""Deploy rules: which events at a forge are deployments, and of what.

A rule is compiled once, which is when it is checked, and then tried on events. `match` answers
with the deployment that the event means, or with the first condition that it does not meet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Final

from shipmark.domain.errors import InvalidArgument
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.domain.model import DEFAULT_ENVIRONMENT
from shipmark.domain.patterns import (
    Matcher,
    Pattern,
    PatternEngine,
    PatternInvalid,
    PatternKind,
    compile_pattern,
)
from shipmark.domain.sources import LEVELS, TOLD, is_told_its_environment, never_matches
from shipmark.domain.templates import Template, TemplateInvalid, read_template

LONGEST_NAME: Final = 255
"""Characters of a reference_id, and of a name that a template makes."""

PASSED_OVER: Final = "also_failures"
"""The condition that alone a failure does not meet of a rule that is about such events."""

_BRANCH_NEEDED: Final = frozenset({EventSource.MERGED_PULL_REQUEST, EventSource.PUSH})

_NAMES: Final = (
    "repository", "repository_name", "workflow", "stage", "job", "branch", "tag", "environment",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What an event must have. None: anything, or nothing.

    Without ``job`` and ``stage`` a rule about pipelines is about whole runs; of Bitbucket's, those
    with ``environment`` are about deployments.
    """

    repository: Pattern | None = None
    workflow: Pattern | None = None
    stage: Pattern | None = None
    job: Pattern | None = None
    branch: Pattern | None = None
    environment: Pattern | None = None
    tag: Pattern | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The deployment to make, in templates. ``environment`` None: the event's; production of an
    event that is of a kind which never tells one."""

    service: str
    environment: str | None = None
    integration_branch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRule:
    """A rule as stored. ``version`` counts its changes; failures make failed deployments."""

    id: int
    version: int
    source: EventSource
    when: Conditions
    make: Outcome
    also_failures: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferred:
    """The deployment that an event means; when, which commit and success are the event's own."""

    service: str
    environment: str
    integration_branch: str | None
    reference_id: str


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Which condition (or part of the outcome) an event does not meet, and why, in words.

    The condition ``commit`` is every rule's: what an event without one deployed is not known.
    ``is_unfit`` is whether it meets all of them, and what the rule makes of it cannot be a name:
    nobody wants that, so it is told without being asked for.
    """

    condition: str
    reason: str
    is_unfit: bool = False


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule that was checked and is ready to be tried."""

    rule: DeployRule
    matchers: Mapping[str, Matcher]
    templates: Mapping[str, Template]


def compile_rule(rule: DeployRule, engine: PatternEngine) -> CompiledRule:
    """Check a rule. Raises InvalidArgument, which says where it is wrong (``when.branch``)."""
    _check_conditions(rule)
    matchers = _compile_conditions(rule.when, engine)
    known = {*TOLD[rule.source], "repository_name", *_groups(matchers)}
    templates = {}
    for name in ("service", "environment", "integration_branch"):
        if (text := getattr(rule.make, name)) is None:
            continue
        try:
            templates[name] = read_template(text, known=known)
        except TemplateInvalid as error:
            raise _refusal(f"make.{name}", text, error) from None
    _check_levels(rule, templates)
    return CompiledRule(rule, matchers, templates)


def may_match(compiled: CompiledRule, repository: str) -> bool:
    """Whether any event of a repository can match at all."""
    matcher = compiled.matchers.get("repository")
    return matcher is None or matcher.match(repository) is not None


def shortest_unfit(compiled: CompiledRule) -> int | None:
    """How many characters the longest of an event's names has at least, where the rule makes too
    long a name of them; None: it makes none of what events tell."""
    found = []
    for template in compiled.templates.values():
        literal = sum(len(text) for text, _ in template.parts)
        filled = sum(name is not None for _, name in template.parts)
        if filled:
            found.append(-(-(LONGEST_NAME + 1 - literal) // filled))
    return max(1, min(found)) if found else None


def is_about_parts(rule: DeployRule) -> bool:
    """Whether it is about jobs, stages or the like, and not about whole runs."""
    return any(getattr(rule.when, level) is not None for level in LEVELS.get(rule.source, ()))


def match(compiled: CompiledRule, event: SourceEvent) -> Inferred | NoMatch:
    """The deployment that an event means by this rule, or why it means none."""
    rule = compiled.rule
    if rule.source is not event.source:
        return NoMatch("source", f"it is of {event.source}, and the rule about {rule.source}")
    if unlike := _level(rule, event):
        return unlike
    values: dict[str, str | None] = {name: _told(event, name) for name in _NAMES}
    for name, matcher in compiled.matchers.items():
        told = values[name]
        if told is None:
            return NoMatch(name, f"it tells no {name}, and the rule wants '{matcher.pattern}'")
        groups = matcher.match(told)
        if groups is None:
            return NoMatch(name, _unlike(name, told, matcher.pattern))
        values |= groups
    if not event.success and not rule.also_failures:
        return NoMatch(PASSED_OVER, "it failed, and the rule is about successes alone")
    return _infer(compiled, event, values)


def reference_id(rule_id: int, event_key: str) -> str:
    """What a deployment inferred from this event by this rule is called, whenever it is.

    The rule's version is no part of it: a changed rule that sees an old event again makes no
    second deployment.
    """
    name = f"rule:{rule_id}:{event_key}"
    if len(name) <= LONGEST_NAME:
        return name
    return f"rule:{rule_id}:sha256:{sha256(event_key.encode(errors='replace')).hexdigest()}"


def _check_conditions(rule: DeployRule) -> None:
    conditions = {one.name for one in fields(Conditions) if getattr(rule.when, one.name)}
    if wrong := never_matches(rule.source, frozenset(conditions)):
        name, why = wrong
        raise InvalidArgument(
            f"when.{name}: a rule about {rule.source} can never match by it, because {why}",
            argument=f"when.{name}",
        )
    if rule.source in _BRANCH_NEEDED and rule.when.branch is None:
        raise InvalidArgument(
            f"when.branch: a rule about {rule.source} must say which branch, or every branch would "
            "count as deployed. Name it, or write '**' for all of them.",
            argument="when.branch",
        )


def _compile_conditions(when: Conditions, engine: PatternEngine) -> dict[str, Matcher]:
    matchers: dict[str, Matcher] = {}
    groups: set[str] = set()
    for name in (one.name for one in fields(Conditions)):
        pattern: Pattern | None = getattr(when, name)
        if pattern is None:
            continue
        try:
            # Forges do not tell repositories apart by case; everything else they do.
            matcher = compile_pattern(pattern, engine, ignore_case=name == "repository")
        except PatternInvalid as error:
            raise _refusal(f"when.{name}", pattern.text, error) from None
        if taken := matcher.groups & (groups | set(_NAMES)):
            reason = f"the name of its group '{min(taken)}' is taken; choose another"
            raise _refusal(f"when.{name}", pattern.text, reason)
        groups |= matcher.groups
        matchers[name] = matcher
    return matchers


def _check_levels(rule: DeployRule, templates: Mapping[str, Template]) -> None:
    """Refuse ``{job}`` where the rule is about whole runs, which have none."""
    for name, template in templates.items():
        for level in LEVELS.get(rule.source, ()):
            if getattr(rule.when, level) is not None:
                break
            if level in template.placeholders:
                reason = f"{{{level}}} is known only where the rule has a condition when.{level}"
                raise _refusal(f"make.{name}", getattr(rule.make, name), reason)


def _level(rule: DeployRule, event: SourceEvent) -> NoMatch | None:
    """A run and each of its jobs are events: only those of one kind count, or all would."""
    levels = LEVELS.get(rule.source, ())
    wanted = next((one for one in levels if getattr(rule.when, one) is not None), None)
    told = next((one for one in levels if getattr(event, one) is not None), None)
    if wanted == told:
        return None
    whole = f"whole runs, because it names no {' or '.join(levels)}"
    return NoMatch(
        wanted or told or "job",
        f"it is about {f'one {told}' if told else 'a whole run'}, "
        f"and the rule about {f'single {wanted}s' if wanted else whole}",
    )


def _told(event: SourceEvent, name: str) -> str | None:
    if name == "repository_name":
        return event.repository.rpartition("/")[2] or None
    told: str | None = getattr(event, name)
    return told or None


def _unlike(name: str, told: str, pattern: Pattern) -> str:
    hint = ""
    if pattern.kind is PatternKind.GLOB and "/" in told and "**" not in pattern.text:
        hint = " ('*' stops at a slash, '**' does not)"
    elif pattern.kind is PatternKind.REGEX:
        hint = " (the expression must match all of it)"
    return f"its {name} is '{told}', and the rule wants '{pattern}'{hint}"


def _infer(
    compiled: CompiledRule, event: SourceEvent, values: Mapping[str, str | None]
) -> Inferred | NoMatch:
    if event.commit_sha is None:
        return NoMatch("commit", "it tells no commit (yet), and when it was does not tell which")
    made: dict[str, str] = {}
    for name, template in compiled.templates.items():
        if missing := template.missing(values):
            return NoMatch(name, f"the {name} is made from {{{missing}}}, which it does not tell")
        made[name] = template.fill(values)
        if not 0 < len(made[name]) <= LONGEST_NAME:
            count = len(made[name])
            why = f"the {name} would have {count} characters, and may have 1 to {LONGEST_NAME}"
            return NoMatch(name, why, is_unfit=True)
    environment = made.get("environment") or event.environment
    if not environment and is_told_its_environment(event):
        return NoMatch("environment", "it tells no environment, and the rule makes none")
    return Inferred(
        service=made["service"],
        environment=environment or DEFAULT_ENVIRONMENT,
        integration_branch=made.get("integration_branch"),
        reference_id=reference_id(compiled.rule.id, event.key),
    )


def _groups(matchers: Mapping[str, Matcher]) -> set[str]:
    return set().union(*(matcher.groups for matcher in matchers.values()))


def _refusal(argument: str, text: str, reason: object) -> InvalidArgument:
    return InvalidArgument(f"{argument} '{text}' cannot be used: {reason}.", argument=argument)
