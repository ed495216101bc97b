"""Files imported through a real server, which is killed on the way, and from the command line."""

import csv
import gzip
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from tests.operation.commands import CommandLine
from tests.operation.conftest import Serve
from tests.server import PATIENCE, LiveServer, new_token, refused, succeeded

from shipmark.application.tokens import Scope
from shipmark.cli.backfill_targets import NoAnswer, Server
from shipmark.storage.database import Database
from shipmark.storage.file_import_tables import file_imports, file_parts

REPOSITORY = "acme/shop"
HEADER = "deployed_at,service,repository,reference_id\n"


def rows(count: int, service: str = "shop") -> str:
    days = (f"{2000 + n // 300}-{n // 28 % 12 + 1:02}-{n % 28 + 1:02}" for n in range(count))
    return "".join(f"{day},{service},{REPOSITORY},{service}-{n}\n" for n, day in enumerate(days))


def until(server: LiveServer, import_id: int, *states: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = server.call("imports.info", id=import_id)
        if answer["import"]["state"] in states:
            return answer
        assert time.monotonic() < deadline, answer


def upload(server: LiveServer, content: str | bytes, **told: str) -> int:
    sent = content.encode() if isinstance(content, str) else content
    answer = succeeded(server.send("deployments.import", content=sent, params=told))
    assert answer["import"]["state"] == "uploaded"
    import_id: int = answer["import"]["id"]
    return import_id


@pytest.fixture
def server(serve: Serve) -> LiveServer:
    started = serve()
    started.call("repositories.upsert", name=REPOSITORY, default_branch="main")
    merged = [
        {"repository": REPOSITORY, "number": n, "base_ref": "main", "merged_at": f"20{n:02}-06-01"}
        for n in range(1, 10)
    ]
    started.call("pulls.import", pulls=merged)
    return started


def count(server: LiveServer) -> int:
    found, cursor = 0, None
    while True:
        answer = server.call("deployments.list", limit=1000, cursor=cursor)
        found += len(answer["deployments"])
        cursor = answer["next_cursor"]
        if cursor is None:
            return found


def test_an_import_goes_on_after_each_kill(server: LiveServer) -> None:
    server.call(
        "deployments.create",
        deployed_at="2005-07-01",
        service="shop",
        repository=REPOSITORY,
        reference_id="mine",
    )
    before = mine(server)
    import_id = upload(server, HEADER + rows(1500))
    server.kill()
    server.start()
    shorten_leases(server)
    until(server, import_id, "validated")
    server.call("imports.apply", id=import_id)
    for least in (1, 500):
        while (applied := applied_of(server, import_id)) < least:
            pass
        server.kill()
        server.start()
        assert applied_of(server, import_id) >= applied
        shorten_leases(server)
    done = until(server, import_id, "applied")["import"]
    assert done["rows"]["applied"] == 1500
    assert count(server) == 1501
    assert [one["number"] for one in mine(server)["pull_requests"]] == [5]
    server.call("imports.undo", id=import_id)
    while applied_of(server, import_id) == 1500:
        pass
    server.kill()
    server.start()
    shorten_leases(server)
    until(server, import_id, "undone")
    assert mine(server) == before
    assert server.call("imports.undo", id=import_id)["import"]["state"] == "undone"


def test_a_preview_begins_again_after_a_kill_and_leaves_nothing(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    server = serve()
    server.call("repositories.upsert", name=REPOSITORY, default_branch="main")
    import_id = upload(server, HEADER + rows(1500))
    until(server, import_id, "validated")
    state = "validated"
    while state == "validated":
        server.call("imports.preview", id=import_id)
        while not (left := copies(tmp_path)):
            pass
        server.kill()
        server.start()
        state = server.call("imports.info", id=import_id)["import"]["state"]
    assert (state, copies(tmp_path)) == ("previewing", left)
    shorten_leases(server)
    preview = until(server, import_id, "validated")["preview"]
    assert preview["rows"]["new"] == 1500
    assert (copies(tmp_path), count(server)) == ([], 0)
    server.call("imports.preview", id=import_id)
    assert until(server, import_id, "validated")["preview"] == preview


def copies(folder: Path) -> list[Path]:
    return list(folder.glob("shipmark-preview-*"))


def test_nothing_is_left_of_an_upload_when_the_server_is_killed(server: LiveServer) -> None:
    part = rows(20_000).encode()

    def content() -> Iterator[bytes]:
        yield HEADER.encode() + part
        deadline = time.monotonic() + PATIENCE
        while not stored_parts(server):
            assert time.monotonic() < deadline
        server.kill()
        yield part

    with pytest.raises(httpx.TransportError):
        server.send("deployments.import", content=content())
    server.start()
    assert server.call("imports.list")["imports"] == []
    assert server.refusal("imports.info", id=1).error == "import_not_found"
    shorten_leases(server)
    deadline = time.monotonic() + PATIENCE
    while stored_parts(server):
        assert time.monotonic() < deadline
    assert until(server, upload(server, HEADER + rows(1)), "validated")["import"]["rows"]["ready"]


def stored_parts(server: LiveServer) -> int:
    with closing(Database(server.database_url)) as database, database.read() as tx:
        return len(tx.connection.execute(select(file_parts.c.offset)).all())


def mine(server: LiveServer) -> dict[str, Any]:
    """All that is told of one deployment, but for the port at which the server is now."""
    answer = server.call("deployments.info", reference_id="mine")
    del answer["deployment"]["url"]
    return answer


def applied_of(server: LiveServer, import_id: int) -> int:
    applied: int = server.call("imports.info", id=import_id)["import"]["rows"]["applied"]
    return applied


def shorten_leases(server: LiveServer) -> None:
    """Nobody else works on imports: what the dead process held is free at once."""
    with closing(Database(server.database_url)) as database, database.write() as tx:
        tx.connection.execute(
            update(file_imports).where(file_imports.c.due_at.is_not(None)).values(due_at=tx.now)
        )


def test_what_breaks_off_leaves_nothing(server: LiveServer) -> None:
    assert (
        refused(server.send("deployments.import", content=b"")).error == "required_params_missing"
    )
    broken = gzip.compress((HEADER + rows(1000)).encode())[:-20]
    assert refused(server.send("deployments.import", content=broken)).what == (
        *(400, "invalid_file"),
        None,
    )
    assert server.call("imports.list")["imports"] == []


def test_files_larger_than_a_body_are_taken_up_to_a_limit_of_their_own(serve: Serve) -> None:
    server = serve(max_body_bytes="1024", max_import_bytes="20000")
    content = HEADER + rows(300)
    import_id = upload(server, content)
    assert until(server, import_id, "validated")["import"]["rows"]["refused"] == 300
    too_large = HEADER + rows(1000)
    for sent in (too_large.encode(), gzip.compress(too_large.encode())):
        assert refused(server.send("deployments.import", content=sent)).status == 413


def test_who_may_not_write_the_kind_may_not_import_it(server: LiveServer) -> None:
    token = new_token(server.database_url, Scope.PULLS_WRITE, name="pulls")

    def sent(method: str, **told: Any) -> str:
        return refused(server.send(method, token=token, **told)).error

    assert sent("deployments.import", content=HEADER.encode()) == "missing_scope"
    upload_it = {"content": HEADER.encode(), "params": {"kind": "deployments"}}
    assert sent("imports.upload", **upload_it) == "missing_scope"
    import_id = upload(server, HEADER + rows(1))
    assert sent("imports.apply", json={"id": import_id}) == "missing_scope"
    assert sent("imports.undo", json={"id": import_id}) == "missing_scope"


def test_it_is_refused_what_cannot_be_done_now(server: LiveServer) -> None:
    assert server.refusal("imports.info", id=99).what == (404, "import_not_found", "id")
    import_id = upload(server, "x,y\n1,2\n")
    failed = until(server, import_id, "failed")["import"]
    assert "none of these is known" in failed["failure"]
    assert server.refusal("imports.apply", id=import_id).error == "import_not_ready"
    assert server.refusal("imports.preview", id=import_id).error == "import_not_ready"
    wrong = refused(server.send("deployments.import", content=b"x", params={"map": "x=y"}))
    assert wrong.what == (422, "invalid_arguments", "map")
    twice = {"map": "service=app,service=name"}
    wrong = refused(server.send("deployments.import", content=b"x", params=twice))
    assert (wrong.what, "service" in wrong.message) == ((422, "invalid_arguments", "map"), True)


def test_what_is_wrong_can_be_downloaded_and_is_no_formula(server: LiveServer) -> None:
    import_id = upload(server, f"{HEADER}=1+1,shop,{REPOSITORY},a\n2024-01-01,shop,@x,b\n")
    until(server, import_id, "validated")
    shown = server.call("imports.rows", id=import_id, state="refused", limit=1)
    (row,) = shown["rows"]
    assert (row["line"], row["error"], row["column"]) == (2, "invalid_arguments", "deployed_at")
    (row,) = server.call("imports.rows", id=import_id, cursor=shown["next_cursor"])["rows"]
    assert (row["line"], row["error"]) == (3, "repository_not_found")
    downloaded = server.send("imports.rows.csv", verb="GET", params={"id": import_id})
    assert downloaded.headers["Content-Type"] == "text/csv; charset=utf-8"
    header, first, second = csv.reader(downloaded.text.splitlines())
    assert header == ["line", "state", "reference_id", "error", "column", "value", "message"]
    assert first[:6] == ["2", "refused", "", "invalid_arguments", "deployed_at", "'=1+1"]
    assert second[:6] == ["3", "refused", "b", "repository_not_found", "repository", "'@x"]


def test_rows_are_shown_as_they_were_understood(server: LiveServer) -> None:
    cells = '"{""b"": 1, ""a"": [2]}",2024-01-01T01:00+01:00\n'
    import_id = upload(
        server, f"service,repository,metadata,deployed_at\nshop,{REPOSITORY},{cells}"
    )
    until(server, import_id, "validated")
    (row,) = server.call("imports.rows", id=import_id)["rows"]
    assert row["values"] == {
        "deployed_at": "2024-01-01T00:00:00Z",
        "service": "shop",
        "repository": REPOSITORY,
        "metadata": {"a": [2], "b": 1},
        "reference_id": row["reference_id"],
    }
    pull = {"repository": REPOSITORY, "number": 1, "base_ref": "main", "merged_at": 1704067200}
    content = f'{json.dumps(pull)}\n{{"x": \n'
    answer = server.send("imports.upload", content=content.encode(), params={"kind": "pulls"})
    until(server, succeeded(answer)["import"]["id"], "validated")
    row, wrong = server.call("imports.rows", id=answer.json()["import"]["id"])["rows"]
    assert row["values"]["merged_at"] == "2024-01-01T00:00:00Z"
    assert (wrong["error"], wrong["value"], wrong["values"]) == ("invalid_json", '{"x":', None)
    assert wrong["message"].endswith("Each line must be a JSON object of its own.")
    service = {"identifier": "a", "name": "A"}
    assigned = {"services": [service, "b"], "repository": REPOSITORY, "pull_number": 1}
    sent = json.dumps(assigned).encode()
    answer = server.send("imports.upload", content=sent, params={"kind": "services"})
    until(server, succeeded(answer)["import"]["id"], "validated")
    (row,) = server.call("imports.rows", id=answer.json()["import"]["id"])["rows"]
    assert row["values"] == assigned | {"replace": False}


@pytest.mark.parametrize("kind", ["deployments", "pulls", "services"])
def test_a_template_is_a_file_that_is_taken(server: LiveServer, kind: str) -> None:
    template = server.send("imports.template.csv", verb="GET", params={"kind": kind}).text
    assert server.call("imports.template", kind=kind)["csv"] == template
    answer = server.send("imports.upload", content=template.encode(), params={"kind": kind})
    import_id = succeeded(answer)["import"]["id"]
    done = until(server, import_id, "validated")["import"]
    assert done["import_warnings"] == []
    assert done["rows"]["ready"] == 1, server.call("imports.rows", id=import_id)


class TestCommand:
    @pytest.fixture
    def file(self, tmp_path: Path) -> str:
        path = tmp_path / "deployments.csv"
        content = f"finished;app;repository\n2024-05-01;shop;{REPOSITORY}\nnoon;shop;{REPOSITORY}\n"
        path.write_text(content, encoding="utf-8")
        return str(path)

    MAP = ("--map", "deployed_at=finished,service=app")

    def test_it_imports_into_the_database_of_the_settings(
        self, commands: CommandLine, file: str
    ) -> None:
        assert commands("repository", "add", REPOSITORY, "--default-branch", "main").code == 0
        looked = commands("backfill", file, *self.MAP, "--dry-run")
        assert looked.code == 1
        assert "Rows: 1 new, 0 present, 0 duplicate, 1 refused, 0 conflicting." in looked.stdout
        assert "shop in production: 1 new deployment, 2024-05-01T00:00:00Z" in looked.stdout
        assert "Deployment frequency: " in looked.stdout
        assert looked.stderr.startswith("Line 3: deployed_at is 'noon'")
        strict = commands("backfill", file, *self.MAP, "--strict")
        assert (strict.code, strict.stdout) == (1, "")
        assert strict.stderr.endswith("shipmark: 1 row is refused, so nothing was applied.\n")
        done = commands("backfill", file, *self.MAP)
        assert (done.code, done.stdout) == (1, "Import 3 is applied: 1 refused, 1 applied.\n")
        undone = commands("backfill", "--undo", "3")
        assert undone.stdout == "Import 3 is taken back: 1 refused, 1 undone.\n"

    def test_its_bars_on_a_terminal_say_no_more_than_is_known(
        self, commands: CommandLine, file: str
    ) -> None:
        commands.run("repository", "add", REPOSITORY, "--default-branch", "main")
        terminal = {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}
        # A process of its own: what a terminal is, is found out when the command is loaded.
        looked = subprocess.run(
            [sys.executable, "-m", "shipmark", "backfill", file, *self.MAP, "--dry-run"],
            env={**commands.environment, **terminal},
            capture_output=True,
            text=True,
            check=False,
        )
        assert looked.returncode == 1
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", looked.stderr)
        steps = re.findall(r"(uploading|uploaded|previewing) +\S+ +([0-9]+%)?", shown)
        assert {step for step, _ in steps} == {"uploading", "uploaded", "previewing"}
        told = {step: {share for name, share in steps if name == step} for step, _ in steps}
        assert told["uploading"] >= {"0%", "100%"}
        assert "0%" in told["uploaded"]
        assert told["previewing"] == {""}

    def test_it_imports_into_a_server(
        self, commands: CommandLine, server: LiveServer, file: str
    ) -> None:
        there = {"SHIPMARK_URL": server.base_url, "SHIPMARK_TOKEN": server.default_token}
        looked = commands("backfill", file, *self.MAP, "--dry-run", **there)
        assert "1 new" in looked.stdout, looked
        done = commands("backfill", file, *self.MAP, **there)
        assert done.stdout.endswith("is applied: 1 refused, 1 applied.\n"), done
        assert count(server) == 1
        import_id = server.call("imports.list")["imports"][0]["id"]
        assert commands("backfill", "--undo", str(import_id), **there).code == 0
        assert count(server) == 0
        refusal = commands("backfill", file, "--server", server.base_url, "--token", "x")
        assert refusal.code == 1
        assert "token" in refusal.stderr

    def test_it_lists_what_was_changed_since_and_is_kept(
        self, commands: CommandLine, server: LiveServer, tmp_path: Path
    ) -> None:
        there = {"SHIPMARK_URL": server.base_url, "SHIPMARK_TOKEN": server.default_token}
        path = tmp_path / "two.csv"
        path.write_text(HEADER + rows(2), encoding="utf-8")
        commands.run("backfill", str(path), **there)
        server.call("deployments.update", reference_id="shop-1", success=False)
        import_id = str(server.call("imports.list")["imports"][0]["id"])
        undone = commands.run("backfill", "--undo", import_id, **there)
        assert "Line 3: 'shop-1' was changed since, and is kept." in undone.stderr
        assert undone.stdout == f"Import {import_id} is taken back: 1 undone, 1 kept.\n"
        forced = commands.run("backfill", "--undo", import_id, "--force", **there)
        assert forced.stdout == f"Import {import_id} is taken back: 2 undone.\n"
        assert (forced.stderr, count(server)) == ("", 0)

    def test_it_says_that_an_import_goes_on_without_it(self, server: LiveServer) -> None:
        with closing(httpx.Client(base_url=server.base_url, trust_env=False)) as client:
            target = Server(client)
            server.kill()
            with pytest.raises(NoAnswer, match="Import 7 goes on by itself once the server runs"):
                target.go_on(7)

    def test_it_is_told_what_it_was_asked_wrongly(self, commands: CommandLine) -> None:
        assert commands("backfill").code == 2
        assert commands("backfill", "missing.csv").code == 2
        assert "deployed_at,service" in commands("backfill", "--template").stdout

    def test_it_refuses_options_that_would_be_passed_over(self, commands: CommandLine) -> None:
        for options, said in (
            (("years.csv", "--force"), "--force goes with --undo ID"),
            (("--undo", "1", "--dry-run"), "--dry-run is of a file to import"),
            (("--undo", "1", "--strict"), "--strict is of a file to import"),
            (("--undo", "1", "--map", "service=app"), "--map is of a file to import"),
        ):
            refused = commands("backfill", *options)
            assert refused.code == 2
            assert said in " ".join(refused.stderr.replace("│", " ").split())
