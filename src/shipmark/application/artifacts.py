"""What runs: artifacts lead to commits, and what deploy systems tell becomes deployments.

Both may come in any order. A report keeps waiting for those of its artifacts that are unknown, and
what one has led to once stays, though its tag may move.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from shipmark.application.drafts import Registration
from shipmark.application.locate import locate_repositories
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.register import Registered, register
from shipmark.application.rules import Tried, apply_rules
from shipmark.domain.artifacts import (
    Commit,
    ServiceDeployed,
    artifact_ids,
    as_events,
    known_commits,
    readable_ids,
    unmade,
)
from shipmark.domain.errors import InvalidArgument, ShipmarkError
from shipmark.domain.events import SourceEvent
from shipmark.domain.instants import is_possible
from shipmark.domain.model import DEFAULT_ENVIRONMENT
from shipmark.domain.rules import LONGEST_NAME, PASSED_OVER, NoMatch

log = logging.getLogger(__name__)

LATEST = timedelta(days=1)
"""How long what was only said again is known: what comes in between may come so much later."""

Place = tuple[int, int]
"""One artifact of a report: the report's id, and which of its artifacts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltFrom:
    """An artifact, as people write it, and the commit that it was built from."""

    artifact: str
    repository: str
    commit_sha: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactSet:
    """The ids that now lead to the commit, and the deployments that had waited for one of them."""

    ids: tuple[str, ...]
    repository: str
    deployments: tuple[str, ...]


def set_artifact(tx: Transaction, built: BuiltFrom, *, policy: Policy) -> ArtifactSet:
    """Tell what an artifact was built from, and deploy what has waited for that.

    Raises ArtifactInvalid and RepositoryNotFound.
    """
    ids = artifact_ids(built.artifact)
    located = locate_repositories(tx, {built.repository}, policy)[built.repository]
    if isinstance(located, ShipmarkError):
        raise located
    tx.artifacts.save(ids, located.id, built.commit_sha)
    deployed = _resolve(tx, tx.artifacts.waiting_for(ids), policy)
    return ArtifactSet(ids=ids, repository=located.name, deployments=tuple(deployed))


def record_reports(
    tx: Transaction, deployed: Sequence[ServiceDeployed], *, policy: Policy
) -> list[str]:
    """Record what deploy systems told; the reference_ids of the deployments that came of it.

    What was told before says nothing new, nor does what was last said on its subject; an artifact
    that nobody knows is waited for.
    Raises InvalidArgument for a name that is too long to be one.
    """
    for one in deployed:
        _check_names(one)
    shortened = [
        replace(
            _possible(one, tx.now),
            key=_short(one.source, one.key),
            subject=one.subject and _short(one.source, one.subject),
        )
        for one in deployed
    ]
    subjects = {one.subject for one in shortened if one.subject}
    tx.artifacts.lock_subjects(subjects)
    news = _news(tx, tx.artifacts.add_reports(shortened))
    tx.artifacts.forget_repeats(subjects, recorded_before=tx.now - LATEST)
    waiting = {
        (report_id, place): readable_ids([artifact])
        for report_id, one in news.items()
        for place, artifact in enumerate(one.artifacts)
    }
    tx.artifacts.wait_for(waiting)
    return _resolve(tx, news.keys(), policy)


def _news(tx: Transaction, fresh: Mapping[int, ServiceDeployed]) -> dict[int, ServiceDeployed]:
    """The reports to make deployments of, now that these came: not what is said again."""
    news = {report_id: one for report_id, one in fresh.items() if one.subject is None}
    for one in fresh.values():
        if one.subject is not None:
            found = {report.id: report.told for report in unmade(tx.artifacts.around(one))}
            tx.artifacts.count_as_news(found.keys())
            news |= found
    return news


def _possible(deployed: ServiceDeployed, now: datetime) -> ServiceDeployed:
    """Many senders write a zero for an instant; it is told as it happens."""
    return deployed if is_possible(deployed.at, now) else replace(deployed, at=now)


