"""The methods imports.* about a file that was taken in: looked at, applied, taken back."""

from datetime import datetime
from typing import Annotated

import msgspec

from shipmark.api import coercions, forms
from shipmark.api.answers import Answer, ListAnswer
from shipmark.api.calls import Call
from shipmark.api.decoding import Arguments, Form
from shipmark.api.file_rows import READERS, understood
from shipmark.api.paging import LIMIT, cursor_of, cut
from shipmark.application import file_steps
from shipmark.application.file_imports import (
    SCOPES,
    FileImport,
    FileRow,
    Kind,
    RowFilter,
    RowState,
    State,
)
from shipmark.application.queries import Cursor
from shipmark.application.tokens import Scope
from shipmark.domain.errors import (
    MissingScope,
)

KIND = Form(
    coercions.one_of(Kind), {"enum": [one.value for one in Kind]}, "What the rows of the file are."
)
STRICT = forms.BOOLEAN.described("Apply it as a whole or not at all.")
ID = forms.WHOLE_NUMBER.described("The import's id.")
ROW_STATE = Form(
    coercions.one_of(RowState), {"enum": [one.value for one in RowState]}, "Rows in this state."
)


class RowCounts(msgspec.Struct, kw_only=True, frozen=True):
    """How many rows are in each state."""

    ready: int = 0
    present: int = 0
    duplicate: int = 0
    refused: int = 0
    applied: int = 0
    undone: int = 0
    kept: int = 0
    gone: int = 0


class ImportShape(msgspec.Struct, kw_only=True, frozen=True):
    """A file and how far its import has come. ``progress`` of what is under way is from 0 to 1,
    and 0 of a preview until it is there."""

    id: int
    kind: Kind
    state: State
    filename: str | None
    strict: bool
    size: int
    progress: float
    rows: RowCounts
    import_warnings: tuple[str, ...]
    failure: str | None
    created_at: datetime
    changed_at: datetime


class ImportAnswer(Answer, kw_only=True, frozen=True):
    """The import."""

    import_: ImportShape = msgspec.field(name="import")


def shape(one: FileImport) -> ImportShape:
    """An import as it goes out."""
    return ImportShape(
        id=one.id,
        kind=one.kind,
        state=one.state,
        filename=one.filename,
        strict=one.strict,
        size=one.size,
        progress=one.progress or 0.0,
        rows=RowCounts(**one.counts),
        import_warnings=one.warnings,
        failure=one.error,
        created_at=one.created_at,
        changed_at=one.changed_at,
    )


def permit(call: Call, kind: Kind) -> None:
    """Raises MissingScope unless the caller may import files of this kind."""
    if not call.caller.scopes & {Scope.ADMIN, *SCOPES[kind]}:
        raise MissingScope(
            f"The token '{call.caller.name}' has the scopes "
            f"{', '.join(sorted(call.caller.scopes))}; a file of {kind} needs "
            f"{' or '.join(SCOPES[kind])}."
        )


class WhichImportArguments(Arguments, kw_only=True, frozen=True):
    """Which import."""

    id: Annotated[int, ID]


class ImportInfoAnswer(ImportAnswer, kw_only=True, frozen=True):
    """The import, and its preview once there is one."""

    preview: msgspec.Raw


async def info(call: Call, arguments: WhichImportArguments) -> ImportInfoAnswer:
    """How far an import has come, and what applying it would do."""
    one = await call.api.read(lambda tx: file_steps.found(tx, arguments.id))
    return ImportInfoAnswer(
        import_=shape(one), preview=msgspec.Raw((one.preview or "null").encode())
    )


class ImportListArguments(Arguments, kw_only=True, frozen=True):
    """Which page."""

    cursor: Annotated[Cursor | None, cursor_of("imports", int)] = None
    limit: Annotated[int, LIMIT] = 100


class ImportsAnswer(ListAnswer, kw_only=True, frozen=True):
    """A page of imports, newest first."""

    imports: list[ImportShape]


async def list_imports(call: Call, arguments: ImportListArguments) -> ImportsAnswer:
    """List imports, newest first."""
    before = arguments.cursor[0] if arguments.cursor else None
    found = await call.api.read(
        lambda tx: tx.file_imports.newest(before=before, limit=arguments.limit + 1)
    )
    shown, next_cursor = cut("imports", found, arguments.limit, lambda one: (one.id,))
    return ImportsAnswer(imports=[shape(one) for one in shown], next_cursor=next_cursor)


