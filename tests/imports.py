"""Files to import: facts they meet, files of many shapes, and the work on them."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st
from sqlalchemy import select, text
from tests.builders import REPOSITORY, Clock, a_deployment, a_pull_request, at, sha

from shipmark.api.file_rows import READERS
from shipmark.app.background import file_importer
from shipmark.application import file_steps, upload_file, uploads, validate_file
from shipmark.application.change import delete
from shipmark.application.file_importer import FileImporter
from shipmark.application.file_imports import FileImport, FileRow, Kind, RowFilter
from shipmark.application.file_steps import begin_applying, begin_previewing, begin_undoing
from shipmark.application.policy import Policy
from shipmark.application.record_pulls import record_pulls
from shipmark.application.register import register
from shipmark.application.repositories import upsert_repository
from shipmark.application.set_services import Assignment, set_services
from shipmark.application.uploads import Parts, pack
from shipmark.application.writer import transact
from shipmark.domain.errors import ShipmarkError
from shipmark.storage.columns import metadata
from shipmark.storage.database import Database

POLICY = Policy()
EVERY_ROW = RowFilter()
OF_IMPORTS = ("file_effects", "file_rows", "file_parts", "file_imports")
PULLS = range(1, 8)
REFERENCES = ("a", "b", "c", "d", None)

fates = st.lists(st.sampled_from(["", "", "before", "inside", "after"]), max_size=12)
"""What becomes of each write; see `Interrupting`."""

pulls = st.lists(
    st.tuples(
        st.sampled_from(PULLS),
        st.sampled_from(["main", "main", "develop"]),
        st.sampled_from([(), (), ("shop",), ("shop", "cart")]),
    ),
    max_size=6,
    unique_by=lambda one: one[0],
)
stored = st.lists(
    st.fixed_dictionaries(
        {
            "hours": st.integers(0, 9),
            "service": st.sampled_from(["shop", "cart"]),
            "commit_sha": st.none() | st.sampled_from(PULLS).map(sha),
        }
    ),
    max_size=4,
)


def _cells(drawn: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in drawn.items() if value is not None}


rows = st.fixed_dictionaries(
    {
        "deployed_at": st.integers(0, 9).map(lambda hours: at(hours + 0.5).isoformat())
        | st.just("noon"),
        "service": st.sampled_from(["shop", "cart", "pay", ""]),
        "repository": st.sampled_from([REPOSITORY, REPOSITORY.upper(), "acme/typo", None]),
        "reference_id": st.sampled_from(REFERENCES),
        "environment": st.sampled_from([None, "production", "staging"]),
        "success": st.sampled_from([None, "yes", "y", "FALSE"]),
        "metadata": st.sampled_from([None, '{"b": 1, "a": "x,\n\\"y\\""}']),
    }
).flatmap(
    lambda row: st.sampled_from(
        [
            {},
            {"commit_sha": sha(3)[:9]},
            {"commit_sha": sha(5)},
            {"commit_sha": "zzz"},
            {"commit_sha": sha(4), "integration_branch": "develop"},
            {"merge_commit_shas": f"{sha(1)}; {sha(2)}"},
            {"merge_commit_shas": f"{sha(2)}|{sha(1)}"},
            {"merge_commit_shas": sha(99)},
        ]
    ).map(lambda commits: _cells(row | commits))
)
files = st.lists(rows, max_size=10)


def as_csv(rows: Sequence[Mapping[str, str]], delimiter: str = ",") -> bytes:
    names = sorted({name for row in rows for name in row}) or ["service"]
    written = io.StringIO()
    writer = csv.DictWriter(written, names, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue().encode()


def as_ndjson(rows: Sequence[Mapping[str, str]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode() or b"\n{}\n"


class World:
    """A database, and imports into it, that can be emptied."""

    def __init__(self, database: Database, clock: Clock, policy: Policy = POLICY) -> None:
        self.database = database
        self.clock = clock
        self.policy = policy
        self.write: Callable[[Any], Any] = lambda run: transact(database, run)

    def empty(self) -> None:
        self.write = lambda run: transact(self.database, run)
        with self.database.write() as tx:
            for table in reversed(metadata.sorted_tables):
                tx.connection.execute(table.delete())

    def begin(self, merged: Iterable[Any], deployed: Iterable[Mapping[str, Any]] = ()) -> None:
        """Make the facts known that a file then meets."""
        with self.database.write() as tx:
            upsert_repository(tx, REPOSITORY, {"default_branch": "main"}, policy=POLICY)
            for number, base_ref, services in merged:
                record_pulls(tx, [a_pull_request(number, base_ref=base_ref)], policy=POLICY)
                named = tuple((one, None) for one in services)
                if named:
                    assignment = Assignment(
                        services=named, repository=REPOSITORY, number=number, replace=True
                    )
                    set_services(tx, assignment, policy=POLICY)
            for number, one in enumerate(deployed):
                values = {name: value for name, value in one.items() if name != "hours"}
                existing = a_deployment(one["hours"], reference_id=f"old-{number}", **values)
                register(tx, [existing], policy=POLICY)

    def importer(self) -> FileImporter:
        return file_importer(self.database, self.policy, write=self.write)

    def upload(self, content: bytes, kind: str = "deployments", **about: Any) -> int:
        parts = Parts(10**9)
        about_it = upload_file.Upload(kind=Kind(kind), **about)
        one = transact(self.database, lambda tx: upload_file.begin(tx, about_it))
        for part in [*parts.feed(content), *parts.finish()]:
            sent = upload_file.Part(of=one, size=len(part), packed=pack(part))
            one = transact(self.database, lambda tx, sent=sent: upload_file.add_part(tx, sent))
        return transact(self.database, lambda tx: upload_file.finish(tx, one)).id

    def work(self) -> None:
        """Do all that is due."""
        while self.importer().work_once():
            pass

    def validate(self, content: bytes, **about: Any) -> FileImport:
        import_id = self.upload(content, **about)
        self.work()
        return self.now(import_id)

    def apply(self, import_id: int, **asked: Any) -> FileImport:
        transact(self.database, lambda tx: begin_applying(tx, import_id, **asked))
        self.work()
        return self.now(import_id)

    def undo(self, import_id: int, *, force: bool = False) -> FileImport:
        transact(self.database, lambda tx: begin_undoing(tx, import_id, force=force))
        self.work()
        return self.now(import_id)

    def preview(self, import_id: int) -> dict[str, Any]:
        transact(self.database, lambda tx: begin_previewing(tx, import_id))
        self.work()
        preview: dict[str, Any] = json.loads(self.now(import_id).preview or "null")
        return preview

    def register(self, tx: Any, hours: float, reference_id: str, **values: Any) -> None:
        one = a_deployment(hours, reference_id=reference_id, **values)
        register(tx, [one], policy=self.policy)

    def forget(self, tx: Any, reference_id: str) -> None:
        delete(tx, reference_id, policy=self.policy)

    def now(self, import_id: int) -> FileImport:
        with self.database.read() as tx:
            one = tx.file_imports.get(import_id)
        assert one is not None
        return one

    def rows(self, import_id: int) -> list[FileRow]:
        with self.database.read() as tx:
            return list(tx.file_imports.rows(import_id, EVERY_ROW, after=0, limit=10**6))

    def stored(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that is stored, but for the imports: whatever is asked is answered from this."""
        with self.database.read() as tx:
            return {
                table.name: sorted(map(tuple, tx.connection.execute(select(table))), key=repr)
                for table in metadata.sorted_tables
                if table.name not in OF_IMPORTS
            }

    def without_import_times(self, name: str) -> list[tuple[Any, ...]]:
        """The rows of a table, without when they were imported."""
        table = metadata.tables[name]
        shown = [column for column in table.c if column.name != "imported_at"]
        with self.database.read() as tx:
            return sorted(map(tuple, tx.connection.execute(select(*shown))), key=repr)

    def told(self) -> dict[str, list[tuple[Any, ...]]]:
        """What is told of deployments, by names in place of ids, and without when it was told."""
        with self.database.read() as tx:
            return {
                name: sorted(map(tuple, tx.connection.execute(text(query))), key=repr)
                for name, query in TOLD.items()
            }


