"""What importing a file changes besides adding its rows, noted so that it can be taken back."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shipmark.application.attribute import Touched
from shipmark.application.file_imports import Effect, EffectRow, FileImport, effects_of
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.record_pulls import apply_assignments, holders, look_again
from shipmark.application.register import lock_repositories
from shipmark.application.services_by_paths import assign_by_paths
from shipmark.domain.model import Attribution, Deployment, Status

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def effects_of_transaction(
    tx: Transaction, one: FileImport, *, made: Collection[int] = ()
) -> list[EffectRow]:
    """What a transaction that applied rows changed, and ``made`` deployments, besides those: lanes,
    services and who is assigned them, repositories, names, and how far the attribution of other
    deployments has come."""
    _note_names(tx, one)
    return [
        *(
            EffectRow(effect=Effect.ASSIGNMENT, of_id=id_, before=was)
            for id_, was in tx.assignments.changed.items()
        ),
        *effects_of_attributing(tx, made=made),
    ]


def effects_of_attributing(tx: Transaction, *, made: Collection[int] = ()) -> list[EffectRow]:
    """What a transaction made besides, and what it attributed that it did not make. Taking back
    does that, too: step by step, it comes through states that applying never came through."""
    return [
        *(
            EffectRow(effect=Effect.ATTRIBUTION, of_id=id_, before=_attribution(was))
            for id_, was in tx.deployments.attributions_before.items()
            if id_ not in made
        ),
        *effects_of(Effect.LANE, tx.lanes.added),
        *effects_of(Effect.SERVICE, tx.services.added),
        *effects_of(Effect.REPOSITORY, tx.repositories.added),
    ]


def _note_names(tx: Transaction, one: FileImport) -> None:
    """Which names services had before all of the import, and which they have now."""
    renamed = tx.services.renamed
    noted = tx.file_effects.on(one.id, Effect.SERVICE_NAME, renamed.keys())
    effects = [
        EffectRow(
            effect=Effect.SERVICE_NAME,
            of_id=id_,
            before=json.dumps([_name_before(noted.get(id_)) or before, now]),
        )
        for id_, (before, now) in renamed.items()
    ]
    tx.file_effects.save(one.id, [effect for effect in effects if effect.of_id in noted])
    tx.file_effects.add(one.id, effects)


def _attribution(was: Attribution) -> str:
    times = (was.attributed_at, was.due_at)
    return json.dumps([was.status, *(at and (at - EPOCH) // MICROSECOND for at in times)])


def _name_before(noted: EffectRow | None) -> str | None:
    if noted is None or noted.before is None:
        return None
    name: str = json.loads(noted.before)[0]
    return name


def take_back(tx: Transaction, effects: Sequence[EffectRow], policy: Policy) -> None:
    """Take back changes of one kind."""
    effect = effects[0].effect
    if effect is Effect.ASSIGNMENT:
        _take_back_assignments(tx, effects, policy)
    elif effect in TAKE_BACK:
        TAKE_BACK[effect](tx, effects)


def _take_back_assignments(tx: Transaction, effects: Sequence[EffectRow], policy: Policy) -> None:
    """The services of pull requests are then what their other assignments come to, or else what
    their files do."""
    changed = {one.of_id: one.before for one in effects}
    pulls = tx.pulls.get(tx.assignments.take_back(changed))
    ids = {pull.id for pull in pulls}
    tx.repositories.lock({pull.repository_id for pull in pulls}, exclusive=True)
    # One that others gave the forge's id since keeps what was assigned to it by that.
    tx.assignments.claim(pulls)
    apply_assignments(tx, ids)
    assign_by_paths(tx, pulls, policy)
    look_again(tx, pulls, Touched(deployments=holders(tx, ids)), policy)


def _give_back_attributions(tx: Transaction, effects: Sequence[EffectRow]) -> None:
    """Since when what stands again as it did stood so, and when it is tried again."""
    before = {one.of_id: json.loads(one.before or "[]") for one in effects}
    lock_repositories(tx, tx.deployments.get(before.keys()).values())
    now = tx.deployments.lock(before.keys())
    restored = [_as_before(one, *before[id_]) for id_, one in now.items()]
    tx.deployments.save_attributions(
        [one for one in restored if one.attribution != now[one.id].attribution]
    )


def _as_before(
    one: Deployment, status: str, attributed_at: int | None, due_at: int | None
) -> Deployment:
    if one.attribution.status != status:
        return one
    if status == Status.ATTRIBUTED:
        attribution = replace(one.attribution, attributed_at=_instant(attributed_at))
    else:
        attribution = replace(one.attribution, due_at=_instant(due_at))
    return replace(one, attribution=attribution)


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)


def _give_back_names(tx: Transaction, effects: Sequence[EffectRow]) -> None:
    names = {one.of_id: tuple(json.loads(one.before or "[]")) for one in effects}
    tx.file_effects.give_back_names({id_: (pair[0], pair[1]) for id_, pair in names.items()})


def _delete_lanes(tx: Transaction, effects: Sequence[EffectRow]) -> None:
    ids = {one.of_id for one in effects}
    tx.lanes.lock(ids)
    tx.file_effects.delete_unused(Effect.LANE, ids)


def _delete_services(tx: Transaction, effects: Sequence[EffectRow]) -> None:
    tx.file_effects.delete_unused(Effect.SERVICE, {one.of_id for one in effects})


def _delete_repositories(tx: Transaction, effects: Sequence[EffectRow]) -> None:
    """Those that nobody has said anything of since."""
    ids = {one.of_id for one in effects}
    tx.repositories.lock(ids, exclusive=True)
    known = tx.repositories.get(ids)
    untold = {id_ for id_, one in known.items() if not (one.default_branch or one.source)}
    tx.file_effects.delete_unused(Effect.REPOSITORY, untold)


TAKE_BACK: Mapping[Effect, Callable[[Transaction, Sequence[EffectRow]], None]] = {
    Effect.ATTRIBUTION: _give_back_attributions,
    Effect.LANE: _delete_lanes,
    Effect.SERVICE_NAME: _give_back_names,
    Effect.SERVICE: _delete_services,
    Effect.REPOSITORY: _delete_repositories,
}
