"""Every error code, each with its status, its argument and a message that names the value."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.server import LiveServer, refused
from tests.shops import Shop

from shipmark.domain import errors

CREATE, SET = "deployments.create", "deployments.setPullServices"

OF_CREATE = {
    "not_authed",
    "invalid_auth",
    "required_params_missing",
    "repository_not_found",
    "commit_sha_invalid",
    "reference_id_exists",
    "metadata_invalid",
    "integration_branch_not_valid",
    "ambiguous_commit_sha_arguments",
    "merge_commit_shas_blank",
    "merge_commit_shas_invalid",
    "merge_commit_shas_not_found",
}
OF_SET = {
    "not_authed",
    "invalid_auth",
    "account_inactive",
    "invalid_json",
    "required_params_missing",
    "repo_not_found",
}
OF_THE_SERVER = {
    *("internal_error", "unavailable", "payload_too_large"),
    *("invalid_file", "import_not_found", "import_not_ready"),
}
"""Those that need a server of their own; `tests/operation` has them."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A wrong request, and what must be answered. ``arguments`` change a right one."""

    method: str = CREATE
    error: str
    status: int = 422
    argument: str | None = None
    names: str
    arguments: dict[str, Any] = field(default_factory=dict)


def of(method: str, error: str, names: str, argument: str | None = None, **arguments: Any) -> Case:
    return Case(method=method, error=error, names=names, argument=argument, arguments=arguments)


