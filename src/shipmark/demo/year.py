"""A made-up year of an organisation: what its teams merged and deployed, and what broke.

Chance decides, the same at every run; only the dates follow the clock. What it tells is in the
terms of the API. What must wait for production at its end is known from the telling alone, so that
the demo can tell a right answer from a wrong one.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from shipmark.demo.facts import SHORT_SHA, commit_of
from shipmark.demo.habits import CHANGES, HABITS, PEOPLE, Habit

DAYS = 365
SEED = 1969
PRODUCTION = "production"
STAGING = "staging"
HOTFIX = "hotfix"
STAGING_FAILS = 0.03
IMPROVES_BY = 0.45
"""How much shorter pull requests are open, and fewer deployments fail, when the year ends."""

Item = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Year:
    """What is told, as the API's methods take it, and how many pull requests must wait for
    production in each repository."""

    pulls: list[Item] = field(default_factory=list)
    deployments: list[Item] = field(default_factory=list)
    incidents: list[Item] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A pull request, and the services that it changed."""

    number: int
    at: datetime
    services: tuple[str, ...]


def make_year(now: datetime) -> Year:
    """The year that ends at ``now``."""
    year = Year()
    for habit in HABITS:
        # A seed for each: what one team does changes nothing for the others.
        _Telling(year, habit, now, random.Random(f"{SEED} {habit.repository}")).tell()  # noqa: S311
    return year


