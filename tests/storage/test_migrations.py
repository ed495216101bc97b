"""The schema: what migrations make is what the code expects, on both databases."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from shipmark.storage.columns import metadata
from shipmark.storage.database import Database
from shipmark.storage.migrations import migrate, newest_version, schema_version


def test_a_migrated_database_has_the_tables_and_indexes_of_the_code(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    assert migrate(database.engine) == newest_version()
    assert schema_version(database.engine) == newest_version()


def test_an_empty_database_has_no_version(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    try:
        assert schema_version(database.engine) is None
        assert migrate(database.engine) == newest_version()
    finally:
        database.close()
