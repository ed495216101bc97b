"""shipmark import forge, and the server's own asking, with a GitLab that speaks HTTP."""

import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.connectors.fake_gitlab import NAME, FakeGitLab
from tests.connectors.http_forge import HTTPForge, answers, is_slow
from tests.operation.commands import CommandLine
from tests.operation.conftest import Serve
from tests.server import PATIENCE, SCRIPT, environment, shipmark
from tests.shops import Shop

from shipmark.connectors.exchange import Request, Response
from shipmark.storage.database import Database


@pytest.fixture
def forge() -> Iterator[HTTPForge]:
    with HTTPForge(FakeGitLab(250)) as running:
        yield running


def counted(url: str) -> tuple[int, int]:
    """How many pull requests there are, and the highest number of them."""
    database = Database(url)
    try:
        with database.engine.connect() as connection:
            query = "SELECT count(*), coalesce(max(number), 0) FROM pulls"
            count, most = connection.exec_driver_sql(query).one()
            return count, most
    finally:
        database.close()


def test_a_repository_is_made_known_and_imported(
    commands: CommandLine, forge: HTTPForge, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/shipmark.db"
    done = commands.run("import", "forge", NAME.upper(), SHIPMARK_GITLAB_URL=forge.url)
    assert done.stdout == f"{NAME} is imported from gitlab.\n"
    assert counted(url) == (250, 250)
    forge.asked.clear()
    commands.run("import", "forge", NAME, SHIPMARK_GITLAB_URL=forge.url)
    (listed,) = [one for one in forge.asked if one.path.endswith("/merge_requests")]
    assert "updated_after" in listed.query
    forge.asked.clear()
    commands.run("import", "forge", "--again", NAME, SHIPMARK_GITLAB_URL=forge.url)
    first = next(one for one in forge.asked if one.path.endswith("/merge_requests"))
    assert "updated_after" not in first.query
    forge.asked.clear()
    commands.run("import", "forge", "--events", "--no-commits", NAME, SHIPMARK_GITLAB_URL=forge.url)
    assert any(path.endswith("/repository/tags") for path in forge.paths())
    assert not any(path.endswith("/diffs") for path in forge.paths())


def test_what_cannot_be_imported_is_said(
    commands: CommandLine, forge: HTTPForge, tmp_path: Path
) -> None:
    where = {"SHIPMARK_GITLAB_URL": forge.url}
    several = where | {"SHIPMARK_GITHUB_TOKEN": "x"}

    def said(*arguments: str, **more: str) -> str:
        return commands.fail("import", "forge", *arguments, **more).stderr

    assert f"Say with --from where {NAME} is. The forges that are set up: none." in said(NAME)
    assert "Say with --from" in said(NAME, **several)
    assert "The forge gitea is not set up. Those that are: gitlab." in said(
        NAME, "--from", "gitea", **where
    )
    assert "gitlab has no repository shop/other, or does not show it" in said("shop/other", **where)
    forge.faults.append(answers(401, b'{"message": "401 Unauthorized"}'))
    assert "401 Unauthorized" in said(NAME, **where)
    commands.run("import", "forge", NAME, "--from", "gitlab", **several)
    assert f"{NAME} is a repository of gitlab, not of github." in said(
        NAME, "--from", "github", **several
    )


def test_an_import_that_is_killed_twice_goes_on_and_asks_for_no_page_again(
    database_url: str, tmp_path: Path
) -> None:
    gitlab = FakeGitLab(2_500)

    def slowly(request: Request) -> Response:
        time.sleep(0.02)
        return gitlab(request)

    with HTTPForge(slowly) as forge:
        variables = environment(database_url, tmp_path, gitlab_url=forge.url)
        for pages in (4, 10):
            _killed(forge, pages, variables)
        done = shipmark("import", "forge", NAME, environment=variables)
        assert done.returncode == 0, done.stderr
    assert counted(database_url) == (2_500, 2_500)
    listed = [str(one.query) for one in forge.asked if one.path.endswith("/merge_requests")]
    # A page that was asked for when it was killed may not have been recorded.
    assert len(listed) <= len(set(listed)) + 2
    assert len(set(listed)) == 26


def _killed(forge: HTTPForge, pages: int, variables: dict[str, str]) -> None:
    """Import, and kill it with SIGKILL when so many pages in all were asked for."""
    command = [SCRIPT, "import", "forge", NAME]
    with subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + PATIENCE
        while sum(path.endswith("/merge_requests") for path in forge.paths()) < pages:
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)


def test_a_deployment_that_waits_is_attributed_without_anybody_importing(
    serve: Serve, forge: HTTPForge
) -> None:
    server = serve(gitlab_url=forge.url, first_retry_after="1s")
    server.call("repositories.upsert", name=NAME, default_branch="main", source="gitlab")
    answer = server.call(
        "deployments.create",
        deployed_at="2024-03-01T12:00:00Z",
        service="checkout",
        repository=NAME,
        commit_sha=f"{17:07x}",
        reference_id="x",
    )
    assert answer["attribution"]["status"] == "pending"
    shop = Shop(server)
    deadline = time.monotonic() + PATIENCE
    while shop.info("x")["attribution"]["status"] == "pending":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    found = server.call("deployments.info", reference_id="x")
    assert [pull["number"] for pull in found["pull_requests"]] == [17]


def test_a_server_goes_on_with_an_import_that_was_begun(
    serve: Serve, forge: HTTPForge, database_url: str, tmp_path: Path
) -> None:
    variables = environment(database_url, tmp_path, gitlab_url=forge.url, import_every="1s")
    assert shipmark("import", "forge", NAME, environment=variables).returncode == 0
    forge.answering = FakeGitLab(251, changed_at=datetime.now(UTC))
    serve(gitlab_url=forge.url, import_every="1s")
    deadline = time.monotonic() + PATIENCE
    while counted(database_url) != (251, 251):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_forge_that_hangs_keeps_nothing_from_stopping(
    serve: Serve, forge: HTTPForge, database_url: str, tmp_path: Path
) -> None:
    server = serve(gitlab_url=forge.url, import_every="1s", first_retry_after="1s")
    variables = environment(database_url, tmp_path, gitlab_url=forge.url, import_every="1s")
    assert shipmark("import", "forge", NAME, environment=variables).returncode == 0
    forge.asked.clear()
    forge.faults.extend([is_slow(25)] * 9)
    deadline = time.monotonic() + PATIENCE
    while not forge.asked:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 15
