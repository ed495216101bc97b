"""Payloads that forges sent to other people, from packages that collect them.

Nothing of them is kept in this repository: a package is fetched once, with npm, into the user's
cache. Where that cannot be done, the tests that need it are skipped, and a warning says why.
"""

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

OCTOKIT = "@octokit/webhooks-examples@7.6.1"
PATIENCE = 120
"""Seconds in which npm must have fetched a package."""


def _cache_folder() -> Path:
    told = os.environ.get("XDG_CACHE_HOME")
    return (Path(told) if told else Path.home() / ".cache") / "shipmark-tests" / "npm"


@cache
def package(name: str) -> Path:
    """The folder of an npm package, fetched if it is not here; skips the test if it cannot be."""
    folder = _cache_folder() / name.replace("/", "-")
    if not folder.is_dir():
        try:
            _fetch(name, folder)
        except (OSError, subprocess.SubprocessError, tarfile.TarError) as error:
            reason = f"the npm package {name} was not fetched: {error}"
            pytest.skip(f"NOT TESTED: {reason}")
    return folder


def _fetch(name: str, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as here:
        packed = subprocess.run(
            [npm, "pack", "--silent", "--pack-destination", here, name],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        with tarfile.open(Path(here) / packed.stdout.split()[-1]) as archive:
            _extract(archive, Path(here))
        try:
            (Path(here) / "package").rename(folder)
        except OSError:
            # Another test process was faster.
            if not folder.is_dir():
                raise


def _extract(archive: tarfile.TarFile, into: Path) -> None:
    """Its plain files, none of them outside: older Pythons know no filter for that."""
    for member in archive:
        content = archive.extractfile(member) if member.isfile() else None
        path = (into / member.name).resolve()
        if content is not None and path.is_relative_to(into.resolve()):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())


@cache
def _octokit() -> list[dict[str, Any]]:
    files = sorted(package(OCTOKIT).glob("*/index.json"))
    return [kind for file in files for kind in json.loads(file.read_text("utf-8"))]


def octokit(event: str, action: str | None = None) -> list[dict[str, Any]]:
    """Every recorded webhook of an event, or of one of its actions, of github.com and of Servers.

    They are shared: who changes one copies it.
    """
    found = [
        example
        for kind in _octokit()
        if kind["name"] == event
        for example in kind["examples"]
        if action is None or example.get("action") == action
    ]
    assert found, f"nothing was recorded of {event} {action or ''}"
    return found


def octokit_events() -> list[str]:
    """The names of all events of which something was recorded."""
    return sorted({kind["name"] for kind in _octokit()})
