"""What commands that work on the database share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from shipmark.app.configured import policy_of
from shipmark.app.schema import open_database, prepare_schema
from shipmark.application.policy import Policy
from shipmark.settings import Settings, load
from shipmark.storage.database import Database


def current_settings() -> Settings:
    """The settings of this process. Raises SettingsError."""
    return load(os.environ)


@contextmanager
def database() -> Iterator[tuple[Database, Policy]]:
    """The database, its schema as this release needs it, and the policy in force."""
    settings = current_settings()
    opened = open_database(settings)
    try:
        prepare_schema(opened)
        yield opened, policy_of(settings)
    finally:
        opened.close()
