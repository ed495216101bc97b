"""The schema's history, one tree for both databases, and how to bring a database up to it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

LOCATION = Path(__file__).parent


def migrate(engine: Engine) -> str:
    """Bring the schema to the newest version and answer that version."""
    config = _config()
    with engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    return newest_version()


def schema_version(engine: Engine) -> str | None:
    """The version the database is at; None for one that is empty."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_version() -> str:
    """The version this release needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None  # noqa: S101 - a release ships with its migrations
    return head


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(LOCATION))
    config.set_main_option("path_separator", "os")
    return config
