"""`shipmark demo`, as whoever tries Shipmark for the first time runs it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from tests.server import PATIENCE, SCRIPT

from shipmark.demo.year import make_year

WITH_A_WRONG_EXPECTATION = """
from dataclasses import replace
from shipmark.cli import main
from shipmark.demo import history

first, *others = history.DEPLOYMENTS
history.DEPLOYMENTS = (replace(first, ships=(201,)), *others)
main()
"""

WITH_A_FORGOTTEN_DEPLOYMENT = """
from shipmark.cli import main
from shipmark.demo import story

def without_the_last(now):
    year = make_year(now)
    last = max(
        one["deployed_at"]
        for one in year.deployments
        if one["service"] == "api" and one["environment"] == "production" and one["success"]
    )
    year.deployments = [one for one in year.deployments if one["deployed_at"] != last]
    return year

make_year, story.make_year = story.make_year, without_the_last
main()
"""


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """The environment of a demo that makes its temporary folder in ``folder``."""
    inherited = {name: text for name, text in os.environ.items() if name != "COLUMNS"}
    return inherited | {"TMPDIR": str(folder)} | variables


def run(*command: str | Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=environment(folder, **variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@dataclass(frozen=True, kw_only=True)
class Serving:
    """A demo that has printed everything and keeps serving."""

    process: subprocess.Popen[str]
    printed: str

    @property
    def url(self) -> str:
        return found(r"The API: +(http://\S+)$", self.printed)

    @property
    def commands(self) -> str:
        """The shell commands it invites to try."""
        return found(r"(?s)^(TOKEN=.*)Serving until", self.printed)

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {found(r'^TOKEN=(smk_[0-9a-f]+)$', self.printed)}"}


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    assert match, text
    return match[1]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    with subprocess.Popen(
        [SCRIPT, "demo"],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Serving"):
                break
        yield Serving(process=process, printed="".join(lines))
        process.terminate()


def children(parent: int) -> list[int]:
    """The processes that a process has started and that run."""
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, check=True)
    pairs = [line.split() for line in table.stdout.splitlines()]
    return [int(pid) for pid, of in pairs if int(of) == parent]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A demo that was run to its end."""
    folder = tmp_path_factory.mktemp("once")
    ended = run(SCRIPT, "demo", "--once", folder=folder)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not list(folder.iterdir())
    return ended


def row(printed: str, deployment: str) -> str:
    """The table's row of a deployment, with single blanks."""
    return " ".join(found(rf"^({deployment} .*)$", printed).split())


def test_once_prints_what_came_of_the_history(once: subprocess.CompletedProcess[str]) -> None:
    assert row(once.stdout, "checkout-34") == (
        "checkout-34 checkout production commit_sha attributed #204 #206"
    )
    assert row(once.stdout, "website-45") == (
        "website-45 website production commit_sha none (rollback)"
    )
    assert row(once.stdout, "ledger-1.4.1") == (
        "ledger-1.4.1 ledger production merge_commit_shas attributed #55"
    )
    assert "pending (commit_not_imported)" in once.stdout
    assert "#205 belongs to catalog" in once.stdout
    assert "Not in checkout in production yet" in once.stdout


def test_without_a_terminal_it_is_plain_text_of_80_columns(
    once: subprocess.CompletedProcess[str],
) -> None:
    assert max(map(len, once.stdout.splitlines())) <= 80
    assert "\x1b" not in once.stdout


def test_settings_of_whoever_runs_it_do_not_disturb_it(tmp_path: Path) -> None:
    ended = run(
        *(SCRIPT, "demo", "--once"),
        folder=tmp_path,
        SHIPMARK_DATABASE_URL="postgresql://nowhere.invalid/none",
        SHIPMARK_UNKNOWN_REPOSITORIES="perhaps",
        SHIPMARK_NO_SUCH_SETTING="1",
        http_proxy="http://127.0.0.1:1",
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_printed_commands_work_as_they_stand(serving: Serving) -> None:
    ran = subprocess.run(
        ["bash", "-c", serving.commands],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    created, end = json.JSONDecoder().raw_decode(ran.stdout)
    read = json.loads(ran.stdout[end:])
    assert created["attribution"]["status"] == "attributed"
    assert [pull["number"] for pull in read["pull_requests"]] == [18]
    assert read["deployment"]["id"] == created["id"]


def test_a_second_demo_takes_another_port(serving: Serving, tmp_path: Path) -> None:
    ended = run(SCRIPT, "demo", "--once", folder=tmp_path)
    assert ended.returncode == 0
    assert found(r"The API: +(http://\S+)$", ended.stdout) != serving.url


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_nothing_is_left(
    serving: Serving, tmp_path: Path, sign: signal.Signals
) -> None:
    listed = httpx.get(
        f"{serving.url}/api/deployments.list?repository=acme/website",
        headers=serving.authorization,
        trust_env=False,
    )
    assert len(listed.json()["deployments"]) == 7
    servers = children(serving.process.pid)
    assert servers
    assert list(tmp_path.iterdir())
    serving.process.send_signal(sign)
    assert serving.process.wait(PATIENCE) == 0
    assert not list(tmp_path.iterdir())
    assert not any(is_running(pid) for pid in servers)


def test_a_wrong_answer_is_an_error(tmp_path: Path) -> None:
    ended = run(sys.executable, "-c", WITH_A_WRONG_EXPECTATION, "demo", "--once", folder=tmp_path)
    assert ended.returncode == 1
    assert "The API answers otherwise than the history says. checkout-31 is" in ended.stderr
    assert "Try it" not in ended.stdout
    assert not list(tmp_path.iterdir())


def test_what_waits_at_the_end_of_the_year_is_checked(tmp_path: Path) -> None:
    ended = run(
        *(sys.executable, "-c", WITH_A_FORGOTTEN_DEPLOYMENT, "demo", "--once"), folder=tmp_path
    )
    assert ended.returncode == 1
    assert "The API answers otherwise than the history says. In orchard/api wait" in ended.stderr


def test_the_year_is_the_same_at_every_run_but_for_its_dates() -> None:
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    year, again = make_year(now), make_year(now)
    assert (year.pulls, year.deployments) == (again.pulls, again.deployments)
    assert year.deployments
    assert all(one["deployed_at"] <= now.isoformat() for one in year.deployments)


def test_a_server_that_cannot_start_is_an_error_and_its_log_is_shown(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(SCRIPT, "demo", "--once", "--port", str(port), folder=tmp_path)
    assert ended.returncode == 1
    assert "address already in use" in ended.stderr
    assert not list(tmp_path.iterdir())
