"""Imports of files: the list, and where one is uploaded."""

from starlette.responses import Response

from shipmark.application.file_imports import SCOPES, Kind
from shipmark.domain.errors import MissingScope, ShipmarkError, Unavailable
from shipmark.web.fields import Fields
from shipmark.web.visit import Visit

SHOWN = 50
LONGEST_NAME = 255
NAMES = {
    Kind.DEPLOYMENTS: "Deployments",
    Kind.PULLS: "Pull requests",
    Kind.SERVICES: "Services of pull requests",
}


async def explorer(visit: Visit) -> Response:
    """Imports, newest first, and the form for another one."""
    return await _page(visit)


async def _page(visit: Visit, *, status: int = 200) -> Response:
    before = visit.query.number("after")
    found = await visit.read(lambda tx: tx.file_imports.newest(before=before, limit=SHOWN + 1))
    return visit.render(
        "imports.html",
        status=status,
        rows=found[:SHOWN],
        next=str(found[SHOWN - 1].id) if len(found) > SHOWN else None,
        names=NAMES,
        kinds=[(kind, NAMES[kind]) for kind in Kind if visit.may(SCOPES[kind])],
        columns={kind: reader.columns for kind, reader in visit.site.row_readers.items()},
    )


async def upload(visit: Visit) -> Response:
    """Take a file in, as `imports.upload` does."""
    assert visit.file is not None  # noqa: S101 - the page's line says that it takes one
    if not visit.file.filename:
        visit.form.problems["file"] = "Choose a file, or drop one on the field."
        return await _page(visit)
    sent = visit.form.sent | {"filename": _name(visit.file.filename)}
    try:
        about = visit.site.upload_of(sent, visit.account_id)
        check_scope(visit, about.kind)
        one = await visit.site.store_file(about, visit.file.content())
    except (MissingScope, Unavailable):
        raise
    except ShipmarkError as error:
        visit.form.problems[error.argument or "file"] = error.message
        return await _page(visit, status=visit.site.status_of(error))
    return visit.go_to(f"/imports/{one.id}", done="file-taken")


def _name(filename: str) -> str:
    """The name of a file as a line of text that can be stored."""
    shown = "".join(one if one.isprintable() else " " for one in filename)
    return shown.strip()[:LONGEST_NAME]


def check_scope(visit: Visit, kind: Kind) -> None:
    """Raises MissingScope unless who visits may import files of a kind."""
    if not visit.may(SCOPES[kind]):
        raise MissingScope(
            f"A file of {kind} needs a token of the scope {' or '.join(SCOPES[kind])}. You are "
            "signed in with one that does not have it."
        )


def kind_of(fields: Fields) -> Kind:
    """The kind that an address names; deployments if it names none."""
    return fields.choice("kind", Kind) or Kind.DEPLOYMENTS
