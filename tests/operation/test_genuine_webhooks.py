"""Webhooks of every forge over HTTP: what is not proven is refused, what is sent again is known."""

from contextlib import closing

import pytest
from sqlalchemy import func, select
from tests.deliveries import SECRET, SETTINGS, post
from tests.forges.fake import FakeForge, Sent
from tests.forges.fakes import FAKES
from tests.forges.history import History
from tests.operation.conftest import Serve
from tests.server import LiveServer, refused

from shipmark.storage.database import Database
from shipmark.storage.forge_tables import deliveries, source_events
from shipmark.storage.tables import pulls, repositories

STORED = (deliveries, repositories, pulls, source_events)


@pytest.fixture
def fakes() -> dict[str, FakeForge]:
    made = {}
    for name, kind in FAKES.items():
        history = History(kind.names, kind.methods)
        for what in ("open", "merge"):
            history.happen(what, 0, 0)
        made[name] = kind(history)
    return made


def stored(server: LiveServer) -> int:
    """How many rows there are of all that a webhook could make."""
    with (
        closing(Database(server.database_url)) as database,
        database.engine.connect() as connection,
    ):
        counts = (
            connection.scalar(select(func.count()).select_from(table)) or 0 for table in STORED
        )
        return sum(counts)


def forgeries(fake: FakeForge, sent: Sent) -> dict[str, tuple[bytes, dict[str, str]]]:
    """What someone may send who does not know the secret, but has seen a delivery or two."""
    body, headers = sent.body, dict(sent.headers)
    other = body.replace(b"Change", b"Steal!")
    assert other != body
    forged = {
        "without any proof": (body, headers),
        "with another secret": (body, headers | fake.proof(body, "another secret")),
        "with none at all": (body, headers | fake.proof(body, "")),
        "with a proof that is none": (body, headers | dict.fromkeys(fake.proof(body), "nonsense")),
    }
    if fake.proof(body) != fake.proof(other):
        # Where all deliveries carry the same secret, whoever has seen one knows it.
        forged["with the signature of another"] = (other, headers | fake.proof(body))
    return forged


def test_what_is_not_proven_is_refused_and_what_is_sent_again_stores_nothing(
    serve: Serve, fakes: dict[str, FakeForge]
) -> None:
    server = serve("--no-worker", **SETTINGS, gitea_webhook_secret=SECRET)
    for name, fake in fakes.items():
        for sent in [one for one in fake.sent() if b"Change" in one.body][:2]:
            before = stored(server)
            for how, (body, headers) in forgeries(fake, sent).items():
                response = post(server, fake.endpoint, body, headers)
                assert refused(response).what == (401, "invalid_signature", None), (name, how)
            assert stored(server) == before, name
            _is_taken_once(server, fake, sent)


def _is_taken_once(server: LiveServer, fake: FakeForge, sent: Sent) -> None:
    """A genuine one is, and then the very same, and the same under another id, store nothing."""
    genuine = {**sent.headers, **fake.proof(sent.body)}
    replays = [genuine, genuine]
    if fake.delivery_header:
        replays.append(genuine | {fake.delivery_header: "another-id"})
    before = stored(server)
    for headers in replays:
        assert post(server, fake.endpoint, sent.body, headers).status_code == 202
        assert stored(server) == before + 1