def _check_names(deployed: ServiceDeployed) -> None:
    for what in ("service", "environment", "application"):
        if len(getattr(deployed, what) or "") > LONGEST_NAME:
            raise InvalidArgument(
                f"The name of the {what} has more than {LONGEST_NAME} characters.", argument=what
            )


def resolve_known(tx: Transaction, *, limit: int, policy: Policy) -> int:
    """Deploy what waits for an artifact that was told at the very moment it was reported."""
    reports = tx.artifacts.with_known_artifacts(limit)
    _resolve(tx, reports, policy)
    return len(reports)


def _resolve(tx: Transaction, report_ids: Collection[int], policy: Policy) -> list[str]:
    """Deploy those artifacts of reports that were waited for and lead to commits by now."""
    if not report_ids:
        return []
    # Only who holds the lock may see what still waits: another may have deployed it just now.
    reports = tx.artifacts.reports(report_ids)
    waiting = tx.artifacts.waiting(report_ids)
    artifacts = {one for deployed in reports.values() for one in deployed.artifacts}
    commits = tx.artifacts.commits(readable_ids(sorted(artifacts)))
    resolved: list[Place] = []
    deployments: list[str] = []
    for report_id, deployed in reports.items():
        found: dict[Commit, None] = {}
        for place in sorted(waiting.get(report_id, ())):
            alone = replace(deployed, artifacts=(deployed.artifacts[place],))
            if led_to := known_commits(alone, commits):
                found |= dict.fromkeys(led_to)
                resolved.append((report_id, place))
        deployments += _deploy(tx, deployed, tuple(found), policy)
    tx.artifacts.stop_waiting(resolved)
    return deployments


def _deploy(
    tx: Transaction, deployed: ServiceDeployed, commits: Sequence[Commit], policy: Policy
) -> list[str]:
    """The deployments of these commits: by the rules that match, else of the report's own service.

    A failure that such a rule passes over is none of that service either. Answers their
    reference_ids.
    """
    events = as_events(deployed, commits)
    tx.events.add(events)
    tried = apply_rules(tx, events, policy=policy)
    matched = {one.event.key for one in tried if one.result is not None or _passes_over(one)}
    made = [
        one.result.deployment.reference_id
        for one in tried
        if one.is_new and isinstance(one.result, Registered)
    ]
    return made + _register(tx, deployed, [one for one in events if one.key not in matched], policy)


def _passes_over(tried: Tried) -> bool:
    return isinstance(tried.made, NoMatch) and tried.made.condition == PASSED_OVER


def _register(
    tx: Transaction, deployed: ServiceDeployed, events: Sequence[SourceEvent], policy: Policy
) -> list[str]:
    if deployed.service is None:
        return []
    registrations = [_registration(deployed, deployed.service, event) for event in events]
    names = {str(one.reference_id) for one in registrations}
    # Of two images of one commit, the second may have been waited for.
    known = tx.deployments.by_reference_ids(names)
    fresh = [one for one in registrations if one.reference_id not in known]
    made = []
    for one, result in zip(fresh, register(tx, fresh, policy=policy), strict=True):
        if isinstance(result, ShipmarkError):
            log.warning(
                "A deployment that %s told was refused: %s",
                deployed.source,
                result.message,
                extra={"event_key": deployed.key},
            )
        else:
            made.append(str(one.reference_id))
    return made


def _registration(deployed: ServiceDeployed, service: str, event: SourceEvent) -> Registration:
    return Registration(
        deployed_at=deployed.at,
        service=service,
        repository=event.repository,
        commit_sha=event.commit_sha,
        reference_id=_short(deployed.source, event.key),
        source_url=deployed.url,
        source_name=deployed.source,
        environment=deployed.environment or DEFAULT_ENVIRONMENT,
        success=deployed.success,
    )


def _short(source: str, key: str) -> str:
    """A key that is no longer than a name; the same whenever it is made of the same."""
    if len(key) <= LONGEST_NAME:
        return key
    return f"{source}:sha256:{sha256(key.encode(errors='replace')).hexdigest()}"
