"""Who we are to a forge, and what it still lets us ask, over real HTTP."""

import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.connectors.http_forge import HTTPForge
from tests.deliveries import SECRET

from shipmark.application.forges import ForgeTrouble
from shipmark.connectors.exchange import Request, Response
from shipmark.connectors.forge_servers import Access
from shipmark.connectors.forges import connect

LIMITS = {"x-ratelimit-remaining": "4999", "x-ratelimit-limit": "5000"}
ANSWERS = {
    "github": ("/api/v3/user", {"login": "ann"}),
    "gitlab": ("/api/v4/user", {"username": "ann", "name": "Ann"}),
    "bitbucket": ("/rest/api/1.0/application-properties", {"version": "9"}),
    "azure_devops": (
        "/_apis/connectionData",
        {"authenticatedUser": {"providerDisplayName": "ann"}},
    ),
    "gitea": ("/api/v1/user", {"login": "ann"}),
}


def answering(path: str, body: object, status: int = 200) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        assert request.path == path
        headers = {**LIMITS, "x-ausername": "ann", "content-type": "application/json"}
        return Response(status=status, headers=headers, body=json.dumps(body).encode())

    return answer


@pytest.mark.parametrize("source", ANSWERS)
def test_each_forge_tells_who_we_are(source: str) -> None:
    with HTTPForge(answering(*ANSWERS[source])) as server:
        forges = connect([Access(source=source, url=server.url, token=SECRET)])
        forge = forges.named(source)
        assert forge is not None
        assert forge.identity() == "ann"
        forges.close()


def test_an_app_is_asked_for_as_itself_and_its_budget_is_known() -> None:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with HTTPForge(answering("/api/v3/app", {"slug": "shipmark-app"})) as server:
        forges = connect([Access(source="github", url=server.url, app=("12", key))])
        forge = forges.named("github")
        assert forge is not None
        assert forges.budgets() == []
        assert forge.identity() == "shipmark-app"
        (budget,) = forges.budgets()
        assert (budget.source, budget.remaining, budget.most) == ("github", 4999, 5000)
        forges.close()


def test_a_token_that_is_refused_is_trouble() -> None:
    answer = answering("/api/v1/user", {"message": "token is expired"}, status=401)
    with HTTPForge(answer) as server:
        forges = connect([Access(source="gitea", url=server.url, token=SECRET)])
        forge = forges.named("gitea")
        assert forge is not None
        with pytest.raises(ForgeTrouble, match="token is expired"):
            forge.identity()
        forges.close()
