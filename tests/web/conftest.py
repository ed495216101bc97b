"""The servers that tests of the API use, and people who look at their pages."""

from collections.abc import Iterator

import pytest
from tests.api.conftest import postgresql_server, server, shop, sqlite_server
from tests.server import LiveServer
from tests.web.people import Person

__all__ = ["person", "postgresql_server", "server", "shop", "sqlite_server"]


@pytest.fixture
def person(server: LiveServer) -> Iterator[Person]:
    """Someone who is signed in, and may do everything but administer."""
    with Person(server) as somebody:
        somebody.sign_in()
        yield somebody
