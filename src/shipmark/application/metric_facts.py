"""What metrics are computed of: facts of a period and of the one before, each read when needed."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Generic, TypeVar

from shipmark.application.metric_queries import FixRules, Selection
from shipmark.application.queries import ReadTransaction
from shipmark.application.report import id_of_repository, id_of_service
from shipmark.domain.errors import InvalidArgument
from shipmark.domain.failures import Deployed, Edges, Judged, judge
from shipmark.domain.incidents import Happened
from shipmark.domain.metrics import Shipment, Start, Unit
from shipmark.domain.periods import Bucket, Granularity, Period, buckets, microseconds

USUAL_LENGTH = timedelta(days=30)
MOST_BUCKETS = 1000
LONGEST_PERIOD = timedelta(days=3660)
LATEST = datetime(9998, 1, 1, tzinfo=UTC)
"""Periods end by then: the bucket after the last one has to have a date, too."""

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRules:
    """What an operator may decide about metrics."""

    incident_within: timedelta = timedelta(days=1)
    fixes: FixRules = FixRules()

    @property
    def within(self) -> int:
        return self.incident_within // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a client asks about; what is None does not matter.

    Without ``until`` it is now, and without ``since`` the thirty days before. Environments that
    are not named are those of production. ``unit`` and ``start`` are of lead times.
    """

    since: datetime | None = None
    until: datetime | None = None
    granularity: Granularity = Granularity.DAY
    zone: tzinfo = UTC
    service: str | None = None
    repository: str | None = None
    environments: tuple[str, ...] = ()
    source: str | None = None
    author: str | None = None
    include_baseline: bool = False
    start: Start = Start.MERGED
    unit: Unit = Unit.CHANGE

    def period(self, now: datetime) -> Period:
        """Raises InvalidArgument for one that ends before it begins, is too long or too late."""
        until = self.until or now
        if until > LATEST:
            raise InvalidArgument(
                f"until is {until.isoformat()}; it must be before the year {LATEST.year}.",
                argument="until",
            )
        since = self.since or until - USUAL_LENGTH
        if since >= until:
            raise InvalidArgument(
                f"since is {since.isoformat()}; it must be before until, {until.isoformat()}.",
                argument="since",
            )
        if until - since > LONGEST_PERIOD:
            raise InvalidArgument(
                f"The period is {(until - since).days} days long; at most {LONGEST_PERIOD.days} "
                "are measured at once.",
                argument="since",
            )
        return Period(since=since, until=until)


@dataclass(frozen=True, slots=True)
class Measured(Generic[Value]):
    """A metric in the period, in the one before, and in each bucket of the period."""

    now: Value
    before: Value
    series: tuple[tuple[Bucket, Value], ...]


class Facts:
    """What was read of the period and of the one before, each thing when it is first needed."""

    def __init__(
        self,
        tx: ReadTransaction,
        asked: Asked,
        rules: MetricRules,
        *,
        with_series: bool = True,
        with_before: bool = True,
    ) -> None:
        self.tx = tx
        self.asked = asked
        self.rules = rules
        self.period = asked.period(tx.now)
        since = self.period.before.since if with_before else self.period.since
        self.both = Period(since=since, until=self.period.until)
        self.buckets = self._buckets() if with_series else []

    def _buckets(self) -> list[Bucket]:
        found = buckets(self.period, self.asked.granularity, self.asked.zone)
        if len(found) > MOST_BUCKETS:
            raise InvalidArgument(
                f"The period has {len(found)} buckets of a {self.asked.granularity}; at most "
                f"{MOST_BUCKETS} are told. Choose a coarser granularity.",
                argument="granularity",
            )
        return found

    @cached_property
    def selection(self) -> Selection:
        asked = self.asked
        return Selection(
            service_id=id_of_service(self.tx, asked.service) if asked.service else None,
            repository_id=id_of_repository(self.tx, asked.repository) if asked.repository else None,
            environments=asked.environments,
            source_name=asked.source,
            author=asked.author,
        )

    @cached_property
    def environments(self) -> tuple[str, ...]:
        """Those that were asked about; else those that there were deployments to."""
        found = self.asked.environments or {one.environment for one in self.counted}
        return tuple(sorted(found))

    @cached_property
    def deployments(self) -> list[Deployed]:
        """All to where it is asked about, those that count and those beside them."""
        return self.tx.metrics.deployments(self.selection, self.both)

    @cached_property
    def counted(self) -> list[Deployed]:
        return [one for one in self.deployments if one.counted]

    @cached_property
    def edges(self) -> Edges:
        return self.tx.metrics.edges(self.deployments, self.both)

    @cached_property
    def happened(self) -> list[Happened]:
        before = self.edges.before.values()
        return self.tx.metrics.happened(self.both, before, within=self.rules.within)

    @cached_property
    def judged(self) -> list[Judged]:
        """The deployments that count, each with what became of it."""
        judged = judge(
            self.deployments,
            self.edges,
            happened=self.happened,
            told=self.tx.metrics.told(self.both, self.edges.before.values()),
            within=self.rules.within,
        )
        return [one for one in judged if one.deployed.counted]

    @cached_property
    def judged_at(self) -> list[int]:
        """When each of them was deployed."""
        return [one.deployed.deployed_at for one in self.judged]

    @cached_property
    def only_fixes(self) -> set[int]:
        """Of the successful deployments, those that ship nothing but fixes."""
        # What most of them ship is known, and is no fix: one look at one of it is enough.
        one_of = {one.deployment_id: one.ids[0] for one in self.shipped}
        pull_ids = [id_ for id_ in one_of.values() if isinstance(id_, int)]
        fixes = self.tx.metrics.fixes(pull_ids, self.rules.fixes)
        others = set(pull_ids) - fixes
        perhaps = [
            one.id for one in self.counted if one.success and one_of.get(one.id) not in others
        ]
        return self.tx.metrics.only_fixes(perhaps, self.rules.fixes) if perhaps else set()

    @cached_property
    def shipped(self) -> list[Shipment]:
        """What the deployments that count shipped: pull requests, or commits on their branch."""
        asked = self.asked
        return self.tx.metrics.shipments(
            self.selection,
            self.both,
            self.deployments,
            start=None if asked.unit is Unit.COMMIT else asked.start,
            with_baselines=asked.include_baseline,
        )

    def measured(
        self,
        items: Sequence[Item],
        instants: Sequence[int],
        value: Callable[[Sequence[Item], Period], Value],
    ) -> Measured[Value]:
        """A value in both periods and in each bucket, from what lies in each by its instant. Items
        come in the order of their instants."""

        def inside(period: Period) -> Value:
            return value(lying_in(period, items, instants), period)

        return Measured(
            now=inside(self.period),
            before=inside(self.period.before),
            series=tuple((bucket, inside(bucket.period)) for bucket in self.buckets),
        )


def lying_in(period: Period, items: Sequence[Item], instants: Sequence[int]) -> Sequence[Item]:
    """Those of the items whose instants lie in a period; both come in order."""
    since = bisect_left(instants, microseconds(period.since))
    until = bisect_left(instants, microseconds(period.until))
    return items[since:until]
