"""Files of pull requests and of their services: what they meet, and rows of many shapes."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import select
from tests.builders import REPOSITORY, a_deployment, at, sha
from tests.engine.both import EVERYTHING
from tests.imports import World, as_ndjson

from shipmark.api.file_rows import READERS
from shipmark.application.file_imports import Kind
from shipmark.application.path_rules import PathRulesDraft, save_path_rules
from shipmark.application.record_pulls import record_pulls
from shipmark.application.register import register
from shipmark.application.repositories import record_branch_commits, upsert_repository
from shipmark.application.set_services import Assignment, set_services
from shipmark.application.writer import transact
from shipmark.domain.errors import ShipmarkError
from shipmark.domain.model import BranchCommit
from shipmark.domain.path_rules import PathRules, ServicePaths
from shipmark.storage.columns import metadata
from shipmark.storage.tables import pull_services, pulls, service_assignments, services

NUMBERS = range(1, 4)
SOURCE_IDS = ("11", "12")
SERVICES = ("shop", "cart", "pay")
FOLDERS = ([], ["services/by-a/x"], ["services/by-b/y", "services/by-c/z"])
DERIVED = ("by-a", "by-b", "by-c")
PUSHED = sha(77)
"""A commit that was pushed to develop, and counts once a pull request was merged to it."""

WHEN_TOLD = {"pulls": ("imported_at",), "received": ("at", "repository_id", "kind", "via")}
"""When something was told last stays, by table, though it is taken back."""


def _sent(drawn: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in drawn.items() if value != "absent"}


facts = st.fixed_dictionaries(
    {
        "base_ref": st.sampled_from(["main", "main", "develop"]),
        "merged_at": st.sampled_from(
            ["absent", None, *(at(hours).isoformat() for hours in (2, 4))]
        ),
        "merge_commit_sha": st.sampled_from(["absent", None, sha(1), sha(2), sha(3)]),
        "head_sha": st.sampled_from(["absent", "absent", sha(4)]),
        "commit_shas": st.sampled_from(["absent", "absent", [], [sha(3)], [sha(1), sha(5)]]),
        "title": st.sampled_from(["absent", None, "Back", "Other"]),
        "source_id": st.sampled_from(["absent", "absent", None, *SOURCE_IDS]),
        "labels": st.sampled_from(["absent", None, ["a"], ["b", "a"]]),
        "files": st.sampled_from(["absent", "absent", None, *FOLDERS]),
    }
).map(_sent)
names = st.sampled_from([REPOSITORY] * 4 + ["ACME/Shop", "shop", "acme/new", "new"])
numbers = st.sampled_from([1, 1, 1, 2, 2, 3])
rows_of_pulls = st.builds(
    lambda repository, number, sent: sent | {"repository": repository, "number": number},
    names,
    numbers,
    facts,
)


def _with_its_id(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as a forge's export has it: the id of a pull request is its own, and stays."""
    is_of_forge = row["repository"].lower() == REPOSITORY
    if "source_id" in row and is_of_forge and row["number"] <= len(SOURCE_IDS):
        return {**row, "source_id": SOURCE_IDS[row["number"] - 1]}
    return {name: value for name, value in row.items() if name != "source_id"}


rows_to_refuse = st.sampled_from(
    [
        {},
        {"repository": REPOSITORY, "number": "x", "base_ref": "main"},
        {"repository": REPOSITORY, "number": 1, "base_ref": "main", "merged_at": "tomorrow"},
        {"repository": REPOSITORY, "number": 1},
    ]
)
rows_of_services = st.builds(
    lambda named, sent: named | sent,
    st.builds(
        lambda repository, number: {"repository": repository, "pull_number": number},
        names,
        numbers,
    )
    | st.sampled_from([*({"github_pull_id": one} for one in SOURCE_IDS), {}]),
    st.fixed_dictionaries(
        {
            "services": st.lists(
                st.sampled_from([*SERVICES, "new", {"identifier": "shop", "name": "The shop"}]),
                max_size=2,
            ),
            "replace": st.booleans(),
        }
    ),
)


def _file(kind: str, rows: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Any]:
    some = st.lists(rows, max_size=6)
    return st.tuples(st.just(kind), st.builds(lambda *parts: [*chain(*parts)], some, refused, some))


refused = st.lists(rows_to_refuse, max_size=1)
files = _file("pulls", rows_of_pulls) | _file("services", rows_of_services)
possible_files = _file("pulls", rows_of_pulls.map(_with_its_id)) | _file(
    "services", rows_of_services
)
"""Those whose rows mean the same together as alone: to whom services go that wait for a forge's id
is told by the last of rows told together, and by the first of those told one after the other."""

