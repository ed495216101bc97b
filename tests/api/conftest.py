"""A live server on each database, one for all tests of a process, and a shop for each test."""

from collections.abc import Iterator

import pytest
from tests.databases import PostgreSQLDatabases, sqlite_url_of
from tests.deliveries import SETTINGS
from tests.server import LiveServer
from tests.shops import Shop


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> LiveServer:
    """A server that other tests use too: whatever is stored there is named by one test alone."""
    shared: LiveServer = request.getfixturevalue(f"{request.param}_server")
    return shared


@pytest.fixture
def shop(server: LiveServer) -> Shop:
    return Shop(server)


@pytest.fixture(scope="session")
def sqlite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    directory = tmp_path_factory.mktemp("sqlite-server")
    with LiveServer(sqlite_url_of(directory / "shipmark.db"), directory, **SETTINGS) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server(
    postgresql: PostgreSQLDatabases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    directory = tmp_path_factory.mktemp("postgresql-server")
    with postgresql.fresh() as url, LiveServer(url, directory, **SETTINGS) as server:
        yield server
