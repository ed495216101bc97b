"""The definitions of docs/metrics.md as brute force over small sets of facts.

Read out loud, sentence by sentence; it shares no code with the product. What ships what is asked of
the other model.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from fractions import Fraction
from typing import Any

from tests.reference_model import Answers, Deployment, Facts, Pull, PullKey, Reached

WITHIN = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class About:
    """What is known of a pull request beside where it merged."""

    author: str | None = None
    title: str | None = None
    labels: tuple[str, ...] = ()
    created_at: datetime | None = None
    first_commit_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Incident:
    reference_id: str
    started_at: datetime
    resolved_at: datetime | None
    services: frozenset[str]
    environment: str | None
    deployment: str | None


@dataclass(frozen=True, kw_only=True)
class Question:
    since: datetime
    until: datetime
    zone: tzinfo
    granularity: str = "day"
    service: str | None = None
    repository: str | None = None
    environments: tuple[str, ...] = ()
    source: str | None = None
    author: str | None = None
    include_baseline: bool = False
    start: str = "merged"
    unit: str = "change"


@dataclass(kw_only=True)
class Known:
    facts: Facts = field(default_factory=Facts)
    about: dict[PullKey, About] = field(default_factory=dict)
    sources: dict[str, str | None] = field(default_factory=dict)
    incidents: list[Incident] = field(default_factory=list)
    corrections: dict[tuple[str, str], bool] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Lead:
    """One lead time, and of what: any one of these pull requests, or a commit."""

    deployment: Deployment
    took: timedelta | None
    pulls: frozenset[PullKey] = frozenset()
    sha: str | None = None


def quantile(values: Iterable[timedelta], share: Fraction) -> float | None:
    """Type 7: the order statistics lie evenly from 0 to 1."""
    seconds = sorted(Fraction(one // timedelta(microseconds=1), 1_000_000) for one in values)
    if not seconds:
        return None
    place = share * (len(seconds) - 1)
    below = int(place)
    above = min(below + 1, len(seconds) - 1)
    return float(seconds[below] + (place - below) * (seconds[above] - seconds[below]))


class Metrics:
    """What the definitions say of what is known."""

    def __init__(self, known: Known, asked: Question) -> None:
        self.known = known
        self.asked = asked
        self.answers = Answers(known.facts)
        self.in_order = self.answers.in_order
        self.failures = {one.reference_id: self._failures(one) for one in self.in_order}

    # Which

    def is_to(self, environment: str) -> bool:
        named = self.asked.environments
        return environment in named if named else "prod" in environment.lower()

    def place(self, one: Deployment) -> tuple[str, str]:
        return one.service, one.environment

    def counts(self, one: Deployment) -> bool:
        asked = self.asked
        ships = self.answers.ships[one.reference_id]
        listed = self.answers.lists[one.reference_id]
        of_repository = one.repository == asked.repository or (
            one.repository is None and any(key[0] == asked.repository for key in listed)
        )
        return (
            self.is_to(one.environment)
            and asked.service in (None, one.service)
            and (asked.repository is None or of_repository)
            and asked.source in (None, self.known.sources.get(one.reference_id))
            and (asked.author is None or any(self._author(key) == asked.author for key in ships))
        )

    def _author(self, key: PullKey) -> str | None:
        return self.known.about[key].author

    def counted(self, since: datetime, until: datetime) -> list[Deployment]:
        return [
            one for one in self.in_order if since <= one.deployed_at < until and self.counts(one)
        ]

    # Failures

    def beside(self, one: Deployment) -> list[Deployment]:
        return [other for other in self.in_order if self.place(other) == self.place(one)]

    def follows(self, incident: Incident, one: Deployment) -> bool:
        if incident.deployment is not None or one.service not in incident.services:
            return False
        if incident.environment is None and "prod" not in one.environment.lower():
            return False
        if incident.environment not in (None, one.environment):
            return False
        later = [other for other in self.beside(one) if other.order > one.order]
        return one.deployed_at <= incident.started_at <= one.deployed_at + WITHIN and not any(
            other.deployed_at <= incident.started_at for other in later
        )

    def links(self, one: Deployment) -> dict[str, str]:
        found = {}
        for incident in self.known.incidents:
            by_hand = self.known.corrections.get((incident.reference_id, one.reference_id))
            if by_hand is not None:
                if by_hand:
                    found[incident.reference_id] = "incident_by_hand"
            elif incident.deployment == one.reference_id:
                found[incident.reference_id] = "incident_named"
            elif self.follows(incident, one):
                found[incident.reference_id] = "incident_followed"
        return found

    def _is_rolled_back(self, one: Deployment) -> bool:
        reached = self.answers.reaches[one.reference_id]
        if not isinstance(reached, Reached):
            return False
        for other in self.beside(one):
            reach = self.answers.reaches[other.reference_id]
            if (
                other.order > one.order
                and isinstance(reach, Reached)
                and (reach.repository, reach.branch) == (reached.repository, reached.branch)
            ):
                return reach.point < reached.point
        return False

    def _failures(self, one: Deployment) -> set[str]:
        reasons = set(self.links(one).values())
        if not one.success:
            reasons.add("unsuccessful")
        if self._is_rolled_back(one):
            reasons.add("rolled_back")
        return reasons

    def recovery(self, one: Deployment) -> timedelta | None:
        ends = [
            other.deployed_at
            for other in self.beside(one)
            if other.order > one.order and other.success
        ][:1]
        linked = [i for i in self.known.incidents if i.reference_id in self.links(one)]
        if linked and all(i.resolved_at is not None for i in linked):
            last = max(i.resolved_at for i in linked if i.resolved_at is not None)
            ends += [last] if last >= one.deployed_at else []
        return min(ends) - one.deployed_at if ends else None

    def rework(self, one: Deployment) -> set[str]:
        reasons = set()
        earlier = [other for other in self.beside(one) if other.order < one.order]
        if one.success and earlier and self.failures[earlier[-1].reference_id]:
            reasons.add("after_failure")
        ships = self.answers.ships[one.reference_id]
        if ships and all(self._is_fix(key) for key in ships):
            reasons.add("only_fixes")
        return reasons

    def _is_fix(self, key: PullKey) -> bool:
        about = self.known.about[key]
        title = (about.title or "").lower()
        return title.startswith(("hotfix", "[hotfix]", "revert")) or bool(
            {label.lower() for label in about.labels} & {"hotfix", "revert"}
        )

    # Lead times

    def _start(self, pull: Pull) -> datetime | None:
        about = self.known.about[pull.key]
        return {
            "merged": pull.merged_at,
            "opened": about.created_at,
            "first_commit": about.first_commit_at,
        }[self.asked.start]

    def is_baseline(self, one: Deployment) -> bool:
        of_lanes = self.answers.windows().values()
        windows = [lane[one.reference_id] for lane in of_lanes if one.reference_id in lane]
        return any(window.opened[0].year == 1970 for window in windows)

    def changes(self, one: Deployment) -> list[Pull]:
        asked = self.asked
        return [
            pull
            for pull in self.answers.merged
            if pull.key in self.answers.ships[one.reference_id]
            and asked.repository in (None, pull.repository)
            and asked.author in (None, self._author(pull.key))
        ]

    def commits(self, one: Deployment) -> dict[str, datetime]:
        found = {}
        for (repository, branch, _, _), lane in self.answers.windows().items():
            if one.reference_id in lane:
                window = lane[one.reference_id]
                found |= {
                    sha: at
                    for (known_in, known_on, sha), at in self.known.facts.commits.items()
                    if (known_in, known_on) == (repository, branch)
                    and window.opened < (at, float("inf")) <= window.reached
                }
        return found

    def baselines(self, since: datetime, until: datetime) -> int:
        """The first deployments of lanes that are left out."""
        left_out = [one for one in self.counted(since, until) if self.is_baseline(one)]
        return 0 if self.asked.include_baseline else len(left_out)

    def leads(self, since: datetime, until: datetime) -> list[Lead]:
        shipping = [
            one
            for one in self.counted(since, until)
            if self.asked.include_baseline or not self.is_baseline(one)
        ]
        if self.asked.unit == "commit":
            return [
                Lead(deployment=one, took=one.deployed_at - at, sha=sha)
                for one in shipping
                for sha, at in self.commits(one).items()
            ]
        each = [self._lead(one, pull) for one in shipping for pull in self.changes(one)]
        if self.asked.unit == "pull_request":
            # Each to the last deployment that ships it: they come in order.
            return list({one.pulls: one for one in each}.values())
        if self.asked.unit == "deployment":
            return [
                self._longest([lead for lead in each if lead.deployment is one])
                for one in {lead.deployment.reference_id: lead.deployment for lead in each}.values()
            ]
        return each

    def _lead(self, one: Deployment, pull: Pull) -> Lead:
        start = self._start(pull)
        took = None if start is None else one.deployed_at - start
        return Lead(deployment=one, took=took, pulls=frozenset({pull.key}))

    def _longest(self, leads: Sequence[Lead]) -> Lead:
        """That of the first start, which several may share."""
        took = max((one.took for one in leads if one.took is not None), default=None)
        shared = [one.pulls for one in leads if one.took == took and took is not None]
        return Lead(deployment=leads[0].deployment, took=took, pulls=frozenset().union(*shared))

    # Pull requests

    def may_go(self, pull: Pull, service: str) -> bool:
        assigned = self.known.facts.services.get(pull.key, frozenset())
        return not assigned or service in assigned

    def shipped_somewhere(self, pull: Pull) -> bool:
        """A deployment to where it is asked about covers it."""
        return any(
            pull.key in self.answers.ships[one.reference_id]
            for one in self.in_order
            if self.is_to(one.environment) and self.asked.service in (None, one.service)
        )

    def coverage(self, since: datetime, until: datetime) -> tuple[int, int]:
        merged = self.merged(since, until)
        return len(merged), sum(self.shipped_somewhere(pull) for pull in merged)

    def merged(self, since: datetime, until: datetime) -> list[Pull]:
        asked = self.asked
        return [
            pull
            for pull in self.answers.merged
            if pull.merged_at is not None
            and since <= pull.merged_at < until
            and asked.repository in (None, pull.repository)
            and asked.author in (None, self._author(pull.key))
            and (asked.service is None or self._belongs(pull, asked.service))
        ]

    def _belongs(self, pull: Pull, service: str) -> bool:
        assigned = self.known.facts.services.get(pull.key, frozenset())
        lanes = {
            (repository, branch)
            for repository, branch, of, to in self.answers.windows()
            if of == service and self.is_to(to)
        }
        listed = any(
            pull.key in self.answers.lists[one.reference_id]
            for one in self.in_order
            if one.success and one.service == service and self.is_to(one.environment)
        )
        if assigned:
            return service in assigned or listed
        return (pull.repository, pull.base_ref) in lanes or listed

    def waiting(self) -> dict[tuple[str, str], list[Pull]]:
        """What waits, by service and environment."""
        asked = self.asked
        found: dict[tuple[str, str], list[Pull]] = {}
        for (repository, branch, service, environment), lane in self.answers.windows().items():
            mark = max(window.reached for window in lane.values())
            if not self.is_to(environment) or asked.service not in (None, service):
                continue
            if asked.repository not in (None, repository):
                continue
            listed = self.listed(service, environment)
            waits = [
                pull
                for pull in self.answers.merged
                if (pull.repository, pull.base_ref) == (repository, branch)
                and pull.position > mark
                and self.may_go(pull, service)
                and pull.key not in listed
                and asked.author in (None, self._author(pull.key))
            ]
            if waits:
                found.setdefault((service, environment), []).extend(waits)
        return found

    def listed(self, service: str, environment: str) -> set[PullKey]:
        """What successful deployments to a place list."""
        return {
            key
            for one in self.in_order
            if one.success and self.place(one) == (service, environment)
            for key in self.answers.lists[one.reference_id]
        }

    # Figures

    def figures(self, since: datetime, until: datetime) -> dict[str, Any]:
        counted = self.counted(since, until)
        successes = [one for one in counted if one.success]
        failed = [one for one in counted if self.failures[one.reference_id]]
        took = [self.recovery(one) for one in failed]
        recovered = [one for one in took if one is not None]
        leads = self.leads(since, until)
        known = [one.took for one in leads if one.took is not None]
        rework = [reasons for one in counted if (reasons := self.rework(one))]
        return {
            "frequency": (
                len(successes),
                len({one.deployed_at.astimezone(self.asked.zone).date() for one in successes}),
            ),
            "leads": (
                len(known),
                quantiles(known),
                len(leads) - len(known),
                self.baselines(since, until),
            ),
            "failures": (
                len(counted),
                len(failed),
                tally(self.failures[one.reference_id] for one in failed),
                len(self.incidents(since, until, counted)),
            ),
            "recovery": (len(recovered), quantiles(recovered), len(took) - len(recovered)),
            "rework": (len(counted), len(rework), tally(rework)),
        }

    def incidents(
        self, since: datetime, until: datetime, counted: Sequence[Deployment]
    ) -> list[Incident]:
        asked = self.asked
        if asked.repository is not None or asked.source is not None or asked.author is not None:
            linked = {name for one in counted for name in self.links(one)}
            return [one for one in self.known.incidents if one.reference_id in linked]
        return [
            one
            for one in self.known.incidents
            if since <= one.started_at < until
            and (asked.service is None or asked.service in one.services)
            and (
                self.is_to(one.environment)
                if one.environment is not None
                else not asked.environments
                or any("prod" in name.lower() for name in asked.environments)
            )
        ]

    def buckets(self) -> list[tuple[date, datetime, datetime]]:
        """Walked a minute at a time, to see where the local date changes its bucket."""
        found: list[tuple[date, datetime, datetime]] = []
        at = self.asked.since
        while at < self.asked.until:
            name = self._bucket(at.astimezone(self.asked.zone).date())
            if found and found[-1][0] == name:
                found[-1] = (name, found[-1][1], at + timedelta(minutes=30))
            else:
                found.append((name, at, at + timedelta(minutes=30)))
            at += timedelta(minutes=30)
        return found

    def _bucket(self, day: date) -> date:
        if self.asked.granularity == "week":
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self.asked.granularity == "month" else day


def quantiles(values: Sequence[timedelta]) -> tuple[float, ...] | None:
    shares = (Fraction(1, 2), Fraction(3, 4), Fraction(9, 10), Fraction(19, 20))
    found = [quantile(values, share) for share in shares]
    return None if None in found else tuple(one for one in found if one is not None)


def tally(reasons: Iterable[Iterable[str]]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for one in reasons:
        for reason in one:
            counts[reason] = counts.get(reason, 0) + 1
    return counts
