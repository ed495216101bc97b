"""Where a file is imported to: a server, over its API, or the database of the settings."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, Protocol

import httpx
import msgspec

from shipmark.api.imports import ImportShape, RowShape, row_shape, shape
from shipmark.app.background import file_importer
from shipmark.app.configured import metric_rules_of
from shipmark.application import file_steps, upload_file
from shipmark.application.file_importer import by_turns
from shipmark.application.file_imports import FileImport, Kind, RowFilter, RowState
from shipmark.application.policy import Policy
from shipmark.application.queries import ReadTransaction
from shipmark.application.uploads import PART, Parts, pack
from shipmark.application.writer import transact
from shipmark.cli.session import current_settings, database
from shipmark.domain.errors import InvalidArgument, ShipmarkError
from shipmark.settings import Settings
from shipmark.storage.database import Database

PAUSE = 0.2
"""Seconds between two looks at how far a server has come."""

LONGEST_ANSWER = 600.0


class TargetTrouble(ShipmarkError):
    """The import could not be done."""


class NoAnswer(TargetTrouble):
    """There is no server, or something else is."""


class Target(Protocol):
    """Where a file is imported to."""

    def upload(
        self,
        kind: Kind,
        content: BinaryIO,
        filename: str | None,
        mapping: Mapping[str, str],
        *,
        strict: bool,
    ) -> ImportShape: ...

    def go_on(self, import_id: int) -> ImportShape:
        """How far it has come, after a while."""

    def rows(self, import_id: int, state: RowState, limit: int) -> Sequence[RowShape]: ...

    def preview(self, import_id: int) -> ImportShape: ...

    def preview_of(self, import_id: int) -> dict[str, Any]: ...

    def apply(self, import_id: int) -> ImportShape: ...

    def undo(self, import_id: int, *, force: bool) -> ImportShape: ...


class Server:
    """A server, over its API."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def upload(
        self,
        kind: Kind,
        content: BinaryIO,
        filename: str | None,
        mapping: Mapping[str, str],
        *,
        strict: bool,
    ) -> ImportShape:
        told: dict[str, str] = {"kind": kind.value, "strict": str(strict).lower()}
        if filename:
            told["filename"] = filename
        if mapping:
            told["map"] = ",".join(f"{ours}={theirs}" for ours, theirs in mapping.items())
        parts = iter(partial(content.read, PART), b"")
        return self._import("imports.upload", params=told, content=parts)

    def go_on(self, import_id: int) -> ImportShape:
        time.sleep(PAUSE)
        try:
            return self._import("imports.info", json={"id": import_id})
        except NoAnswer as error:
            raise NoAnswer(
                f"{error.message} Import {import_id} goes on by itself once the server runs again."
            ) from None

    def rows(self, import_id: int, state: RowState, limit: int) -> Sequence[RowShape]:
        asked = {"id": import_id, "state": state.value, "limit": limit}
        rows = self._call("imports.rows", json=asked)["rows"]
        unread = {"values": msgspec.Raw(b"null")}
        return [RowShape(**{**row, **unread, "state": RowState(row["state"])}) for row in rows]

    def preview(self, import_id: int) -> ImportShape:
        return self._import("imports.preview", json={"id": import_id})

    def preview_of(self, import_id: int) -> dict[str, Any]:
        preview: dict[str, Any] = self._call("imports.info", json={"id": import_id})["preview"]
        return preview

    def apply(self, import_id: int) -> ImportShape:
        return self._import("imports.apply", json={"id": import_id})

    def undo(self, import_id: int, *, force: bool) -> ImportShape:
        return self._import("imports.undo", json={"id": import_id, "force": force})

    def _import(self, method: str, **request: Any) -> ImportShape:
        return msgspec.convert(self._call(method, **request)["import"], ImportShape)

    def _call(self, method: str, **request: Any) -> dict[str, Any]:
        try:
            response = self._client.post(f"/api/{method}", **request)
            answer: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError) as error:
            why = f"{self._client.base_url} does not answer as a Shipmark server: {error}."
            raise NoAnswer(why) from None
        if not answer.get("ok"):
            raise TargetTrouble(str(answer.get("message", response.text[:500])))
        return answer


