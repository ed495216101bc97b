"""Rules and events with valid defaults."""

from typing import Any

from tests.builders import NOON, REPOSITORY, SERVICE, sha

from shipmark.connectors.re2_patterns import Re2Engine
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.domain.patterns import read_pattern
from shipmark.domain.rules import (
    CompiledRule,
    Conditions,
    DeployRule,
    Inferred,
    NoMatch,
    Outcome,
    compile_rule,
    match,
)

ENGINE = Re2Engine()


def an_event(**values: Any) -> SourceEvent:
    """A workflow run that succeeded on main."""
    defaults: dict[str, Any] = {
        "source": EventSource.GITHUB_ACTIONS,
        "key": f"github:{REPOSITORY}:run:1:1",
        "repository": REPOSITORY,
        "at": NOON,
        "success": True,
        "commit_sha": sha(1),
        "branch": "main",
        "workflow": "Deploy",
    }
    return SourceEvent(**defaults | values)


def a_rule(
    *,
    service: str = SERVICE,
    to: str | None = None,
    integration_branch: str | None = None,
    source: EventSource = EventSource.GITHUB_ACTIONS,
    also_failures: bool = False,
    rule_id: int = 7,
    version: int = 1,
    **when: str,
) -> DeployRule:
    """A rule about every run of every workflow.

    ``to`` is the environment it makes; ``when`` are its conditions, as people write them.
    """
    return DeployRule(
        id=rule_id,
        version=version,
        source=source,
        when=Conditions(**{name: read_pattern(text) for name, text in when.items()}),
        make=Outcome(service=service, environment=to, integration_branch=integration_branch),
        also_failures=also_failures,
    )


def compiled(**values: Any) -> CompiledRule:
    return compile_rule(a_rule(**values), ENGINE)


def inferred(rule: CompiledRule, **event: Any) -> Inferred:
    """What a rule makes of an event that it must match."""
    found = match(rule, an_event(**event))
    assert isinstance(found, Inferred), found
    return found


def refused(rule: CompiledRule, **event: Any) -> NoMatch:
    """Why a rule does not match an event."""
    found = match(rule, an_event(**event))
    assert isinstance(found, NoMatch), found
    return found
