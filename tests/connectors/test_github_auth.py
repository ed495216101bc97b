"""Where GitHub's API is, and who asks it."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.connectors.talks import converse, in_turn, ok, result

from shipmark.connectors.exchange import Response
from shipmark.connectors.forge_errors import ForgeNotFound, ForgeRefused
from shipmark.connectors.github_auth import (
    address,
    app_token,
    bearer,
    installation_of,
    installation_token,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("server", "rest", "graphql"),
    [
        (
            "https://github.com",
            "https://api.github.com/repos/a/b",
            "https://api.github.com/graphql",
        ),
        (
            "https://api.github.com/",
            "https://api.github.com/repos/a/b",
            "https://api.github.com/graphql",
        ),
        (
            "https://octocorp.ghe.com",
            "https://api.octocorp.ghe.com/repos/a/b",
            "https://api.octocorp.ghe.com/graphql",
        ),
        (
            "https://git.example.com",
            "https://git.example.com/api/v3/repos/a/b",
            "https://git.example.com/api/graphql",
        ),
        (
            "https://git.example.com/api/v3/",
            "https://git.example.com/api/v3/repos/a/b",
            "https://git.example.com/api/graphql",
        ),
        (
            "http://127.0.0.1:8000",
            "http://127.0.0.1:8000/api/v3/repos/a/b",
            "http://127.0.0.1:8000/api/graphql",
        ),
    ],
)
def test_the_api_of_a_server_is_found(server: str, rest: str, graphql: str) -> None:
    assert address(server, "/repos/a/b") == rest
    assert address(server, "/graphql") == graphql


def test_no_token_goes_to_another_server() -> None:
    with pytest.raises(ValueError, match="not a path"):
        address("https://github.com", "https://elsewhere.example.com/repos/a/b")


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    form = PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def test_an_app_signs_that_it_is_itself(key: rsa.RSAPrivateKey) -> None:
    now = datetime.now(UTC)
    signed = app_token("123456", pem(key), now)
    claims = jwt.decode(signed, key.public_key(), algorithms=["RS256"])
    assert claims["iss"] == "123456"
    assert claims["iat"] <= now.timestamp() - 59
    assert claims["exp"] - claims["iat"] <= 600


def test_a_key_that_is_none_is_refused_and_not_shown() -> None:
    with pytest.raises(ForgeRefused) as refused:
        app_token("123456", "no such key", NOON)
    assert "no such key" not in refused.value.message


def test_the_installation_of_a_repository_gives_a_token_that_is_not_shown() -> None:
    found = {"id": 7, "account": {"login": "org"}, "suspended_at": None}
    assert result(installation_of("org/app"), in_turn(ok(found))) == 7
    made = {"token": "ghs_secret", "expires_at": "2026-03-01T13:00:00Z", "permissions": {}}
    token, (request,) = converse(installation_token(7), in_turn(ok(made, status=201)))
    assert (request.method, request.path) == ("POST", "/app/installations/7/access_tokens")
    assert bearer(token.token) == {"authorization": "Bearer ghs_secret"}
    assert "ghs_secret" not in repr(token)
    assert token.is_good(NOON)
    assert not token.is_good(NOON + timedelta(minutes=59, seconds=30))


def test_a_repository_without_an_installation_has_none() -> None:
    assert result(installation_of("org/app"), in_turn(Response(status=404))) is None
    suspended = {"id": 7, "suspended_at": "2026-01-01T00:00:00Z"}
    assert result(installation_of("org/app"), in_turn(ok(suspended))) is None
    with pytest.raises(ForgeNotFound):
        result(installation_token(7), in_turn(Response(status=404)))
