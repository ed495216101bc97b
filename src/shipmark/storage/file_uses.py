"""Which imports of files use what another import made, and does not take back because of them."""

import json
from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from shipmark.application.file_imports import Effect, Kind, RowState
from shipmark.storage.columns import metadata
from shipmark.storage.file_import_tables import file_effects, file_imports, file_rows
from shipmark.storage.sent_rows import among
from shipmark.storage.statements import insert_unless_there
from shipmark.storage.tables import deployments, pulls, windows

STANDING = (RowState.APPLIED, RowState.KEPT)

assignments = metadata.tables["service_assignments"]


def hand_on(connection: Connection, effect: Effect, ids: Collection[int]) -> None:
    """Note of what is left that those who use it made it: whoever is undone last takes it back."""
    users = {tuple(row) for one in _uses(effect) for row in connection.execute(one, {"ids": ids})}
    if effect is Effect.SERVICE:
        users |= set(_assigning(connection, set(ids)))
    if users:
        connection.execute(
            insert_unless_there(connection, file_effects),
            [{"import_id": user, "effect": effect, "of_id": one} for user, one in sorted(users)],
        )


def _uses(effect: Effect) -> Iterator[Select[Any]]:
    """Pairs of an import and what its rows use."""
    of_deployment = file_rows.c.reference_id == deployments.c.reference_id
    if effect is Effect.LANE:
        query = _rows(Kind.DEPLOYMENTS, windows.c.lane_id)
        yield query.where(of_deployment, windows.c.deployment_id == deployments.c.id)
    elif effect is Effect.SERVICE:
        yield _rows(Kind.DEPLOYMENTS, deployments.c.service_id).where(of_deployment)
    else:
        yield _rows(Kind.DEPLOYMENTS, deployments.c.repository_id).where(of_deployment)
        yield _rows(Kind.PULLS, pulls.c.repository_id).where(file_rows.c.of_id == pulls.c.id)
        yield (
            _assigned()
            .add_columns(assignments.c.repository_id)
            .where(among(assignments.c.repository_id, "ids"))
        )


def _rows(kind: Kind, used: ColumnElement[Any]) -> Select[Any]:
    return (
        select(file_rows.c.import_id, used)
        .where(
            file_rows.c.import_id == file_imports.c.id,
            file_imports.c.kind == kind,
            file_rows.c.state.in_(STANDING),
            among(used, "ids"),
        )
        .distinct()
    )


def _assigned() -> Select[Any]:
    return select(file_effects.c.import_id).where(
        file_effects.c.effect == Effect.ASSIGNMENT, file_effects.c.of_id == assignments.c.id
    )


def _assigning(connection: Connection, ids: set[int]) -> Iterator[tuple[int, int]]:
    """Assignments name their services in a list."""
    for row in connection.execute(_assigned().add_columns(assignments.c.services)):
        yield from ((row.import_id, one) for one in ids.intersection(json.loads(row.services)))
