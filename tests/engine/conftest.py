"""A crowded database, for the tests of what a change costs."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.conftest import DATABASES
from tests.databases import PostgreSQLDatabases, hurry_sqlite, sqlite_url_of
from tests.engine import crowd

from shipmark.storage.database import Database


@pytest.fixture(scope="session", params=DATABASES)
def crowded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """What `crowd.fill` makes of a database. It is filled once: use it in a trial."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            migrated: Path = request.getfixturevalue("migrated_sqlite")
            url = sqlite_url_of(
                shutil.copyfile(migrated, tmp_path_factory.mktemp("crowd") / "crowd.db")
            )
        else:
            postgresql: PostgreSQLDatabases = request.getfixturevalue("postgresql")
            url = stack.enter_context(postgresql.fresh())
        database = Database(url)
        stack.callback(database.close)
        if database.is_sqlite:
            hurry_sqlite(database)
        with database.write() as tx:
            crowd.fill(tx)
        yield database
