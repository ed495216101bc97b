"""No page asks the database more than a handful of questions, however much there is to show."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, event
from tests.builders import at, sha
from tests.server import new_token

from shipmark.app.server import build
from shipmark.domain.metrics import Metric
from shipmark.settings import Settings

REPOSITORY = "acme/shop"
TIMES = "since=2024-05-25&until=2024-06-10"

FEW = 13
"""Statements of a page, the session's among them."""

MORE = {
    "/health": 18,  # each kind of finding looks at other tables
    f"/?{TIMES}": 17,  # every metric, of two periods
    f"/?{TIMES}&repository={REPOSITORY}&service=service-2": 19,  # and who it is narrowed to
    f"/services/service-2?{TIMES}": 24,  # metrics, environments and what is between them
    f"/repositories/{REPOSITORY}?{TIMES}": 25,  # metrics, environments and its health
    f"/metrics/lead_time_for_changes?{TIMES}": 15,  # histories, and the newest rows
}
"""The pages that need more, and why. Lower them when they need less."""


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are run meanwhile."""
    run: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            run.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield run
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def _statements(client: httpx.AsyncClient) -> dict[str, int]:
    counts = {}
    for path in (
        "/deployments",
        f"/deployments?repository={REPOSITORY}&q=%233",
        "/deployments?q=key:1",
        "/deployments.csv",
        "/deployments/2",
        "/deployments/2/edit",
        "/pulls",
        f"/pulls?repository={REPOSITORY}&q=apples",
        f"/pulls/{REPOSITORY}/3",
        "/",
        f"/?{TIMES}",
        f"/?{TIMES}&repository={REPOSITORY}&service=service-2",
        "/services",
        f"/services/service-2?{TIMES}",
        "/repositories",
        "/health",
        f"/repositories/{REPOSITORY}?{TIMES}",
        "/suggestions/service?q=s",
        "/suggestions/author",
        "/incidents",
        "/incidents/1",
        *(f"/metrics/{metric}?{TIMES}" for metric in Metric),
        f"/metrics/lead_time_for_changes/rows.csv?{TIMES}",
        f"/badge/pulls/{REPOSITORY}/3.svg",
        "/imports",
        "/imports/1",
        "/imports/1?state=ready",
        "/imports/1/rows.csv",
        "/rules",
        "/rules/edit?name=rule-1",
        "/rules/paths",
        f"/rules/paths/edit?repository={REPOSITORY}",
        "/access",
        "/access/accounts",
    ):
        with counted() as run:
            assert (await client.get(path)).status_code == 200
        counts[path] = len(run)
    return counts


async def _tell(
    client: httpx.AsyncClient, database_url: str, token: str, first: int, last: int
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    pulls = [
        {
            "repository": REPOSITORY,
            "number": number,
            "base_ref": "main",
            "title": "Sell apples",
            "merged_at": at(number).isoformat(),
            "merge_commit_sha": sha(number),
        }
        for number in range(first, last)
    ]
    await client.post("/api/pulls.import", json={"pulls": pulls}, headers=headers)
    for number in range(first, last):
        deployment = {
            "repository": REPOSITORY,
            "service": f"service-{number % 4}",
            "commit_sha": sha(number),
            "deployed_at": at(number + 0.5).isoformat(),
            "metadata": {"key": 1},
        }
        answer = await client.post("/api/deployments.create", json=deployment, headers=headers)
        assert answer.json()["ok"], answer.text
        file = f"service,deployed_at\nshop,{at(number).isoformat()}\n"
        await client.post("/api/deployments.import", content=file, headers=headers)
        rule = {"name": f"rule-{number}", "source": "tag", "make": {"service": "shop"}}
        await client.post("/api/rules.upsert", json=rule, headers=headers)
        new_token(database_url, name=f"ci-{number}")
    paths = {"repository": REPOSITORY, "services": {"web": ["apps/web/"]}}
    answer = await client.post("/api/path_rules.upsert", json=paths, headers=headers)
    assert answer.json()["ok"], answer.text


async def _break(client: httpx.AsyncClient, token: str, first: int, last: int) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    for number in range(first, last):
        incident = {
            "reference_id": f"incident-{number}",
            "started_at": at(number + 0.6).isoformat(),
            "services": [f"service-{number % 4}"],
        }
        answer = await client.post("/api/incidents.upsert", json=incident, headers=headers)
        assert answer.json()["ok"], answer.text


async def _few_and_many(database_url: str, folder: Path) -> tuple[dict[str, int], dict[str, int]]:
    token = new_token(database_url, "admin")
    app = build(Settings(database_url=database_url, data_dir=folder, with_worker=False))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        await client.post(
            "/api/repositories.upsert",
            json={"name": REPOSITORY, "default_branch": "main"},
            headers={"Authorization": f"Bearer {token}"},
        )
        await client.post("/sign-in", data={"token": token})
        await _tell(client, database_url, token, 1, 6)
        await _break(client, token, 1, 6)
        few = await _statements(client)
        await _tell(client, database_url, token, 6, 60)
        await _break(client, token, 6, 60)
        return few, await _statements(client)


def test_every_page_asks_few_questions_and_no_more_when_there_is_more(
    database_url: str, tmp_path: Path
) -> None:
    few, many = asyncio.run(_few_and_many(database_url, tmp_path))
    assert {path: n for path, n in many.items() if n > MORE.get(path, FEW)} == {}
    assert {path: many[path] - few[path] for path in many if many[path] > few[path] + 2} == {}


@pytest.mark.parametrize("path", ["/sign-in", "/static/app.css"])
def test_where_one_signs_in_nothing_is_asked(database_url: str, tmp_path: Path, path: str) -> None:
    async def ask() -> int:
        app = build(Settings(database_url=database_url, data_dir=tmp_path, with_worker=False))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            with counted() as run:
                await client.get(path)
            return len(run)

    assert asyncio.run(ask()) == 0
