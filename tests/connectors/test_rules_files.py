"""Each forge is asked for `.shipmark.yml` on the default branch, and what webhooks leave open."""

from typing import Any

import pytest
from tests.connectors.tables import table
from tests.connectors.talks import converse, ok, result

from shipmark.application.facts import BranchPush, PushedCommit, RepositoryFacts, RulesFileFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.exchange import Request, Response
from shipmark.connectors.forge_errors import ForgeError, ForgeNotFound, ForgeUnavailable
from shipmark.connectors.forge_questions import follow_ups, rules_file
from shipmark.connectors.forge_servers import Questions, server_of
from shipmark.connectors.payloads import EPOCH
from shipmark.connectors.ref_events import push_event
from shipmark.connectors.rules_file import LARGEST_FILE

BODY = b"version: 1\nservices: {}\n"
TIP = "0123456789abcdef0123456789abcdef01234567"
NAME = "org/app"
CLOUD = "/2.0/repositories/org/app"
AZURE = "/org/_apis/git/repositories/app"
FILE = Response(status=200, body=BODY)
FORGES: dict[str, tuple[str, dict[str, Any]]] = {
    "github": ("https://github.com", {"/repos/org/app/contents/.shipmark.yml": FILE}),
    "gitea": ("https://git.example.com", {"/repos/org/app/raw/.shipmark.yml": FILE}),
    "gitlab": (
        "https://gitlab.com",
        {"/api/v4/projects/org%2Fapp/repository/files/.shipmark.yml/raw?ref=HEAD": FILE},
    ),
    "bitbucket": (
        "https://bitbucket.org",
        {
            CLOUD: {"uuid": "{1}", "full_name": NAME, "mainbranch": {"name": "rel/1"}},
            f"{CLOUD}/commits/rel%2F1": {"values": [{"hash": TIP, "date": "2026-03-01T00:00:00Z"}]},
            f"{CLOUD}/src/{TIP}/.shipmark.yml": FILE,
        },
    ),
    "bitbucket data center": (
        "https://bitbucket.example.com",
        {"/rest/api/1.0/projects/org/repos/app/raw/.shipmark.yml": FILE},
    ),
    "azure_devops": ("https://dev.azure.com/acme", {f"{AZURE}/items": FILE}),
}


def asked_of(forge: str) -> Questions:
    return server_of(forge.partition(" ")[0], FORGES[forge][0])[0]


@pytest.mark.parametrize("forge", FORGES)
def test_the_file_is_read_as_it_is(forge: str) -> None:
    answers = FORGES[forge][1]
    body, asked = converse(asked_of(forge).rules_file(NAME), table(answers))
    assert body == BODY
    assert len(asked) == len(answers)


@pytest.mark.parametrize("forge", FORGES)
def test_a_file_that_is_not_there_is_none(forge: str) -> None:
    answers = {path: said for path, said in FORGES[forge][1].items() if said is not FILE}
    assert result(asked_of(forge).rules_file(NAME), table(answers)) is None


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize("status", [400, 403, 429, 503])
def test_any_other_answer_is_an_error(forge: str, status: int) -> None:
    with pytest.raises(ForgeError):
        result(asked_of(forge).rules_file(NAME), lambda _: ok({}, status=status))


def test_no_more_is_kept_of_a_file_than_is_read() -> None:
    huge = Response(status=200, body=b"x" * 10 * LARGEST_FILE)
    body = result(asked_of("github").rules_file(NAME), lambda _: huge)
    assert body is not None
    assert len(body) == LARGEST_FILE + 1


def asking(answers: dict[str, Any]) -> RulesFileFacts:
    return result(rules_file(asked_of("github"), "github", NAME), table(answers))


def test_a_missing_file_is_told_from_a_repository_that_is_not_shown() -> None:
    shown = {"/repos/org/app": {"id": 7, "full_name": NAME}}
    assert asking(shown) == RulesFileFacts(repository=NAME)
    with pytest.raises(ForgeNotFound):
        asking({})


def test_a_refusal_is_told_and_a_failure_is_not() -> None:
    def said(status: int) -> RulesFileFacts:
        answer = ok({"message": "no"}, status=status)
        return asking({"/repos/org/app/contents/.shipmark.yml": answer})

    assert said(403).trouble == (
        "The forge answered 403 when asked for .shipmark.yml of org/app: no"
    )
    with pytest.raises(ForgeUnavailable):
        said(503)


# What is asked after a webhook

REPOSITORY = RepositoryFacts(
    name=NAME, source="github", source_id="7", values={"default_branch": "main"}
)


def paths_after(*facts: Any) -> list[str]:
    asked: list[Request] = []

    def forge(request: Request) -> Response:
        asked.append(request)
        return FILE

    for name, question in follow_ups(asked_of("github"), "github", facts):
        assert name == NAME
        result(question, forge)
    return [one.path for one in asked]


def a_push(branch: str = "main", *files: tuple[str, ...] | None) -> list[Any]:
    commits = tuple(PushedCommit(sha=TIP, committed_at=EPOCH, files=one) for one in files)
    pushed = [BranchPush(repository=NAME, branch=branch, commits=commits)] if commits else []
    event = push_event("github", NAME, branch, EPOCH, before="", after=TIP)
    return [REPOSITORY, *pushed, event]


READ = ["/repos/org/app/contents/.shipmark.yml"]


@pytest.mark.parametrize(
    ("files", "read"),
    [
        ([(".shipmark.yml", "a")], READ),
        ([("a",), (".shipmark.yml",)], READ),
        ([("a",), None], READ),
        ([], READ),
        ([("a",), ("docs/.shipmark.yml",)], []),
    ],
)
def test_rules_are_read_after_a_push_that_may_change_them(
    files: list[tuple[str, ...] | None], read: list[str]
) -> None:
    assert paths_after(*a_push("main", *files)) == read


def test_rules_are_not_read_after_a_push_to_another_branch() -> None:
    push = a_push("work", None)
    assert paths_after(*push) == []
    # Which branch is the default one is not always told.
    assert paths_after(*push[1:]) == READ


def a_pull(**values: Any) -> PullFacts:
    return PullFacts(repository=NAME, number=5, values={"base_ref": "main"} | values)


def test_a_merged_pull_request_is_asked_for_as_a_whole() -> None:
    asked = asked_of("gitlab")
    merged = a_pull(merged_at=EPOCH)
    ((name, question),) = follow_ups(asked, "gitlab", [merged, merged])
    root = "/api/v4/projects/org%2Fapp/merge_requests/5"
    assert (name, next(question).path) == (NAME, root)
    assert not [*follow_ups(asked, "gitlab", [a_pull(), a_pull(merged_at=None)])]
    whole = a_pull(merged_at=EPOCH, commit_shas=frozenset({TIP}))
    assert not [*follow_ups(asked, "gitlab", [merged, whole])]
