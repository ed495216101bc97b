"""Look for what is missing, in general and of each repository: read the facts, then judge them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from shipmark.application.checkup import BadDeliveries, RepositoryState, RuleState
from shipmark.application.diagnosis import (
    Diagnosis,
    Finding,
    ForgeDiagnosis,
    ForgeSetup,
    ImportState,
    MatchingRule,
    ReceivedLast,
    RepositoryDiagnosis,
)
from shipmark.application.findings import general_findings, repository_findings
from shipmark.application.queries import Page, ReadTransaction
from shipmark.application.report import located
from shipmark.application.unmade import image_findings, unfit_findings
from shipmark.domain.errors import InvalidArgument
from shipmark.domain.patterns import PatternEngine
from shipmark.domain.rules import CompiledRule, compile_rule, shortest_unfit

LOOKED_BACK = timedelta(days=30)
"""How old a deployment may be of which it is said that it waits, or waited in vain."""

GRACE = timedelta(minutes=10)
"""How long a deployment may wait, or work be due, before that is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What the settings say of forges, by source, and what runs the patterns of rules."""

    forges: Mapping[str, ForgeSetup] = field(default_factory=dict)
    patterns: PatternEngine | None = None


def examine(
    tx: ReadTransaction, setup: Setup, page: Page, *, repository: str | None = None
) -> Diagnosis:
    """Look at a page of repositories, or at one, and at what is common to all.

    Raises RepositoryNotFound.
    """
    name = None if repository is None else located(tx, repository).name
    states = tx.checkups.repositories(
        name=name,
        deployed_since=tx.now - LOOKED_BACK,
        registered_before=tx.now - GRACE,
        limit=page.limit,
        after=page.after[0] if page.after else None,
    )
    bad = tx.checkups.bad_deliveries()
    known = tx.repositories.named({one.repository for one in bad if one.repository})
    homeless = [one for one in bad if not (one.repository and known[one.repository])]
    rules = tx.checkups.rules()
    compiled = [(one, _compiled(one, setup)) for one in rules]
    overdue = tuple(tx.checkups.overdue(before=tx.now - GRACE))
    forges = _forges(tx, setup)
    lost = tx.checkups.without_repository(
        deployed_since=tx.now - LOOKED_BACK, registered_before=tx.now - GRACE
    )
    general = general_findings(
        now=tx.now, forges=forges, overdue=overdue, deliveries=homeless, waiting=lost
    )
    usable = [(one.named.name, rule) for one, rule in compiled if rule]
    return Diagnosis(
        findings=(*general, *_images_missing(tx), *_names_too_long(tx, usable)),
        forges=forges,
        overdue=overdue,
        deliveries=tuple(homeless),
        without_repository=lost,
        repositories=tuple(
            _diagnosed(
                tx,
                state,
                setup,
                [one for one in bad if _is_about(one, known, state)],
                [rule for rule, its in compiled if its and _matches(its, state)],
            )
            for state in states
        ),
    )


def _images_missing(tx: ReadTransaction) -> Iterator[Finding]:
    reports = tx.checkups.reports_of_late(since=tx.now - LOOKED_BACK, before=tx.now - GRACE)
    return image_findings(tx.now, reports)


def _names_too_long(
    tx: ReadTransaction, rules: Sequence[tuple[str, CompiledRule]]
) -> Iterator[Finding]:
    """What rules could not make of events: looked for where names are long enough for that."""
    lengths = [shortest for _, rule in rules if (shortest := shortest_unfit(rule)) is not None]
    if not lengths:
        return iter(())
    events = tx.checkups.long_named_events(
        {rule.rule.source for _, rule in rules},
        since=tx.now - LOOKED_BACK,
        longest_name=min(lengths),
    )
    return unfit_findings(tx.now, rules, events)


def _is_about(
    one: BadDeliveries, known: Mapping[str, Sequence[object]], state: RepositoryState
) -> bool:
    return bool(one.repository) and state.repository in known[one.repository or ""]


def _compiled(one: RuleState, setup: Setup) -> CompiledRule | None:
    """A rule that can be tried; None for one that a release before this one allowed."""
    if setup.patterns is None:
        return None
    try:
        return compile_rule(one.named.rule, setup.patterns)
    except InvalidArgument:
        return None


def _matches(rule: CompiledRule, state: RepositoryState) -> bool:
    matcher = rule.matchers.get("repository")
    return matcher is None or matcher.match(state.repository.name) is not None


def _forges(tx: ReadTransaction, setup: Setup) -> tuple[ForgeDiagnosis, ...]:
    delivered = tx.checkups.last_delivery()
    budgets = {one.source: one for one in tx.checkups.budgets()}
    refused = {one.forge: one for one in tx.checkups.refusals()}
    return tuple(
        ForgeDiagnosis(
            setup=one,
            last_delivery_at=delivered.get(source),
            budget=budgets.get(source),
            refused=refused.get(source),
        )
        for source, one in sorted(setup.forges.items())
    )


def _diagnosed(
    tx: ReadTransaction,
    state: RepositoryState,
    setup: Setup,
    deliveries: Sequence[BadDeliveries],
    rules: Sequence[RuleState],
) -> RepositoryDiagnosis:
    one, at = state.repository, state.forge_import
    forge = setup.forges.get((one.source or "").strip().lower())
    return RepositoryDiagnosis(
        repository=one.name,
        default_branch=one.default_branch,
        source=one.source,
        forge=forge,
        received=tuple(
            ReceivedLast(kind=kind, via=via, at=state.received[kind, via])
            for kind, via in sorted(state.received)
        ),
        import_state=None
        if at is None
        else ImportState(
            running_since=at.started_at,
            cursor=at.cursor,
            finished_at=at.finished_at,
            due_at=at.due_at,
            attempts=at.attempts,
            error=at.error,
        ),
        last_merged_at=state.last_merged_at,
        last_deployed_at=state.last_deployed_at,
        waiting=state.waiting,
        deliveries=tuple(deliveries),
        rules=tuple(
            MatchingRule(name=rule.named.name, last_deployed_at=rule.last_deployed_at)
            for rule in rules
        ),
        path_rules_from=state.path_rules_from,
        findings=tuple(repository_findings(tx.now, state, forge, deliveries, rules)),
    )
