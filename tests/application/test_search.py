"""A search finds what its filter holds, however much is like it elsewhere, on both databases."""

import re
from collections.abc import Iterable
from typing import Any

import pytest
from benchmarks.work import plan_of, recorded
from tests.builders import REPOSITORY, Clock, a_deployment, a_pull_request, at

from shipmark.application import search
from shipmark.application.policy import Policy
from shipmark.application.queries import DeploymentFilter, Page, PullFilter
from shipmark.application.record_pulls import record_pulls
from shipmark.application.register import Registered, register
from shipmark.application.search import find_deployments, find_pulls
from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction

POLICY = Policy(register_unknown_repositories=True)
OTHER = "acme/other"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let five be many."""
    monkeypatch.setattr(search, "MOST_FOUND", 5)
    monkeypatch.setattr(search, "NEWEST", 8)


def deploy(tx: StorageTransaction, names: Iterable[str], **values: Any) -> None:
    """Deploy these one after the other."""
    deployed = [
        a_deployment(hours, reference_id=name, **values) for hours, name in enumerate(names)
    ]
    results = register(tx, deployed, policy=POLICY)
    assert all(isinstance(one, Registered) for one in results), results


def merge(tx: StorageTransaction, numbers: Iterable[int], **values: Any) -> None:
    record_pulls(tx, [a_pull_request(number, **values) for number in numbers], policy=POLICY)


def deployments(tx: StorageTransaction, text: str, **filter_: Any) -> list[str]:
    named = {name: filter_.pop(name, None) for name in ("service", "repository")}
    page = Page(limit=100)
    found = find_deployments(tx, DeploymentFilter(**filter_), page, text=text, **named)
    return [one.row.deployment.reference_id for one in found.rows]


def pulls(tx: StorageTransaction, text: str, page: Page, **filter_: Any) -> list[int]:
    named = {name: filter_.pop(name, None) for name in ("service", "repository")}
    found = find_pulls(tx, PullFilter(**filter_), page, text=text, **named)
    return [row.pull.number for row in found.rows]


def test_a_reference_id_is_found_by_its_start_though_many_others_start_so(
    database: Database,
) -> None:
    with database.write() as tx:
        deploy(tx, [f"build-{number}" for number in range(20)], service="busy")
        deploy(tx, ["build-99"], service="quiet")
        assert deployments(tx, "build-", service="quiet") == ["build-99"]
        assert deployments(tx, "build-99", service="quiet") == ["build-99"]


def test_of_very_many_the_newest_are_found_and_not_the_first_by_name(database: Database) -> None:
    with database.write() as tx:
        deploy(tx, [f"build-{number:02}" for number in range(20)])
        newest = ["build-19", "build-18", "build-17", "build-16", "build-15"]
        assert deployments(tx, "build-") == newest
        early = deployments(tx, "build-", until=at(7))
        assert early == ["build-06", "build-05", "build-04", "build-03", "build-02"]


def test_fewer_are_found_however_long_ago_they_were(database: Database) -> None:
    with database.write() as tx:
        deploy(tx, ["old-1", "old-2", *(f"build-{number}" for number in range(20))])
        assert deployments(tx, "old-") == ["old-2", "old-1"]
        assert deployments(tx, "old-", repository=REPOSITORY) == ["old-2", "old-1"]


def test_an_author_is_found_however_many_pull_requests_are_elsewhere(database: Database) -> None:
    with database.write() as tx:
        merge(tx, [1, 2], author="ann", title="Fix")
        merge(tx, range(20, 60), author="ann", repository=OTHER, title="Fix")
        assert pulls(tx, "ann", Page(limit=100), repository=REPOSITORY) == [2, 1]
        assert pulls(tx, "ann", Page(limit=100)) == [*range(59, 19, -1), 2, 1]
        assert pulls(tx, "ann", Page(limit=100), author="bob") == []
        assert pulls(tx, "ann", Page(limit=100), until=at(1.5)) == [1]


def test_an_author_and_titles_with_the_same_word_are_shown_page_by_page(
    database: Database,
) -> None:
    with database.write() as tx:
        merge(tx, [1, 3, 5], author="ann", title="Fix")
        merge(tx, [2, 4], author="bob", title="For Ann")
        merge(tx, [6], author="ann", title="For Ann")
        page, seen = Page(limit=2), list[int]()
        while shown := pulls(tx, "ann", page):
            seen += shown
            (row,) = tx.reports.pulls_named(
                repository_id=tx.repositories.named({REPOSITORY})[REPOSITORY][0].id,
                number=shown[-1],
                source_id=None,
            )
            page = Page(limit=2, after=(row.pull.merged_at, row.pull.id))
        assert seen == [6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("region:eu", ["small"]),
        ("region:EU", ["large"]),
        ("Region:eu", []),
        ("team:Überall", ["small"]),
        ("team:überall", []),
        ("try:7", ["small"]),
        ("try:77", ["large"]),
        ('quote:a"\\b', ["large"]),
        ("rate:50%", ["small"]),
        ("rate:50_", []),
        ("dark:true", ["large"]),
    ],
)
def test_metadata_is_found_exactly_as_it_is_written(
    database: Database, text: str, found: list[str]
) -> None:
    small = '{"rate":"50%","region":"eu","team":"Überall","try":7}'
    large = '{"dark":true,"quote":"a\\"\\\\b","region":"EU","try":77}'
    with database.write() as tx:
        deploy(tx, ["small"], metadata=small)
        deploy(tx, ["large"], metadata=large)
        assert deployments(tx, text) == found


def test_a_start_is_looked_up_in_the_index_whatever_the_filter_is(
    sqlite_url: str, clock: Clock
) -> None:
    database = Database(sqlite_url, clock=clock)
    with database.trial() as tx, recorded(database.engine) as statements:
        tx.search.deployments_referred("build-", 5)
        tx.search.deployments_referred_lately("b", DeploymentFilter(service_id=1), 5, newest=8)
        tx.search.is_author("ann")
    with database.trial() as tx:
        plan = [line for one in statements for line in plan_of(tx.connection, one)]
    searched = [line for line in plan if "SEARCH" in line]
    assert [re.search(r"INDEX (\w+)", line) for line in searched]
    assert "sqlite_autoindex_deployments_1 (reference_id>? AND reference_id<?)" in searched[0]
    assert "ix_deployments_service (service_id=?)" in searched[1]
    assert "ix_pulls_author (author=?)" in searched[2]
    database.close()
