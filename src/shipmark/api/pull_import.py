"""The method pulls.import: thousands of pull requests a call, a result for each."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

import msgspec

from shipmark.api import coercions, forms
from shipmark.api.answers import Answer
from shipmark.api.arguments import NDJSON, json_object, merged
from shipmark.api.calls import Call
from shipmark.api.decoding import Arguments, Form, decode, schema_of, unknown, warnings
from shipmark.application.record_pulls import Change, PullFacts
from shipmark.domain.errors import InvalidArgument, RequiredParamsMissing, ShipmarkError

INSTANT = Form(coercions.past_instant, forms.INSTANT.schema)
FAILED = "failed"


class PullItem(Arguments, kw_only=True, frozen=True):
    """The facts of one pull request. An absent key leaves what is stored; null says there is none.

    ``merged_at`` null: not merged.
    """

    repository: Annotated[str, forms.REPOSITORY]
    number: Annotated[int, forms.WHOLE_NUMBER]
    base_ref: Annotated[str, forms.BRANCH]
    source_id: Annotated[
        str | None, forms.IDENTIFIER.described("The forge's own id; GitHub's is github_pull_id.")
    ] = None
    title: Annotated[str | None, forms.LONG_TEXT] = None
    author: Annotated[str | None, forms.TEXT] = None
    url: Annotated[str | None, forms.URL] = None
    head_ref: Annotated[str | None, forms.BRANCH] = None
    head_sha: Annotated[str | None, forms.FULL_SHA] = None
    commit_shas: Annotated[frozenset[str], forms.FULL_SHAS] = frozenset()
    merge_commit_sha: Annotated[str | None, forms.FULL_SHA] = None
    created_at: Annotated[datetime | None, INSTANT] = None
    first_commit_at: Annotated[datetime | None, INSTANT] = None
    ready_for_review_at: Annotated[datetime | None, INSTANT] = None
    merged_at: Annotated[datetime | None, INSTANT] = None
    closed_at: Annotated[datetime | None, INSTANT] = None
    labels: Annotated[tuple[str, ...] | None, forms.TEXTS] = None
    files: Annotated[tuple[str, ...] | None, forms.TEXTS] = None


NAMING = ("repository", "number")


def pull_facts(sent: Any) -> PullFacts:
    """What one item says. Raises the InvalidArgument of what is wrong with it."""
    if not isinstance(sent, dict):
        raise InvalidArgument(f"The item is {coercions.shown(sent)}; it must be an object.")
    item = decode(PullItem, sent)
    said = [name for name in PullItem.__struct_fields__ if name in sent and name not in NAMING]
    values = {name: getattr(item, name) for name in said}
    return PullFacts(repository=item.repository, number=item.number, values=values)


def _array(argument: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidArgument(f"{argument} must be an array of objects.", argument=argument)
    return value


class ImportArguments(Arguments, kw_only=True, frozen=True):
    """Pull requests to record, as JSON; or as NDJSON, one a line, without any wrapping."""

    pulls: Annotated[
        list[Any], Form(_array, {"type": "array", "items": schema_of(PullItem)}, "The items.")
    ]


class ItemResult(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What became of one item; index counts from 0."""

    index: int
    status: str
    error: str | None = None
    message: str | None = None


class ImportAnswer(Answer, kw_only=True, frozen=True):
    """How many of each, and a result for every item in the order they were sent."""

    created: int
    updated: int
    unchanged: int
    failed: int
    results: list[ItemResult]


class NoArguments(Arguments, kw_only=True, frozen=True):
    """Nothing: the body is read by the method itself."""


async def import_pulls(call: Call, _arguments: NoArguments) -> ImportAnswer:
    """Record pull requests by repository and number. An item that is wrong fails alone."""
    items, told = await asyncio.to_thread(_items, call)
    right = [item for item in items if isinstance(item, PullFacts)]
    done = await call.api.write(call.api.works.record_pulls, right) if right else []
    recorded = iter(done)
    results = [
        _result(index, next(recorded) if isinstance(item, PullFacts) else item)
        for index, item in enumerate(items)
    ]
    counts = dict.fromkeys((*Change, FAILED), 0)
    for result in results:
        counts[result.status] += 1
    return ImportAnswer(
        created=counts[Change.CREATED],
        updated=counts[Change.UPDATED],
        unchanged=counts[Change.UNCHANGED],
        failed=counts[FAILED],
        results=results,
        warnings=told or msgspec.UNSET,
    )


def _items(call: Call) -> tuple[list[PullFacts | ShipmarkError], list[str]]:
    """Each item that was sent, and warnings of what means nothing here."""
    sent, told = _sent(call)
    keys = {key for one in sent if isinstance(one, dict) for key in unknown(PullItem, one)}
    return [_item(one) for one in sent], told + warnings(sorted(keys), "key")


def _sent(call: Call) -> tuple[list[Any], list[str]]:
    if call.content_type.partition(";")[0].strip().lower() == NDJSON:
        lines = [line for line in call.body.splitlines() if line.strip()]
        if not lines:
            raise RequiredParamsMissing("Send one pull request a line.", argument="pulls")
        return [_line(line) for line in lines], []
    arguments = merged(b"", call.body, call.content_type)
    told = warnings(unknown(ImportArguments, arguments))
    return decode(ImportArguments, arguments).pulls, told


def _line(line: bytes) -> Any:
    """What a line of NDJSON says, or what is wrong with it."""
    try:
        return json_object(line)
    except ShipmarkError as error:
        return error


def _item(sent: Any) -> PullFacts | ShipmarkError:
    try:
        return sent if isinstance(sent, ShipmarkError) else pull_facts(sent)
    except ShipmarkError as error:
        return error


def _result(index: int, outcome: Change | ShipmarkError) -> ItemResult:
    if isinstance(outcome, ShipmarkError):
        return ItemResult(index=index, status=FAILED, error=outcome.code, message=outcome.message)
    return ItemResult(index=index, status=outcome.value)


def read_items(text: bytes) -> list[PullFacts | ShipmarkError]:
    """The items of a file: an array, an object with the array ``pulls``, or one item a line.

    Each is in normal form, or what is wrong with it.
    """
    try:
        whole = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [_item(_line(line)) for line in text.splitlines() if line.strip()]
    if isinstance(whole, dict) and "pulls" in whole:
        whole = whole["pulls"]
    return [_item(one) for one in (whole if isinstance(whole, list) else [whole])]