@contextmanager
def there(server: str, token: str | None) -> Iterator[Target]:
    """A server at an address."""
    if not token:
        raise InvalidArgument("--server needs --token beside it, or SHIPMARK_TOKEN.")
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(
        base_url=server, headers=headers, timeout=LONGEST_ANSWER, trust_env=False
    ) as client:
        yield Server(client)


class Here:
    """The database of the settings, in this process. Workers elsewhere may take part."""

    def __init__(self, opened: Database, policy: Policy, settings: Settings) -> None:
        self._database = opened
        self._largest = settings.max_import_bytes
        self._importer = file_importer(
            opened, policy, write=by_turns(opened), metric_rules=metric_rules_of(settings)
        )

    def upload(
        self,
        kind: Kind,
        content: BinaryIO,
        filename: str | None,
        mapping: Mapping[str, str],
        *,
        strict: bool,
    ) -> ImportShape:
        self._importer.readers[kind].check_mapping(mapping)
        about = upload_file.Upload(kind=kind, filename=filename, mapping=mapping, strict=strict)
        one = self._write(partial(upload_file.begin, upload=about))
        try:
            for part in _parts(content, Parts(self._largest)):
                sent = upload_file.Part(of=one, size=len(part), packed=pack(part))
                one = self._write(partial(upload_file.add_part, part=sent))
            return shape(self._write(partial(upload_file.finish, one=one)))
        except BaseException:
            transact(self._database, partial(upload_file.abandon, import_id=one.id))
            raise

    def go_on(self, import_id: int) -> ImportShape:
        """Do some of it, unless a worker does already."""
        claimed = transact(self._database, partial(_claim, import_id=import_id))
        if claimed is None:
            time.sleep(PAUSE)
        else:
            self._importer.work_on(claimed, most_steps=STEPS_AT_ONCE)
        return self._now(import_id)

    def rows(self, import_id: int, state: RowState, limit: int) -> Sequence[RowShape]:
        with self._database.read() as tx:
            which = RowFilter(state=state)
            return [
                row_shape(row)
                for row in tx.file_imports.rows(import_id, which, after=0, limit=limit)
            ]

    def preview(self, import_id: int) -> ImportShape:
        return shape(self._write(partial(file_steps.begin_previewing, import_id=import_id)))

    def preview_of(self, import_id: int) -> dict[str, Any]:
        with self._database.read() as tx:
            preview: dict[str, Any] = msgspec.json.decode(
                file_steps.found(tx, import_id).preview or "null"
            )
        return preview

    def apply(self, import_id: int) -> ImportShape:
        return shape(self._write(partial(file_steps.begin_applying, import_id=import_id)))

    def undo(self, import_id: int, *, force: bool) -> ImportShape:
        undoing = partial(file_steps.begin_undoing, import_id=import_id, force=force)
        return shape(self._write(undoing))

    def _now(self, import_id: int) -> ImportShape:
        with self._database.read() as tx:
            return shape(file_steps.found(tx, import_id))

    def _write(self, run: Callable[[ReadTransaction], FileImport]) -> FileImport:
        return transact(self._database, run)


STEPS_AT_ONCE = 10
"""Steps after which the progress is shown."""


def _claim(tx: ReadTransaction, *, import_id: int) -> FileImport | None:
    one = file_steps.found(tx, import_id)
    if one.due_at is None or one.due_at > tx.now:
        return None
    return file_steps.hold(tx, one)


def _parts(content: BinaryIO, parts: Parts) -> Iterator[bytes]:
    while read := content.read(PART):
        yield from parts.feed(read)
    yield from parts.finish()


@contextmanager
def here() -> Iterator[Target]:
    """The database of the settings."""
    with database() as (opened, policy):
        yield Here(opened, policy, current_settings())