CASES = [
    of(CREATE, "required_params_missing", "deployed_at", "deployed_at", deployed_at=None),
    of(CREATE, "required_params_missing", "service", "service", service="  "),
    of(CREATE, "required_params_missing", "service", "service", service={"name": ""}),
    of(CREATE, "required_params_missing", "merge_commit_shas", "repository", repository=None),
    of(CREATE, "required_params_missing", "repository", "repository", repository=""),
    of(
        CREATE,
        "required_params_missing",
        "fedcba9",
        "repository",
        repository=None,
        commit_sha="fedcba9",
    ),
    of(
        CREATE,
        "required_params_missing",
        "integration_branch",
        "commit_sha",
        integration_branch="develop",
    ),
    of(CREATE, "repository_not_found", "acme/typo", "repository", repository="acme/typo"),
    of(CREATE, "commit_sha_invalid", "abcdef", "commit_sha", commit_sha="abcdef"),
    of(CREATE, "commit_sha_invalid", "xyzxyzx", "commit_sha", commit_sha="xyzxyzx"),
    of(CREATE, "commit_sha_invalid", "aaaaaaaa", "commit_sha", commit_sha="a" * 41),
    of(CREATE, "commit_sha_invalid", "1234567", "commit_sha", commit_sha=1234567),
    of(CREATE, "commit_sha_invalid", "40", "commit_sha", commit_sha=""),
    of(CREATE, "metadata_invalid", "[1]", "metadata", metadata=[1]),
    of(CREATE, "metadata_invalid", "text", "metadata", metadata="text"),
    of(CREATE, "metadata_invalid", "a key", "metadata", metadata={"a key": 1}),
    of(CREATE, "metadata_invalid", "''", "metadata", metadata={"": 1}),
    of(CREATE, "metadata_invalid", "ключ", "metadata", metadata={"ключ": 1}),
    of(CREATE, "metadata_invalid", "65536", "metadata", metadata={"a": "x" * 65536}),
    of(
        CREATE,
        "integration_branch_not_valid",
        "main",
        "integration_branch",
        commit_sha="abcdef0",
        integration_branch="main",
    ),
    of(
        CREATE,
        "integration_branch_not_valid",
        "nobody-merges-here",
        "integration_branch",
        commit_sha="abcdef0",
        integration_branch="nobody-merges-here",
    ),
    of(
        CREATE,
        "ambiguous_commit_sha_arguments",
        "merge_commit_shas",
        "merge_commit_shas",
        commit_sha="abcdef0",
        merge_commit_shas=["abcdef0"],
    ),
    of(CREATE, "merge_commit_shas_blank", "blank", "merge_commit_shas", merge_commit_shas=[]),
    of(CREATE, "merge_commit_shas_blank", "blank", "merge_commit_shas", merge_commit_shas=""),
    of(CREATE, "merge_commit_shas_blank", "blank", "merge_commit_shas", merge_commit_shas=[""]),
    of(
        CREATE,
        "merge_commit_shas_invalid",
        "abc123",
        "merge_commit_shas",
        merge_commit_shas=["abcdef0", "abc123"],
    ),
    of(CREATE, "merge_commit_shas_invalid", "7", "merge_commit_shas", merge_commit_shas=7),
    of(
        CREATE,
        "merge_commit_shas_not_found",
        "fedcba9",
        "merge_commit_shas",
        merge_commit_shas=["fedcba9"],
    ),
    of(CREATE, "invalid_arguments", "noon", "deployed_at", deployed_at="noon"),
    of(CREATE, "invalid_arguments", "true", "service", service=True),
    of(CREATE, "invalid_arguments", "300", "service", service="x" * 300),
    of(CREATE, "invalid_arguments", "[1]", "repository", repository=[1]),
    of(CREATE, "invalid_arguments", "1.5", "reference_id", reference_id=1.5),
    of(CREATE, "invalid_arguments", "256", "reference_id", reference_id="x" * 256),
    of(CREATE, "invalid_arguments", "ftp://x", "source_url", source_url="ftp://x"),
    of(CREATE, "invalid_arguments", "http:", "source_url", source_url="http:"),
    of(CREATE, "invalid_arguments", "http://[", "source_url", source_url="http://["),
    of(CREATE, "invalid_arguments", "7", "source_name", source_name=7),
    of(CREATE, "invalid_arguments", "NUL", "source_name", source_name="a\0b"),
    of(CREATE, "invalid_arguments", "maybe", "success", success="maybe"),
    of(CREATE, "invalid_arguments", "2", "dry_run", dry_run=2),
    of(CREATE, "invalid_arguments", "{}", "environment", environment={}),
    of(SET, "required_params_missing", "services", "services", services=None),
    of(SET, "required_params_missing", "github_pull_id", "repository", repository=None),
    of(SET, "required_params_missing", "pull_number", "pull_number", pull_number=None),
    of(SET, "repo_not_found", "acme/typo", "repository", repository="acme/typo"),
    of(SET, "invalid_arguments", "one", "pull_number", pull_number="one"),
    Case(
        method="deployments.info",
        error="deployment_not_found",
        status=404,
        argument="reference_id",
        names="nobody's",
        arguments={"reference_id": "nobody's"},
    ),
    Case(
        method="pulls.info",
        error="pull_not_found",
        status=404,
        names="nobody's",
        arguments={"source_id": "nobody's"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.error}-{case.names[:20]}")
def test_a_wrong_argument_is_refused_by_name(shop: Shop, case: Case) -> None:
    shop.merge(1)
    arguments = shop.right(case.method) | case.arguments
    refusal = shop.server.refusal(case.method, **arguments)
    assert refusal.what == (case.status, case.error, case.argument)
    assert case.names in refusal.message


def test_a_reference_id_that_exists_with_other_values_is_refused(shop: Shop) -> None:
    shop.deploy(1, reference_id=shop.reference("x"))
    refusal = shop.refused_deploy(2, reference_id=shop.reference("x"))
    assert refusal.what == (409, "reference_id_exists", "reference_id")
    assert shop.reference("x") in refusal.message


@pytest.mark.parametrize("method", [CREATE, SET])
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a": }',
        b"[]",
        b"7",
        b'"text"',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"a": NaN}',
    ],
)
def test_a_body_that_is_no_json_object_is_refused(
    server: LiveServer, method: str, body: bytes
) -> None:
    response = server.send(method, content=body, headers={"Content-Type": "application/json"})
    assert refused(response).what == (400, "invalid_json", None)


def test_deep_nesting_is_refused(server: LiveServer) -> None:
    response = server.send(CREATE, content=b'{"a":' * 100_000)
    assert refused(response).what == (400, "invalid_json", None)


# Nothing is left out


def all_codes() -> set[str]:
    def below(kind: type[errors.ShipmarkError]) -> set[str]:
        return {kind.code}.union(*(below(one) for one in kind.__subclasses__()))

    return below(errors.ShipmarkError)


def test_every_code_is_tested() -> None:
    here = {case.error for case in CASES}
    by_themselves = {
        "not_authed",
        "invalid_auth",
        "account_inactive",
        "missing_scope",
        "invalid_json",
        "reference_id_exists",
        "unknown_method",
        "method_not_allowed",
        "invalid_signature",
        "incident_not_found",
    }
    of_pages = {"changed_meanwhile"}
    assert here | by_themselves | of_pages | OF_THE_SERVER == all_codes()
    assert all_codes() >= OF_CREATE | OF_SET


def test_a_refused_create_stores_nothing(shop: Shop) -> None:
    shop.merge(1)
    for case in CASES:
        if case.method == CREATE:
            shop.server.refusal(CREATE, **shop.right(CREATE) | case.arguments)
    listed = shop.server.call("deployments.list", repository=shop.repository)
    assert listed["deployments"] == []
