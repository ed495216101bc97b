"""What an operator decides, seen by clients."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server import LiveServer
from tests.shops import Shop


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[LiveServer]:
    """A server that takes names nobody has imported, and has an address of its own."""
    settings = {
        "unknown_repositories": "register",
        "unknown_merge_commits": "wait",
        "base_url": "https://deployments.example/shipmark/",
    }
    with LiveServer(database_url, tmp_path, **settings) as server:
        yield server


def test_unknown_repositories_are_registered_and_unknown_commits_wait(server: LiveServer) -> None:
    shop = Shop(server, default_branch=None)
    listing = shop.deploy(3, merge_commit_shas=[shop.sha(1), shop.sha(2)])
    assert listing["url"] == f"https://deployments.example/shipmark/deployments/{listing['id']}"
    assert listing["attribution"]["reason"] == "commit_not_imported"
    assert server.call("repositories.list")["repositories"][0]["default_branch"] is None

    by_time = shop.deploy(4)
    assert by_time["attribution"]["reason"] == "default_branch_unknown"

    shop.merge_all([1, 2, 3])
    assert shop.shipped(listing) == [1, 2]
    server.call("repositories.upsert", name=shop.repository, default_branch="main")
    assert shop.shipped(by_time) == [3]

    other = Shop(server, default_branch=None)
    assert other.merge(1)["created"] == 1
    answer = server.call(
        "deployments.setPullServices", repository="acme/third", pull_number=1, services=["a"]
    )
    assert answer["imported"] is False
    names = [one["name"] for one in server.call("repositories.list")["repositories"]]
    assert names == sorted([shop.repository, other.repository, "acme/third"])
    described = server.http.get(f"{server.base_url}/openapi.json").json()
    assert described["servers"] == [{"url": "https://deployments.example/shipmark"}]


def test_reading_registers_nothing(server: LiveServer) -> None:
    for method in ("deployments.list", "pulls.list"):
        refusal = server.refusal(method, repository="acme/typo")
        assert refusal.what == (422, "repository_not_found", "repository")
    assert server.call("repositories.list")["repositories"] == []


def test_a_dry_run_registers_nothing(server: LiveServer) -> None:
    shop = Shop(server, default_branch=None)
    shop.deploy(1, dry_run=True)
    assert server.call("repositories.list")["repositories"] == []