class _Telling:
    """The year of one repository."""

    def __init__(self, year: Year, habit: Habit, now: datetime, chance: random.Random) -> None:
        self._year = year
        self._habit = habit
        self._now = now
        self._began = now - timedelta(days=DAYS)
        self._chance = chance
        self._merges: list[Merge] = []
        self._runs = 0
        self._shipped: dict[str, Merge] = {}

    def tell(self) -> None:
        due = self._began
        for day in self._working_days():
            for at in self._merge_times(day):
                self._merge(at)
                if self._habit.every == 0:
                    self._deploy_all(at + self._minutes(25, 110))
            if self._habit.every and day >= due:
                due = day + timedelta(days=self._habit.every)
                self._deploy_all(self._at(day, time(15)) + self._minutes(0, 90))
        self._year.waiting[self._habit.repository] = sum(map(self._waits, self._merges))

    def _working_days(self) -> Iterator[datetime]:
        """Hardly anybody works at the turn of the year."""
        for number in range(DAYS + 1):
            day = self._began + timedelta(days=number)
            holiday = (day.month, day.day) >= (12, 23) or (day.month, day.day) <= (1, 2)
            if day.weekday() < 5 and not holiday:
                yield day

    def _merge_times(self, day: datetime) -> list[datetime]:
        count = sum(self._chance.random() < self._habit.merges / 4 for _ in range(4))
        minutes = sorted(self._chance.randrange(9 * 60, 17 * 60) for _ in range(count))
        times = (self._at(day, time()) + timedelta(minutes=minute) for minute in minutes)
        return [at for at in times if self._began < at < self._now]

    def _merge(self, at: datetime, *, fixes: str | None = None) -> Merge:
        """Merge a pull request, which goes to staging at once."""
        merge = Merge(
            number=len(self._merges) + 1,
            at=at,
            services=(fixes,) if fixes else self._services_changed(),
        )
        self._merges.append(merge)
        self._year.pulls.append(self._pull(merge, fix=fixes is not None))
        staged = at + timedelta(minutes=9)
        if staged < self._now:
            for service in merge.services:
                success = self._chance.random() > STAGING_FAILS
                self._deploy(service, STAGING, staged, merge, success=success)
        return merge

    def _services_changed(self) -> tuple[str, ...]:
        """One of them, seldom all."""
        services = self._habit.services
        return services if self._chance.random() < 0.2 else (self._chance.choice(services),)

    def _pull(self, merge: Merge, *, fix: bool) -> Item:
        hours = self._habit.hours_open * self._progress(merge.at)
        opened = merge.at - timedelta(hours=1 if fix else hours * self._chance.lognormvariate(0, 1))
        subject = self._chance.choice(self._habit.subjects)
        change = "Fix" if fix else self._chance.choice(CHANGES)
        return {
            "repository": self._habit.repository,
            "number": merge.number,
            "title": f"{change} {subject}",
            "author": self._chance.choice(PEOPLE),
            "base_ref": "main",
            "merge_commit_sha": commit_of(self._habit.repository, merge.number),
            "first_commit_at": (opened - self._minutes(10, 600)).isoformat(),
            "created_at": opened.isoformat(),
            "merged_at": merge.at.isoformat(),
            "labels": [HOTFIX] if fix else [],
            "files": [f"{service}/{subject.split()[-1]}.py" for service in merge.services],
        }

    def _deploy_all(self, at: datetime) -> None:
        """Deploy to production each service for which something waits, unless its turn is yet to
        come."""
        if at >= self._now - timedelta(days=self._habit.every):
            return
        for service in self._habit.services:
            merged = [one for one in self._merges if service in one.services and one.at < at]
            newest = max(merged, key=_position, default=None)
            if newest and self._is_news(newest, service):
                self._release(service, at, newest)

    def _release(self, service: str, at: datetime, merge: Merge) -> None:
        """A deployment to production, and how it is mended if it goes wrong."""
        if self._chance.random() >= self._habit.fails * self._progress(at):
            self._deploy(service, PRODUCTION, at, merge)
            return
        mended = at + self._minutes(70, 240)
        if mended >= self._now:
            self._deploy(service, PRODUCTION, at, merge)
        elif self._chance.random() < 0.5:
            self._deploy(service, PRODUCTION, at, merge, success=False)
            self._fix(service, mended)
        else:
            self._break(service, at, merge)
            self._fix(service, mended)

    def _break(self, service: str, at: datetime, merge: Merge) -> None:
        """A deployment that went through and did harm, until it was rolled back."""
        good = self._shipped.get(service)
        reference_id = self._deploy(service, PRODUCTION, at, merge)
        resolved = at + self._minutes(30, 60)
        if good:
            self._deploy(service, PRODUCTION, resolved, good)
        self._year.incidents.append(
            {
                "reference_id": f"incident-{service}-{self._runs}",
                "name": f"Errors in {service} after a deployment",
                "services": [service],
                "priority": self._chance.choice(("P1", "P2", "P2", "P3")),
                "started_at": (at + self._minutes(4, 20)).isoformat(),
                "resolved_at": resolved.isoformat(),
            }
            | ({"deployment_reference_id": reference_id} if self._chance.random() < 0.5 else {})
        )

    def _fix(self, service: str, at: datetime) -> None:
        fix = self._merge(at - timedelta(minutes=20), fixes=service)
        self._deploy(service, PRODUCTION, at, fix)

    def _deploy(
        self, service: str, environment: str, at: datetime, merge: Merge, *, success: bool = True
    ) -> str:
        self._runs += 1
        reference_id = f"{service}-{environment}-{self._runs}"
        commit = commit_of(self._habit.repository, merge.number)
        self._year.deployments.append(
            {
                "reference_id": reference_id,
                "deployed_at": at.isoformat(),
                "service": service,
                "environment": environment,
                "repository": self._habit.repository,
                "commit_sha": commit[:SHORT_SHA],
                "success": success,
                "source_name": self._habit.source,
                "source_url": f"https://ci.example/{self._habit.repository}/runs/{self._runs}",
                "metadata": {"version": f"1.{merge.number}.0"},
            }
        )
        if success and environment == PRODUCTION and self._is_news(merge, service):
            self._shipped[service] = merge
        return reference_id

    def _is_news(self, merge: Merge, service: str) -> bool:
        shipped = self._shipped.get(service)
        return shipped is None or _position(merge) > _position(shipped)

    def _waits(self, merge: Merge) -> bool:
        return all(self._is_news(merge, service) for service in merge.services)

    def _progress(self, at: datetime) -> float:
        return 1 - IMPROVES_BY * ((at - self._began) / timedelta(days=DAYS))

    def _minutes(self, least: int, most: int) -> timedelta:
        return timedelta(minutes=self._chance.randint(least, most))

    @staticmethod
    def _at(day: datetime, clock: time) -> datetime:
        return datetime.combine(day.date(), clock, day.tzinfo)


def _position(merge: Merge) -> tuple[datetime, int]:
    return (merge.at, merge.number)