TOLD = {
    "deployments": """
        SELECT d.reference_id, s.identifier, s.name, d.environment, d.deployed_at, d.success,
            r.name, d.commit_sha, d.integration_branch, d.metadata, d.method,
            d.attribution_status, d.attribution_reason
        FROM deployments d JOIN services s ON s.id = d.service_id
        LEFT JOIN repositories r ON r.id = d.repository_id
    """,
    "lists": """
        SELECT d.reference_id, c.sha
        FROM deployments d JOIN deployment_commits c ON c.deployment_id = d.id
    """,
    "windows": """
        SELECT d.reference_id, l.branch, s.identifier, l.environment, w.reached_at,
            w.reached_number, w.opened_at, w.opened_number, w.raises, w.is_waiting
        FROM windows w JOIN deployments d ON d.id = w.deployment_id
        JOIN lanes l ON l.id = w.lane_id JOIN services s ON s.id = l.service_id
    """,
    "shipped": """
        SELECT d.reference_id, v.number FROM pull_request_deployments v
        JOIN deployments d ON d.id = v.deployment_id
    """,
    "services": "SELECT identifier, name FROM services",
    "repositories": "SELECT name FROM repositories",
}


class Interrupted(BaseException):
    """The process is gone."""


class Interrupting:
    """Writes, and now and then dies: before the transaction, inside it, or after its commit."""

    def __init__(self, database: Database, plan: Iterable[str]) -> None:
        self._database = database
        self._plan = iter(plan)

    def __call__(self, run: Callable[[Any], Any]) -> Any:
        fate = next(self._plan, "")
        if fate == "before":
            raise Interrupted
        result = transact(self._database, lambda tx: self._run(tx, run, fate))
        if fate == "after":
            raise Interrupted
        return result

    def _run(self, tx: Any, run: Callable[[Any], Any], fate: str) -> Any:
        result = run(tx)
        if fate == "inside":
            raise Interrupted
        return result


def work_interrupted(world: World, plan: Sequence[str]) -> None:
    """Work until nothing is due; whoever dies is followed by another when the lease is over."""
    world.write = Interrupting(world.database, plan)
    while True:
        try:
            world.work()
        except Interrupted:
            world.clock.advance(minutes=3)
            continue
        return


def in_chunks_of(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have so many rows read, applied and undone at once."""
    monkeypatch.setattr(file_steps, "ROWS_AT_ONCE", rows)
    monkeypatch.setattr(validate_file, "READ_AT_ONCE", rows)
    monkeypatch.setattr(uploads, "PART", rows * 37)


def one_by_one(database: Database, cells: Sequence[Mapping[str, str]]) -> None:
    """Send rows as a client would that calls deployments.create with each."""
    rows_of = file_importer(database, POLICY, write=lambda run: transact(database, run)).kinds
    for line, row in enumerate(cells):
        given = {name: value for name, value in row.items() if value.strip()}
        try:
            item = READERS[Kind.DEPLOYMENTS].read(given)
        except ShipmarkError:
            continue
        stored = rows_of[Kind.DEPLOYMENTS].row(line, item)
        one = replace(item, reference_id=stored.reference_id, account_id=None)
        transact(database, lambda tx, one=one: register(tx, [one], policy=POLICY))