known_pulls = st.dictionaries(st.sampled_from(NUMBERS), facts, max_size=4)
assigned = st.lists(
    st.tuples(
        st.sampled_from([*NUMBERS, *SOURCE_IDS]), st.sets(st.sampled_from(SERVICES), min_size=1)
    ),
    max_size=3,
)
deployed = st.lists(
    st.fixed_dictionaries(
        {
            "hours": st.integers(1, 6),
            "service": st.sampled_from(SERVICES),
            "commit_sha": st.sampled_from([None, sha(1), sha(3), sha(4), PUSHED]),
        }
    ),
    max_size=3,
)
pasts = st.fixed_dictionaries(
    {"known": known_pulls, "assigned": assigned, "deployed": deployed, "by_paths": st.booleans()}
)


def begin(world: World, past: Mapping[str, Any]) -> None:
    """Make a past known that a file then meets, each thing told alone."""
    tell = partial(_tell, world)
    values = {"default_branch": "main"}
    tell(lambda tx: upsert_repository(tx, REPOSITORY, values, policy=world.policy))
    if past["by_paths"]:
        by_folder = ServicePaths(service="{folder}", patterns=("services/{folder}/",))
        draft = PathRulesDraft(repository=REPOSITORY, rules=PathRules(services=(by_folder,)))
        tell(lambda tx: save_path_rules(tx, draft, policy=world.policy))
    tell(partial(_push, world=world))
    for number, sent in past["known"].items():
        row = {"repository": REPOSITORY, "number": number} | sent
        tell(partial(record_pulls, items=[READERS[Kind.PULLS].read(row)], policy=world.policy))
    for which, names_ in past["assigned"]:
        tell(partial(set_services, assignment=_assignment(which, names_), policy=world.policy))
    for number, one in enumerate(past["deployed"]):
        existing = a_deployment(reference_id=f"old-{number}", **one)
        tell(partial(register, registrations=[existing], policy=world.policy))


def _tell(world: World, run: Callable[[Any], object]) -> None:
    """Whatever is refused is not known."""
    try:
        transact(world.database, run)
    except ShipmarkError:
        return


def _push(tx: Any, world: World) -> None:
    (repository,) = tx.repositories.named({REPOSITORY})[REPOSITORY]
    commit = BranchCommit(
        repository_id=repository.id,
        branch="develop",
        sha=PUSHED,
        committed_at=at(1),
        is_pushed=True,
    )
    record_branch_commits(tx, [commit], policy=world.policy)


def _assignment(which: int | str, names_: Iterable[str]) -> Assignment:
    sent = tuple((name, None) for name in sorted(names_))
    if isinstance(which, str):
        return Assignment(services=sent, source_id=which)
    return Assignment(services=sent, repository=REPOSITORY, number=which)


def one_by_one(world: World, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Send rows as a client would that calls pulls.import, or deployments.setPullServices, with
    each."""
    for row in rows:
        try:
            item = READERS[Kind(kind)].read(row)
        except ShipmarkError:
            continue
        if kind == Kind.PULLS:
            _tell(world, partial(record_pulls, items=[item], policy=world.policy))
        else:
            _tell(world, partial(set_services, assignment=item, policy=world.policy))


def upload(world: World, kind: str, rows: Sequence[Mapping[str, Any]]) -> int:
    return world.upload(as_ndjson(rows), kind)


def stored(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """All that is stored, without when something was told last."""
    whole = world.stored()
    for name, when in WHEN_TOLD.items():
        left = [column for column in metadata.tables[name].c if column.name not in when]
        with world.database.read() as tx:
            found = tx.connection.execute(select(*left)) if left else ()
            whole[name] = sorted(map(tuple, found), key=repr)
    return whole


def told(world: World) -> dict[str, list[Any]]:
    """What is told of pull requests and deployments, by names in place of ids.

    Which services were derived in between does not count: of rows that are told together, the last
    alone derives any.
    """
    with world.database.read() as tx:
        repositories = {one.id: one.name for one in tx.repositories.page(EVERYTHING)}
        named = dict(tx.connection.execute(select(services.c.id, services.c.identifier)).all())
        ids = list(tx.connection.scalars(select(pulls.c.id)))
        found = {one.id: one for one in tx.pulls.get(ids)}
        by_pull = tx.connection.execute(select(pull_services)).all()
        waiting = tx.connection.execute(
            select(service_assignments).order_by(service_assignments.c.id)
        ).all()
    known = world.told()
    return known | {
        "services": [one for one in known["services"] if one[0] not in DERIVED],
        "pulls": sorted(
            repr((repositories[one.repository_id], replace(one, id=0, repository_id=0)))
            for one in found.values()
        ),
        "services of pulls": sorted(
            (found[pull_id].number, named[service_id]) for pull_id, service_id in by_pull
        ),
        "assignments": [
            (
                row.pull_id and found[row.pull_id].number,
                *(row.source_id, repositories.get(row.repository_id), row.number, row.replace),
                sorted(named[one] for one in json.loads(row.services)),
            )
            for row in waiting
        ],
    }
