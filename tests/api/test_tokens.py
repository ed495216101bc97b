"""Who may call: tokens, accounts and scopes."""

import pytest
from tests.api.tokens import Tokens, tokens_of
from tests.server import LiveServer, refused
from tests.shops import Shop

CREATE, SET = "deployments.create", "deployments.setPullServices"


@pytest.fixture
def tokens(shop: Shop) -> Tokens:
    return tokens_of(shop)


@pytest.mark.parametrize("method", [CREATE, SET, "deployments.list"])
def test_a_request_without_a_token_is_refused(server: LiveServer, method: str) -> None:
    for header in ({}, {"Authorization": ""}, {"Authorization": "Basic YTpi"}):
        response = server.send(method, token=None, headers=header)
        refusal = refused(response)
        assert refusal.what == (401, "not_authed", None)
        assert "Authorization: Bearer" in refusal.message
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("method", [CREATE, SET, "deployments.list"])
def test_a_token_that_is_unknown_expired_or_revoked_is_refused(
    server: LiveServer, tokens: Tokens, method: str
) -> None:
    for token in ("smk_nobody", "smk_größer", tokens.expired, tokens.revoked):
        header = {"Authorization": f"Bearer {token}".encode()}
        response = server.send(method, token=None, headers=header)
        assert refused(response).what == (401, "invalid_auth", None)
        assert token not in response.text


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
def test_the_scheme_of_a_token_may_be_written_in_any_way(server: LiveServer, scheme: str) -> None:
    header = {"Authorization": f"{scheme} {server.default_token}"}
    assert server.send("services.list", token=None, headers=header).status_code == 200


def test_an_inactive_account_is_refused_by_name(shop: Shop, tokens: Tokens) -> None:
    refusal = refused(shop.server.send("services.list", token=tokens.inactive))
    assert refusal.what == (403, "account_inactive", None)
    assert f"inactive-{shop.number}" in refusal.message


SCOPES = {
    "deployments:write": {
        "deployments.create",
        "deployments.setPullServices",
        "deployments.upsert",
        "deployments.update",
        "deployments.delete",
        "deployments.retry",
    },
    "pulls:write": {"deployments.setPullServices", "pulls.import", "repositories.upsert"},
    "read": {
        "deployments.info",
        "deployments.list",
        "deployments.explain",
        "pulls.info",
        "pulls.list",
        "pulls.explain",
        "repositories.list",
        "services.list",
    },
}


@pytest.mark.parametrize("scope", [*SCOPES, "admin"])
def test_a_token_may_do_what_its_scopes_say(shop: Shop, scope: str) -> None:
    token = shop.server.token(scope, name=f"{scope} {shop.number}")
    everything = set.union(*SCOPES.values())
    for method in everything:
        response = shop.server.send(method, token=token, json={"limit": 1})
        missing = response.json().get("error") == "missing_scope"
        assert missing is (scope != "admin" and method not in SCOPES[scope]), method
        if missing:
            refusal = refused(response)
            assert refusal.what == (403, "missing_scope", None)
            assert f"'{scope} {shop.number}'" in refusal.message
            assert any(f"needs {other}" in refusal.message for other in SCOPES)