class RowsArguments(WhichImportArguments, kw_only=True, frozen=True):
    """Which rows of an import."""

    state: Annotated[RowState | None, ROW_STATE] = None
    cursor: Annotated[Cursor | None, cursor_of("rows", int)] = None
    limit: Annotated[int, LIMIT] = 100


class RowShape(msgspec.Struct, kw_only=True, frozen=True):
    """A row, by the line it begins on; what is wrong with it, if anything is, and ``values``, what
    it was understood to say."""

    line: int
    state: RowState
    reference_id: str | None
    error: str | None
    column: str | None
    value: str | None
    message: str | None
    deployment_id: int | None
    values: msgspec.Raw


class RowsAnswer(ListAnswer, kw_only=True, frozen=True):
    """A page of rows, by their lines."""

    rows: list[RowShape]


async def rows(call: Call, arguments: RowsArguments) -> RowsAnswer:
    """What became of each row of an import."""
    after = arguments.cursor[0] if arguments.cursor else 0
    found = await call.api.read(
        lambda tx: tx.file_imports.rows(
            file_steps.found(tx, arguments.id).id,
            RowFilter(state=arguments.state),
            after=after,
            limit=arguments.limit + 1,
        )
    )
    shown, next_cursor = cut("rows", found, arguments.limit, lambda row: (row.line,))
    return RowsAnswer(rows=[row_shape(row) for row in shown], next_cursor=next_cursor)


def row_shape(row: FileRow) -> RowShape:
    """A row as it goes out."""
    fault = row.fault
    told = (fault.code, fault.column, fault.value, fault.message) if fault else (None,) * 4
    return RowShape(
        line=row.line,
        state=row.state,
        reference_id=row.reference_id or None,
        error=told[0],
        column=told[1],
        value=told[2],
        message=told[3],
        deployment_id=row.of_id,
        values=msgspec.Raw(understood(row.values)),
    )


class ApplyArguments(WhichImportArguments, kw_only=True, frozen=True):
    """Which import, and whether to apply what is right of it or all."""

    strict: Annotated[bool, STRICT] = False


async def apply(call: Call, arguments: ApplyArguments) -> ImportAnswer:
    """Have the rows that are right applied. Doing it again changes nothing."""
    await _permit_import(call, arguments.id)
    asked = (arguments.id, arguments.strict)
    return ImportAnswer(import_=shape(await call.api.write(call.api.works.apply_import, asked)))


class UndoArguments(WhichImportArguments, kw_only=True, frozen=True):
    """Which import, and whether also what was changed since."""

    force: Annotated[
        bool, forms.BOOLEAN.described("Also take back what was changed since it was applied.")
    ] = False


async def undo(call: Call, arguments: UndoArguments) -> ImportAnswer:
    """Have all that an import added taken back. Doing it again changes nothing."""
    await _permit_import(call, arguments.id)
    asked = (arguments.id, arguments.force)
    return ImportAnswer(import_=shape(await call.api.write(call.api.works.undo_import, asked)))


async def preview(call: Call, arguments: WhichImportArguments) -> ImportAnswer:
    """Have it worked out what applying an import would do; imports.info then has the answer."""
    await _permit_import(call, arguments.id)
    one = await call.api.write(call.api.works.preview_import, arguments.id)
    return ImportAnswer(import_=shape(one))


async def _permit_import(call: Call, import_id: int) -> None:
    one = await call.api.read(lambda tx: file_steps.found(tx, import_id))
    permit(call, one.kind)


class TemplateArguments(Arguments, kw_only=True, frozen=True):
    """Of which kind of file."""

    kind: Annotated[Kind, KIND] = Kind.DEPLOYMENTS


class TemplateAnswer(Answer, kw_only=True, frozen=True):
    """The names that columns may have, and a file to begin with."""

    columns: tuple[str, ...]
    csv: str


async def template(call: Call, arguments: TemplateArguments) -> TemplateAnswer:
    """A file to begin with."""
    del call
    reader = READERS[arguments.kind]
    return TemplateAnswer(columns=reader.columns, csv=reader.template)
