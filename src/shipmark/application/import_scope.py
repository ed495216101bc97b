"""What an import reads besides a repository, its pull requests and its commits, in words.

A word is the source of events that some deploy rule is about; with ``/parts`` behind it, of the
jobs or stages of such runs, which most forges tell at another price. What no rule is about costs no
calls. ``whole_pulls`` are the commits and files of pull requests, where a list does not tell them.
"""

from typing import Final

from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.domain.errors import InvalidArgument
from shipmark.domain.events import EventSource
from shipmark.domain.model import Repository
from shipmark.domain.rules import DeployRule, compile_rule, is_about_parts, may_match

WHOLE_PULLS: Final = "whole_pulls"


def whole(source: EventSource) -> str:
    return source.value


def parts(source: EventSource) -> str:
    return f"{source.value}/parts"


EVERYTHING: Final = frozenset(word(one) for one in EventSource for word in (whole, parts))
"""The events of all sources, whether or not a rule is about them."""


def events_for_rules(tx: Transaction, repository: Repository, policy: Policy) -> frozenset[str]:
    """The events of a repository that rules in force are about."""
    return frozenset(
        (parts if is_about_parts(rule) else whole)(rule.source)
        for rule in tx.deploy_rules.about(list(EventSource))
        if _may_match(rule, repository, policy)
    )


def _may_match(rule: DeployRule, repository: Repository, policy: Policy) -> bool:
    if policy.patterns is None:
        return False
    try:
        return may_match(compile_rule(rule, policy.patterns), repository.name)
    except InvalidArgument:
        # Saved by a release that allowed what this one does not: it infers nothing either.
        return False
