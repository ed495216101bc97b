"""The examples of the documentation run, a page from top to bottom against an empty server."""

import json
import os
import re
import shutil
import stat
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.databases import sqlite_url_of
from tests.docs.pages import Block, Page, all_pages
from tests.server import PATIENCE, LiveServer

SHOWN_ADDRESS = "http://127.0.0.1:8000"
CHANGING = {
    "attributed_at",
    "created_at",
    "next_attempt_at",
    "request_id",
    "retried_until",
    "updated_at",
}
"""What is another value at each run."""

MISSING = [tool for tool in ("bash", "curl") if shutil.which(tool) is None]
PAGES = [page for page in all_pages() if any(one.language == "bash" for one in page.blocks)]
SHORTENED = "shortened"
ERROR = re.compile(r"error=(\w+)")

needs_tools = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {' '.join(MISSING)}")


@dataclass(frozen=True)
class Shell:
    """Runs examples as somebody does who has a server and a token."""

    server: LiveServer

    def run(self, script: str, **variables: str) -> str:
        """What a script prints. It may not fail."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env={
                "PATH": os.environ["PATH"],
                "SHIPMARK_URL": self.server.base_url,
                "SHIPMARK_TOKEN": self.server.default_token,
                "no_proxy": "*",
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout.replace(self.server.base_url, SHOWN_ADDRESS)

    def answers(self, script: str, **variables: str) -> list[dict[str, Any]]:
        """The answers that a script prints, one after the other."""
        return list(_answers(self.run(script, **variables)))


def _answers(printed: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    rest = printed.strip()
    while rest:
        answer, end = decoder.raw_decode(rest)
        yield answer
        rest = rest[end:].strip()


@pytest.fixture
def shell(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Shell]:
    database = tmp_path / "shipmark.db"
    shutil.copyfile(migrated_sqlite, database)
    with LiveServer(sqlite_url_of(database), tmp_path) as server:
        yield Shell(server)


def test_the_pages_that_promise_examples_have_them() -> None:
    assert {"README.md", "docs/api.md", "docs/monorepos.md"} <= {page.name for page in PAGES}


@needs_tools
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run_and_answer_what_is_shown(page: Page, shell: Shell) -> None:
    answered: dict[int, list[dict[str, Any]]] = {}
    for block in page.blocks:
        if block.language == "bash":
            answered[block.line] = shell.answers(block.text)
            _check_outcome(block, answered[block.line])
        elif block.language == "json" and block.follows and block.follows.language == "bash":
            (actual,) = answered[block.follows.line]
            _check_shown(json.loads(block.text), actual, f"{block}", whole=block.note != SHORTENED)


def _check_outcome(block: Block, answers: list[dict[str, Any]]) -> None:
    refused = ERROR.fullmatch(block.note)
    assert answers, block
    for answer in answers:
        assert answer["ok"] is not bool(refused), f"{block}: {answer}"
        if refused:
            assert answer["error"] == refused[1], f"{block}: {answer}"


def _check_shown(shown: Any, actual: Any, where: str, *, whole: bool) -> None:
    """What is shown is what came; where an answer is shortened, keys may be left out."""
    if isinstance(shown, dict) and isinstance(actual, dict):
        assert shown.keys() == actual.keys() if whole else shown.keys() <= actual.keys(), where
        for key in shown.keys() - CHANGING:
            _check_shown(shown[key], actual[key], f"{where} {key}", whole=whole)
    elif isinstance(shown, list) and isinstance(actual, list):
        assert len(shown) == len(actual), where
        for index, one in enumerate(shown):
            _check_shown(one, actual[index], f"{where} {index}", whole=whole)
    else:
        assert shown == actual, where


# The GitHub Actions steps of the guide for monorepos


def _steps() -> list[str]:
    """The scripts of the workflow's steps."""
    yaml = "\n".join(
        block.text for block in Page("docs/monorepos.md").blocks if "yaml" in block.info
    )
    found = re.findall(r"^( +)run: \|\n((?:\1  .*\n|\n)+)", yaml, re.MULTILINE)
    return [textwrap.dedent(script) for _, script in found]


EVENT = {
    "repository": {"full_name": "acme/mono"},
    "pull_request": {
        "id": 2101448812,
        "number": 7,
        "title": "Bill in instalments",
        "created_at": "2024-03-01T08:00:00Z",
        "merged_at": "2024-03-01T10:00:00Z",
        "closed_at": "2024-03-01T10:00:00Z",
        "merge_commit_sha": "5d41a7c09b3e8f126a74d05c91be37f8642a90cd",
        "html_url": "https://github.example/acme/mono/pull/7",
        "user": {"login": "a-developer"},
        "base": {"ref": "main"},
        "head": {"ref": "instalments", "sha": "8e02f6b1c47d935a08f1e6d2b3794c5a60d8e1f7"},
    },
}


@needs_tools
@pytest.mark.skipif(shutil.which("jq") is None, reason="not installed: jq")
@pytest.mark.parametrize(
    ("files", "services"),
    [
        (["services/billing/a.py", "services/search/b.py", "README.md"], ["billing", "search"]),
        (["README.md"], ["none"]),
    ],
    ids=["two services", "no service"],
)
def test_the_steps_for_github_actions_run(
    files: list[str], services: list[str], shell: Shell, tmp_path: Path
) -> None:
    shell.server.call("repositories.upsert", name="acme/mono", default_branch="main")
    event = tmp_path / "event.json"
    event.write_text(json.dumps(EVENT))
    variables = {
        "PATH": f"{_stand_in_for_gh(tmp_path, files)}:{os.environ['PATH']}",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "acme/mono",
        "GITHUB_SHA": EVENT["pull_request"]["merge_commit_sha"],
        "GITHUB_RUN_ID": "1",
        "GITHUB_RUN_ATTEMPT": "1",
        "SERVICE": "billing",
    }
    record, deploy = _steps()
    imported, assigned = shell.answers(record, **variables)
    assert imported["created"] == 1
    assert assigned["services"] == services
    (deployed,) = shell.answers(deploy, **variables)
    assert deployed["attribution"]["pull_requests"] == ("billing" in services)


def _stand_in_for_gh(folder: Path, files: list[str]) -> Path:
    """A folder with a gh that lists these files and does nothing else."""
    tools = folder / "tools"
    tools.mkdir()
    gh = tools / "gh"
    gh.write_text("#!/bin/sh\nprintf '%s\\n' " + " ".join(f"'{one}'" for one in files) + "\n")
    gh.chmod(gh.stat().st_mode | stat.S_IXUSR)
    return tools
