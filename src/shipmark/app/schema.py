"""The database that the settings name, and the schema it must be at."""

from shipmark.settings import Settings, SettingsError
from shipmark.storage import migrations
from shipmark.storage.database import Database


def open_database(settings: Settings) -> Database:
    """The database that the settings name. Nothing is connected to yet."""
    if settings.database_url is None:
        try:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"SHIPMARK_DATA_DIR is '{settings.data_dir}', and that folder cannot be made: "
                f"{error.strerror}."
            ) from None
    return Database(settings.effective_database_url, pool_size=settings.readers + 4)


def prepare_schema(database: Database) -> None:
    """Bring SQLite's schema up to date; for PostgreSQL, refuse one that is not.

    A file of one's own can be changed at any time. A shared database is changed by whoever
    operates it, when they say so.
    """
    if database.is_sqlite:
        migrate(database)
        return
    version = schema_version(database)
    if version != migrations.newest_version():
        raise SettingsError(
            f"The database's schema is at version {version or 'none'}, and this release of "
            f"Shipmark needs {migrations.newest_version()}. Run: shipmark migrate"
        )


def migrate(database: Database) -> str:
    """Bring the schema to the newest version and answer that version. Raises Unavailable."""
    with database.translated():
        return migrations.migrate(database.engine)


def schema_version(database: Database) -> str | None:
    """The version the database is at; None for one that is empty. Raises Unavailable."""
    with database.translated():
        version = migrations.schema_version(database.engine)
    database.check_file()
    return version
