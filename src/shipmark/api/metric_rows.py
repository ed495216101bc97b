"""The method metrics.rows: what each number of metrics.get was counted from."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from shipmark.api import coercions
from shipmark.api.answers import ListAnswer
from shipmark.api.calls import Call
from shipmark.api.decoding import Form
from shipmark.api.metric_arguments import NAMES, FilterArguments
from shipmark.api.paging import LIMIT, cursor_of, cut, page
from shipmark.api.tables import FORMAT, AnswerFormat
from shipmark.application.metric_rows import MetricRow, metric_rows
from shipmark.application.queries import Cursor
from shipmark.domain.metrics import Metric, Which

METRIC = Form(coercions.one_of(Metric), {"enum": NAMES}, "Whose rows.")
WHICH = Form(
    coercions.one_of(Which),
    {"enum": [one.value for one in Which]},
    "What the value was counted from; or of lead_time_for_changes the pull requests that coverage "
    "misses, or of change_failure_rate the incidents.",
)


class RowsArguments(FilterArguments, kw_only=True, frozen=True):
    """The rows of which metric, with its filters, and which page of them."""

    metric: Annotated[Metric, METRIC]
    which: Annotated[Which, WHICH] = Which.COUNTED
    cursor: Annotated[Cursor | None, cursor_of("metric_rows", int, int, int, str)] = None
    limit: Annotated[int, LIMIT] = 100
    format: Annotated[AnswerFormat, FORMAT] = AnswerFormat.JSON


class RowAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """A deployment, a change, a pull request or an incident; what does not belong to it is null."""

    service: str | None
    environment: str | None
    deployment_id: int | None
    deployment_reference_id: str | None
    deployed_at: datetime | None
    success: bool | None
    url: str | None
    repository: str | None
    number: int | None
    title: str | None
    author: str | None
    merged_at: datetime | None
    pull_url: str | None
    commit_sha: str | None
    seconds: float | None
    reasons: tuple[str, ...]
    incidents: tuple[str, ...]


class RowsAnswer(ListAnswer, kw_only=True, frozen=True):
    """A page of rows: newest first, but what waits the oldest first."""

    rows: list[RowAnswer]


async def rows(call: Call, arguments: RowsArguments) -> RowsAnswer:
    """The deployments and pull requests behind a number, with how long each took and why."""
    asked, wanted = arguments.asked(), page(arguments.limit, arguments.cursor)
    rules = call.api.metric_rules
    found = await call.api.read(
        lambda tx: metric_rows(tx, asked, rules, arguments.metric, wanted, arguments.which)
    )
    shown, next_cursor = cut("metric_rows", found, arguments.limit, lambda one: one.key)
    return RowsAnswer(rows=[_row(call, one) for one in shown], next_cursor=next_cursor)


def _row(call: Call, one: MetricRow) -> RowAnswer:
    values: dict[str, Any] = dict.fromkeys(RowAnswer.__struct_fields__)
    if one.deployment is not None:
        deployed, repository = one.deployment.deployment, one.deployment.repository
        values |= {
            "deployment_id": deployed.id,
            "deployment_reference_id": deployed.reference_id,
            "deployed_at": deployed.deployed_at,
            "success": deployed.success,
            "url": call.page_of(deployed.id),
            "repository": repository and repository.name,
            "commit_sha": one.sha or deployed.commit_sha,
        }
    if one.pull is not None:
        pull = one.pull.pull
        values |= {
            "repository": one.pull.repository,
            "number": pull.number,
            "title": pull.title,
            "author": pull.author,
            "merged_at": pull.merged_at,
            "pull_url": pull.url,
        }
    own = ("service", "environment", "seconds", "reasons", "incidents")
    return RowAnswer(**values | {name: getattr(one, name) for name in own})


def table(answer: RowsAnswer) -> tuple[Iterator[Mapping[str, Any]], Sequence[str]]:
    """The same rows; the next page is asked for as in JSON."""
    return (msgspec.structs.asdict(one) for one in answer.rows), RowAnswer.__struct_fields__
