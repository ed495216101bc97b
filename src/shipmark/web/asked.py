"""What the address asks of metrics: a range of time, and of which deployments."""

from datetime import UTC, datetime, time, timedelta
from functools import partial

from shipmark.application.metric_facts import Asked
from shipmark.application.report import id_of_service
from shipmark.domain.metrics import Start, Unit
from shipmark.domain.periods import Granularity, Period
from shipmark.web.fields import Fields
from shipmark.web.visit import Visit

RANGES = {
    "7d": ("7 days", 7),
    "30d": ("30 days", 30),
    "90d": ("90 days", 90),
    "1y": ("1 year", 365),
}
USUAL = "30d"
PLACES = ("service", "repository", "environment", "source")
TIMES = ("range", "since", "until")
FILTERS = (*TIMES, *PLACES)
PARAMETERS = (*FILTERS, "author", "granularity", "tz", "unit", "start", "include_baseline")
COARSER_AFTER = timedelta(days=45)


def asked(
    fields: Fields, now: datetime, *, service: str | None = None, repository: str | None = None
) -> Asked:
    """What a query string asks, of a service or a repository if one is given. Without a
    granularity, one that fits the range."""
    since, until = fields.since(), fields.until()
    if since is None and until is None:
        since = _beginning(fields.one_of("range", RANGES), now)
    return Asked(
        since=since,
        until=until,
        granularity=fields.choice("granularity", Granularity) or _granularity(since, until or now),
        zone=fields.zone("tz") or UTC,
        service=service or fields.text("service"),
        repository=repository or fields.text("repository"),
        environments=fields.names("environment"),
        source=fields.text("source"),
        author=fields.text("author"),
        include_baseline=fields.flag("include_baseline") or False,
        start=fields.choice("start", Start) or Start.MERGED,
        unit=fields.choice("unit", Unit) or Unit.CHANGE,
    )


def _beginning(chosen: str | None, now: datetime) -> datetime:
    """The first moment of a range of days, of which today is the last."""
    _, days = RANGES[chosen or USUAL]
    return datetime.combine(now.date(), time(), UTC) - timedelta(days=days - 1)


def _granularity(since: datetime | None, until: datetime) -> Granularity:
    if since is None or until - since <= COARSER_AFTER:
        return Granularity.DAY
    return Granularity.WEEK


async def unknown_service(visit: Visit) -> str | None:
    """The service that a filter names, where there is none: then nothing can be found."""
    name = visit.query.text("service")
    if name is None:
        return None
    id_ = await visit.read(partial(id_of_service, identifier=name))
    return None if id_ else name


def chosen_range(visit: Visit) -> str | None:
    """Which of the ranges is shown; None for one that was typed."""
    said = visit.query.kept(*TIMES)
    if "since" in said or "until" in said:
        return None
    return said.get("range") if said.get("range") in RANGES else USUAL


def times_of(visit: Visit, period: Period) -> dict[str, str]:
    """The period as lists are asked for it: without an end that was not typed."""
    times = {"since": _written(period.since)}
    if "until" in visit.query.kept(*TIMES):
        times["until"] = _written(period.until)
    return times


def unshipped(visit: Visit, period: Period) -> str:
    """The address of what merged in the period and is shipped nowhere that is asked about. As of
    metrics, that is production where no environment is named."""
    said = visit.query.kept("service", "repository", "environment", "author")
    return visit.link("/pulls", **said, **times_of(visit, period), deployed="no")


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
