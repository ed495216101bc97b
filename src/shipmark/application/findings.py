"""Judge what was read: what is missing, what would mend it, and where that is explained.

Pure functions: they are told the present instant.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from shipmark.application.checkup import (
    BadDeliveries,
    Overdue,
    RepositoryState,
    RuleState,
    Waiting,
)
from shipmark.application.deliveries import REST_REFUSED
from shipmark.application.diagnosis import Finding, ForgeDiagnosis, ForgeSetup
from shipmark.application.received import Budget, Kind, Via
from shipmark.domain.model import Reason, Status

ATTRIBUTION = "docs/attribution.md#attempted-at-once-then-retried"
API = "docs/api.md"
IMPORT_FORGE = "docs/import-forge.md"
OPERATION = "docs/operation.md"
PATH_RULES = "docs/path-rules.md"
RULES = "docs/deploy-rules.md"
WEBHOOKS = "docs/operation.md#webhooks"

REFUSED_LATELY = timedelta(days=7)
LITTLE_LEFT = 20
"""A budget of which less than one part in so many is left is nearly spent."""

DAY = 86400
UNITS = ((DAY, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def ago(now: datetime, at: datetime) -> str:
    """How long ago an instant was, in its largest unit."""
    seconds = max(0, int((now - at).total_seconds()))
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= size), UNITS[-1])
    count = seconds // size
    return f"{count} {unit}{'' if count == 1 else 's'} ago"


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def is_nearly_spent(budget: Budget) -> bool:
    """Whether a forge may hardly be asked any more."""
    return budget.remaining * LITTLE_LEFT < (budget.most or 1)


# In general


def general_findings(
    *,
    now: datetime,
    forges: Iterable[ForgeDiagnosis],
    overdue: Iterable[Overdue],
    deliveries: Iterable[BadDeliveries],
    waiting: Iterable[Waiting],
) -> Iterator[Finding]:
    """What is wrong with more than one repository, or with none that is known."""
    for one in overdue:
        yield Finding(
            what=f"{one.count} {one.what} should have been done by now; the first was due "
            f"{ago(now, one.since)}.",
            mend="See that a worker runs: `shipmark serve` with SHIPMARK_WITH_WORKER=yes, or "
            "`shipmark worker`. Its log says what keeps it.",
            docs=f"{OPERATION}#several-processes",
        )
    for forge in forges:
        yield from _forge_findings(now, forge)
    yield from (_delivery_finding(now, one) for one in deliveries)
    for one_ in waiting:
        yield from _waiting_findings(now, one_, "of no named repository", None)


def _forge_findings(now: datetime, forge: ForgeDiagnosis) -> Iterator[Finding]:
    setup, refused, budget = forge.setup, forge.refused, forge.budget
    if refused is not None and now - refused.last_at < REFUSED_LATELY:
        yield Finding(
            what=f"Webhooks of {setup.title} were refused because they were not signed with the "
            f"secret that is set here: {refused.refused} or more, the last "
            f"{ago(now, refused.last_at)}.",
            mend="Give the webhook there the secret that is set here. If nobody of yours sends "
            "them, refusing is right.",
            docs=f"{setup.docs}#when-nothing-arrives",
        )
    if setup.takes_webhooks and forge.last_delivery_at is None:
        yield Finding(
            what=f"A secret for webhooks of {setup.title} is set, and no webhook about any "
            "repository was ever received.",
            mend="Make the webhook there, and look at what it says of its deliveries.",
            docs=f"{setup.docs}#when-nothing-arrives",
        )
    if budget is None or (budget.resets_at is not None and budget.resets_at <= now):
        return
    if is_nearly_spent(budget):
        until = f" until {budget.resets_at:%H:%M:%S} UTC" if budget.resets_at else ""
        yield Finding(
            what=f"{setup.title} may be asked {budget.remaining} times more{until}, as it said "
            f"{ago(now, budget.told_at)}.",
            mend="Imports go on by themselves when the limit is over. Share the token with nothing "
            "else, or use an App where the forge has them.",
            docs=IMPORT_FORGE,
        )


def identity_finding(setup: ForgeSetup, why: str) -> Finding:
    """That a forge does not say who we are."""
    return Finding(
        what=f"{setup.title} does not say who we are: {why}",
        mend="See that the token or the App is in force, and that the server can be reached from "
        "here.",
        docs=f"{setup.docs}#when-nothing-arrives",
    )


def _delivery_finding(now: datetime, one: BadDeliveries) -> Finding:
    about = f" about {one.repository}" if one.repository else ""
    count = counted(one.waiting + one.given_up, "delivery").replace("deliverys", "deliveries")
    fate = (
        f"{one.waiting} to be tried again, {one.given_up} given up" if one.waiting else "given up"
    )
    which = f"({fate}; the last, {one.last_id}, {ago(now, one.last_at)})"
    if one.error.startswith(REST_REFUSED):
        return Finding(
            what=f"{count} of {one.forge}{about} cannot be completed {which}: {one.error}",
            mend="Correct the token, or what it may read: what is to be tried again is asked for "
            "within six hours of that. For what is given up, `shipmark import forge` asks.",
            docs=WEBHOOKS,
        )
    return Finding(
        what=f"{count} of {one.forge}{about} cannot be recorded {which}: {one.error}",
        mend="What is given up is read again when the forge is told to send it again. Events that "
        "are not asked for are best left out of the webhook.",
        docs=WEBHOOKS,
    )


# Of a repository


def repository_findings(
    now: datetime,
    state: RepositoryState,
    forge: ForgeSetup | None,
    deliveries: Sequence[BadDeliveries],
    rules: Sequence[RuleState],
) -> Iterator[Finding]:
    """What is missing of a repository."""
    if state.repository.default_branch is None:
        yield Finding(
            what="Its default branch is not known.",
            mend="Tell it with repositories.upsert or `shipmark repository add`; a forge that is "
            "set up tells it by itself.",
            docs=f"{API}#repositoriesupsert",
        )
    if state.repository.rules_file_error is not None:
        yield Finding(
            what="Its file of path rules cannot be used, and the rules from before are in force: "
            f"{state.repository.rules_file_error}",
            mend="Mend what the message says; the next push or import reads the file again.",
            docs=PATH_RULES,
        )
    yield from _source_findings(state, forge)
    yield from _import_findings(now, state)
    yield from (_delivery_finding(now, one) for one in deliveries)
    yield from _deployment_findings(state, rules)
    for one in state.waiting:
        if not _is_no_lack(one, state, forge):
            yield from _waiting_findings(now, one, "of it", state)


def _source_findings(state: RepositoryState, forge: ForgeSetup | None) -> Iterator[Finding]:
    by_client = [at for (_, via), at in state.received.items() if via is Via.CLIENT]
    by_webhook = [at for (_, via), at in state.received.items() if via is Via.WEBHOOK]
    facts = {kind for kind, _ in state.received} & {Kind.PULL_REQUESTS, Kind.PUSHES}
    if not facts and state.last_merged_at is None and not state.has_commits:
        yield Finding(
            what="No pull request and no commit of it was ever received.",
            mend="Import it (`shipmark import forge`, `shipmark import git` or pulls.import), and "
            "set up its forge's webhook for what comes.",
            docs=forge.docs if forge else IMPORT_FORGE,
        )
    if forge is None or by_webhook:
        return
    if forge.takes_webhooks:
        yield Finding(
            what=f"No webhook was ever received from {forge.title} for this repository.",
            mend=f"Make the webhook in {forge.title}, of this repository or of what it belongs to, "
            "and look there at what it says of its deliveries.",
            docs=f"{forge.docs}#when-nothing-arrives",
        )
    elif not forge.is_asked and not by_client:
        yield Finding(
            what=f"It is of {forge.title}, from which no webhooks are taken and which cannot be "
            "asked.",
            mend="Set the secret of its webhooks, a token, or both, as its page says.",
            docs=forge.docs,
        )


def _import_findings(now: datetime, state: RepositoryState) -> Iterator[Finding]:
    at = state.forge_import
    if at is None or at.error is None:
        return
    again = "is due" if at.due_at <= now else f"is tried again at {at.due_at:%Y-%m-%d %H:%M:%S} UTC"
    tried = f" after {counted(at.attempts, 'attempt')}" if at.attempts else ""
    yield Finding(
        what=f"Its import from the forge fails{tried} and {again}: {at.error}",
        mend="Mend what the message says; `shipmark import forge` goes on with it at once.",
        docs=IMPORT_FORGE,
    )


def _deployment_findings(state: RepositoryState, rules: Sequence[RuleState]) -> Iterator[Finding]:
    if state.last_deployed_at is not None or state.last_merged_at is None:
        return
    named = ", ".join(f"'{one.named.name}'" for one in rules)
    if rules:
        yield Finding(
            what=f"Pull requests arrive, and no deployments: the deploy rules {named} are "
            "about it, and made none of it.",
            mend="rules.preview tells which past events would match, and why others do not.",
            docs=RULES,
        )
    else:
        yield Finding(
            what="Pull requests arrive, and no deployments.",
            mend="Call deployments.create from the pipeline that deploys, or add a deploy rule.",
            docs=RULES,
        )


def _is_no_lack(one: Waiting, state: RepositoryState, forge: ForgeSetup | None) -> bool:
    """Whether they only wait because their commits were pushed without a pull request.

    A trunk without any lets every deployment wait for them. Elsewhere a webhook may have been lost,
    unless the forge was asked.
    """
    if one.reason is not Reason.NO_PULL_REQUESTS_YET or not state.has_commits:
        return False
    return state.last_merged_at is None or (forge is not None and forge.is_asked)


def _waiting_findings(
    now: datetime, one: Waiting, of: str, state: RepositoryState | None
) -> Iterator[Finding]:
    """Why deployments wait."""
    how = "wait" if one.status is Status.PENDING else "waited in vain"
    named = ", ".join(
        f"'{each.reference_id}'" + (f" (commit {each.commit_sha[:12]})" if each.commit_sha else "")
        for each in one.examples
    )
    yield Finding(
        what=f"{counted(one.count, 'deployment')} {of} {how}: {WAITS_FOR[one.reason][0]}"
        f"{_newest(now, one, state)}. The latest: {named}.",
        mend=WAITS_FOR[one.reason][1],
        docs=ATTRIBUTION,
    )


def _newest(now: datetime, one: Waiting, state: RepositoryState | None) -> str:
    """When the newest was received of what they wait for."""
    if state is None or one.reason is not Reason.COMMIT_NOT_IMPORTED:
        return ""
    words = {Kind.PUSHES: "push", Kind.PULL_REQUESTS: "pull request"}
    said = []
    for kind, word in words.items():
        times = [at for (of, _), at in state.received.items() if of is kind]
        said.append(
            f"{word} was received {ago(now, max(times))}" if times else f"no {word} ever was"
        )
    return f"; the newest {said[0]}, the newest {said[1]}".replace("the newest no", "no")


WAITS_FOR = {
    Reason.COMMIT_NOT_IMPORTED: (
        "no imported pull request or commit has the commit they name",
        "Bring in the commits: the forge's webhook with pushes, a token to ask it with, or "
        "`shipmark import git`. A commit of another repository needs that one named.",
    ),
    Reason.AMBIGUOUS_COMMIT: (
        "the commit they name fits more than one thing",
        "deployments.explain names the candidates; deployments.update with more characters of the "
        "commit, or with the branch, settles it.",
    ),
    Reason.DEFAULT_BRANCH_UNKNOWN: (
        "the default branch is not known",
        "Tell it with repositories.upsert or `shipmark repository add`.",
    ),
    Reason.NO_PULL_REQUESTS_YET: (
        "no pull request is known in what they reached",
        "Import what was merged before them, and set up what brings pull requests, or a token to "
        "ask the forge with. If what they brought was pushed without any, nothing is missing.",
    ),
    Reason.REDEPLOY: ("what they deploy was deployed before", "Nothing is to be done."),
    Reason.ROLLBACK: ("they deploy less than was deployed before", "Nothing is to be done."),
    Reason.FAILED: ("they failed", "Nothing is to be done."),
}
