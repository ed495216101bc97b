"""The methods that take files in: deployments.import and imports.upload."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from starlette.requests import ClientDisconnect

from shipmark.api import coercions, forms
from shipmark.api.calls import Api, Call
from shipmark.api.decoding import Arguments, Form
from shipmark.api.file_rows import READERS
from shipmark.api.imports import KIND, STRICT, ImportAnswer, permit, shape
from shipmark.application.file_imports import FileImport, Kind
from shipmark.application.upload_file import Part, Upload
from shipmark.application.uploads import Parts, pack
from shipmark.domain.errors import InvalidArgument, InvalidFile


def mapping_of(argument: str, value: Any) -> dict[str, str]:
    """Pairs like ``service=app,deployed_at=finished``, or an object of them."""
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
        if not all(ours.strip() and theirs.strip() for ours, _, theirs in pairs):
            raise InvalidArgument(
                f"{argument} is {coercions.shown(value)}; it must be pairs like "
                "service=app,deployed_at=finished: our name, and the file's.",
                argument=argument,
            )
        given = [ours.strip() for ours, _, _ in pairs]
        if twice := next((one for one in given if given.count(one) > 1), None):
            raise InvalidArgument(
                f"{argument} gives {coercions.shown(twice)} twice; name each column once.",
                argument=argument,
            )
        value = {ours.strip(): theirs.strip() for ours, _, theirs in pairs}
    return {
        ours: theirs[0]
        for ours, theirs in coercions.lists_by_name(argument, value).items()
        if theirs
    }


MAP = Form(
    mapping_of,
    {"type": "string", "examples": ["service=app,deployed_at=finished"]},
    "Which column of the file is meant by one of ours, where it is not called so.",
)
FILENAME = forms.TEXT.described("What the file is called, to tell imports apart.")


class ImportDeploymentsArguments(Arguments, kw_only=True, frozen=True):
    """What to know of a file; they stand in the query string, and the body is the file."""

    filename: Annotated[str | None, FILENAME] = None
    map: Annotated[dict[str, str] | None, MAP] = None
    strict: Annotated[bool, STRICT] = False

    def upload(self, kind: Kind, account_id: int) -> Upload:
        """The same for the use case. Raises InvalidArgument for a column that there is not."""
        mapping = self.map or {}
        READERS[kind].check_mapping(mapping)
        return Upload(
            kind=kind,
            filename=self.filename,
            account_id=account_id,
            mapping=mapping,
            strict=self.strict,
        )


class UploadArguments(ImportDeploymentsArguments, kw_only=True, frozen=True):
    """The same, of a file of any kind."""

    kind: Annotated[Kind, KIND]


async def import_deployments(call: Call, arguments: ImportDeploymentsArguments) -> ImportAnswer:
    """Take in a file of deployments, as CSV or NDJSON. Nothing is applied yet."""
    return await _take_in(call, Kind.DEPLOYMENTS, arguments)


async def upload(call: Call, arguments: UploadArguments) -> ImportAnswer:
    """Take in a file of deployments, pull requests or services. Nothing is applied yet."""
    return await _take_in(call, arguments.kind, arguments)


async def _take_in(call: Call, kind: Kind, arguments: ImportDeploymentsArguments) -> ImportAnswer:
    permit(call, kind)
    about = arguments.upload(kind, call.caller.account.id)
    return ImportAnswer(import_=shape(await stored(call.api, about, call.stream)))


async def stored(api: Api, about: Upload, stream: AsyncIterator[bytes]) -> FileImport:
    """Store a file while it comes; nothing of it stays if it breaks off, or is refused."""
    works = api.works
    one = await api.write(works.begin_upload, about)
    try:
        async for part in _parts(stream, Parts(api.largest_import)):
            packed = await asyncio.to_thread(pack, part)
            sent = Part(of=one, size=len(part), packed=packed)
            one = await api.write(works.add_part, sent)
        return await api.write(works.finish_upload, one)
    except BaseException:
        # Also when the connection is gone, and nobody is left to wait for it.
        api.writer.submit(works.abandon_upload, one.id)
        raise


async def _parts(stream: AsyncIterator[bytes], parts: Parts) -> AsyncIterator[bytes]:
    try:
        async for sent in stream:
            for part in parts.feed(sent):
                yield part
    except ClientDisconnect:
        raise InvalidFile("The connection was closed before the file was complete.") from None
    for part in parts.finish():
        yield part
