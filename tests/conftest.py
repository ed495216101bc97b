"""Fixtures for every test: databases of both kinds, a clock, and how hard Hypothesis tries."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.builders import Clock
from tests.databases import (
    PostgreSQLDatabases,
    hurry_sqlite,
    migrated_sqlite_file,
    postgresql_server,
    sqlite_url_of,
)

from shipmark.storage.database import Database

DATABASES = ("sqlite", "postgresql")

for profile, examples in {"local": 100, "ci": 110}.items():
    settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        derandomize=False,
        print_blob=True,
        # Tests leave a database as they found it, and a busy machine is no reason to fail.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture
def clock() -> Clock:
    """What time the ``database`` takes it to be."""
    return Clock()


@pytest.fixture
def database(database_url: str, clock: Clock) -> Iterator[Database]:
    """A migrated database with nothing in it; a test that takes it runs once on each kind."""
    opened = Database(database_url, clock=clock)
    if opened.is_sqlite:
        hurry_sqlite(opened)
    yield opened
    opened.close()


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated database with nothing in it, once of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=DATABASES)
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database that was never migrated, once of each kind."""
    url: str = request.getfixturevalue(f"empty_{request.param}_url")
    return url


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    path = tmp_path / "shipmark.db"
    shutil.copyfile(migrated_sqlite, path)
    return sqlite_url_of(path)


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    return sqlite_url_of(tmp_path / "empty.db")


@pytest.fixture
def postgresql_url(postgresql: PostgreSQLDatabases) -> Iterator[str]:
    with postgresql.fresh() as url:
        yield url


@pytest.fixture
def empty_postgresql_url(postgresql: PostgreSQLDatabases) -> Iterator[str]:
    with postgresql.empty() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_sqlite_file(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQLDatabases]:
    """One server for all tests of this process; it starts when the first test wants it."""
    with postgresql_server() as server, PostgreSQLDatabases.on(server) as databases:
        yield databases
