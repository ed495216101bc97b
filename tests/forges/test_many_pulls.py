"""A long import from GitHub that is killed goes on, asks for no page again, and keeps to limits."""

import os
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import func, select
from tests.connectors.http_forge import HTTPForge
from tests.forges.many import NAME, ManyPulls
from tests.server import PATIENCE, SCRIPT, environment

from shipmark.storage.database import Database
from shipmark.storage.tables import pulls

MANY = int(os.environ.get("SHIPMARK_TEST_MANY_PULLS", "1200"))
"""How many pull requests there are; 50,000 take a few minutes."""

TOKEN = "s3cret"  # noqa: S105 - of the tests alone
A_PAGE = 24
KILLED_AT = (0.2, 0.6)
"""The parts of all pages after which it is killed."""


def test_an_import_that_is_killed_twice_ends_complete_and_within_all_limits(
    database_url: str, tmp_path: Path
) -> None:
    pages = -(-MANY // A_PAGE)
    github = ManyPulls(MANY, budget=pages // 2, period=2, slowed_every=pages // 3)
    with HTTPForge(github) as forge:
        variables = environment(database_url, tmp_path, github_url=forge.url, github_token=TOKEN)
        for part in KILLED_AT:
            kill_at(github, int(part * pages), variables)
        finish(variables, patience=PATIENCE + MANY / 50)
    assert counted(database_url) == (MANY, MANY)
    # Of each kill, the page under way may not have been recorded; no other is asked for again.
    assert len(github.cursors) <= len(set(github.cursors)) + len(KILLED_AT)
    assert len(set(github.cursors)) == pages
    assert github.slowed >= 3
    # What a process that was killed had been told of limits, the next cannot know.
    assert github.overdrawn + github.impatient <= len(KILLED_AT)


def kill_at(github: ManyPulls, pages: int, variables: dict[str, str]) -> None:
    """Import, and end it with SIGKILL when so many pages in all were asked for."""
    command = [SCRIPT, "import", "forge", NAME]
    with subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + PATIENCE + MANY / 50
        while len(github.cursors) < pages:
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)


def finish(variables: dict[str, str], patience: float) -> None:
    done = subprocess.run(
        [SCRIPT, "import", "forge", NAME],
        env=variables,
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def counted(url: str) -> tuple[int, int]:
    """How many pull requests there are, and the highest number of them."""
    with closing(Database(url)) as database, database.engine.connect() as connection:
        found = connection.execute(select(func.count(), func.max(pulls.c.number))).one()
        return found[0], found[1]
