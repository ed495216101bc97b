"""Deploy rules: the list, and the form in which one is tried and saved."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from starlette.responses import Response

from shipmark.application.queries import Page, ReadTransaction
from shipmark.application.rule_ports import NamedRule
from shipmark.application.rules import RuleDraft, SavedRule, Trial, Tried
from shipmark.application.tokens import Scope
from shipmark.domain.errors import ChangedMeanwhile, ShipmarkError, Unavailable, UnknownMethod
from shipmark.domain.events import EventSource
from shipmark.domain.rules import Conditions, Inferred, Outcome
from shipmark.web.visit import Visit
from shipmark.web.words import exact

SHOWN = 50
TRIED = 100
"""Past events that a preview shows."""

DEPLOY = (Scope.DEPLOYMENTS_WRITE,)
CONDITIONS = tuple(field.name for field in fields(Conditions))
OUTCOMES = tuple(field.name for field in fields(Outcome))
FIELDS = (*(f"when.{one}" for one in CONDITIONS), *(f"make.{one}" for one in OUTCOMES))
SOURCES = (
    (EventSource.GITHUB_ACTIONS, "GitHub Actions"),
    (EventSource.GITHUB_DEPLOYMENTS, "GitHub deployments"),
    (EventSource.GITLAB_PIPELINES, "GitLab pipelines"),
    (EventSource.GITLAB_DEPLOYMENTS, "GitLab deployments"),
    (EventSource.BITBUCKET_PIPELINES, "Bitbucket Pipelines"),
    (EventSource.AZURE_PIPELINES, "Azure Pipelines"),
    (EventSource.ARGO_CD, "Argo CD"),
    (EventSource.RELEASE, "Releases"),
    (EventSource.TAG, "Tags"),
    (EventSource.MERGED_PULL_REQUEST, "Merged pull requests"),
    (EventSource.PUSH, "Pushes"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """What a rule says of past events: all of them, and how many came to what."""

    tried: tuple[Tried, ...]
    created: int
    kept: int
    refused: int

    @property
    def unlike(self) -> int:
        """Events that it is not about."""
        return len(self.tried) - self.created - self.kept - self.refused


async def listed(visit: Visit) -> Response:
    """The deploy rules in force, by name."""
    after = visit.query.text("after")
    page = Page(limit=SHOWN + 1, after=(after,) if after else None)
    found = await visit.read(lambda tx: tx.reports.deploy_rules(page))
    return visit.render(
        "rules.html",
        rows=[(named, _values(named)) for named in found[:SHOWN]],
        next=found[SHOWN - 1].name if len(found) > SHOWN else None,
        may_change=visit.may(DEPLOY),
        sources=dict(SOURCES),
    )


async def edit(visit: Visit) -> Response:
    """The form of a rule: of the one that ``name`` names, or of a new one."""
    name = visit.query.text("name")
    if name is None:
        return _form(visit, None, {})
    named = await visit.read(partial(_named, name=name))
    return _form(visit, name, _values(named))


def _standing(tx: ReadTransaction, name: str) -> NamedRule | None:
    return tx.deploy_rules.named(name)


def _named(tx: ReadTransaction, name: str) -> NamedRule:
    named = _standing(tx, name)
    if named is None:
        raise UnknownMethod(f"There is no deploy rule '{name}'.")
    return named


async def change(visit: Visit) -> Response:
    """Try a rule, as `rules.preview` does, or save it, as `rules.upsert` does."""
    sent, works = visit.form.sent, visit.site.calls.works
    name = visit.query.text("name")
    try:
        draft = visit.site.rule_of(_wanted(sent, name), visit.account_id)
        draft = replace(draft, seen=visit.form.number("seen"))
        taken = None if name else await visit.read(partial(_standing, name=draft.name))
        if taken is not None:
            visit.form.problems["name"] = f"There is a rule '{draft.name}' already; edit that one."
            return _form(visit, name, sent)
        if visit.form.is_preview():
            return _form(visit, name, sent, await _tried(visit, draft))
        await visit.write(works.upsert_rule, draft)
    except Unavailable:
        raise
    except ChangedMeanwhile as error:
        return await _changed_meanwhile(visit, draft, error)
    except ShipmarkError as error:
        visit.form.problems[error.argument or ""] = error.message
        return _form(visit, name, sent, status=visit.site.status_of(error))
    return visit.go_to("/rules", done="rule-saved")


def _wanted(sent: Mapping[str, str], name: str | None) -> dict[str, Any]:
    """What a form says, as the API takes it. What is blank is not said."""
    said = {field: text.strip() for field, text in sent.items() if text.strip()}
    return {
        "name": name or said.get("name"),
        "source": said.get("source"),
        "when": {one: said[f"when.{one}"] for one in CONDITIONS if f"when.{one}" in said},
        "make": {one: said[f"make.{one}"] for one in OUTCOMES if f"make.{one}" in said},
        "also_failures": said.get("also_failures", "no"),
        "since": said.get("since"),
    }


async def _changed_meanwhile(visit: Visit, draft: RuleDraft, error: ChangedMeanwhile) -> Response:
    """The form again, with what was typed and, where that is something else, what is stored now."""
    named, sent = await visit.read(partial(_named, name=draft.name)), visit.form.sent
    visit.form.problems[""] = (
        f"Someone changed this rule on {exact(named.changed_at)}, after you opened this form. "
        "Nothing of yours is saved. Compare the fields that are marked, then save again."
    )
    now = _values(named)
    for field in ("source", "also_failures", *FIELDS):
        if sent.get(field, "").strip() != now.get(field, ""):
            visit.form.problems[field] = f"{field} is '{now.get(field, '')}' by now."
    status = visit.site.status_of(error)
    return _form(visit, draft.name, sent | {"seen": now["seen"]}, status=status)


async def _tried(visit: Visit, draft: RuleDraft) -> Trials:
    trial = Trial(draft=draft, limit=TRIED)
    saved: SavedRule = await visit.write(visit.site.calls.works.try_rule, trial)
    results = [one for one in saved.tried if one.result is not None]
    refused = sum(isinstance(one.result, ShipmarkError) for one in results)
    created = sum(one.is_new and not isinstance(one.result, ShipmarkError) for one in results)
    return Trials(
        tried=saved.tried,
        created=created,
        refused=refused,
        kept=len(results) - created - refused,
    )


def _form(
    visit: Visit,
    name: str | None,
    values: Mapping[str, str],
    trials: Trials | None = None,
    *,
    status: int = 200,
) -> Response:
    return visit.render(
        "rule_edit.html",
        status=status,
        name=name,
        values=values,
        conditions=CONDITIONS,
        sources=SOURCES,
        trials=trials,
        most_tried=TRIED,
        is_match=_is_match,
        is_refused=_is_refused,
    )


def _is_match(tried: Tried) -> bool:
    return isinstance(tried.made, Inferred)


def _is_refused(tried: Tried) -> bool:
    return isinstance(tried.result, ShipmarkError)


def _values(named: NamedRule) -> dict[str, str]:
    """A rule as its form says it."""
    rule = named.rule
    when = {f"when.{one}": getattr(rule.when, one) for one in CONDITIONS}
    make = {f"make.{one}": getattr(rule.make, one) for one in OUTCOMES}
    return {
        "seen": str(rule.version),
        "source": rule.source,
        "also_failures": "yes" if rule.also_failures else "no",
        **{field: str(text) for field, text in (when | make).items() if text is not None},
    }


async def delete(visit: Visit) -> Response:
    """Let a rule make no more deployments."""
    await visit.write(visit.site.calls.works.delete_rule, visit.form.sent.get("name", ""))
    return visit.go_to("/rules", done="rule-deleted")
