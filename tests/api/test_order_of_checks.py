"""Of two things that are wrong, the earlier check tells: token, account, scope, parsing,
what is required, the form of each argument, look-ups."""

from datetime import timedelta
from typing import Any

import pytest
from tests.api.tokens import Tokens, tokens_of
from tests.server import LiveServer, new_token, refused
from tests.shops import Shop

CREATE, SET = "deployments.create", "deployments.setPullServices"


@pytest.fixture
def tokens(shop: Shop) -> Tokens:
    return tokens_of(shop)


def test_of_two_things_that_are_wrong_the_earlier_check_tells(shop: Shop, tokens: Tokens) -> None:
    def create(token: str | None, body: bytes | dict[str, Any]) -> str:
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        headers = {"Content-Type": "application/json"}
        return refused(shop.server.send(CREATE, token=token, headers=headers, **sent)).error

    everything_wrong = b"{"
    assert create(None, everything_wrong) == "not_authed"
    assert create(tokens.expired, everything_wrong) == "invalid_auth"
    assert create(tokens.inactive, everything_wrong) == "account_inactive"
    assert create(tokens.reading, everything_wrong) == "missing_scope"
    assert create(shop.server.default_token, everything_wrong) == "invalid_json"


def test_an_expired_token_of_an_inactive_account_is_invalid(shop: Shop, tokens: Tokens) -> None:
    account = f"inactive-{shop.number}"
    token = new_token(shop.server.database_url, account=account, expires_in=timedelta(seconds=-1))
    assert refused(shop.server.send(CREATE, token=token)).error == "invalid_auth"


ORDER: list[tuple[str, dict[str, Any], str, str | None]] = [
    # What is required comes before the form of what was sent.
    (CREATE, {"service": None, "deployed_at": "noon"}, "required_params_missing", "service"),
    (CREATE, {"deployed_at": None, "commit_sha": "x"}, "required_params_missing", "deployed_at"),
    (CREATE, {"repository": None, "metadata": [1]}, "required_params_missing", "repository"),
    (
        CREATE,
        {"integration_branch": "develop", "metadata": [1]},
        "required_params_missing",
        "commit_sha",
    ),
    (SET, {"services": None, "pull_number": "x"}, "required_params_missing", "services"),
    (SET, {"repository": None, "pull_number": "x"}, "required_params_missing", "repository"),
    ("pulls.info", {"number": "x"}, "required_params_missing", "repository"),
    # The form comes before what is looked up.
    (CREATE, {"repository": "acme/typo", "commit_sha": "x"}, "commit_sha_invalid", "commit_sha"),
    (CREATE, {"repository": "acme/typo", "metadata": [1]}, "metadata_invalid", "metadata"),
    (CREATE, {"repository": "acme/typo", "success": "x"}, "invalid_arguments", "success"),
    (
        CREATE,
        {"repository": "acme/typo", "merge_commit_shas": []},
        "merge_commit_shas_blank",
        "merge_commit_shas",
    ),
    (
        CREATE,
        {"repository": "acme/typo", "commit_sha": "abcdef0", "merge_commit_shas": ["abcdef0"]},
        "ambiguous_commit_sha_arguments",
        "merge_commit_shas",
    ),
    (
        CREATE,
        {"commit_sha": "abcdef0", "merge_commit_shas": ["x"]},
        "merge_commit_shas_invalid",
        "merge_commit_shas",
    ),
    (SET, {"repository": "acme/typo", "pull_number": "x"}, "invalid_arguments", "pull_number"),
    (SET, {"repository": "acme/typo", "services": []}, "required_params_missing", "services"),
    # Of look-ups, what was named comes before what it says.
    (
        CREATE,
        {"repository": "acme/typo", "merge_commit_shas": ["fedcba9"]},
        "repository_not_found",
        "repository",
    ),
    (
        CREATE,
        {"repository": "acme/typo", "commit_sha": "abcdef0", "integration_branch": "main"},
        "repository_not_found",
        "repository",
    ),
]


@pytest.mark.parametrize(("method", "arguments", "error", "argument"), ORDER)
def test_required_comes_before_form_and_form_before_look_ups(
    shop: Shop,
    method: str,
    arguments: dict[str, Any],
    error: str,
    argument: str | None,
) -> None:
    refusal = shop.server.refusal(method, **shop.right(method) | arguments)
    assert (refusal.error, refusal.argument) == (error, argument)


def test_parsing_comes_before_what_is_required(server: LiveServer) -> None:
    response = server.send(f"{CREATE}?service=x", content=b'{"deployed_at": ')
    assert refused(response).error == "invalid_json"


def test_a_known_reference_id_is_refused_before_its_commits_are_looked_up(shop: Shop) -> None:
    shop.deploy(1, reference_id=shop.reference("x"))
    refusal = shop.refused_deploy(
        1, reference_id=shop.reference("x"), merge_commit_shas=["fedcba9"]
    )
    assert refusal.what == (409, "reference_id_exists", "reference_id")
