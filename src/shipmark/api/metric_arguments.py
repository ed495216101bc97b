"""What is asked of metrics: which, of what, and how they are cut."""

from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from shipmark.api import coercions, forms
from shipmark.api.decoding import Arguments, Form
from shipmark.api.tables import FORMAT, AnswerFormat
from shipmark.application.metric_facts import Asked
from shipmark.domain.errors import InvalidArgument
from shipmark.domain.metrics import Metric, Start, Unit
from shipmark.domain.periods import Granularity

ALL = "all"


def _metrics(argument: str, value: Any) -> tuple[Metric, ...] | None:
    """One name, several, or all; text is split on commas and blanks."""
    named = [
        part
        for one in coercions.one_or_more_texts(argument, value)
        for part in one.replace(",", " ").split()
    ]
    if ALL in named:
        return tuple(Metric)
    found = [coercions.one_of(Metric)(argument, one) for one in named]
    return tuple(dict.fromkeys(found)) or None


def _zone(argument: str, value: Any) -> tzinfo | None:
    """The name of a time zone."""
    name = coercions.short_text(argument, value)
    if name is None or name.upper() == "UTC":
        return UTC if name else None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidArgument(
            f"{argument} is {coercions.shown(value)}; it must be the name of a time zone, like "
            "Europe/Berlin.",
            argument=argument,
        ) from None


def _environments(argument: str, value: Any) -> tuple[str, ...] | None:
    named = coercions.one_or_more_texts(argument, value)
    return tuple(dict.fromkeys(coercions.short_text(argument, one) or "" for one in named)) or None


NAMES = [one.value for one in Metric]
METRIC = Form(
    _metrics,
    {"anyOf": [{"enum": [ALL, *NAMES]}, {"type": "array", "items": {"enum": NAMES}}]},
    "One metric, several, or all.",
)
GRANULARITY = Form(
    coercions.one_of(Granularity),
    {"enum": [one.value for one in Granularity]},
    "What the series are cut into.",
)
TZ = Form(
    _zone,
    {"type": "string", "examples": ["Europe/Berlin"], "default": "UTC"},
    "The time zone in which days, weeks and months begin.",
)
ENVIRONMENTS = Form(
    _environments,
    {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]},
    "One environment, or several; without any, those whose name contains prod.",
)
START = Form(
    coercions.one_of(Start),
    {"enum": [one.value for one in Start]},
    "From when lead times are counted.",
)
UNIT = Form(
    coercions.one_of(Unit), {"enum": [one.value for one in Unit]}, "What a lead time is one of."
)
SINCE = forms.INSTANT.described("The beginning of the period; 30 days before its end if absent.")
UNTIL = forms.INSTANT.described("The end of the period, which is not in it; now if absent.")


class FilterArguments(Arguments, kw_only=True, frozen=True):
    """Of which deployments and pull requests."""

    since: Annotated[datetime | None, SINCE] = None
    until: Annotated[datetime | None, UNTIL] = None
    service: Annotated[str | None, forms.TEXT.described("The service's identifier.")] = None
    repository: Annotated[str | None, forms.REPOSITORY] = None
    environment: Annotated[tuple[str, ...], ENVIRONMENTS] = ()
    source: Annotated[str | None, forms.TEXT.described("The source_name of deployments.")] = None
    author: Annotated[str | None, forms.TEXT.described("The author of pull requests.")] = None
    include_baseline: Annotated[
        bool, forms.BOOLEAN.described("Count what the first deployment of a lane ships, too.")
    ] = False
    start: Annotated[Start, START] = Start.MERGED
    unit: Annotated[Unit, UNIT] = Unit.CHANGE

    def asked(self, **others: Any) -> Asked:
        """The same for the use case."""
        return Asked(
            since=self.since,
            until=self.until,
            service=self.service,
            repository=self.repository,
            environments=self.environment,
            source=self.source,
            author=self.author,
            include_baseline=self.include_baseline,
            start=self.start,
            unit=self.unit,
            **others,
        )


class GetArguments(FilterArguments, kw_only=True, frozen=True):
    """Which metrics, of what, and how they are cut."""

    metric: Annotated[tuple[Metric, ...], METRIC] = tuple(Metric)
    granularity: Annotated[Granularity, GRANULARITY] = Granularity.DAY
    tz: Annotated[tzinfo, TZ] = UTC
    format: Annotated[AnswerFormat, FORMAT] = AnswerFormat.JSON
