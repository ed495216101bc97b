"""When something is wrong with the server, its database, or the size of what it is sent."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, text
from tests.databases import PostgreSQLDatabases
from tests.operation.conftest import Serve
from tests.server import LiveServer, refused
from tests.shops import Shop

from shipmark.storage.database import Database


def run_sql(url: str, statement: str) -> None:
    with closing(Database(url)) as database, database.engine.begin() as connection:
        connection.execute(text(statement))


def test_what_nobody_foresaw_is_an_internal_error_that_can_be_found_in_the_log(
    serve: Serve, database_url: str
) -> None:
    server = serve()
    shop = Shop(server)
    run_sql(database_url, "ALTER TABLE windows RENAME TO elsewhere")
    refusal = shop.refused_deploy(1, reference_id="x")
    assert refusal.what == (500, "internal_error", None)
    (error,) = server.errors
    assert "windows" in error
    assert "windows" not in refusal.message
    response = server.send("deployments.create", json=shop.deployment(1))
    assert response.headers["X-Request-Id"] in server.log
    run_sql(database_url, "ALTER TABLE elsewhere RENAME TO windows")
    assert shop.deploy(1, reference_id="x")["id"]
    # It does not stop without errors in its log.
    server.kill()


def test_a_database_at_another_version_is_not_ready(serve: Serve, database_url: str) -> None:
    server = serve()
    run_sql(database_url, "UPDATE alembic_version SET version_num = '0000'")
    response = server.http.get(f"{server.base_url}/readyz")
    refusal = refused(response)
    assert refusal.what == (503, "unavailable", None)
    assert "shipmark migrate" in refusal.message
    assert server.http.get(f"{server.base_url}/healthz").status_code == 200


@contextmanager
def away(postgresql: PostgreSQLDatabases, url: str) -> Iterator[None]:
    """While this lasts the database takes no connections, and those it had are cut."""
    name = make_url(url).database
    administrator = postgresql.server.set(drivername="postgresql")
    with psycopg.connect(
        administrator.render_as_string(hide_password=False), autocommit=True
    ) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            yield
        finally:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def test_while_the_database_is_away_nothing_is_stored_and_clients_may_send_it_again(
    postgresql: PostgreSQLDatabases, postgresql_url: str, tmp_path: Path
) -> None:
    with LiveServer(postgresql_url, tmp_path) as server:
        shop = Shop(server)
        shop.deploy(1, reference_id="before")
        with away(postgresql, postgresql_url):
            for method in ("deployments.create", "deployments.list", "pulls.import"):
                response = server.send(method, json=shop.deployment(2, reference_id="during"))
                assert refused(response).what == (503, "unavailable", None)
                assert int(response.headers["Retry-After"]) > 0
            ready = server.http.get(f"{server.base_url}/readyz")
            assert refused(ready).what == (503, "unavailable", None)
            assert server.http.get(f"{server.base_url}/healthz").status_code == 200
        assert server.refusal("deployments.info", reference_id="during").status == 404
        assert shop.deploy(2, reference_id="during")["id"]
        assert shop.info("before")["id"]


# What is too large


@pytest.fixture
def small(sqlite_url: str, tmp_path: Path) -> Iterator[LiveServer]:
    """A server that takes no more than 2000 bytes."""
    with LiveServer(sqlite_url, tmp_path, max_body_bytes="2000") as server:
        yield server


def test_a_body_that_is_too_large_is_refused_with_its_limit(small: LiveServer) -> None:
    shop = Shop(small)
    refusal = shop.refused_deploy(1, source_name="x" * 2000)
    assert refusal.what == (413, "payload_too_large", None)
    assert "2000 bytes" in refusal.message
    assert "SHIPMARK_MAX_BODY_BYTES" in refusal.message
    assert shop.deploy(1)["id"]


def test_a_body_whose_size_is_not_said_is_measured(small: LiveServer) -> None:
    pieces = (b"x" * 100 for _ in range(30))
    response = small.send("deployments.create", content=pieces)
    assert refused(response).what == (413, "payload_too_large", None)


def test_who_calls_is_checked_before_the_size_and_the_size_before_parsing(
    small: LiveServer,
) -> None:
    body = b"{" * 3000
    for token, error in [
        (None, "not_authed"),
        ("smk_nobody", "invalid_auth"),
        (small.token("read"), "missing_scope"),
        ("", "payload_too_large"),
    ]:
        response = small.send("deployments.create", token=token, content=body)
        assert refused(response).error == error
