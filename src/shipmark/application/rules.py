"""Deploy rules: stored and changed, tried on events, and deployments registered of what matches.

`infer` is for events that were not known yet, or less well. A deployment that an event made once is
not touched again by its repeat, nor by a rule that was changed since: someone may have corrected it
meanwhile. Only what more is known of the event since is brought to it, as `told_again` has it.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from shipmark.application.drafts import Registration
from shipmark.application.events import under_names_here
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.register import Registered, answer, register
from shipmark.application.rule_ports import NamedRule
from shipmark.application.told_again import bring_up_to_date
from shipmark.domain.errors import ChangedMeanwhile, InvalidArgument, ShipmarkError
from shipmark.domain.events import EventSource, SourceEvent
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

log = logging.getLogger(__name__)

MOST_EVENTS = 10_000
"""Past events that saving a rule may look at."""

NOTHING: Final[Mapping[str, SourceEvent]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDraft:
    """A rule as a client says it. With ``since``, it is about events of the past as well.

    ``account_id`` is whose token it was; ``seen`` the version that was looked at, if that matters.
    """

    name: str
    source: EventSource
    when: Conditions
    make: Outcome
    also_failures: bool = False
    since: datetime | None = None
    account_id: int | None = None
    seen: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a rule says of an event: the deployment it means, or why it means none.

    ``result`` is of that deployment: as it stands, or why it was refused. ``is_new`` is whether
    this event has made it just now.
    """

    event: SourceEvent
    rule: DeployRule
    made: Inferred | NoMatch
    result: Registered | ShipmarkError | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedRule:
    """A rule as it stands now, and what it said of events of the past."""

    named: NamedRule
    tried: tuple[Tried, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A rule to be tried on the newest events before it is saved."""

    draft: RuleDraft
    limit: int


def upsert_rule(tx: Transaction, draft: RuleDraft, *, policy: Policy) -> SavedRule:
    """Store a rule under its name; another than stands there becomes its next version.

    Raises InvalidArgument, which says where the rule is wrong, and ChangedMeanwhile.
    """
    named = _save(tx, draft, policy)
    if draft.since is None:
        return SavedRule(named=named)
    events = _past_events(tx, draft, limit=MOST_EVENTS + 1)
    if len(events) > MOST_EVENTS:
        raise InvalidArgument(
            f"since: there are more than {MOST_EVENTS} events since then. Nothing was stored; "
            "choose a later one, or leave it out.",
            argument="since",
        )
    compiled = _compiled(named.rule, policy)
    return SavedRule(named=named, tried=tuple(_apply(tx, [compiled], events, policy)))


def try_rule(tx: Transaction, trial: Trial, *, policy: Policy) -> SavedRule:
    """What a rule would make of the newest events, the newest first: for a trial transaction."""
    named = _save(tx, trial.draft, policy)
    events = _past_events(tx, trial.draft, limit=trial.limit)
    compiled = _compiled(named.rule, policy)
    return SavedRule(named=named, tried=tuple(_apply(tx, [compiled], events, policy)))


def delete_rule(tx: Transaction, name: str) -> bool:
    """Let a rule infer no more; whether there was one. What it inferred stays."""
    return tx.deploy_rules.delete(name)


def infer(
    tx: Transaction,
    events: Sequence[SourceEvent],
    *,
    policy: Policy,
    before: Mapping[str, SourceEvent] = NOTHING,
) -> list[Tried]:
    """Register the deployments that the rules in force make of events; those, refused or not.

    ``before`` is how those events were known, by their keys, of which more is known now.
    """
    tried = apply_rules(tx, events, policy=policy, before=before)
    return [one for one in tried if one.result is not None]


def apply_rules(
    tx: Transaction,
    events: Sequence[SourceEvent],
    *,
    policy: Policy,
    before: Mapping[str, SourceEvent] = NOTHING,
) -> list[Tried]:
    """The same, with all that the rules say of the events, also why they make nothing of one."""
    if policy.patterns is None or not events:
        return []
    rules = tx.deploy_rules.about({event.source for event in events})
    usable = [one for one in (_usable(rule, policy) for rule in rules) if one is not None]
    tried = _apply(tx, usable, events, policy, before)
    for one in tried:
        about = {"rule_id": one.rule.id, "event_key": one.event.key}
        if isinstance(one.result, ShipmarkError):
            refusal = one.result.message
            log.warning("A deployment that a rule inferred was refused: %s", refusal, extra=about)
        if isinstance(one.made, NoMatch) and one.made.is_unfit:
            # The event is kept, and `doctor` tells of it: see `unmade`.
            log.warning("A rule makes no deployment: %s", one.made.reason, extra=about)
    return tried


def _past_events(tx: Transaction, draft: RuleDraft, *, limit: int) -> list[SourceEvent]:
    """The newest events, each with what its repository is called by now."""
    events = tx.deploy_rules.past_events(draft.source, since=draft.since, limit=limit)
    return under_names_here(tx, events)


def _save(tx: Transaction, draft: RuleDraft, policy: Policy) -> NamedRule:
    rule = DeployRule(
        id=0,
        version=1,
        source=draft.source,
        when=draft.when,
        make=draft.make,
        also_failures=draft.also_failures,
    )
    _compiled(rule, policy)
    id_, before = tx.deploy_rules.claim(draft.name)
    standing = before if before is not None and not before.is_deleted else None
    if draft.seen is not None and (standing is None or draft.seen != standing.rule.version):
        raise ChangedMeanwhile
    if before is not None:
        rule = replace(rule, id=id_, version=before.rule.version)
        if rule == before.rule and not before.is_deleted:
            return before
    rule = replace(rule, id=id_, version=before.rule.version + 1 if before else 1)
    tx.deploy_rules.save(draft.name, rule, account_id=draft.account_id)
    return NamedRule(name=draft.name, rule=rule, changed_at=tx.now)


def _compiled(rule: DeployRule, policy: Policy) -> CompiledRule:
    if policy.patterns is None:
        raise InvalidArgument("There are no deploy rules here: nothing can run their patterns.")
    return compile_rule(rule, policy.patterns)


def _usable(rule: DeployRule, policy: Policy) -> CompiledRule | None:
    """A stored rule, unless it was saved by a release that allowed what this one does not."""
    try:
        return _compiled(rule, policy)
    except InvalidArgument as error:
        log.warning(
            "A deploy rule cannot be used any longer: %s",
            error.message,
            extra={"rule_id": rule.id},
        )
        return None


def _apply(
    tx: Transaction,
    rules: Sequence[CompiledRule],
    events: Sequence[SourceEvent],
    policy: Policy,
    before: Mapping[str, SourceEvent] = NOTHING,
) -> list[Tried]:
    """Try every rule on every event that it is about, and register what is not there yet.

    What an event meant already by what was known of it ``before``, and is not there, was refused or
    deleted: it is not made again.
    """
    tried, meant = _try(rules, events)
    called = {one.key: one.here for one in events}
    _, was = _try(rules, [replace(one, here=called[key]) for key, one in before.items()])
    bring_up_to_date(tx, was, meant, policy=policy)
    known = tx.deployments.by_reference_ids(meant.keys())
    fresh = [one for name, one in meant.items() if name not in known and name not in was]
    made = register(tx, fresh, policy=policy) if fresh else []
    results: Mapping[str, Registered | ShipmarkError] = {
        **answer(tx, known.values()),
        **{str(one.reference_id): result for one, result in zip(fresh, made, strict=True)},
    }
    return [_with_result(one, results, known) for one in tried]


def _try(
    rules: Sequence[CompiledRule], events: Iterable[SourceEvent]
) -> tuple[list[Tried], dict[str, Registration]]:
    """What rules say of events, and the deployments that these mean, by reference_id."""
    tried = [
        Tried(event=event, rule=rule.rule, made=match(rule, event))
        for rule in rules
        for event in events
        if rule.rule.source is event.source
    ]
    meant = {
        one.made.reference_id: registration(one.event, one.made, one.rule)
        for one in tried
        if isinstance(one.made, Inferred)
    }
    return tried, meant


def _with_result(
    tried: Tried, results: Mapping[str, Registered | ShipmarkError], known: Mapping[str, object]
) -> Tried:
    if isinstance(tried.made, NoMatch) or tried.made.reference_id not in results:
        return tried
    reference_id = tried.made.reference_id
    return replace(tried, result=results[reference_id], is_new=reference_id not in known)


def registration(event: SourceEvent, made: Inferred, rule: DeployRule) -> Registration:
    """The deployment that an event means by a rule, as it is registered."""
    return Registration(
        deployed_at=event.at,
        service=made.service,
        repository=event.name_here,
        commit_sha=event.commit_sha,
        reference_id=made.reference_id,
        source_url=event.url,
        source_name=event.source,
        integration_branch=made.integration_branch,
        environment=made.environment,
        success=event.success,
        rule_id=rule.id,
        rule_version=rule.version,
    )
